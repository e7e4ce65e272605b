"""From fields to wells."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FLAGS_APART, SENTENCES_APART = "; ", " "


def by_well(fields: pd.DataFrame) -> pd.DataFrame:
    """One row a well, in the order of the fields; see `Results.wells`.

    Parameters
    ----------
    fields : DataFrame
        The table of fields.
    """
    import pandas as pd

    groups = fields.groupby("well", sort=False)
    first = groups[["plate", "row", "column"]].first()
    # All columns at once: one by one, pandas would make room for each of the hundreds anew.
    found: dict[str, pd.Series[Any]] = {}
    for name in fields.columns.difference([*first.columns, "well", "field", "flags", "why", "error"], sort=False):
        column = fields[name]
        found[name] = groups[name].mean() if pd.api.types.is_numeric_dtype(column) else _most_frequent(fields, name)
    for name, apart in (("flags", FLAGS_APART), ("why", SENTENCES_APART), ("error", SENTENCES_APART)):
        if name in fields:
            found[name] = groups[name].agg(partial(_together, apart=apart))
    found["fields"] = groups.size()
    found["failed"] = (fields["error"] != "").groupby(fields["well"], sort=False).sum()
    return pd.concat([first, pd.DataFrame(found, index=first.index)], axis=1).reset_index()


def _most_frequent(fields: pd.DataFrame, name: str) -> pd.Series[str]:
    """Of each well; of equals the one that comes first."""
    counts = fields.groupby(["well", name], sort=False).size().reset_index(name="count")
    return counts.sort_values("count", ascending=False, kind="stable").drop_duplicates("well").set_index("well")[name]


def _together(texts: Iterable[str | None], apart: str) -> str:
    """What stands in any of the texts, once; flags are told apart, sentences are taken whole."""
    if apart == FLAGS_APART:
        texts = (part for text in texts if text for part in text.split(apart))
    return apart.join(dict.fromkeys(text for text in texts if text))
