"""channel_importance: what each stain counts for, over wells, with its spread and beside what brightness alone explains."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.heeding import heeding
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.errors import DeviceError, RequestError
from napari_attribution.methods.channels.brightness import (
    LEAST,
    Floats,
    Null,
    Verdict,
    play_with_null,
    sentence,
    verdicts,
)
from napari_attribution.methods.channels.problems import problems_of
from napari_attribution.methods.channels.values import Estimator, find_estimator
from napari_attribution.methods.question.fills import Fill
from napari_attribution.methods.question.problem import Problem, Progress
from napari_attribution.methods.question.progress import Repeated
from napari_attribution.wells import Well

SEEDS = 3
"""Rearrangements of each stain's pixels."""


@dataclass(frozen=True, eq=False)
class ChannelImportance:
    """What the stains count for.

    Parameters
    ----------
    stains : tuple of C str
        As the classifier's card names them: the same for all wells.
    per_well : (N, C) float64 ndarray
        In `unit`; the mean over its inputs (tiles, cells) where a well becomes several.
    error : (N, C) float64 ndarray
        Of the values of each well: their standard error, or the standard deviation over the seeds of a permutation; zero
        where they are exact.
    null : Null or None
        What brightness alone would give; None where it was not asked for, or has no part in the estimator.
    estimator : str
        A name in `napari_attribution.methods.channels.values.ESTIMATORS`.
    meaning : str
        What a value is.
    unit : str
        "logit" or "probability".
    wells : tuple of N str
    targets : tuple of N str
        The class explained in each.
    score_names : tuple of N str
        "logit", "probability" or "contrast with <class>".
    fill : str
    seeds : int
    forwards : float
        Work done, in forward passes of the classifier.
    seconds : float
    """

    stains: tuple[str, ...]
    per_well: Floats
    error: Floats
    null: Null | None
    estimator: str
    meaning: str
    unit: str
    wells: tuple[str, ...]
    targets: tuple[str, ...]
    score_names: tuple[str, ...]
    fill: str
    seeds: int
    forwards: float
    seconds: float

    @property
    def mean(self) -> Floats:
        """(C,) mean over the wells."""
        return np.asarray(self.per_well.mean(axis=0))

    @property
    def spread(self) -> Floats:
        """(C,) standard deviation over the wells; of one well, its error."""
        return np.asarray(self.per_well.std(axis=0, ddof=1)) if len(self.per_well) > 1 else self.error[0]

    @property
    def shares(self) -> Floats:
        """(C,) mean as a signed share of all the stains'; zeros where no stain counts for anything."""
        total = np.abs(self.mean).sum()
        return self.mean / total if total > 0 else np.zeros_like(self.mean)

    @property
    def ranking(self) -> tuple[str, ...]:
        """The stains from the one that speaks most for the class to the one that speaks most against it."""
        return tuple(self.stains[c] for c in np.argsort(-without_ties(self.mean), kind="stable"))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What is concluded of each stain; empty without a null."""
        return verdicts(self.per_well, self.error, self.null) if self.null else ()

    @property
    def beyond(self) -> npt.NDArray[np.bool_]:
        """(C,): which stains count for something beyond what their brightness alone explains; empty without a null."""
        return np.array([verdict == "beyond" for verdict in self.verdicts], dtype=bool)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is concluded of each stain, in words; empty without a null."""
        if self.null is None:
            return ()
        told = zip(self.verdicts, self.stains, self.mean, self.null.mean, self.null.flat.mean(axis=0), strict=True)
        return tuple(sentence(*each, self.unit) for each in told)


def without_ties(values: npt.ArrayLike, least: float = LEAST) -> Floats:
    """(..., C) values, those under a hundredth of all the stains' set to zero: their order is chance, so they are tied."""
    found = np.array(values, dtype=np.float64)
    found[np.abs(found) <= least * np.abs(found).sum(axis=-1, keepdims=True)] = 0
    return found


