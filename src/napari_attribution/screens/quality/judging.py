"""Judging: what the whole plate says of each field, and the flags.

`distance.<method>`: how far the stains' importances lie from those of the other fields of the same predicted class, as the
root mean square over the stains of the standard deviations between each and the class's median (the standard deviation as the
class's median absolute deviation estimates it, a hundredth at least).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_attribution.screens.quality.flagging import flagged
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
    names, why = flagged(numbers, table.num_rows)
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
