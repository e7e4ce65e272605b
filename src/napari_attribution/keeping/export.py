"""Keep an answer: the map as float OME-TIFF or OME-Zarr, and the record, as JSON beside it and inside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_attribution.errors import OutputError
from napari_attribution.keeping.figure.writing import ENDINGS as FIGURES
from napari_attribution.keeping.files import check_folder, free_stem, stem_of, written_whole
from napari_attribution.keeping.ome_tiff import write_tiff
from napari_attribution.keeping.ome_zarr import check_ngio, write_zarr
from napari_attribution.keeping.summary import as_json, summary
from napari_attribution.methods.attribution import Attribution

RECORD_ENDING = ".json"
WRITERS = {".ome.tiff": write_tiff, ".ome.zarr": write_zarr}
"""By the ending of the map's file."""

_OTHER_ENDINGS = {".ome.tif": ".ome.tiff", ".tiff": ".ome.tiff", ".tif": ".ome.tiff", ".zarr": ".ome.zarr"}


@dataclass(frozen=True)
class Written:
    """Where the map and the record are."""

    map: Path
    record: Path


def stem_for(attribution: Attribution, well_name: str) -> str:
    """A name for the answer's files: the well, the place in it, the method and the class."""
    place = attribution.place.name if attribution.place else ""
    return stem_of(well_name, place, attribution.method, attribution.target)


def split_name(path: Path) -> tuple[str, str]:
    """The stem and the kind of map (".ome.tiff", ".ome.zarr") that a file's name asks for; a name without an ending is a TIFF.

    Raises
    ------
    OutputError
        For an ending that is none of a map's.
    """
    lower = path.name.lower()
    for ending in (*WRITERS, *_OTHER_ENDINGS):
        if lower.endswith(ending):
            return path.name[: -len(ending)], _OTHER_ENDINGS.get(ending, ending)
    if path.suffix and not path.suffix[1:].isdigit() and len(path.suffix) <= 6 and " " not in path.suffix:
        raise OutputError(
            f"A map is not written as {path.suffix}: it is numbers, not a picture. Choose a name that ends in "
            f"{' or '.join(WRITERS)}, or take the figure."
        )
    return path.name, ".ome.tiff"


def write_attribution(
    attribution: Attribution, folder: str | Path, stem: str, ending: str = ".ome.tiff", overwrite: bool = False
) -> Written:
    """Write `<stem>.ome.tiff` (or `.ome.zarr`: float32, the well's pixels and pixel size) and `<stem>.json`.

    Both are written under another name first, so that a crash leaves no half of a file.

    Parameters
    ----------
    attribution : Attribution
    folder : path
    stem : str
    ending : ".ome.tiff" or ".ome.zarr"
    overwrite : bool
        Replace files of these names; else the names are "stem-2", ... where there are such files.

    Raises
    ------
    OutputError
        Where they cannot be written.
    """
    if ending not in WRITERS:
        raise OutputError(f"A map is not written as {ending!r}. Choose one of: {', '.join(WRITERS)}.")
    if ending == ".ome.zarr":
        check_ngio()
    folder = check_folder(Path(folder))
    if not overwrite:
        stem = free_stem(folder, stem, (*WRITERS, RECORD_ENDING, *FIGURES))
    written = Written(folder / f"{stem}{ending}", folder / f"{stem}{RECORD_ENDING}")
    title = f"why {attribution.target}"
    per_stain = attribution.values.ndim == 3
    names = [f"{title}: {stain}" for stain in attribution.stains] if per_stain else [title]
    told = summary(attribution)
    WRITERS[ending](written.map, attribution.values, names, attribution.pixel_size, as_json(told))
    with written_whole(written.record) as temporary:
        temporary.write_text(as_json(told, indent=2, plain=False), "utf-8")
    return written
