"""A map as OME-Zarr (0.4), by ngio, the record inside: among the attributes of the image's group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import OutputError, RecordError
from napari_attribution.keeping.files import written_whole

KEY = "napari-attribution"


def check_ngio() -> None:
    """See that OME-Zarr can be written, before any work is done.

    Raises
    ------
    OutputError
        Where the package that writes it is not installed.
    """
    try:
        import ngio  # noqa: F401
    except ImportError:
        raise OutputError(
            'OME-Zarr is written by the package ngio, which is not installed: pip install "napari-attribution[ome-zarr]". '
            "Or export the map as OME-TIFF."
        ) from None


def write_zarr(
    path: Path,
    values: npt.NDArray[np.float32],
    names: list[str],
    pixel_size: tuple[float, float] | None,
    text: str,
) -> None:
    """Write a map, at one level: the very numbers, and no smaller copies of them.

    Parameters
    ----------
    path : Path
    values : (H, W) or (C, H, W) float32 ndarray
    names : list of 1 or C str
        Of the channels.
    pixel_size : (float, float) or None
        Height and width of a pixel in um.
    text : str
        The record as JSON.

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    check_ngio()
    import zarr
    from ngio import create_ome_zarr_from_array

    per_stain = values.ndim == 3
    with written_whole(path) as temporary:
        create_ome_zarr_from_array(
            str(temporary),
            values,
            pixelsize=pixel_size or (1.0, 1.0),
            levels=1,
            axes_names=["c", "y", "x"] if per_stain else ["y", "x"],
            channels_meta=names,
            name=names[0] if not per_stain else names[0].partition(":")[0],
            ngff_version="0.4",
        )
        group = zarr.open_group(str(temporary), mode="r+")
        if pixel_size is None:
            group.attrs["multiscales"] = _without_units(group.attrs["multiscales"])
        group.attrs[KEY] = json.loads(text)


def _without_units(multiscales: Any) -> Any:
    """Axes in pixels: of a size that is not known, ngio says micrometre all the same."""
    axes = [{name: value for name, value in axis.items() if name != "unit"} for axis in multiscales[0]["axes"]]
    return [{**multiscales[0], "axes": axes}]


def text_inside(path: Path) -> str:
    """The JSON text of the record that an image of ours holds; read without ngio, and without opening its pixels.

    Raises
    ------
    RecordError
        Where it holds none.
    """
    found: Any = None
    for name, inner in ((".zattrs", ()), ("zarr.json", ("attributes",))):
        try:
            found = json.loads((path / name).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        for key in (*inner, KEY):
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return json.dumps(found)
    raise RecordError(f"{path.name} is a folder without a record of napari-attribution. Choose a map that it exported.")
