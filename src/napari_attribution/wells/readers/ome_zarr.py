"""OME-Zarr images, 0.1 to 0.5, in a folder or by an address: the full resolution, with the stains and the pixel size that the
attributes give.

zarr fills in what is not there: a lost chunk is a black rectangle. But a chunk of nothing but the fill value need not be stored
either, so of a chunk that is missing this is asked: are all chunks of the stain missing; else, does the stain hold the fill
value elsewhere (then its dark may be that); else, is the same place missing in every stain (then nothing was acquired
there, as beside the fields of a stitched well)? Where the answer is no, it was lost, and the image is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_attribution.errors import WellError
from napari_attribution.wells.readers import names, units
from napari_attribution.wells.readers.locations import zarr_needed
from napari_attribution.wells.readers.stack import channels_first
from napari_attribution.wells.well import Well

if TYPE_CHECKING:
    import zarr

_IN_A_PLATE = re.compile(r".*[/\\]([A-Z]{1,2})[/\\](\d{1,2})[/\\]([^/\\]+)[/\\]?")


@dataclass(frozen=True)
class Described:
    """What the attributes of an image say.

    Parameters
    ----------
    array : str
        Where in the group the full resolution is.
    axes : str
        A letter for each of its axes.
    shape : tuple of int
    stains : tuple of C str
    named : bool
        False where nobody named the stains.
    pixel_size : (float, float) or None
        In um.
    """

    array: str
    axes: str
    shape: tuple[int, ...]
    stains: tuple[str, ...]
    named: bool
    pixel_size: tuple[float, float] | None


def described(location: str) -> Described:
    """What an image at a path or an address says of itself; no pixel is read.

    Raises
    ------
    WellError
        Where it cannot be read, or is no image.
    """
    zarr_needed()
    from napari_attribution.wells.readers.zarr_groups import opened

    with opened(location) as (group, _):
        return _described(group, location)


def read(location: str, project: str | None, wanted: int | None) -> Well:
    """The one field of an OME-Zarr image, see `read_well`."""
    zarr_needed()
    from napari_attribution.wells.readers.zarr_groups import opened

    location = what = location.rstrip("/")
    with opened(location) as (group, store):
        told = _described(group, location)
        array = group[told.array]
        if project is None:
            # A stack that is going to be refused need not be read for that.
            channels_first(np.broadcast_to(np.zeros((), array.dtype), told.shape), told.axes, what, project, wanted)  # type: ignore[union-attr]
        store.blosc = type([None, *array.compressors][-1]).__name__.startswith("Blosc")  # type: ignore[union-attr]
        found: npt.NDArray[Any] = np.asarray(array[...])  # type: ignore[index]
        _complete(array, told, found, store.missed, what)  # type: ignore[arg-type]
        pixels = channels_first(found, told.axes, what, project, wanted)
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    place = _IN_A_PLATE.fullmatch(location)
    position = names.position(place[1], place[2]) if place else None
    field = int(place[3]) if place and place[3].isdigit() else None
    return Well(pixels, told.stains, told.pixel_size, told.named, position, field, (location,))


def _described(group: zarr.Group, location: str) -> Described:
    from napari_attribution.wells.readers.zarr_groups import ome_attributes

    attributes, _ = ome_attributes(group)
    scales = attributes.get("multiscales")
    if not scales:
        raise _no_image(attributes, location)
    image, first = scales[0], scales[0]["datasets"][0]
    path = str(first["path"])
    array = group[path]
    shape = getattr(array, "shape", None)
    if shape is None:
        raise WellError(f"{location} is damaged: its full resolution {path!r} is no array. Copy it again.")
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes") or "tczyx"[-len(shape) :]]
    letters = "".join(str(axis.get("name", "?"))[:1].upper() for axis in axes)
    if len(letters) != len(shape) or len(set(letters)) != len(letters):
        raise WellError(f"{location} is damaged: it names the axes {letters or 'not at all'} of {len(shape)}.")
    count = shape[letters.index("C")] if "C" in letters else 1
    channels = (attributes.get("omero") or {}).get("channels") or []
    stains, named = names.stain_names([channel.get("label") for channel in channels], count)
    return Described(path, letters, tuple(shape), stains, named, _pixel_size(axes, letters, image, first))


def _no_image(attributes: Mapping[str, Any], location: str) -> WellError:
    if "plate" in attributes:
        return WellError(
            f"{location} is a plate, but one field was expected. Give one of its images, such as B/03/0 within it, or read "
            "the plate with read_plate."
        )
    if "well" in attributes:
        images = names.listed([image.get("path") for image in attributes["well"].get("images", [])])
        return WellError(f"{location} is a well, but one field was expected. Give one of its images ({images}).")
    return WellError(
        f"{location} is no OME-Zarr image: it does not say what it holds (no multiscales). Give the group of one image."
    )


def _pixel_size(
    axes: Sequence[Mapping[str, Any]], letters: str, image: Mapping[str, Any], first: Mapping[str, Any]
) -> tuple[float, float] | None:
    """Height and width in um, where the scales have a unit; a scale of 1 without one is what programs write that know none."""
    sides = []
    for letter in "YX":
        place = letters.find(letter)
        length = 1.0
        steps = [*(first.get("coordinateTransformations") or ()), *(image.get("coordinateTransformations") or ())]
        for step in steps:
            if step.get("type") == "scale" and place >= 0:
                length *= float(step["scale"][place])
        unit = axes[place].get("unit") if place >= 0 else None
        sides.append(units.in_um(length, str(unit)) if unit and steps else None)
    return units.pixel_size(*sides)


def _complete(array: zarr.Array[Any], told: Described, pixels: npt.NDArray[Any], missed: set[str], what: str) -> None:
    """Refuse an image of which chunks were lost; see above for which those are."""
    size = array.shards or array.chunks
    grid = tuple(math.ceil(side / step) for side, step in zip(array.shape, size, strict=True))
    absent = np.zeros(grid, bool)
    for place in np.ndindex(grid):
        absent[place] = f"{array.path}/{array.metadata.encode_chunk_key(place)}" in missed
    if not absent.any():
        return
    axis = told.axes.find("C")
    of_stain = [absent.take(number // size[axis], axis) if axis >= 0 else absent for number in range(len(told.stains))]
    alike = len(of_stain) > 1 and size[axis] == 1 and all(np.array_equal(one, of_stain[0]) for one in of_stain)
    filled = _pixels_in(absent, size, array.shape)
    for number, (stain, gone) in enumerate(zip(told.stains, of_stain, strict=True)):
        plane: npt.NDArray[Any] = pixels.take(number, axis) if axis >= 0 else pixels
        gap = filled.take(number, axis) if axis >= 0 else filled
        if gone.all():
            raise WellError(
                f"{what} holds no pixels of the stain {stain}: none of its {gone.size} chunks is there. Copy it again, or export "
                "the field again."
            )
        if not gone.any() or alike:
            continue
        if array.metadata.fill_value is None or not (plane[~gap] == array.metadata.fill_value).any():
            raise WellError(
                f"{what} lacks {gone.sum()} of {gone.size} chunks of the stain {stain}: it was cut short. Copy it again from where "
                "it was acquired."
            )


def _pixels_in(absent: npt.NDArray[np.bool_], size: Sequence[int], shape: Sequence[int]) -> npt.NDArray[np.bool_]:
    """The pixels of the chunks that are marked."""
    for axis, (step, side) in enumerate(zip(size, shape, strict=True)):
        absent = absent.repeat(step, axis).take(range(side), axis)
    return absent
