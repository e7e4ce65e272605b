"""Where images are: files, folders, Zarr groups and addresses (URLs)."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from napari_attribution.errors import WellError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ZARR_FILES = ("zarr.json", ".zgroup", ".zattrs", ".zarray")


def is_url(path: str | PathLike[str]) -> bool:
    """Whether it is an address such as https://..., and no file or folder."""
    return isinstance(path, str) and _SCHEME.match(path) is not None


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array, by its files or by its name."""
    return path.is_dir() and (path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in _ZARR_FILES))


def last_part(location: str) -> str:
    """The name at the end of a path or an address, without the endings of Zarr."""
    name = location.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return re.sub(r"(\.ome)?\.zarr$", "", name, flags=re.IGNORECASE)


def zarr_needed() -> None:
    """See that Zarr can be read.

    Raises
    ------
    WellError
        Where the packages for it are not installed.
    """
    try:
        import fsspec  # type: ignore[import-untyped] # noqa: F401
        import zarr  # noqa: F401
    except ImportError as error:
        raise WellError(
            f"OME-Zarr is read by the package {error.name}, which is not installed: "
            'pip install "napari-attribution[screens]".'
        ) from None
