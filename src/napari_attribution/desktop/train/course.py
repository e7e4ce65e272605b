"""How a training has gone so far: the losses of every network, and the mixing weights. No window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_attribution.training.answers.answer import TrainedClassifier
    from napari_attribution.training.network.moment import Moment


@dataclass
class Curve:
    """The losses of one network, an epoch after another.

    Parameters
    ----------
    epochs : list of int
    training, validation : list of float
    """

    epochs: list[int] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)


@dataclass
class Course:
    """What was told, put in order.

    Parameters
    ----------
    phase : str
        "reading", "training" or "measuring"; empty before anything was told.
    done, total : int
        Of what is under way.
    curves : dict of (seed, network) to Curve
        In the order in which they were begun.
    importances : dict of seed to tuple of C float
        The latest mixing weights.
    network, seed, epoch : str, int, int
        What was trained last.
    accuracy : float, optional
        Of its last epoch, on the validation fields.
    since, before : float, int
        When the phase was first told, and how much was done by then.
    """

    phase: str = ""
    done: int = 0
    total: int = 0
    curves: dict[tuple[int, str], Curve] = field(default_factory=dict)
    importances: dict[int, tuple[float, ...]] = field(default_factory=dict)
    network: str = ""
    seed: int = 0
    epoch: int = 0
    accuracy: float | None = None
    since: float = 0.0
    before: int = 0

    def add(self, moment: Moment, now: float) -> None:
        """Take over a moment, told at `now` (seconds of a clock that only goes on)."""
        if moment.phase != self.phase:
            self.phase, self.since, self.before = moment.phase, now, moment.done
        self.done, self.total = moment.done, moment.total
        if not moment.network:
            return
        self.network, self.seed, self.epoch = moment.network, moment.seed, moment.epoch
        self.accuracy = moment.accuracy
        curve = self.curves.setdefault((moment.seed, moment.network), Curve())
        losses = (moment.training_loss, moment.validation_loss)
        if moment.epoch > (curve.epochs[-1] if curve.epochs else 0) and None not in losses:
            curve.epochs.append(moment.epoch)
            for values, loss in ((curve.training, losses[0]), (curve.validation, losses[1])):
                values.append(float("nan") if loss is None else loss)
        if moment.importance is not None:
            self.importances[moment.seed] = moment.importance

    def recall(self, answer: TrainedClassifier) -> None:
        """Take over the curves of a training that is over, those of an earlier session among them; its best seed is seen."""
        self.curves = {}
        for network, histories in answer.histories.items():
            for seed, epochs in zip(answer.seeds, histories, strict=True):
                self.curves[seed, network] = Curve(
                    list(range(1, len(epochs) + 1)),
                    [epoch.training_loss for epoch in epochs],
                    [epoch.validation_loss for epoch in epochs],
                )
        self.seed = answer.seeds[answer.best]

    def of_seed(self) -> dict[str, Curve]:
        """The curves of the seed that is under way, by network."""
        return {network: curve for (seed, network), curve in self.curves.items() if seed == self.seed}

    @property
    def importance(self) -> tuple[float, ...] | None:
        """The mixing weights of the seed that is under way, or of the last that had any."""
        return self.importances.get(self.seed) or next(reversed(self.importances.values()), None)

    def left(self, now: float) -> float | None:
        """Seconds until this phase ends at the latest, if it goes on as it has; None where that is not known yet."""
        new, taken = self.done - self.before, now - self.since
        if new <= 0 or taken <= 0 or not self.total:
            return None
        return max(0.0, (self.total - self.done) * taken / new)
