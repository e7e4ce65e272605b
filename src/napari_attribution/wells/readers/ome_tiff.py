"""OME-TIFF: stains, pixel size and place on the plate are in the file's own XML.

A data set of several files is read whole from any one of them, as long as all lie in one folder. Of a data set with
several positions only that position is read whose planes lie in the file given; if there are more, it is refused.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

from napari_attribution.errors import WellError
from napari_attribution.wells.readers import names, units
from napari_attribution.wells.readers.colours import refuse_colours
from napari_attribution.wells.readers.opening import pixels_of
from napari_attribution.wells.readers.stack import channels_first
from napari_attribution.wells.well import Well

_NOT_A_FIELD = ("label", "label image", "macro", "macro image", "thumbnail", "overview")


def read(tif: tifffile.TiffFile, path: Path, project: str | None, wanted: int | None) -> Well:
    """The one field of an OME-TIFF, see `read_well`."""
    root = _without_namespaces(ElementTree.fromstring(tif.ome_metadata or ""))
    elsewhere = root.find("BinaryOnly")
    if elsewhere is not None and root.find("Image") is None:
        raise WellError(
            f"{path.name} does not describe itself: its stains and planes are listed in "
            f"{elsewhere.get('MetadataFile', 'another file')}. Save the field as one OME-TIFF, or give the first file "
            "of the data set."
        )
    series = _field(tif, path)
    refuse_colours(series, path)
    image = _image(root, series)
    pixels = channels_first(pixels_of(tif, series, path), _axes(series), path.name, project, wanted)
    found = [channel.get("Name") or channel.get("Fluor") for channel in image.iterfind("Pixels/Channel")]
    stains, named = names.stain_names(found, len(pixels))
    position, field = _place(root, image.get("ID"))
    return Well(pixels, stains, _pixel_size(image.find("Pixels")), named, position, field, (str(path),))


def _axes(series: tifffile.TiffPageSeries) -> str:
    return str(series.axes) if "C" in series.axes else str(series.axes).replace("S", "C")


def _field(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """The series to read: the only one, or the only one with planes in this very file."""
    series = [one for one in tif.series if (one.name or "").casefold() not in _NOT_A_FIELD] or list(tif.series)
    if not series:
        raise WellError(f"{path.name} holds no planes. Copy it again from where it was acquired.")
    if len(series) > 1:
        here = [one for one in series if any(page is not None and page.parent is tif for page in one.pages)]
        series = here if len(here) == 1 else series
    if len(series) > 1:
        found = names.listed([one.name or f"image {number}" for number, one in enumerate(series, start=1)])
        raise WellError(
            f"{path.name} holds {len(series)} positions ({found}), but a well is one field. "
            "Save the position that you want as a file of its own, for instance with Bio-Formats in ImageJ."
        )
    return series[0]


def _image(root: ElementTree.Element, series: tifffile.TiffPageSeries) -> ElementTree.Element:
    """The XML element of a series: by its name where several images are described."""
    images = root.findall("Image")
    same = [image for image in images if image.get("Name") == series.name] if len(images) > 1 else images
    return same[0] if len(same) == 1 else ElementTree.Element("Image")


def _pixel_size(pixels: ElementTree.Element | None) -> tuple[float, float] | None:
    if pixels is None:
        return None
    sides = []
    for axis in "YX":
        length, unit = pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        sides.append(units.in_um(float(length), unit) if length else None)
    return units.pixel_size(*sides)


def _place(root: ElementTree.Element, image: str | None) -> tuple[str | None, int | None]:
    """The well's position and the number of the field, where the file describes a plate."""
    for well in root.iterfind("Plate/Well"):
        samples = well.findall("WellSample")
        for number, sample in enumerate(samples, start=1):
            reference = sample.find("ImageRef")
            if image is not None and reference is not None and reference.get("ID") == image:
                row, column = int(well.get("Row", 0)) + 1, int(well.get("Column", 0)) + 1
                return names.position(row, column), number if len(samples) > 1 else None
    return None, None


def _without_namespaces(root: ElementTree.Element) -> ElementTree.Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
