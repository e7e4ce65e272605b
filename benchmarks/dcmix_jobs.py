"""One network trained on a task, what it came to, and how many of them are trained beside each other and kept."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dcmix_rivals as rivals
import numpy as np
import torch
from dcmix_truths import Task

from napari_attribution.training.backbones import make_network
from napari_attribution.training.network.fitting import Fitted, fit
from napari_attribution.training.recipe import Recipe

SINGLE = "single-channel accuracy"
ATTENTION = "attention on the input"


def train(task: Task, recipe: Recipe, seed: int, how: str | int, standardised: bool = True) -> tuple[Fitted, float]:
    """A network ("dcmix", "all", "attention", or that of one channel by its number), and its accuracy on what is held out."""
    training, validation, held_out = task.sides(how if isinstance(how, int) else None, standardised)
    channels, classes = training.inputs.shape[1], int(training.classes.max()) + 1
    network = make_network(recipe, channels, classes, how == "dcmix", seed=seed)
    if how == "attention":
        torch.manual_seed(seed)
        network = rivals.WithAttention(channels, network)
    fitted = fit(network, training, validation, recipe, seed=seed)
    return fitted, rivals.accuracy(fitted.network, held_out)


def shares(fitted: Fitted) -> list[float]:
    """The importances, rounded."""
    assert fitted.importance is not None
    return [round(float(share), 3) for share in fitted.importance]


def beside(
    task: Task, recipe: Recipe, seed: int, count: int, hits: bool = False, trained: bool = True
) -> dict[str, dict[str, Any]]:
    """What else could be asked which channel matters.

    Parameters
    ----------
    task : Task
    recipe : Recipe
    seed : int
    count : int
        Held-out examples of which the network on all channels is asked.
    hits : bool, optional
        Ask it of examples of other classes than the first alone: what makes a well a hit, not a control.
    trained : bool, optional
        Train the ways that are networks of their own as well: attention on the input, and a network of each channel.

    Returns
    -------
    dict
        "values" (C numbers by way) and "accuracy" by network.
    """
    whole, right = train(task, recipe, seed, "all")
    held_out = task.sides()[2]
    values = rivals.asked(whole.network, held_out, count, hits)
    accuracy: dict[str, Any] = {"all channels": right}
    if trained:
        attention, accuracy["attention"] = train(task, recipe, seed, "attention")
        accuracy["singles"] = [train(task, recipe, seed, channel)[1] for channel in range(len(task.stains))]
        values |= {SINGLE: np.array(accuracy["singles"]), ATTENTION: rivals.gates(attention.network, held_out)}  # type: ignore[arg-type]
    return {"values": {name: [float(value) for value in found] for name, found in values.items()}, "accuracy": accuracy}


def in_turn(
    work: Callable[..., dict[str, Any]],
    asked: Sequence[tuple[Any, ...]],
    processes: int,
    kept: Path | None,
    prepare: tuple[Callable[..., None], tuple[Any, ...]] = (torch.set_num_threads, (1,)),
) -> list[dict[str, Any]]:
    """`work` of each, in processes of their own.

    Parameters
    ----------
    work : callable
    asked : sequence of tuple
        Its arguments.
    processes : int
    kept : Path, optional
        A folder in which what is over is kept: it is not done again.
    prepare : (callable, tuple), optional
        Called in each process with these.
    """
    found: dict[int, dict[str, Any]] = {}
    files = [kept / f"{work.__name__}-{'-'.join(map(str, each))}.json" if kept else None for each in asked]
    for number, file in enumerate(files):
        if file and file.exists():
            found[number] = json.loads(file.read_text("utf-8"))
    missing = [number for number in range(len(asked)) if number not in found]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), prepare[0], prepare[1]) as pool:
        under_way = {number: pool.submit(work, *asked[number]) for number in missing}
        for number, future in under_way.items():
            found[number] = future.result()
            print(f"{asked[number]}: {json.dumps(found[number])}", flush=True)
            if file := files[number]:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(found[number]), "utf-8")
    return [found[number] for number in range(len(asked))]


def mean_of(each: Sequence[Any]) -> Any:
    """The mean over seeds of numbers or lists of numbers."""
    return np.mean(each, axis=0).round(3).tolist()
