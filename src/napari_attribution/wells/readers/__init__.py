"""One module a format: `ome_tiff`, `tiff`, `ome_zarr` and, one file a stain, `tiff_series`; whole plates are in `plates`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path

from napari_attribution.errors import PixelError, StainError, WellError
from napari_attribution.wells.readers import names, tiff_series
from napari_attribution.wells.readers.locations import is_url, is_zarr
from napari_attribution.wells.readers.stack import checked_projection
from napari_attribution.wells.well import Well

__all__ = ["read_well"]


def read_well(
    path: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    stains: Sequence[str] | None = None,
    project: str | None = None,
    pattern: str | None = None,
) -> Well:
    r"""Read one field of a well, with all its stains.

    Parameters
    ----------
    path : path, or several paths
        A TIFF or OME-TIFF file with all stains; or one file of a series with one stain a file, whose siblings are
        then found by their names; or a folder that holds one field; or the files of one field as a list; or an OME-Zarr
        image, such as ``plate.zarr/B/03/0``, in a folder or by its address (URL).
    stains : sequence of C str, optional
        The names of the stains, in the order of the channels; they replace those in the file.
    project : {"max", "mean", "middle"}, optional
        How the planes of a focal stack become one: the brightest, the mean, or the middle plane alone. A focal stack
        is refused without it.
    pattern : str, optional
        A regular expression that says how files with one stain each are named, with the named groups `stain` (or
        `channel`, a number), `well` (or `row` and `col`), `field`, `z`, `time`; for instance
        ``(?P<well>[A-P]\d\d)-(?P<field>\d+)-(?P<stain>\w+)``. It need not match the whole name.

    Returns
    -------
    Well
        Pixels (C, H, W) in detector units and dtype; pixel size in um where the file gives one that can be believed;
        position and field where the file or its name gives them. Where nobody names the stains they are
        "channel 1", "channel 2", ... and the well's `named` is False.

    Raises
    ------
    WellError
        For a file that is missing, unreadable, cut short, or no image of one field at one moment in one focal plane; for
        OME-Zarr without the extra ``screens``.
    StainError
        For stain names that do not fit the channels.
    """
    checked_projection(project)
    given = _given(stains)
    wanted = None if given is None else len(given)
    if not isinstance(path, str | PathLike):
        path = list(path)
    try:
        well = _read(path, project, wanted, pattern)
    except PixelError as error:
        if given is None or error.channels != len(given):
            raise
        raise error.of(given[error.channel]) from None
    except OSError as error:
        raise WellError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from None
    reading = {"path": _absolute(path), "stains": given and list(given), "project": project, "pattern": pattern}
    well = replace(well, reading=reading | {"found": list(well.stains if given is None else given)})
    if given is None:
        return well
    if len(given) != len(well.stains):
        raise StainError(
            f"{len(given)} stains were named ({', '.join(given)}), but {well.name} has {len(well.stains)} channels "
            f"({', '.join(well.stains)}). Give one name a channel, in the order of the channels."
        )
    return well.renamed(given)


def _read(
    path: str | PathLike[str] | Iterable[str | PathLike[str]],
    project: str | None,
    wanted: int | None,
    pattern: str | None,
) -> Well:
    if not isinstance(path, str | PathLike):
        files = [Path(one) for one in path]
        if not files:
            raise WellError(
                "No files were given. Give the files of one field, one a stain, or one file with all stains."
            )
        folders = [file for file in files if file.is_dir()]
        if folders:
            raise WellError(f"A list of files was expected, but {names.listed(folders)} is a folder; give it alone.")
        return tiff_series.read_files(files, project, wanted, pattern)
    if not str(path).strip():
        raise WellError("No file was given.")
    if is_url(path) or is_zarr(Path(path)):
        from napari_attribution.wells.readers import ome_zarr

        return ome_zarr.read(fspath(path), project, wanted)
    path = Path(path)
    if path.is_dir():
        return tiff_series.read_folder(path, project, wanted, pattern)
    return tiff_series.read_with_siblings(path, project, wanted, pattern)


def _absolute(path: str | PathLike[str] | Iterable[str | PathLike[str]]) -> str | list[str]:
    """The same file or files, named so that they are found from any folder."""
    if isinstance(path, str | PathLike):
        return fspath(path) if is_url(path) else str(Path(path).absolute())
    return [str(Path(one).absolute()) for one in path]


def _given(stains: Sequence[str] | None) -> tuple[str, ...] | None:
    """The caller's stain names, from a sequence or a line with commas."""
    if stains is None:
        return None
    names_given = stains.split(",") if isinstance(stains, str) else stains
    return tuple(str(name).strip() for name in names_given)
