"""Tables of results by the columns of a run, with planted values: for what looks at tables and not at pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ("control", "hit")
STAINS = ("DNA", "Mito")
METHOD = "pcim"


def position(row: int, column: int) -> str:
    letters = chr(65 + row) if row < 26 else "A" + chr(65 + row - 26)
    return f"{letters}{column + 1:02d}"


def make_table(layout=(2, 3), fields=1, missing=(), seed=0) -> pd.DataFrame:
    """Wells whose importance of Mito is their number (in thousandths), the odd ones hits, every fifth flagged."""
    drawn = np.random.default_rng(seed)
    rows = []
    places = [(row, column) for row in range(layout[0]) for column in range(layout[1])]
    for number, (row, column) in enumerate(places):
        well = position(row, column)
        if well in missing:
            continue
        for field in range(fields):
            hit = number % 2 == 1
            flagged = number % 5 == 0
            rows.append(
                {
                    "plate": "made",
                    "well": well,
                    "row": row,
                    "column": column,
                    "field": field,
                    "condition.drug": "abc" if hit else "DMSO",
                    "condition.dose": float(number % 3),
                    "predicted": CLASSES[hit],
                    "target": CLASSES[hit],
                    "probability.control": 0.1 if hit else 0.9,
                    "probability.hit": 0.9 if hit else 0.1,
                    "logit.control": -1.0 if hit else 1.0,
                    "logit.hit": 1.0 if hit else -1.0,
                    "margin": 2.0 + 0.01 * number,
                    f"importance.{METHOD}.DNA": float(drawn.normal()),
                    f"importance.{METHOD}.Mito": number / 1000 + field / 10000,
                    f"map.{METHOD}.edge": 0.6 if flagged else 0.05,
                    "flags": "map at the edge" if flagged else "",
                    "why": f"60 % of the map of {well} lies at the edge." if flagged else "",
                    "seconds": 0.1,
                    "error": "",
                }
            )
    return pd.DataFrame(rows)


def fail(table: pd.DataFrame, well: str, why: str) -> pd.DataFrame:
    """The same with all fields of a well failed."""
    there = table["well"] == well
    table.loc[there, [c for c in table.select_dtypes("float64") if not c.startswith("condition.")]] = np.nan
    table.loc[there, ["predicted", "target"]] = None
    table.loc[there, ["flags", "why"]] = ""
    table.loc[there, "error"] = why
    return table


def write_results(folder: Path, table: pd.DataFrame, layout=(2, 3)) -> Path:
    """The table and a record that says what a run says; no maps, no images."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "fields.parquet")
    plate = {
        "name": "made",
        "source": "nowhere",
        "format": "by hand",
        "layout": layout,
        "pixel_size": None,
        "empty": [],
    }
    plan = {
        "plate": plate,
        "stain_map": {stain: stain for stain in STAINS},
        "methods": [{"name": METHOD, "parameters": {"seed": 0}}],
        "target": None,
        "score": "logit",
        "against": None,
    }
    record = {"plan": plan, "stains": STAINS, "classes": CLASSES, "methods": [METHOD], "layout": layout, "runs": [],
              "classifier": {"file": "made.pt", "sha256": 64 * "0"}, "finished": None}  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record), "utf-8")
    return folder
