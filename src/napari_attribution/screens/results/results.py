"""Results: the table of the fields, a row a well of it, the maps, the pixels again, and what a person noted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RecordError, RequestError
from napari_attribution.screens.results.folder import MAPS, RECORD, TABLE, image_of
from napari_attribution.screens.results.notes import Note, read_notes, write_notes
from napari_attribution.screens.results.packages import check_packages
from napari_attribution.screens.results.plate_file import read_fields
from napari_attribution.wells import Well
from napari_attribution.wells.plate import Field

if TYPE_CHECKING:
    import pandas as pd

PLACE = ("plate", "well", "row", "column", "field")
WORDS = ("why", "error")
"""Columns of sentences."""


@dataclass(frozen=True, eq=False)
class Results:
    """A finished run.

    Parameters
    ----------
    path : Path
        Of the folder.
    record : mapping
        All that is needed to repeat the run.
    """

    path: Path
    record: Mapping[str, Any]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a field, in the order of the plate; read once.

        Raises
        ------
        RecordError
            Where it cannot be read.
        """
        return self.read()

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The same, or some of its columns, read anew: what a plate of very many fields is counted by.

        Raises
        ------
        RecordError
            Where it cannot be read.
        """
        check_packages("pyarrow", "pandas")
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        try:
            table: pd.DataFrame = pq.read_table(self.path / TABLE, columns=columns).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise RecordError(f"{self.path / TABLE} cannot be read ({error}). Run the screen anew.") from None
        return table

    @property
    def stains(self) -> tuple[str, ...]:
        """The plate's names of the stains, in the order that the classifier wants."""
        return tuple(self.record["stains"])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.record["classes"])

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(self.record["methods"])

    @property
    def layout(self) -> tuple[int, int]:
        """Rows and columns of the plate."""
        rows, columns = self.record["layout"]
        return rows, columns

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns by which wells can be coloured and sorted: all but their places and the sentences."""
        return tuple(str(name) for name in self.table.columns if name not in (*PLACE, *WORDS))

    @cached_property
    def failed(self) -> int:
        """How many fields failed that can be tried again; those that the plate itself lacks cannot.

        Raises
        ------
        RecordError
            Where it is not known how the fields are read.
        """
        errors = self.table["error"].to_numpy() != ""
        if not errors.any():
            return 0
        return sum(bool(error) and field.complete for error, field in zip(errors, read_fields(self.path), strict=True))

    def wells(self) -> pd.DataFrame:
        """One row a well, in the order of the plate: of numbers the mean over the fields that have them; of texts the most
        frequent; all flags and reasons of any field, each once; and how many `fields` there are, and how many `failed`.
        """
        from napari_attribution.screens.results.wells import by_well

        return by_well(self.table)

    def field_map(self, well: str, field: int) -> dict[str, npt.NDArray[np.float32]]:
        """The (H, W) maps of a field by the names of their channels: "<method>", or "<method>: <stain>".

        Raises
        ------
        RecordError
            Where it has no maps.
        """
        check_packages("zarr")
        import zarr

        path = self.path / MAPS / image_of(Field(well, field, {}))
        try:
            group = zarr.open_group(str(path), mode="r")
            told: Any = group.attrs["omero"]
            image: Any = group["0"]
            labels = [channel["label"] for channel in told["channels"]]
            return dict(zip(labels, np.asarray(image[:]), strict=True))
        except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RecordError(
                f"{well} field {field} has no maps in these results: it failed, or the run was asked for none ({error})."
            ) from None

    def read_field(self, well: str, field: int) -> Well:
        """The pixels of a field, read again from the plate.

        Raises
        ------
        RequestError
            Where the plate has no such field.
        WellError
            Where it cannot be read any more.
        """
        return self.field(well, field).read()

    def field(self, well: str, field: int) -> Field:
        """How a field is read.

        Raises
        ------
        RequestError
            Where the plate has no such field.
        """
        for found in read_fields(self.path, well):
            if found.number == field:
                return found
        raise RequestError(f"These results have no field {field} of a well {well}.")

    @property
    def notes(self) -> dict[str, Note]:
        """What a person noted of the wells, as it stands on the disk now."""
        return read_notes(self.path)

    def set_note(self, well: str, note: str = "", excluded: str | None = None) -> None:
        """Note something of a well, or leave it out for a reason.

        Raises
        ------
        RequestError
            Where there is no such well.
        OutputError
            Where it cannot be written.
        """
        self.set_notes([well], note, excluded)

    def set_notes(self, wells: Sequence[str], note: str = "", excluded: str | None = None) -> None:
        """The same of several wells."""
        known = set(self.table["well"])
        for well in wells:
            if well not in known:
                raise RequestError(f"These results have no well {well}.")
        write_notes(self.path, {well: Note(note=note, excluded=excluded) for well in wells})


def open_results(path: str | Path) -> Results:
    """Open the results of a finished run.

    Parameters
    ----------
    path : path
        The folder of results, or a file in it.

    Raises
    ------
    RecordError
        Where there are none, or the run is not finished.
    """
    folder = Path(path).absolute()
    folder = folder.parent if folder.is_file() else folder
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
    except OSError:
        raise RecordError(f"{folder} holds no results of a screen. Choose the folder that a run wrote.") from None
    except ValueError as error:
        raise RecordError(f"{folder / RECORD} is damaged: no JSON ({error}).") from None
    if not isinstance(record, dict) or not {"stains", "classes", "methods", "layout", "plan"} <= set(record):
        raise RecordError(f"{folder / RECORD} is not the record of a screen.")
    if not (folder / TABLE).is_file():
        raise RecordError(
            f"The run that writes to {folder} is not finished. The command that began it goes on where it was stopped."
        )
    return Results(folder, record)
