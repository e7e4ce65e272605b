"""One TIFF file, whatever wrote it."""

from __future__ import annotations

from pathlib import Path

from napari_attribution.errors import PixelError, StainError, WellError
from napari_attribution.wells.readers import ome_tiff, tiff
from napari_attribution.wells.readers.opening import opened
from napari_attribution.wells.well import Well


def read_file(path: Path, project: str | None, wanted: int | None) -> Well:
    """The field that one file holds; `wanted` is the number of stains that the caller named, if any."""
    with opened(path) as tif:
        read = ome_tiff.read if tif.is_ome else tiff.read
        try:
            return read(tif, path, project, wanted)
        except StainError:
            raise
        except PixelError as error:
            raise error.of(error.stain, file=path.name) from None
        except WellError as error:
            # Well itself does not know which file its pixels are from.
            sentence = str(error)
            raise error if path.name in sentence else WellError(f"{path.name}: {sentence}") from None
