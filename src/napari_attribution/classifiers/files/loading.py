"""Open a classifier file safely: look inside first, never unpickle, say what it is when it is not a classifier."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import card_path, find_card, read_card
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.devices import choose_device
from napari_attribution.classifiers.files.archive import check_archive
from napari_attribution.classifiers.files.exported import open_exported
from napari_attribution.classifiers.files.torchscript import open_torchscript
from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT
from napari_attribution.classifiers.files.trial.trying import try_out
from napari_attribution.classifiers.heeding import heeding, within
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.errors import CardError, ClassifierError, DeviceError


def load_classifier(
    path: str | Path,
    device: str = "auto",
    card: ClassifierCard | str | Path | None = None,
    *,
    time_limit: float | None = TIME_LIMIT,
    cancelled: Callable[[], bool] | None = None,
) -> Classifier:
    """Load a classifier, a TorchScript or torch.export (.pt2) file, and find out what can be done with it.

    Parameters
    ----------
    path : path of the file.
    device : str
        "auto" (CUDA, then MPS, then the CPU) or a name such as "cuda:1".
    card : ClassifierCard or path of one, optional
        By default the bioimage.io description beside the file or among its extra files.
    time_limit : float or None
        A file that is new here is first tried out in a second process, on the CPU, whatever the device: it is stopped there
        after so many seconds, and what crashes crashes there. None for files that are trusted: no trial is made. The
        environment variable NAPARI_ATTRIBUTION_TRIAL=0 says the same for all files.
    cancelled : callable, optional
        Asked often during the trial; once it says True, `Cancelled` is raised.

    Raises
    ------
    ClassifierError
        For a file that is no classifier of one input; nothing is ever unpickled. TrialError, which is one,
        where it took too long or crashed while it was tried out.
    CardError
        Where no card is found or given, or it cannot be used.
    DeviceError
        Where there is no such device, or no room on it.
    """
    path = Path(path)
    kind = check_archive(path)
    chosen = choose_device(device)
    if not isinstance(card, ClassifierCard):
        card = read_card(card) if card is not None else find_card(path)
    if card is None:
        raise CardError(
            f"{path.name} has no card: nothing says which stains it wants, in which order, how they are normalised, and what "
            f"its scores mean. Write one to {card_path(path).name} (napari-attribution card, or in the dock)."
        )
    try_out(path, card, time_limit, cancelled, chosen.type)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        network = open_exported(path, chosen) if kind == "pt2" else open_torchscript(path, chosen)
        with heeding(within(None, cancelled)):
            return Classifier(network, card, path, sha256)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(str(chosen))) from None
        raise ClassifierError(f"{path.name} cannot be run: {reason(error)}") from None
