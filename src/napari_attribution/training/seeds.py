"""Seeds: what is trained for each of them, on a split of its own; a seed that comes to no network falls out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.errors import TrainingError
from napari_attribution.training.answers.answer import ALL_STAINS, MIXED, Floats
from napari_attribution.training.answers.measuring import accuracy_by_well
from napari_attribution.training.backbones import make_network
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.fields.pixels import Pixels
from napari_attribution.training.fields.scratch import Scratch
from napari_attribution.training.labelling.splitting import Split, split
from napari_attribution.training.network.fitting import Epoch, Fitted, fit
from napari_attribution.training.network.moment import Moment
from napari_attribution.training.recipe import Recipe
from napari_attribution.training.resuming import checkpoint_path

Tell = Callable[[Moment], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What one seed came to; the mappings are of the networks."""

    seed: int
    split: Split
    card: ClassifierCard
    network: nn.Module
    loss: float
    importance: Floats
    accuracy: dict[str, float] = field(default_factory=dict)
    histories: dict[str, tuple[Epoch, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Training:
    """The networks of all seeds, one after the other."""

    def __init__(
        self,
        pixels: Pixels,
        recipe: Recipe,
        device: torch.device,
        folder: Path | None,
        scratch: Scratch,
        tell: Tell | None,
    ) -> None:
        self.pixels, self.recipe, self.device = pixels, recipe, device
        self.folder, self.scratch, self._tell = folder, scratch, tell
        self.networks = (MIXED, *((ALL_STAINS, *pixels.found.stains) if recipe.compare else ()))

    def run(self) -> tuple[list[Run], tuple[str, ...]]:
        """What every seed came to; and, of those that came to no network with a mixing layer, a sentence each.

        Raises
        ------
        TrainingError
            Where none came to one.
        """
        runs, lost = [], {}
        for number in range(self.recipe.seeds):
            seed = self.recipe.first_seed + number
            try:
                runs.append(self.of_seed(seed))
            except TrainingError as error:
                lost[seed] = str(error)
        if not runs:
            seed, why = next(iter(lost.items()))
            if len(lost) == 1:
                raise TrainingError(f"Seed {seed} came to no network with a mixing layer. {why}")
            raise TrainingError(
                f"None of the {len(lost)} seeds came to a network with a mixing layer. Seed {seed}: {why}"
            )
        return runs, tuple(
            f"Seed {seed} fell out, and the answer is without it: its network with a mixing layer could not be trained. {why}"
            for seed, why in lost.items()
        )

    def of_seed(self, seed: int) -> Run:
        """Split the wells, train every network, and measure each on the wells that are held out.

        Raises
        ------
        TrainingError
            Where the loss of the network with the mixing layer was no number before it had learned anything.
        """
        recipe, found = self.recipe, self.pixels.found
        parts = split(found, recipe.split_by, recipe.held_out, recipe.validation, seed)
        card = self.pixels.card(
            parts.training,
            "DCMIX classifier",
            f"Tells {', '.join(found.classes)}; trained by napari-attribution with a mixing layer on {len(parts.training)} wells, "
            f"labelled by {found.source}.",
        )
        sides = [
            self.pixels.examples(side, card, self.scratch)
            for side in (parts.training, parts.validation, parts.held_out)
        ]
        try:
            return self._trained(seed, parts, card, sides)
        finally:
            for side in sides:
                self.scratch.let_go(side.inputs)

    def _trained(self, seed: int, parts: Split, card: ClassifierCard, sides: Sequence[Examples]) -> Run:
        """The networks of one seed, that with the mixing layer first."""
        run: Run | None = None
        for name in self.networks:
            stain = None if name in (MIXED, ALL_STAINS) else self.pixels.found.stains.index(name)
            training, validation, held_out = (_of(side, stain) for side in sides)
            try:
                fitted = self._fit(name, training, validation, seed)
            except TrainingError as error:
                if run is None:
                    raise
                run.accuracy[name], run.histories[name] = float("nan"), ()
                run.notes.append(f"The network of {name}, seed {seed}, could not be trained. {error}")
                continue
            if run is None:
                assert fitted.importance is not None
                loss = fitted.history[fitted.best_epoch - 1].validation_loss
                run = Run(seed, parts, card, fitted.network, loss, fitted.importance)
            run.accuracy[name] = accuracy_by_well(fitted.network, held_out, self.device, self.recipe.batch)
            run.histories[name] = fitted.history
            run.notes.extend(
                f"The network of {name}, seed {seed}: {note}" for note in (fitted.set_aside, fitted.note) if note
            )
        assert run is not None
        return run

    def _fit(self, name: str, training: Examples, validation: Examples, seed: int) -> Fitted:
        network = make_network(
            self.recipe, training.inputs.shape[1], len(self.pixels.found.classes), name == MIXED, seed=seed
        )
        # By its place among all networks, whether or not all are asked for: with another `compare`, this one goes on.
        kept = checkpoint_path(self.folder, seed, (MIXED, ALL_STAINS, *self.pixels.found.stains).index(name), name)
        told = self._teller(name, seed)
        return fit(
            network, training, validation, self.recipe, seed=seed, device=self.device, checkpoint=kept, tell=told
        )

    def _teller(self, name: str, seed: int) -> Tell | None:
        """Epochs of this network as those of all networks."""
        if (tell := self._tell) is None:
            return None
        number = len(self.networks) * (seed - self.recipe.first_seed) + self.networks.index(name)
        before, total = number * self.recipe.epochs, len(self.networks) * self.recipe.seeds * self.recipe.epochs
        return lambda moment: tell(replace(moment, done=before + moment.done, total=total, network=name))


def _of(examples: Examples, stain: int | None) -> Examples:
    """The same examples of one stain alone."""
    return examples if stain is None else replace(examples, inputs=examples.inputs[:, stain : stain + 1])
