"""The sample wells, found where they were installed or where they stand in the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_attribution.errors import OutputError

CONTROL, MITO, ACTIN, RNA = "B02_control", "B03_mito-fragmented", "B04_actin-fibres", "B05_rna-granules"


def sample_folder() -> Path:
    """Where the sample data is: in the installed package, else beside `src`.

    Raises
    ------
    OutputError
        Where it is in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    places = [package.parent / "napari_attribution_manifest" / "sample_data", package.parents[1] / "sample_data"]
    for place in places:
        if any(place.glob("wells/*.ome.tiff")):
            return place
    raise OutputError(
        "The sample data is not here: neither in the installed package nor beside its source. Make it with "
        "python sample_data/make.py, or install the package anew."
    )


def first_well() -> Path:
    """The well that "Try the sample" opens."""
    return sample_folder() / "wells" / f"{MITO}.ome.tiff"


def classifier() -> Path:
    """The classifier that tells the sample's phenotypes apart.

    Raises
    ------
    OutputError
        Where it is missing.
    """
    path = sample_folder() / "phenotypes.pt"
    if not path.is_file():
        raise OutputError(f"The sample classifier is missing ({path}). Make it with python sample_data/make.py.")
    return path


def plate() -> Path:
    """The plate of 24 wells.

    Raises
    ------
    OutputError
        Where it is missing.
    """
    path = sample_folder() / "plate.zarr"
    if not path.is_dir():
        raise OutputError(f"The sample plate is missing ({path}). Make it with python sample_data/make.py.")
    return path


def plate_conditions() -> Path:
    """The table of what was done to its wells."""
    return sample_folder() / "plate.conditions.csv"


def is_ours(path: Path) -> bool:
    """Whether a file is one of the sample classifiers, which came with the package and can be trusted."""
    try:
        return path.resolve() in (classifier().resolve(), classifier().with_name("confounded.pt").resolve())
    except (OutputError, OSError):
        return False


def control() -> list[tuple[Any, dict[str, Any], str]]:
    """napari's File > Open Sample: the control."""
    return _layers(CONTROL)


def mito_fragmented() -> list[tuple[Any, dict[str, Any], str]]:
    """napari's File > Open Sample: fragmented mitochondria in some cells."""
    return _layers(MITO)


def actin_fibres() -> list[tuple[Any, dict[str, Any], str]]:
    """napari's File > Open Sample: actin fibres in some cells."""
    return _layers(ACTIN)


def rna_granules() -> list[tuple[Any, dict[str, Any], str]]:
    """napari's File > Open Sample: granules of RNA in some cells."""
    return _layers(RNA)


def with_cells(well: Path) -> list[tuple[Any, dict[str, Any], str]]:
    """The well's stains as layers and, in outline, its cells: what can be clicked at."""
    import tifffile

    from napari_attribution.desktop.layers import cells_layer_tuple, well_layer_tuples
    from napari_attribution.wells import read_well

    tuples = well_layer_tuples(read_well(well))
    cells = tifffile.imread(well.with_name(well.name.replace(".ome.tiff", ".cells.tiff")))
    return [*tuples, cells_layer_tuple(cells, tuples[0][1])]


def _layers(stem: str) -> list[tuple[Any, dict[str, Any], str]]:
    """The same and, hidden, the cells that were truly changed: what a good map should point at."""
    import tifffile

    folder = sample_folder() / "wells"
    tuples = with_cells(folder / f"{stem}.ome.tiff")
    truth = tifffile.imread(folder / f"{stem}.truth.tiff")
    if np.any(truth):
        place = {key: tuples[0][1][key] for key in ("scale", "units", "axis_labels")}
        labels = {"name": "truth: affected cells", "visible": False, "opacity": 0.5, **place}
        tuples.insert(0, (truth.astype(np.int32), labels, "labels"))
    return tuples
