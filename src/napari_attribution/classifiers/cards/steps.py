"""Normalisation as the preprocessing steps of a bioimage.io description (specification 0.5), and back.

Understood is [clip], then one or more of fixed_zero_mean_unit_variance and scale_linear, or one zero_mean_unit_variance or
scale_range, then [clip]; ensure_dtype is passed over where it makes floating-point numbers or comes first. What else a
description may ask for is refused by name: a normalisation that is nearly right is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.errors import CardError

Step = Mapping[str, Any]

_AFFINE = ("fixed_zero_mean_unit_variance", "scale_linear")
_OWN = {"zero_mean_unit_variance": "per-image", "scale_range": "percentiles"}
_UNDERSTOOD = (
    "Understood are fixed_zero_mean_unit_variance and scale_linear, or zero_mean_unit_variance, or scale_range (with the "
    "axes y and x, and channel if so wanted), with clip before or after them."
)


def read_steps(steps: Sequence[Step], stains: int, one_input: bool) -> dict[str, Any]:
    """Preprocessing steps as fields of a card.

    Parameters
    ----------
    steps : sequence of mapping
        Each with an `id` and, perhaps, `kwargs`.
    stains : int
    one_input : bool
        Whether a well is one input, so that a batch of wells is all that 'batch' among the axes can mean.

    Returns
    -------
    dict, without 'normalisation' where no step normalises.

    Raises
    ------
    CardError
        For a step that a card cannot stand for; names it, and what is understood.
    """
    fields: dict[str, Any] = {}
    for step in _without_types(steps):
        name, kwargs = step["id"], step.get("kwargs") or {}
        if "clip_after" in fields:
            raise _refused(f"'{name}' after a clip that follows the normalisation")
        if name == "clip":
            when = "clip_after" if "normalisation" in fields else "clip_before"
            if when in fields:
                raise _refused("'clip' twice before the normalisation")
            fields[when] = _limits(kwargs)
        elif name in _AFFINE and fields.get("normalisation", "fixed") == "fixed":
            mean, std = _affine(name, kwargs, stains)
            before = zip(fields.get("mean", [0.0] * stains), fields.get("std", [1.0] * stains), mean, std, strict=True)
            both = [(m + s * m_next, s * s_next) for m, s, m_next, s_next in before]
            fields |= {"normalisation": "fixed", "mean": [m for m, _ in both], "std": [s for _, s in both]}
        elif name in _OWN and "normalisation" not in fields:
            fields |= {"normalisation": _OWN[name], "eps": kwargs.get("eps", 1e-6)}
            fields["together"] = _axes(name, kwargs.get("axes"), one_input)
            if name == "scale_range":
                fields["percentiles"] = (kwargs.get("min_percentile", 0.0), kwargs.get("max_percentile", 100.0))
                if kwargs.get("reference_tensor") is not None:
                    raise _refused(f"'{name}' by the percentiles of another tensor ({kwargs['reference_tensor']})")
        elif name in _AFFINE or name in _OWN:
            raise _refused(f"'{name}' after another normalisation")
        else:
            raise _refused(f"'{name}'")
    return fields


def write_steps(card: ClassifierCard) -> list[dict[str, Any]]:
    """A card's normalisation as preprocessing steps."""
    axes = ["channel", "y", "x"] if card.together else ["y", "x"]
    if card.mean is not None and card.std is not None:
        values: dict[str, Any] = {"axis": "channel", "mean": list(card.mean), "std": list(card.std)}
        step: dict[str, Any] = {"id": "fixed_zero_mean_unit_variance", "kwargs": values}
    elif card.percentiles is not None:
        low, high = card.percentiles
        values = {"axes": axes, "min_percentile": low, "max_percentile": high, "eps": card.eps}
        step = {"id": "scale_range", "kwargs": values}
    else:
        step = {"id": "zero_mean_unit_variance", "kwargs": {"axes": axes, "eps": card.eps}}
    return [
        *([] if card.clip_before is None else [_clip(card.clip_before)]),
        step,
        *([] if card.clip_after is None else [_clip(card.clip_after)]),
    ]


def _without_types(steps: Sequence[Step]) -> list[Step]:
    kept: list[Step] = []
    for step in steps:
        if step["id"] != "ensure_dtype":
            kept.append(step)
        elif kept and not str(step["kwargs"]["dtype"]).startswith("float"):
            raise _refused(
                f"'ensure_dtype' to {step['kwargs']['dtype']} after '{kept[-1]['id']}', which cuts off decimals"
            )
    return kept


def _affine(name: str, kwargs: Mapping[str, Any], stains: int) -> tuple[list[float], list[float]]:
    """Mean and std per stain of a step that subtracts and divides, or multiplies and adds."""
    if kwargs.get("axis", "channel") != "channel":
        raise _refused(f"'{name}' along the axis {kwargs['axis']!r}")
    if name == "scale_linear":
        gain, offset = (
            _per_stain(kwargs.get(key, default), stains) for key, default in (("gain", 1.0), ("offset", 0.0))
        )
        if min(gain) <= 0:
            raise _refused(f"'{name}' with a gain of {min(gain):g}, where it must be above zero")
        return [-b / g for g, b in zip(gain, offset, strict=True)], [1 / g for g in gain]
    return _per_stain(kwargs["mean"], stains), _per_stain(kwargs["std"], stains)


def _axes(name: str, axes: Sequence[str] | None, one_input: bool) -> bool:
    """Whether the statistics are those of all stains together."""
    found = {"batch", "channel", "y", "x"} if axes is None else set(axes)
    if not {"y", "x"} <= found <= {"batch", "channel", "y", "x"}:
        raise _refused(f"'{name}' over the axes {', '.join(sorted(found))}")
    if "batch" in found and not one_input:
        raise _refused(f"'{name}' over all inputs of a well together (the axes hold 'batch')")
    return "channel" in found


def _limits(kwargs: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if any(kwargs.get(key) is not None for key in ("min_percentile", "max_percentile")):
        raise _refused("'clip' at percentiles")
    return kwargs.get("min"), kwargs.get("max")


def _clip(limits: tuple[float | None, float | None]) -> dict[str, Any]:
    named = zip(("min", "max"), limits, strict=True)
    return {"id": "clip", "kwargs": {name: value for name, value in named if value is not None}}


def _per_stain(value: Any, stains: int) -> list[float]:
    values = [float(v) for v in value] if isinstance(value, list | tuple) else [float(value)]
    if len(values) not in (1, stains):
        raise CardError(f"The description normalises {len(values)} stains, but names {stains}.")
    return values * stains if len(values) == 1 else values


def _refused(what: str) -> CardError:
    return CardError(f"The description normalises by {what}, which a card cannot stand for. {_UNDERSTOOD}")
