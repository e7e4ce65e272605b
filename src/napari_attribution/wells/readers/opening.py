"""Opening a TIFF so that what comes out is what the microscope wrote, or a sentence.

tifffile is forgiving: of a file that was cut short it may read fewer pages, or zeros where pages are missing, and only
log it. A black rectangle would be explained like any other image, so completeness is checked here against the file's
own directories before any pixel is decoded.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from napari_attribution.errors import AttributionError, WellError

SUFFIXES = (".tif", ".tiff")
_OTHER_FORMATS = {
    **dict.fromkeys(
        (".nd2", ".czi", ".lif", ".oib", ".oif", ".vsi", ".ims", ".dv"), "a microscope vendor's own format"
    ),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif"), "a picture format"),
}


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """A TIFF file, complete as far as its directories say; whatever goes wrong inside becomes a WellError."""
    try:
        _look(path)
        with tifffile.TiffFile(path) as tif:
            yield tif
    except AttributionError:
        raise
    except FileNotFoundError:
        raise WellError(f"There is no file {path}. Check the name, and that its drive is connected.") from None
    except PermissionError:
        raise WellError(f"{path.name} may not be read by this user. Ask for read access to {path.parent}.") from None
    except MemoryError:
        raise WellError(f"{path.name} does not fit into memory. Save one field of it as a file of its own.") from None
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        if any(word in reason.lower() for word in ("codec", "compression")):
            raise WellError(
                f"{path.name} is compressed in a way that cannot be undone here ({reason:.120}). "
                "Install the package imagecodecs with all its codecs, or save the image without compression."
            ) from error
        raise WellError(
            f"{path.name} cannot be read: it is damaged, or no usual TIFF ({reason:.160}). Copy it again from where "
            "it was acquired, or save it anew with ImageJ."
        ) from error


def pixels_of(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> npt.NDArray[Any]:
    """All pixels of a series, in native byte order.

    Raises
    ------
    WellError
        Where a page is missing, or lies in part beyond the end of its file.
    """
    _complete(tif, series, path)
    pages = list(tif.pages) if series.kind in ("imagej", "shaped") else []
    if len(pages) > 1 and len(pages) * math.prod(series.keyframe.shape) == math.prod(series.shape):
        # tifffile takes such planes to lie behind one another, but a program that rewrote ImageJ's file may have left
        # gaps; each page says for itself where it lies.
        for page in pages:
            _page_complete(page, path)
        pixels = np.stack([page.asarray() for page in pages]).reshape(series.shape)
    else:
        pixels = np.asarray(series.asarray())
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _look(path: Path) -> None:
    """Refuse what is plainly no TIFF by its first bytes, and one whose directories do not end before the file does."""
    size = path.stat().st_size
    if size == 0:
        raise WellError(f"{path.name} is empty (0 bytes). Copy it again from where it was acquired.")
    with path.open("rb") as file:
        start = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        version = struct.unpack(order + "H", start[2:4])[0] if order and len(start) >= 4 else 0
        if version not in (42, 43):
            other = _OTHER_FORMATS.get(path.suffix.lower())
            raise WellError(
                f"{path.name} is not a TIFF file"
                + (
                    f" but {other}. Export it as OME-TIFF."
                    if other
                    else ". Wells are read from TIFF and OME-TIFF files."
                )
            )
        layout = _BIG if version == 43 else _CLASSIC
        if len(start) < layout.first + struct.calcsize(layout.offset):
            raise _cut_short(path, f"it has {size} bytes")
        (offset,) = struct.unpack_from(order + layout.offset, start, layout.first)
        seen: set[int] = set()
        while offset and offset not in seen:
            seen.add(offset)
            following = _next_directory(file, order, layout, offset, size)
            if following is None:
                raise _cut_short(path, f"the description of its page {len(seen)} runs past its {size:,} bytes")
            offset = following


class _Layout(NamedTuple):
    """How a TIFF lays out its directories: struct formats, and where the first one's offset stands."""

    offset: str
    length: str
    entry: str
    first: int


