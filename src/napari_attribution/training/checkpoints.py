"""Checkpoints: what a training needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from napari_attribution.errors import RecordError
from napari_attribution.keeping.files import written_whole
from napari_attribution.training.examples import Examples
from napari_attribution.training.recipe import Recipe


def key_of(training: Examples, validation: Examples, recipe: Recipe, seed: int, network: torch.nn.Module) -> str:
    """What makes a training the one that it is: its recipe, its seed, its examples (but for their pixels), its network."""
    told = {
        "recipe": recipe.model_dump(mode="json"),
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


def read_checkpoint(path: Path, key: str) -> dict[str, Any] | None:
    """What `write_checkpoint` wrote; None where there is no such file.

    Raises
    ------
    RecordError
        For a file that is none, and for one of another training.
    """
    if not path.exists():
        return None
    try:
        # weights_only: a file that is not ours must not be able to run anything.
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["key"]
    except Exception as error:
        raise RecordError(
            f"{path} is not a checkpoint that can be read ({type(error).__name__}). Delete it to train anew."
        ) from None
    if found != key:
        raise RecordError(
            f"{path} is the checkpoint of another training: its recipe, seed, labels, wells or network differ from those asked "
            "for. Delete it to train anew, or choose another folder."
        )
    return dict(state)
