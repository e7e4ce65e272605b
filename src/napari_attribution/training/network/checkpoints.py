"""Checkpoints: what a training needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from napari_attribution.errors import OutputError, RecordError
from napari_attribution.keeping.files import written_whole
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.recipe import WHICH, Recipe


def key_of(training: Examples, validation: Examples, recipe: Recipe, seed: int, network: torch.nn.Module) -> str:
    """What makes a network's training the one that it is: how it is trained, its seed, its examples (but for their pixels)."""
    told = {
        "recipe": recipe.model_dump(mode="json", exclude=set(WHICH)),
        "seed": seed,
        "network": {name: list(tensor.shape) for name, tensor in network.state_dict().items()},
        "examples": [
            [list(part.inputs.shape), part.classes.tolist(), list(part.groups)] for part in (training, validation)
        ],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def write_checkpoint(path: Path, key: str, state: dict[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    with written_whole(path) as place:
        torch.save({"key": key, **state}, place)


def read_checkpoint(path: Path, key: str) -> tuple[dict[str, Any] | None, str]:
    """What `write_checkpoint` wrote; None where there is no such file.

    A file that is no checkpoint, or half of one, is set aside under another name. Then there is none, and a sentence says so.

    Raises
    ------
    RecordError
        For the checkpoint of another training, and a file that may not be read.
    OutputError
        For a damaged file that cannot be renamed.
    """
    if not path.exists():
        return None, ""
    try:
        path.open("rb").close()
    except OSError as error:
        raise RecordError(
            f"{path} cannot be read ({error.strerror or error}). Make it readable, or move it away to train this network anew."
        ) from None
    try:
        # weights_only: a file that is not ours must not be able to run anything.
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
        found = state["key"]
    except Exception:  # which one, depends on where the damage is: of a file that was cut short, an OSError among them
        aside = _set_aside(path)
        return None, f"{path} was damaged, so the network was trained anew. What was there was kept as {aside.name}."
    if found != key:
        raise RecordError(
            f"{path} is the checkpoint of another training: its recipe, seed, labels, wells or network differ from those asked "
            "for. Delete it to train anew, or choose another folder."
        )
    return state, ""


def _set_aside(path: Path) -> Path:
    """Give a file a name that no file has yet."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    try:
        return path.rename(aside)
    except OSError as error:
        raise OutputError(
            f"{path} is damaged, and cannot be renamed ({error.strerror or error}). Move it away to train this network anew."
        ) from None
