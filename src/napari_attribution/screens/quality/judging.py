"""Judging: what the whole plate says of each field, and the flags.

`distance.<method>`: how far the stains' importances lie from those of the other fields of the same predicted class, as the
root mean square over the stains of the standard deviations between each and the class's median (the standard deviation as the
class's median absolute deviation estimates it, a hundredth at least).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.flags import FLAGS, Flag
from napari_attribution.screens.quality.position import TO_SIGMA, effects

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]

FEWEST = 8
"""Fields of a class, of fewer nothing is usual."""
LEAST_SPREAD = 0.01
"""Of an importance within a class, as a share of the explanation: smaller differences mean nothing."""


def judge(table: pa.Table) -> pa.Table:
    """Add what only the whole plate tells: distances, effects of the place, `flags` and `why`; before `seconds`.

    Parameters
    ----------
    table : pyarrow.Table
        One row a field, as the run measured it. Columns that are not there are not looked at.

    Returns
    -------
    pyarrow.Table
        The same rows in the same order.
    """
    import pyarrow as pa

    added: dict[str, Floats] = {}
    for method in _methods(table):
        added[f"distance.{method}"] = _distances(table, method)
    added |= _effects(table)
    numbers = {name: _numbers(table, name) for name in table.column_names if _is_measure(name)} | added
    names, why = _flagged(numbers, table.num_rows)
    columns = {name: pa.array(values, pa.float64()) for name, values in added.items()}
    columns |= {"flags": pa.array(names, pa.string()), "why": pa.array(why, pa.string())}
    at = table.column_names.index("seconds") if "seconds" in table.column_names else table.num_columns
    for offset, (name, values) in enumerate(columns.items()):
        table = table.add_column(at + offset, name, values)
    return table


def _is_measure(name: str) -> bool:
    return name == "margin" or name.startswith(("map.", "quality."))


def _numbers(table: pa.Table, name: str) -> Floats:
    found: Floats = table.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def _methods(table: pa.Table) -> list[str]:
    return list(dict.fromkeys(name.split(".")[1] for name in table.column_names if name.startswith("importance.")))


def _codes(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each combination of values in some columns, equal where all are equal; those not known are alike."""
    found = np.zeros(table.num_rows, dtype=np.int64)
    for name in names:
        of_column = table.column(name).combine_chunks().dictionary_encode()
        codes = of_column.indices.fill_null(len(of_column.dictionary)).to_numpy(zero_copy_only=False)
        found = np.unique(found * (len(of_column.dictionary) + 1) + codes, return_inverse=True)[1].astype(np.int64)
    return found


def _distances(table: pa.Table, method: str) -> Floats:
    before = f"importance.{method}."
    shares = np.stack([_numbers(table, name) for name in table.column_names if name.startswith(before)], axis=1)
    found = np.full(len(shares), np.nan)
    classes = _codes(table, ["predicted"])
    for one in np.unique(classes):
        of = (classes == one) & np.isfinite(shares).all(axis=1)
        if np.count_nonzero(of) < FEWEST:
            continue
        away = shares[of] - np.median(shares[of], axis=0)
        scale = np.maximum(TO_SIGMA * np.median(np.abs(away), axis=0), LEAST_SPREAD)
        found[of] = np.sqrt(((away / scale) ** 2).mean(axis=1))
    return found


def _effects(table: pa.Table) -> dict[str, Floats]:
    from napari_attribution.wells.plate import smallest_layout

    logits = [_numbers(table, name) for name in table.column_names if name.startswith("logit.")]
    if not logits or not table.num_rows:
        return {}
    rows, columns = smallest_layout(table.column("well").unique().to_pylist())
    row, column = (table.column(name).to_numpy().astype(np.int64) for name in ("row", "column"))
    at_rim = (row == 0) | (row == rows - 1) | (column == 0) | (column == columns - 1)
    wells = np.unique(row * columns + column, return_inverse=True)[1].astype(np.int64)
    groups = _codes(table, [name for name in table.column_names if name.startswith("condition.")])
    return dict(effects(wells, row, column, at_rim, groups, logits))


def _flagged(numbers: dict[str, Floats], count: int) -> tuple[list[str], list[str]]:
    """The flags of each row, and their sentences."""
    names: list[dict[str, None]] = [{} for _ in range(count)]
    why: list[list[str]] = [[] for _ in range(count)]
    for flag in FLAGS:
        looked = [name for name in numbers if name.startswith(flag.before) and name.endswith(flag.after)]
        if not looked:
            continue
        excess, middles = zip(*(_excess(flag, numbers[name], numbers) for name in looked), strict=True)
        beyond = np.stack(excess)
        for at in np.flatnonzero((beyond > 0).any(axis=0)):
            worst = int(np.nanargmax(beyond[:, at]))
            between = [
                looked[i][len(flag.before) : len(looked[i]) - len(flag.after)]
                for i in np.flatnonzero(beyond[:, at] > 0)
            ]
            sentence = flag.sentence.format(
                names=_listed(between),
                name=looked[worst][len(flag.before) : len(looked[worst]) - len(flag.after)],
                value=float(numbers[looked[worst]][at]),
                middle=float(middles[worst][at]),
                limit=flag.limit,
            )
            names[at][flag.name] = None
            why[at].append(re.sub(r"(?<!\w)-(?=\d)", "−", sentence))
    return ["; ".join(found) for found in names], [" ".join(said) for said in why]


def _listed(names: Sequence[str]) -> str:
    """ "DNA is", "DNA and ER are"."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{', '.join(names[:-1])} and {names[-1]} are"


def _excess(flag: Flag, values: Floats, numbers: dict[str, Floats]) -> tuple[Floats, Floats]:
    """How far each value lies beyond the limit, above 0 where it does; and what to name as the middle."""
    there = values[np.isfinite(values)]
    middle = float(np.median(there)) if there.size else np.nan
    middles = np.full_like(values, middle)
    limit = np.full_like(values, flag.limit)
    if flag.against == "plate":
        limit = limit * middle
    elif flag.against == "cells":
        middles = numbers.get("quality.cells", np.full_like(values, np.nan))
        limit = limit * middles
    if flag.side == "above":
        excess = values - limit
    elif flag.side == "below":
        excess = limit - values
    else:
        excess = np.abs(values) - limit
    if flag.spreads and there.size:
        spread = TO_SIGMA * float(np.median(np.abs(there - middle)))
        excess = np.where(np.abs(values - middle) > flag.spreads * spread, excess, -np.inf)
    return np.where(np.isfinite(values), excess, -np.inf), middles
