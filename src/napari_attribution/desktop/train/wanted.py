"""What is to be trained, and where what is done of it is kept until the answer is saved."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from napari_attribution.desktop.keeping.remembered import SWITCH, where
from napari_attribution.desktop.plates.wanted import READING as READING_ONE
from napari_attribution.desktop.plates.wanted import WantedPlate
from napari_attribution.keeping.files import check_folder, written_whole
from napari_attribution.training.recipe import WHICH, Recipe

READING = (*READING_ONE, "more")
"""What, once it is another, makes the plates to be read anew."""

ASKED = "asked.json"
"""The file in the folder of a training that says what was asked."""

SAVED = "saved.json"
"""The same once the answer is saved."""

MOST = 10
"""Trainings that are kept without being saved; older ones make way."""


@dataclass
class Wanted(WantedPlate):
    """What is to be trained, on which plates.

    Parameters
    ----------
    more : tuple of str
        Folders or URLs of plates beside the first; all are read in the same way.
    labels : str
        The condition that says which class a well is of; empty where none is chosen.
    recipe : dict
        Choices that are not the recipe's own, by name.
    """

    more: tuple[str, ...] = ()
    labels: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.more = tuple(self.more)

    @property
    def plates(self) -> tuple[str, ...]:
        """All of them; none where no first one is chosen."""
        return (self.plate, *self.more) if self.plate else ()


def folder_of(wanted: Wanted) -> Path:
    """Where what is done of this training is kept: the same for the same wishes, also after a restart.

    With more seeds, or something to compare with, the same training goes on.
    """
    asked = asdict(wanted)
    asked["recipe"] = {name: value for name, value in wanted.recipe.items() if name not in WHICH}
    if wanted.conditions and Path(wanted.conditions).is_file():
        # Other labels are another training, by whatever name.
        asked["table"] = hashlib.sha256(Path(wanted.conditions).read_bytes()).hexdigest()
    return home() / hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def begin(wanted: Wanted) -> Path:
    """Make the folder of a training, and write down what was asked.

    Raises
    ------
    OutputError
        Where nothing can be written.
    """
    folder = folder_of(wanted)
    for old in _by_age()[MOST - 1 :]:
        if old != folder / ASKED:
            shutil.rmtree(old.parent, ignore_errors=True)
    check_folder(folder)
    with written_whole(folder / ASKED) as temporary:
        temporary.write_text(json.dumps(asdict(wanted), indent=2), "utf-8")
    (folder / SAVED).unlink(missing_ok=True)
    for saved in home().glob(f"*/{SAVED}"):
        shutil.rmtree(saved.parent, ignore_errors=True)
    return folder


def unfinished() -> Wanted | None:
    """The training that was begun last and whose answer was not saved; None where there is none."""
    for file in _by_age():
        try:
            found = Wanted(**json.loads(file.read_text("utf-8")))
            Recipe(**found.recipe)
            return found
        except (OSError, ValueError, TypeError):
            continue
    return None


def _by_age() -> list[Path]:
    """What was asked of all that was begun, the latest first."""
    return sorted(home().glob(f"*/{ASKED}"), key=lambda file: file.stat().st_mtime, reverse=True)


def begun(wanted: Wanted) -> bool:
    """Whether something of this training is done."""
    return any((folder_of(wanted) / name).is_file() for name in (ASKED, SAVED))


def finish(wanted: Wanted) -> None:
    """The answer is saved: what was done is offered no more, and kept until another training is begun, to go on with more seeds."""
    asked = folder_of(wanted) / ASKED
    if asked.is_file():
        asked.replace(asked.with_name(SAVED))


def forget(wanted: Wanted) -> None:
    """Let go of what was done of a training."""
    shutil.rmtree(folder_of(wanted), ignore_errors=True)


def home() -> Path:
    """The folder of all trainings that were begun: the user's own, or one for as long as napari runs."""
    settings = where()
    if settings is None:
        return _for_now()
    if os.environ.get(SWITCH):
        return settings.parent / "trainings"
    from platformdirs import user_cache_path

    return user_cache_path("napari-attribution", appauthor=False) / "trainings"


@cache
def _for_now() -> Path:
    return Path(tempfile.mkdtemp(prefix="napari-attribution-trainings-"))
