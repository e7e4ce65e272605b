"""The columns of the table of fields, known before the run, and the values of one field in them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from napari_attribution.wells.plate import Field, row_and_column

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.screens.run.plan import Plan

Values = dict[str, float | str]


def _figures() -> tuple[str, ...]:
    """The names of the figures that say how far a map is to be trusted."""
    from napari_attribution.faithfulness.quick import Quick

    return tuple(Quick(whole=1.0, filled=0.0, keep=1.0, remove=0.0, elsewhere=0.0).figures)


def _answered(plan: Plan) -> Iterator[str]:
    """The numbers that the classifier and the methods give."""
    yield from (f"probability.{name}" for name in plan.classes)
    yield from (f"logit.{name}" for name in plan.classes)
    yield "margin"
    for method in plan.methods:
        yield from (f"importance.{method.name}.{stain}" for stain in plan.stains)
        yield from (f"spread.{method.name}.{stain}" for stain in plan.stains)
        yield from (f"faithfulness.{method.name}.{figure}" for figure in _figures())


def schema(plan: Plan) -> pa.Schema:
    """The columns of one field by itself; what only the whole plate tells is added in the end, before the seconds."""
    import pyarrow as pa  # type: ignore[import-untyped]

    from napari_attribution.screens.quality.measures import field_columns

    text, real = pa.string(), pa.float64()
    place = {"plate": text, "well": text, "row": pa.int16(), "column": pa.int16(), "field": pa.int32()}
    conditions = {
        f"condition.{name}": real if kind == "number" else text for name, kind in plan.plate.conditions.items()
    }
    measured = field_columns(plan.stains, [method.name for method in plan.methods])
    numbers = dict.fromkeys((*_answered(plan), *measured), real)
    columns = place | conditions | {"predicted": text, "target": text} | numbers | {"seconds": real, "error": text}
    return pa.schema(list(columns.items()))


def values_of(explained: Sequence[Explained], plan: Plan) -> Values:
    """What the classifier and the methods say of one field.

    Parameters
    ----------
    explained : sequence of Explained
        One a method, in the order of the plan.
    plan : Plan
    """
    first = explained[0]
    logits = first.scores.mean(dim=0).tolist()
    ranked = sorted(logits, reverse=True)
    found: Values = {"predicted": first.attribution.predicted, "target": first.attribution.target}
    found |= {f"probability.{name}": value for name, value in first.attribution.probabilities.items()}
    found |= {f"logit.{name}": value for name, value in zip(plan.classes, logits, strict=True)}
    found["margin"] = ranked[0] - ranked[1] if len(ranked) > 1 else math.nan
    for one in explained:
        told, method = one.attribution, one.attribution.method
        # By their order: the well may write the names in other letters than the plate.
        names = dict(zip(told.stains, plan.stains, strict=True))
        found |= {f"importance.{method}.{names[stain]}": value for stain, value in told.channel_importance.items()}
        found |= {f"spread.{method}.{names[stain]}": value for stain, value in told.channel_spread.items()}
        found |= {f"faithfulness.{method}.{figure}": value for figure, value in told.faithfulness.items()}
    return found


def table_of(plan: Plan, columns: pa.Schema, fields: Sequence[Field], values: Sequence[Values]) -> pa.Table:
    """The rows of some fields; NaN for numbers that are not there, and no text for texts."""
    import pyarrow as pa  # type: ignore[import-untyped]

    rows = [_row(plan, field, value) for field, value in zip(fields, values, strict=True)]
    real = pa.float64()
    return pa.table(
        {
            column.name: pa.array(
                [row.get(column.name, math.nan if column.type == real else None) for row in rows], column.type
            )
            for column in columns
        },
        schema=columns,
    )


def _row(plan: Plan, field: Field, values: Values) -> dict[str, Any]:
    row, column = row_and_column(field.position)
    told = plan.plate.told.get(field.position, {})
    conditions = {f"condition.{name}": _condition(told.get(name), kind) for name, kind in plan.plate.conditions.items()}
    place = {"plate": plan.plate.name, "well": field.position, "row": row, "column": column, "field": field.number}
    return place | conditions | values


def _condition(value: str | float | None, kind: str) -> str | float | None:
    if value is None:
        return math.nan if kind == "number" else None
    return float(value) if kind == "number" else str(value)
