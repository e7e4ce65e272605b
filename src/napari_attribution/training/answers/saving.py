"""Saving a trained classifier: the network in both formats, its card, and the answer, all of one name; and reading it again."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.classifiers.files.archive import check_archive
from napari_attribution.errors import ClassifierError, OutputError, RecordError
from napari_attribution.keeping.files import check_folder
from napari_attribution.training.answers.answer import MIXED, TrainedClassifier
from napari_attribution.training.backbones import make_network
from napari_attribution.training.network.fitting import Epoch
from napari_attribution.training.recipe import Recipe

ENDING = ".training.json"
_ENDINGS = (".pt", ".pt2", ".bioimageio.yaml", ".test-input.npy", ".test-output.npy", ENDING)
"""Of all that `save` writes."""
_VERSION = 1
_LARGEST = 64 * 2**20


class _Kept(BaseModel):
    """What a file must hold to be the answer of a training."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    training_version: int = Field(ge=1, le=_VERSION)
    card: dict[str, Any]
    importances: list[list[float]] = Field(min_length=1)
    accuracy: dict[str, list[float | None]]
    held_out: list[int]
    chance: float
    shapley: list[float | None]
    permutation: list[float | None]
    warnings: list[str]
    histories: dict[str, list[list[dict[str, Any]]]]
    best: Annotated[int, Field(ge=0)]
    record: dict[str, Any]


def stem_of_file(path: Path) -> Path:
    """FILE of any of the files of a saved classifier."""
    ending = next((ending for ending in _ENDINGS if path.name.endswith(ending)), "")
    return path.with_name(path.name.removesuffix(ending))


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that `save` writes, or writes anew."""
    stem = stem_of_file(path)
    return tuple(stem.with_name(f"{stem.name}{ending}") for ending in _ENDINGS)


def save(answer: TrainedClassifier, path: Path) -> Path:
    """See `TrainedClassifier.save`."""
    stem = stem_of_file(path)
    check_folder(stem.parent)
    place = Path(tempfile.mkdtemp(prefix=".writing-", dir=stem.parent))
    try:
        weights = place / f"{stem.name}.pt"
        write_torchscript(answer.network, weights)
        write_exported(answer.network, answer.card, weights.with_suffix(".pt2"))
        write_card(answer.card, weights)
        (place / f"{stem.name}{ENDING}").write_text(json.dumps(_plain(answer), indent=1), "utf-8")
        # The weights last: where they are, all that belongs to them is.
        for file in sorted(place.iterdir(), key=lambda one: one == weights):
            file.replace(stem.parent / file.name)
    except OSError as error:
        raise OutputError(
            f"The classifier cannot be written to {stem.parent} ({error.strerror or error}). Choose another place."
        ) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return stem.with_name(f"{stem.name}.pt")


def write_torchscript(network: nn.Module, path: Path) -> None:
    """Write a network as TorchScript: compiled, not traced, so that it takes any number of inputs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that TorchScript will one day go
        torch.jit.script(network).save(str(path))


def write_exported(network: nn.Module, card: ClassifierCard, path: Path) -> None:
    """Write a network as .pt2, for any number of inputs."""
    h, w = card.size or (64, 64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(network, (torch.zeros(2, len(card.stains), h, w),), dynamic_shapes=batch)
        torch.export.save(program, path)


def read(path: Path) -> TrainedClassifier:
    """See `napari_attribution.training.answers.answer.read_answer`."""
    stem = stem_of_file(path)
    file = stem.with_name(f"{stem.name}{ENDING}")
    try:
        if file.stat().st_size > _LARGEST:
            raise RecordError(f"{file.name} is too large to be the answer of a training.")
        kept = _Kept(**json.loads(file.read_text("utf-8")))
        card, recipe = ClassifierCard(**kept.card), Recipe(**kept.record["recipe"])
        histories = {
            name: tuple(tuple(_epoch(epoch) for epoch in one) for one in seeds)
            for name, seeds in kept.histories.items()
        }
        if len(kept.record["splits"]) != len(kept.importances):
            raise ValueError("it has not as many splits as seeds")
    except OSError as error:
        raise RecordError(
            f"There is no answer of a training at {file} ({error.strerror or error}). It stands beside a classifier that was "
            "trained here."
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise RecordError(
            f"{file.name} is not the answer of a training ({what}). Train again, or find the file."
        ) from None
    return TrainedClassifier(
        card=card,
        network=_network(stem.with_name(f"{stem.name}.pt"), card, recipe),
        importances=np.array(kept.importances, np.float64),
        accuracy={name: np.array(values, np.float64) for name, values in kept.accuracy.items()},
        held_out=tuple(kept.held_out),
        chance=kept.chance,
        shapley=np.array(kept.shapley, np.float64),
        permutation=np.array(kept.permutation, np.float64),
        warnings=tuple(kept.warnings),
        histories=histories,
        best=kept.best,
        record=kept.record,
    )


def _network(weights: Path, card: ClassifierCard, recipe: Recipe) -> nn.Module:
    """The network of the recipe with the weights of a TorchScript file."""
    if check_archive(weights) != "torchscript":
        raise ClassifierError(f"{weights.name} is not the TorchScript file that was written with the answer.")
    network = make_network(recipe, len(card.stains), len(card.classes))
    network.mixing = network.mixing.plain()  # type: ignore[operator,union-attr]
    try:
        network.load_state_dict(torch.jit.load(str(weights), map_location="cpu").state_dict())
    except RuntimeError:
        raise ClassifierError(
            f"{weights.name} holds another network than the answer beside it speaks of. Save both together."
        ) from None
    return network.eval()


def _plain(answer: TrainedClassifier) -> dict[str, Any]:
    """The answer for JSON; what is not a number is null."""
    return {
        "training_version": _VERSION,
        "what": f"The answer of a training with a mixing layer ({MIXED}).",
        "card": answer.card.model_dump(mode="json"),
        "importances": answer.importances.tolist(),
        "accuracy": {name: _numbers(values) for name, values in answer.accuracy.items()},
        "held_out": list(answer.held_out),
        "chance": answer.chance,
        "shapley": _numbers(answer.shapley),
        "permutation": _numbers(answer.permutation),
        "warnings": list(answer.warnings),
        "histories": {
            name: [[asdict(epoch) for epoch in one] for one in seeds] for name, seeds in answer.histories.items()
        },
        "best": answer.best,
        "record": dict(answer.record),
    }


def _numbers(values: Any) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _epoch(told: dict[str, Any]) -> Epoch:
    importance = told.get("importance")
    return Epoch(
        float(told["training_loss"]),
        float(told["validation_loss"]),
        float(told["accuracy"]),
        None if importance is None else tuple(float(share) for share in importance),
    )
