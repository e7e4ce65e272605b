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
from napari_attribution.desktop.plates.wanted import WantedPlate
from napari_attribution.keeping.files import check_folder, written_whole
from napari_attribution.training.recipe import Recipe

ASKED = "asked.json"
"""The file in the folder of a training that says what was asked."""

MOST = 10
"""Trainings that are kept without being saved; older ones make way."""


@dataclass
class Wanted(WantedPlate):
    """What is to be trained, on which plate.

    Parameters
    ----------
    labels : str
        The condition that says which class a well is of; empty where none is chosen.
    recipe : dict
        Choices that are not the recipe's own, by name.
    """

    labels: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)


def folder_of(wanted: Wanted) -> Path:
    """Where what is done of this training is kept: the same for the same wishes, also after a restart."""
    asked = asdict(wanted)
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
    return (folder_of(wanted) / ASKED).is_file()


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
