"""In which order an epoch sees the examples: every class as often as the others, small sets several times."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def rng_of(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of one epoch: a training that goes on after a kill draws what it would have drawn."""
    return np.random.default_rng([seed, epoch])


def batches(classes: npt.NDArray[np.int64], batch: int, least_steps: int, rng: np.random.Generator) -> list[Indices]:
    """The steps of an epoch.

    Parameters
    ----------
    classes : (N,) ndarray of int64
    batch : int
        Examples in a step.
    least_steps : int
        Steps at least.
    rng : numpy Generator

    Returns
    -------
    list of (batch,) ndarray of int64
        Numbers of the examples. All classes come equally often, whichever is the larger; the examples of one class come in
        turn, each as often as the others but for one.
    """
    steps = max(least_steps, round(len(classes) / batch), 1)
    known = np.unique(classes)
    quota = -(-steps * batch // len(known))
    drawn = [_in_turn(np.flatnonzero(classes == one), quota, rng) for one in known]
    # Class by class, so that each step has about as many of each.
    order = np.stack(drawn, axis=1)
    order = rng.permuted(order, axis=1).reshape(-1)[: steps * batch]
    return list(order.reshape(steps, batch))


def _in_turn(members: Indices, count: int, rng: np.random.Generator) -> Indices:
    rounds = -(-count // len(members))
    return np.concatenate([rng.permutation(members) for _ in range(rounds)])[:count]
