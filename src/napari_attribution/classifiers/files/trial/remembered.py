"""Which classifier files have passed their trial, so that it is not repeated: one small file each in the user's cache."""

from __future__ import annotations

import hashlib
import json
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import torch

from napari_attribution.classifiers.cards.card import ClassifierCard


def folder() -> Path:
    """Where it is remembered: the user's cache folder, as this system has it."""
    from platformdirs import user_cache_path

    return user_cache_path("napari-attribution", appauthor=False) / "trials"


def key(path: Path, card: ClassifierCard, device: str = "cpu") -> str:
    """What a trial's result depends on: the file's bytes, the shapes that the card asks for, torch, this package, the device.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    facts = {
        "file": sha256,
        "card": [len(card.stains), len(card.classes), card.size],
        "versions": [_version(), str(torch.__version__), platform.machine()],
        "device": device.partition(":")[0],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _version() -> str:
    try:
        return metadata.version("napari-attribution")
    except metadata.PackageNotFoundError:  # run from its source
        return ""


def is_remembered(key: str) -> bool:
    """Whether that trial was passed before."""
    try:
        return (folder() / key).is_file()
    except (OSError, RuntimeError):
        return False


def remember(key: str) -> None:
    """Note that the trial was passed, where there is a place to note it."""
    with suppress(OSError, RuntimeError):
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / key).touch()


def forget() -> None:
    """Forget all trials; the next load of every file is tried out again."""
    with suppress(OSError, RuntimeError):
        for note in folder().iterdir():
            note.unlink(missing_ok=True)
