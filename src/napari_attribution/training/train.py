"""train_dcmix: from labelled wells to a classifier and the stain that matters.

For each seed the wells are parted anew (`napari_attribution.training.labelling.splitting`); on that split a network with a mixing
layer is trained, and beside it, to tell what the blend costs, the same network on all stains and on each stain alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_attribution.classifiers.devices import choose_device
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.errors import DeviceError
from napari_attribution.keeping.files import check_folder
from napari_attribution.training.answers.answer import MIXED, TrainedClassifier
from napari_attribution.training.answers.measuring import measured
from napari_attribution.training.answers.recording import record_of
from napari_attribution.training.answers.warnings import accuracy_lost, at_chance, orders_disagree, seeds_disagree
from napari_attribution.training.fields.pixels import Pixels
from napari_attribution.training.fields.reading import read_pixels
from napari_attribution.training.fields.scratch import Scratch
from napari_attribution.training.labelling.labelled import Given, GivenLabels, labelled
from napari_attribution.training.labelling.preview import preview_of
from napari_attribution.training.labelling.splitting import check_parts
from napari_attribution.training.network.moment import Moment
from napari_attribution.training.recipe import Recipe
from napari_attribution.training.resuming import claim, plan_of
from napari_attribution.training.seeds import Run, Training

Tell = Callable[[Moment], None]


def train_dcmix(
    plates_or_wells: Given,
    labels: GivenLabels,
    *,
    recipe: Recipe | None = None,
    column: str | None = None,
    stains: Sequence[str] | None = None,
    device: str = "auto",
    folder: str | PathLike[str] | None = None,
    tell: Tell | None = None,
) -> TrainedClassifier:
    """Train a classifier that says which stain matters.

    Parameters
    ----------
    plates_or_wells : Plate, sequence of Plate, or sequence of Well
        Wells of one position are fields of one well.
    labels : path, str, mapping, or sequence
        A CSV (columns `well`, or `row` and `column`, perhaps `plate`, and the label), the name of a condition of the plates, a
        mapping of well to class, or, for wells, the class of each.
    recipe : Recipe, optional
        All that can be chosen about the training.
    column : str, optional
        Which column of the CSV is the label, where it has several.
    stains : sequence of str, optional
        Which of the stains to train on; all by default.
    device : str
        "auto" (CUDA, then MPS, then the CPU) or a name such as "cuda:1".
    folder : path, optional
        Where networks are kept as they are trained: the same call goes on there after it was stopped, or killed. With another
        choice of seeds, or of whether to compare, those that are there already are not trained again.
    tell : callable, optional
        Called with a `Moment` for each field that is read and each epoch. It may raise `Cancelled`.

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    LabelError
        For one class only, a class with fewer than three wells, or labels that do not fit the wells.
    WellError, StainError
        For wells that cannot be read, and stains that they do not have.
    RequestError
        For nothing to learn from, or a backbone that is not installed.
    TrainingError
        Where, for every seed, the loss is not a number before the network with the mixing layer has learned anything. Where that
        is so for some, they fall out, with a warning each.
    DeviceError, OutputError
        For no room on the device or disk, and a folder of another training.
    Cancelled
        Where `tell` said so; what is done is kept in the folder.
    """
    recipe = recipe or Recipe()
    chosen = choose_device(device)
    found = labelled(plates_or_wells, labels, column, stains)
    check_parts(found, recipe.split_by)
    place = None if folder is None else check_folder(Path(folder))
    started = time.perf_counter()
    with Scratch(place) as scratch, _room_on(chosen):
        pixels = read_pixels(found, recipe.size, scratch, tell)
        check_parts(pixels.found, recipe.split_by)
        plan = plan_of(pixels, recipe)
        if place is not None:
            claim(place, plan)
        training = Training(pixels, recipe, chosen, place, scratch, tell)
        runs, lost = training.run()
        best = min(range(len(runs)), key=lambda number: runs[number].loss)
        wells = [pixels.found.wells[number] for number in runs[best].split.held_out]
        importance, unread = measured(runs[best].network, runs[best].card, wells, str(chosen), scratch.place, tell)
    return _answer(
        pixels, recipe, runs, best, importance, (*lost, *unread), plan, str(chosen), time.perf_counter() - started
    )


@contextmanager
def _room_on(device: torch.device) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(f"{no_room(str(device))} A smaller batch or size needs less.") from None
        raise


def _answer(
    pixels: Pixels,
    recipe: Recipe,
    runs: Sequence[Run],
    best: int,
    importance: dict[str, npt.NDArray[np.float64]],
    doubts: tuple[str, ...],
    plan: dict[str, Any],
    device: str,
    seconds: float,
) -> TrainedClassifier:
    found = pixels.found
    importances = np.stack([run.importance for run in runs])
    accuracy = {name: np.array([run.accuracy[name] for run in runs]) for name in runs[0].accuracy}
    wells = len({number for run in runs for number in run.split.held_out})
    chance = float(np.mean([_commonest(found.wells[n].label for n in run.split.held_out) for run in runs]))
    warnings = (
        *(note for run in runs for note in run.notes),
        *doubts,
        *preview_of(found).warnings,
        *at_chance(accuracy[MIXED], chance, wells),
        *accuracy_lost(accuracy, recipe.mixers, chance, wells),
        *seeds_disagree(importances, found.stains),
        *orders_disagree(
            importances,
            {"the Shapley values": importance["shapley"], "the permutation values": importance["permutation"]},
            found.stains,
            accuracy,
            chance,
        ),
    )
    return TrainedClassifier(
        card=runs[best].card,
        network=runs[best].network,
        importances=importances,
        accuracy=accuracy,
        held_out=tuple(len(run.split.held_out) for run in runs),
        chance=chance,
        shapley=importance["shapley"],
        permutation=importance["permutation"],
        warnings=warnings,
        histories={name: tuple(run.histories[name] for run in runs) for name in runs[0].histories},
        best=best,
        record=record_of(found, recipe, {run.seed: run.split for run in runs}, plan["pixels"], device, seconds),
    )


def _commonest(labels: Iterator[str]) -> float:
    counts = np.unique(list(labels), return_counts=True)[1]
    return float(counts.max() / counts.sum())