_CLASSIC = _Layout("I", "H", "HHII", 4)
_BIG = _Layout("Q", "Q", "HHQQ", 8)
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# What says how the pixels lie and what they are; private tags of other programs are not worth a refusal.
_LAST_TAG_THAT_MATTERS = 342
_IMAGEJ_TAGS = (50838, 50839)


def _next_directory(file: BinaryIO, order: str, layout: _Layout, offset: int, size: int) -> int | None:
    """The offset of the next directory (0 after the last); None where this one, or a value of it, is cut off."""
    file.seek(offset)
    head = file.read(struct.calcsize("=" + layout.length))
    if len(head) < struct.calcsize("=" + layout.length):
        return None
    (entries,) = struct.unpack(order + layout.length, head)
    entry = order + layout.entry
    length = struct.calcsize(entry) * entries
    if offset + len(head) + length > size:
        return None
    table = file.read(length)
    tail = file.read(struct.calcsize("=" + layout.offset))
    if len(tail) < struct.calcsize("=" + layout.offset):
        return None
    for tag, kind, count, where in struct.iter_unpack(entry, table):
        stored = _TYPE_SIZES.get(kind, 0) * count
        matters = tag <= _LAST_TAG_THAT_MATTERS or tag in _IMAGEJ_TAGS
        if matters and stored > struct.calcsize("=" + layout.offset) and where + stored > size:
            return None
    return int(struct.unpack(order + layout.offset, tail)[0])


def _complete(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> None:
    declared = _declared(tif)
    if declared > math.prod(series.shape):
        raise _cut_short(path, f"it announces {declared:,} pixels, but holds {math.prod(series.shape):,}")
    pages = [page for page in series.pages if page is not None]
    if series.dataoffset is not None:
        _inside(series.dataoffset + math.prod(series.shape) * series.dtype.itemsize, pages[0], path)
        return
    missing = len(series.pages) - len(pages)
    if missing:
        raise WellError(
            f"{path.name} lacks {missing} of {len(series.pages)} planes: it was cut short, or is one of several files "
            "that belong together. Put all files of the data set into one folder, under their first names."
        )
    for page in pages:
        _page_complete(page, path)


def _page_complete(page: tifffile.TiffPage | tifffile.TiffFrame, path: Path) -> None:
    """Refuse a page of which a piece is missing or cut off."""
    if page.is_contiguous:
        _inside(page.dataoffsets[0] + page.nbytes, page, path)
        return
    # A piece without an offset or a length was never written; tifffile would read it as zeros.
    pieces = zip(page.dataoffsets, page.databytecounts, strict=False)
    ends = [start + count for start, count in pieces if start and count]
    if len(ends) < math.prod(page.chunked):
        raise _cut_short(path, f"page {page.index + 1} holds {len(ends)} of {math.prod(page.chunked)} pieces")
    _inside(max(ends), page, path)


def _inside(end: int, page: tifffile.TiffPage | tifffile.TiffFrame, path: Path) -> None:
    """Refuse pixels that end beyond the end of the file that holds them."""
    size = Path(page.parent.filehandle.path).stat().st_size
    if end > size:
        raise _cut_short(path, f"its pixels should end at byte {end:,}, but the file ends at {size:,}")


def _declared(tif: tifffile.TiffFile) -> int:
    """The number of pixels that ImageJ or tifffile wrote into the first page's description; 0 where neither did."""
    page = tif.pages.first
    if tif.is_imagej and tif.imagej_metadata:
        counts = [int(tif.imagej_metadata.get(key, 1)) for key in ("channels", "slices", "frames")]
        return max(math.prod(counts), int(tif.imagej_metadata.get("images", 1))) * page.imagelength * page.imagewidth
    if tif.is_shaped:
        try:
            described = json.loads(page.description)
        except ValueError:
            return 0
        shape = described.get("shape") if isinstance(described, dict) else None
        return math.prod(int(side) for side in shape) if shape else 0
    return 0


def _cut_short(path: Path, why: str) -> WellError:
    return WellError(f"{path.name} was cut short: {why}. Copy it again from where it was acquired.")
