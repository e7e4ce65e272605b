"""TIFF without OME-XML: ImageJ hyperstacks, MetaMorph planes and plain files of one or more pages.

The size of a pixel is taken from ImageJ's unit, from MetaMorph's calibration, or from the resolution tags, but from
these only where it can be that of a light microscope (0.01 to 10 um): 72 dots per inch is a painter's default.
PerkinElmer's files give the pitch of the camera's chip there, not that of the sample, and are not believed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile

from napari_attribution.errors import WellError
from napari_attribution.wells.readers import names, units
from napari_attribution.wells.readers.colours import refuse_colours
from napari_attribution.wells.readers.opening import pixels_of
from napari_attribution.wells.readers.stack import channels_first
from napari_attribution.wells.well import Well

_SMALLEST, _LARGEST = 0.01, 10.0
_UNITS = {
    tifffile.RESUNIT.INCH: "inch",
    tifffile.RESUNIT.CENTIMETER: "cm",
    tifffile.RESUNIT.MILLIMETER: "mm",
    tifffile.RESUNIT.MICROMETER: "um",
}


def read(tif: tifffile.TiffFile, path: Path, project: str | None, wanted: int | None) -> Well:
    """The one field of a TIFF without OME-XML, see `read_well`."""
    if not tif.series:
        raise WellError(f"{path.name} holds no image. Copy it again from where it was acquired.")
    if len(tif.series) > 1:
        kinds = names.listed([" x ".join(map(str, one.shape)) + f" {one.dtype}" for one in tif.series])
        raise WellError(
            f"{path.name} holds {len(tif.series)} images of different kinds ({kinds}), but a well is one field in "
            "which all stains have the same size and type. Save the stains of one field as a file of their own."
        )
    series = tif.series[0]
    refuse_colours(series, path, display_only=tif.is_imagej)
    axes = str(series.axes)
    if "S" in axes and "C" not in axes:
        axes = axes.replace("S", "C")
    pixels = channels_first(pixels_of(tif, series, path), axes, path.name, project, wanted)
    stains, named = names.stain_names(_labels(tif, len(pixels)), len(pixels))
    return Well(pixels, stains, _pixel_size(tif), named, source=(str(path),))


def _labels(tif: tifffile.TiffFile, count: int) -> list[str | None]:
    """ImageJ's labels of the first `count` slices; channels come first in its order of slices."""
    labels = (tif.imagej_metadata or {}).get("Labels") or []
    return [str(label) for label in ([labels] if isinstance(labels, str) else labels)[:count]]


def _pixel_size(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    page = tif.pages.first
    calibrated = _calibration(tif)
    if calibrated is not None:
        return calibrated
    make = str(page.tags.valueof("Make", "")).casefold()
    sides = [_pixels_per_unit(page.tags.valueof(f"{axis}Resolution")) for axis in "YX"]
    if None in sides or "perkinelmer" in make:
        return None
    if tif.is_imagej:
        unit = str((tif.imagej_metadata or {}).get("unit", ""))
        return units.pixel_size(*(units.in_um(1 / side, unit) for side in sides if side))
    unit = _UNITS.get(page.tags.valueof("ResolutionUnit"), "")
    lengths = [units.in_um(1 / side, unit) for side in sides if side]
    if any(length is None or not _SMALLEST <= length <= _LARGEST for length in lengths):
        return None
    return units.pixel_size(*lengths)


def _pixels_per_unit(ratio: Any) -> float | None:
    """A TIFF rational as a number above zero, else None."""
    if not isinstance(ratio, tuple) or len(ratio) != 2 or not ratio[0] or not ratio[1]:
        return None
    return float(ratio[0]) / float(ratio[1])


def _calibration(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    """MetaMorph's calibration, where it was switched on."""
    plane = (tif.metaseries_metadata or {}).get("PlaneInfo", {}) if tif.is_metaseries else {}
    if not plane.get("spatial-calibration-state"):
        return None
    unit = str(plane.get("spatial-calibration-units", ""))
    lengths = (float(plane.get(f"spatial-calibration-{axis}", 0)) for axis in "yx")
    return units.pixel_size(*(units.in_um(length, unit) for length in lengths))
