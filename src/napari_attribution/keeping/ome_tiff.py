"""A map as float OME-TIFF, the record inside: a comment among the structured annotations of its OME-XML."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import RecordError
from napari_attribution.keeping.files import written_whole

NAMESPACE = "napari-attribution"


def write_tiff(
    path: Path,
    values: npt.NDArray[np.float32],
    names: list[str],
    pixel_size: tuple[float, float] | None,
    text: str,
) -> None:
    """Write a map.

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
    import tifffile

    metadata: dict[str, Any] = {
        "axes": "CYX" if values.ndim == 3 else "YX",
        "Channel": {"Name": names},
        "CommentAnnotation": {"Namespace": NAMESPACE, "Value": text},
    }
    if pixel_size:
        y, x = pixel_size
        metadata |= {"PhysicalSizeY": y, "PhysicalSizeX": x, "PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm"}
    with written_whole(path) as temporary:
        tifffile.imwrite(temporary, values, ome=True, photometric="minisblack", compression="zlib", metadata=metadata)


def text_inside(path: Path) -> str:
    """The JSON text of the record that a file of ours holds.

    Raises
    ------
    RecordError
        Where it is no TIFF, or holds none.
    """
    return _comment(_opened(path)[0], path)


def read_tiff(path: Path) -> tuple[npt.NDArray[np.float32], tuple[float, float] | None, str]:
    """The map in a file of ours, (H, W) or (C, H, W); the pixel size in um, where it is known; the record's JSON text.

    Raises
    ------
    RecordError
        Where it is no TIFF, or holds no record.
    """
    root, values = _opened(path, pixels=True)
    text = _comment(root, path)
    if values is None or values.ndim not in (2, 3):
        raise RecordError(f"{path.name} holds no map. Choose one that was exported.")
    pixels = next((one for one in root.iter() if one.tag.endswith("}Pixels")), root) if root is not None else None
    sides = [pixels.get(f"PhysicalSize{axis}") if pixels is not None else None for axis in "YX"]
    try:
        size = (float(sides[0] or 0), float(sides[1] or 0))
    except ValueError:
        size = (0.0, 0.0)
    return values.astype(np.float32, copy=False), size if min(size) > 0 else None, text


def _opened(path: Path, pixels: bool = False) -> tuple[ElementTree.Element | None, npt.NDArray[Any] | None]:
    """The OME-XML of a TIFF, None where it has none; its pixels, where they are wanted."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            described = file.ome_metadata or ""
            values = file.asarray() if pixels else None
        return ElementTree.fromstring(described) if described else None, values
    except (OSError, ValueError, KeyError, IndexError, ElementTree.ParseError, tifffile.TiffFileError) as error:
        raise RecordError(f"{path.name} cannot be read as a TIFF ({type(error).__name__}: {error}).") from None


def _comment(root: ElementTree.Element | None, path: Path) -> str:
    for comment in root.iter() if root is not None else ():
        if comment.tag.endswith("}CommentAnnotation") and comment.get("Namespace") == NAMESPACE:
            return "".join(comment.itertext())
    raise RecordError(f"{path.name} is an image without a record of napari-attribution. Choose a map that it exported.")