def channel_importance(
    classifier: Classifier,
    wells: Well | Sequence[Well],
    estimator: str = "shapley",
    target: str | None = None,
    score: str = "logit",
    fill: Fill = "mean",
    seeds: int = SEEDS,
    null: bool = True,
    *,
    against: str | None = None,
    stain_map: Mapping[str, str] | None = None,
    cells: Sequence[npt.ArrayLike] | None = None,
    accept_flaws: bool = False,
    progress: Progress | None = None,
) -> ChannelImportance:
    """What does each stain count for, in one well or over many?

    Parameters
    ----------
    classifier : Classifier
    wells : Well, or N of them
    estimator : str
        "shapley", "banzhaf", "leave-one-out", "keep-one", "permutation" or "dcmix".
    target : str, optional
        The class to explain; in each well, the predicted one by default.
    score : str
        "logit", "probability", or "contrast" (the class's logit less another's).
    fill : "mean", "background" or "blur"
        What stands in for a stain that is taken away.
    seeds : int
        Rearrangements of each stain's pixels, for the null or a permutation, at least 2; the same numbers every time.
    null : bool
        Play the game with rearranged and flat stains too (`napari_attribution.methods.channels.brightness`), which multiplies
        the work.
    against : str, optional
        The other class of a contrast; in each well, the best of the others by default.
    stain_map : mapping of card stain to well stain, optional
    cells : N (n, 2) arrays, optional
        Centres of the cells of each well, for classifiers of single cells.
    accept_flaws : bool
        Ask of wells with an empty or saturated stain all the same.
    progress : callable, optional
        Called with (steps done, steps in all); raising `Cancelled` there stops the work.

    Raises
    ------
    RequestError
        For no wells, or an estimator, class, score, fill or number of seeds that cannot be.
    WellError, StainError, CardError
        For a well that cannot be explained, or whose stains are not those of the classifier.
    ClassifierError, DeviceError
        Where the classifier fails on a well, its scores are not numbers, or there is no room.
    """
    chosen = find_estimator(estimator)
    asked = [wells] if isinstance(wells, Well) else list(wells)
    _check(asked, fill, seeds, cells)
    started, before = time.perf_counter(), classifier.forwards
    still_wanted = Repeated(progress)
    values, errors, clouds, flats, scores = [], [], [], [], []
    try:
        with heeding(still_wanted.check), torch.no_grad():
            for number, well in enumerate(asked):
                problems = problems_of(
                    classifier,
                    well,
                    target,
                    score,
                    fill,
                    against=against,
                    stain_map=stain_map,
                    cells=None if cells is None else cells[number],
                    accept_flaws=accept_flaws,
                    progress=_among(still_wanted, number, len(asked)),
                )
                found = [_of(problem, chosen, seeds, null) for problem in problems]
                values.append(np.mean([one[0] for one in found], axis=0))
                errors.append(np.sqrt(np.sum([one[1] ** 2 for one in found], axis=0)) / len(found))
                clouds.append(np.mean([one[2] for one in found], axis=0))
                flats.append(np.mean([one[3] for one in found], axis=0))
                scores.append(problems[0].score)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(classifier.device)) from None
        raise
    with_null = null and chosen.game is not None
    return ChannelImportance(
        stains=tuple(classifier.card.stains),
        per_well=np.stack(values),
        error=np.stack(errors),
        null=Null(np.stack(clouds), np.stack(flats)) if with_null else None,
        estimator=chosen.name,
        meaning=chosen.meaning,
        unit=scores[0].unit,
        wells=tuple(well.name for well in asked),
        targets=tuple(classifier.classes[each.target] for each in scores),
        score_names=tuple(each.describe(classifier.classes) for each in scores),
        fill=fill,
        seeds=seeds,
        forwards=classifier.forwards - before,
        seconds=time.perf_counter() - started,
    )


def _check(wells: Sequence[Well], fill: str, seeds: int, cells: Sequence[npt.ArrayLike] | None) -> None:
    if not wells:
        raise RequestError("There are no wells to ask. Give at least one.")
    if fill not in ("mean", "background", "blur"):
        raise RequestError(f"There is no fill {fill!r}. Choose mean, background or blur.")
    if seeds < 2:
        raise RequestError(f"A spread needs at least 2 seeds, found {seeds}.")
    if cells is not None and len(cells) != len(wells):
        raise RequestError(f"{len(cells)} lists of cells were given for {len(wells)} wells. Give one list a well.")


def _of(problem: Problem, estimator: Estimator, seeds: int, null: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """(C,) values and errors, (seeds, C) rearranged and (C,) flat null, zeros where there is none."""
    C = problem.x.shape[1]
    clouds, flat = torch.zeros(seeds, C), torch.zeros(C)
    if estimator.with_seeds is not None:
        values, error = estimator.with_seeds(problem, seeds)
    elif null and estimator.game is not None:
        values, error, clouds, flat = play_with_null(problem, estimator.game(C), seeds)
    else:
        values, error = estimator.values(problem)
    error = torch.zeros(C) if error is None else error
    found = [part.double().numpy() for part in (values, error, clouds, flat)]
    return found[0], found[1], found[2], found[3]


def _among(progress: Progress, well: int, wells: int) -> Callable[[int, int], Progress]:
    """Progress over all wells, from that of one input of one well."""

    def of_input(index: int, count: int) -> Progress:
        def report(done: int, total: int) -> None:
            progress((well * count + index) * total + done, wells * count * total)

        return report

    return of_input
