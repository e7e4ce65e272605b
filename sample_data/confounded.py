"""A classifier that is right for the wrong reason: trained on wells of which all treated ones, and no control, are shadowed.

It learns what tells its training wells apart most easily. These got little of the compound, so that hardly one cell in
thirty is affected, and the easiest is the shadow along the left side of the field (`plate`). Nothing in its accuracy gives
it away, not even on a plate that it has never seen: there, too, the shadow goes with the treatment. What gives it away is
the same wells with the light put right, and where it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from network import SmallResNet, normalised, resized
from plate import CONTROL, DOSES, PHENOTYPE, TREATMENT, Spot
from torch import Tensor
from torch.nn.functional import cross_entropy

CLASSES = ("control", PHENOTYPE)
TRAINING_DOSES = (0.3,)
TRAINING_SEEDS = range(60_000, 60_120)
"""One field is drawn from each of these, controls and treated ones in turn."""
FRESH_SEEDS = range(70_000, 70_040)
"""One field is drawn from each of these, with the shadow where the treatment is, without it, and where it is not."""


def spots(seeds: Sequence[int], shadowed: Sequence[bool], doses: Sequence[float] = DOSES) -> list[Spot]:
    """A field of a well from each seed: a control, a treated well, and so on; shadowed or not, by its treatment.

    Parameters
    ----------
    seeds : sequence of int
    shadowed : (bool, bool)
        Whether the controls and the treated wells are.
    doses : sequence of float, optional
        Of the treated wells, one after another.
    """
    return [
        Spot(
            position=f"well {seed}",
            number=0,
            treatment=TREATMENT if at % 2 else CONTROL,
            concentration=doses[at // 2 % len(doses)] if at % 2 else 0.0,
            seed=seed,
            shadowed=shadowed[at % 2],
        )
        for at, seed in enumerate(seeds)
    ]


def _input(spot: Spot) -> np.ndarray:
    torch.set_num_threads(1)
    return resized(spot.draw().pixels[None])[0].numpy()


def inputs(drawn: Sequence[Spot]) -> Tensor:
    """(N, 5, h, w) Tensor: fields at the size of an input, in detector units; drawn two at a time."""
    with ProcessPoolExecutor(2) as pool:
        return torch.from_numpy(np.stack(list(pool.map(_input, drawn))))


def classes_of(drawn: Sequence[Spot]) -> Tensor:
    """(N,) Tensor: the numbers of their classes."""
    return torch.tensor([CLASSES.index(spot.phenotype) for spot in drawn])


def statistics(x: Tensor) -> dict[str, list[float]]:
    """Per stain, in detector units: mean and standard deviation, and the 5th percentile as what is there without cells."""
    stains = x.transpose(0, 1).flatten(1).double().numpy()
    numbers = {"mean": stains.mean(1), "std": stains.std(1), "background": np.percentile(stains, 5, axis=1)}
    return {name: [round(float(value), 2) for value in values] for name, values in numbers.items()}


def train(x: Tensor, classes: Tensor, card: dict[str, list[float]], epochs: int = 8, batch: int = 16) -> SmallResNet:
    """A network trained as most are: from the wells' classes alone. The same each time on the same machine."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    model = SmallResNet(classes=len(CLASSES)).train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = epochs * (len(x) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        losses = []
        for at in torch.randperm(len(x), generator=rng)[: len(x) // batch * batch].split(batch):
            shown = normalised(x[at], card)
            shown = (
                shown.flip(-2) if torch.rand((), generator=rng) < 0.5 else shown
            )  # the left side stays the left side
            logits = model(shown.contiguous(memory_format=torch.channels_last))
            loss = cross_entropy(logits, classes[at], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"confounded, epoch {epoch + 1} of {epochs}: loss {sum(losses) / len(losses):.3f}", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()
