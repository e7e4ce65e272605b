"""The well and the classifier of a record, found again: by its files, or by what is given instead."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import CardError, DeviceError, RecordError, StainError
from napari_attribution.keeping.records import Recorded
from napari_attribution.wells import Well, read_well
from napari_attribution.wells.place import Place
from napari_attribution.wells.readers.locations import is_url

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.classifier import Classifier

TRIAL_SECONDS = 60.0
"""Of a classifier that is new here, see `load_classifier`."""


def well_again(recorded: Recorded, path: str | Path | None = None) -> Well:
    """Read the record's well from its files, or from another place, in the same manner.

    Raises
    ------
    RecordError
        Where it did not come from files, or they are missing.
    WellError
        Where they cannot be read.
    """
    reading = recorded.well.reading
    if path is None and reading is None:
        whence = ", ".join(recorded.well.source) or "pixels in memory"
        raise RecordError(
            f"The well of this record did not come from files ({whence:.300}). {_supply('the well', '--well')}"
        )
    manner: dict[str, Any] = {}
    if reading is not None:
        manner = {"stains": reading.stains, "project": reading.project, "pattern": reading.pattern}
    if path is not None:
        return read_well(path, **manner)
    assert reading is not None
    paths = reading.path if isinstance(reading.path, list) else [reading.path]
    for one in paths:
        if not (is_url(one) or Path(one).is_file() or Path(one).is_dir()):
            raise RecordError(f"The well of this record is not there any more: {one}. {_supply('the well', '--well')}")
    return read_well(reading.path, **manner)


def as_recorded(recorded: Recorded, well: Well) -> tuple[Well, tuple[str, ...]]:
    """The well with the record's stains, and what is not as it was.

    Stains are found by their pixels, whatever they are called now; where the pixels are others, by their names.

    Raises
    ------
    StainError
        Where one that the classifier was given is missing.
    """
    names, hashes, now = recorded.well.stains, recorded.well.sha256_of_planes, _planes(well)
    if _all_there(recorded, now):
        order = [now[hashes[name]] for name in names]
        pixels = well.pixels if order == list(range(len(well.pixels))) else well.pixels[order]
        return replace(
            well, pixels=pixels, stains=tuple(names), reading=_read_as(well, dict(zip(order, names, strict=True)))
        ), ()
    have = {stain.casefold(): index for index, stain in enumerate(well.stains)}
    missing = [stain for stain in recorded.stain_map.values() if stain.strip().casefold() not in have]
    if missing:
        raise StainError(
            f"The record's well has the stains {', '.join(names)}; {well.name} has {', '.join(well.stains)} and lacks "
            f"{', '.join(missing)}. {_supply('the well of the record, or one with these stains', '--well')}"
        )
    other = [name for name in names if hashes.get(name) not in now]
    return well, (
        f"The pixels of {', '.join(other)} are not those of the record: {well.name} has changed since, or is another well.",
    )


def _read_as(well: Well, names: dict[int, str]) -> Mapping[str, Any] | None:
    """How the well is read so that its channels have these names."""
    found = [names.get(index, name) for index, name in enumerate(well.stains)]
    if well.reading is None or found == list(well.stains):
        return well.reading
    return {**well.reading, "stains": found, "found": found}


def is_the_records(recorded: Recorded, well: Well) -> bool:
    """Whether a well has the record's pixels, whatever its stains are called."""
    return _all_there(recorded, _planes(well))


def _planes(well: Well) -> dict[str, int]:
    """Each channel's number by its hash."""
    from napari_attribution.methods.answers.record import sha256_of

    return {sha256_of(plane): index for index, plane in enumerate(well.pixels)}


def _all_there(recorded: Recorded, planes: dict[str, int]) -> bool:
    hashes = recorded.well.sha256_of_planes
    return set(hashes) == set(recorded.well.stains) and all(one in planes for one in hashes.values())


def place_of(recorded: Recorded, well: Well) -> Place | None:
    """The place that was asked about.

    Raises
    ------
    RecordError
        Where it is none of this well.
    """
    if recorded.place is None:
        return None
    shape = recorded.place.get("shape")
    # Looked at first: a mask is made of it.
    if shape != list(well.shape):
        raise RecordError(
            f"The record asks about a place in a well of the shape {shape!s:.60}, but {well.name} has "
            f"{well.shape[0]} x {well.shape[1]} pixels. {_supply('the well of the record', '--well')}"
        )
    try:
        return Place.of_record(recorded.place)
    except OverflowError as error:
        raise RecordError(f"The place in this record is damaged ({error}). Export the answer anew.") from None


def classifier_again(
    recorded: Recorded,
    path: str | Path | None = None,
    device: str | None = None,
    time_limit: float | None = TRIAL_SECONDS,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Classifier, tuple[str, ...]]:
    """Load the record's classifier, or the file given instead, and say what is not as it was.

    Raises
    ------
    RecordError
        Where its file is missing.
    ClassifierError, CardError, DeviceError
        Where it cannot be loaded.
    """
    from napari_attribution.classifiers import load_classifier

    where = classifier_path(recorded, path)
    chosen, notes = _device(recorded, device)
    card, is_the_records = card_for(recorded, where)
    classifier = load_classifier(where, chosen, card, time_limit=time_limit, cancelled=cancelled)
    if not is_the_records:
        notes += another_classifier(recorded, classifier)
    return classifier, notes


def classifier_path(recorded: Recorded, path: str | Path | None = None) -> Path:
    """Where the classifier's file is.

    Raises
    ------
    RecordError
        Where it is missing.
    """
    if path is not None:
        return Path(path)
    file = recorded.classifier.file
    if file is None or not Path(file).is_file():
        what = "came from no file" if file is None else f"is not there any more: {file}"
        raise RecordError(f"The classifier of this record {what}. {_supply('the classifier', '--classifier')}")
    return Path(file)


def card_for(recorded: Recorded, path: Path) -> tuple[ClassifierCard, bool]:
    """The card for a classifier's file, and whether the file is the record's: another one's own card comes first.

    Raises
    ------
    RecordError
        Where the record's card is damaged.
    """
    from napari_attribution.classifiers.cards.io import find_card

    card = recorded_card(recorded)
    if _sha256(path) == recorded.classifier.sha256:
        return card, True
    try:
        return find_card(path) or card, False
    except CardError:
        return card, False


def recorded_card(recorded: Recorded) -> ClassifierCard:
    """The card that the record holds.

    Raises
    ------
    RecordError
        Where it is damaged.
    """
    from napari_attribution.classifiers.cards.card import ClassifierCard

    try:
        return ClassifierCard(**recorded.classifier.card)
    except (CardError, TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"The classifier's card in this record cannot be used: {error!s:.300}") from None


def another_classifier(recorded: Recorded, classifier: Classifier) -> tuple[str, ...]:
    if classifier.sha256 == recorded.classifier.sha256:
        return ()
    return (
        f"{classifier.name} is not the file that the record was made with: it has changed since, or is another one.",
    )


def _device(recorded: Recorded, device: str | None) -> tuple[str, tuple[str, ...]]:
    from napari_attribution.classifiers.devices import choose_device

    if device is not None:
        return device, ()
    try:
        choose_device(recorded.work.device)
    except DeviceError:
        taken = str(choose_device("auto"))
        return taken, (
            f"The record was made on {recorded.work.device:.40}, which this machine does not have; computed on {taken}.",
        )
    return recorded.work.device, ()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _supply(what: str, option: str) -> str:
    return f"Supply {what}: {option} on the command line; in napari, open it first, then repeat."
