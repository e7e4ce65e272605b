"""A run that was begun, as it was asked for: from what it left in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.errors import RecordError

if TYPE_CHECKING:
    from napari_attribution.wells.plate import Plate

_ASKED = ("target", "score", "against", "faithfulness", "maps", "accept_flaws", "batch_bytes")


@dataclass(frozen=True, eq=False)
class Unfinished:
    """What goes on where a run was stopped, or tries again what failed.

    Parameters
    ----------
    folder : Path
        Of the results.
    record : mapping
    """

    folder: Path
    record: Mapping[str, Any] = field(repr=False)

    @property
    def classifier(self) -> Path:
        """Its file."""
        return Path(str(self.record["classifier"]["file"]))

    @property
    def asked(self) -> dict[str, Any]:
        """All that `run_screen` was asked, but for the plate, the classifier and the folder."""
        from napari_attribution.classifiers.cards.card import ClassifierCard

        plan = self.record["plan"]
        last = (self.record["runs"] or [{}])[-1]
        return {
            "card": ClassifierCard.model_validate(plan["card"]),
            # Those of a cluster are not this machine's.
            "workers": 1 if last.get("scheduler") else last.get("workers", 1),
            "methods": [method["name"] for method in plan["methods"]],
            "parameters": {method["name"]: method["parameters"] for method in plan["methods"]},
            "stain_map": plan["stain_map"],
            **{name: plan[name] for name in _ASKED},
        }

    def plate(self) -> Plate:
        """The plate as it was, whatever has become of its folder.

        Raises
        ------
        RecordError
            Where the folder does not say how it was read.
        """
        from napari_attribution.screens.results.plate_file import read_fields
        from napari_attribution.wells.plate import Plate

        told = self.record["plan"]["plate"]
        fields: dict[str, list[Any]] = {}
        for one in read_fields(self.folder):
            fields.setdefault(one.position, []).append(one)
        return Plate(
            name=told["name"],
            source=told["source"],
            format=told["format"],
            layout=tuple(told["layout"]),
            stains=tuple(told["stains"]),
            fields=fields | {well: [] for well in told["empty"]},
            named=told["named"],
            conditions=told["told"],
            pixel_size=None if told["pixel_size"] is None else tuple(told["pixel_size"]),
        )


def unfinished(folder: Path) -> Unfinished | None:
    """The run that was begun in this folder and not finished; None where there is none.

    Raises
    ------
    RecordError
        For a record that is none of a run.
    """
    if not (folder / "record.json").is_file() or (folder / "fields.parquet").is_file():
        return None
    try:
        record = json.loads((folder / "record.json").read_text("utf-8"))
        found = Unfinished(folder, record)
        _ = found.asked, found.classifier, record["plan"]["plate"]["empty"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{folder / 'record.json'} is not the record of a screen ({error}).") from None
    return found
