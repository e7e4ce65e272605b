"""Networks that were saved while they were being trained: batch norms that normalise by the batch, dropout that drops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_attribution.classifiers.splitting.steps import Key, Step
from napari_attribution.errors import ClassifierError

_AT = {"batch_norm": 5, "dropout": 2, "feature_dropout": 2, "alpha_dropout": 2}
"""Where the operator is told that it is in training."""


def refuse_training_mode(steps: tuple[Step, ...], x: Key, values: Mapping[Key, Any]) -> None:
    """Refuse a network whose answer for one input would depend on the others, or on chance.

    Raises
    ------
    ClassifierError
    """
    reached: set[Key] = {x}
    for step in steps:
        # What is done to weights alone (weight standardisation borrows the batch norm) is the same for every input.
        if not any(key in reached for key in (*step.reads, *step.inner)):
            continue
        reached.update(step.makes)
        at = _AT.get(step.name)
        if at is not None and at < len(step.reads) and values.get(step.reads[at]) is True:
            what = "batch normalisation" if step.name == "batch_norm" else "dropout"
            raise ClassifierError(
                f"The network was exported in training mode: its {what} is switched to training, so its answers depend on "
                "chance or on the other inputs. Ask its author to call model.eval() before exporting it."
            )
