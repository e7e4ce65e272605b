"""Colours that are not measurements.

A microscope measures one brightness a stain. A colour picture mixes the stains, and a palette paints one; neither can
be taken apart again with certainty, except where the palette merely says "grey".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

from napari_attribution.errors import WellError

_GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE, tifffile.PHOTOMETRIC.PALETTE)


def refuse_colours(series: tifffile.TiffPageSeries, path: Path, *, display_only: bool = False) -> None:
    """Refuse a series whose values are not brightnesses.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        The image.
    path : Path
        Its file.
    display_only : bool
        Whether palettes are only a way to show the image, as ImageJ's lookup tables are.

    Raises
    ------
    WellError
        For red, green and blue samples, a palette that is not grey, or a scale on which 0 is white.
    """
    page = series.keyframe
    if page.photometric not in _GREY:
        kind = getattr(page.photometric, "name", str(page.photometric))
        stored = "as three planes" if int(page.planarconfig) == 2 and page.samplesperpixel > 1 else "pixel by pixel"
        raise WellError(
            f"{path.name} is a colour picture ({kind}, {page.samplesperpixel} samples {stored}), so its channels are "
            "colours on a screen, not stains. Use the grey image of each stain as acquired; if red, green and blue are "
            "one stain each, split them in ImageJ (Image > Color > Split Channels) and save them as a stack."
        )
    if page.photometric == tifffile.PHOTOMETRIC.MINISBLACK and page.samplesperpixel > 1 and any(page.extrasamples):
        alpha = [sample for sample in page.extrasamples if int(sample) in (1, 2)]
        if alpha:
            raise WellError(
                f"{path.name} has a transparency (alpha) channel, so it is a picture, not a measurement. "
                "Use the grey image of each stain as acquired."
            )
    if display_only:
        return
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        raise WellError(
            f"{path.name} says that 0 is white (an inverted scale), so bright stain would be read as dark. "
            "Invert it, for instance with ImageJ (Edit > Invert), and save it anew."
        )
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not _grey_ramp(page.colormap):
        raise WellError(
            f"{path.name} is painted with a palette that is not grey, so its values are numbers of colours, not "
            "brightnesses. Use the grey image as acquired, or convert it to 8-bit grey in ImageJ."
        )


def _grey_ramp(colormap: npt.NDArray[Any] | None) -> bool:
    """Whether a (3, n) palette shows value v as the grey that is v / (n - 1) of white, up to rounding."""
    if colormap is None:
        return False
    map_ = np.asarray(colormap, dtype=np.float64)
    # Some writers fill only the lower byte of the 16-bit entries.
    top = 255.0 if map_.max() <= 255 else 65535.0
    ramp = np.linspace(0, top, map_.shape[-1])
    return bool((np.abs(map_ - ramp) <= top / (map_.shape[-1] - 1)).all())
