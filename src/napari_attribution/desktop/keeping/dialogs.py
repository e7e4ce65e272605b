"""Where to keep an answer, and which record to repeat: the dialogs that ask."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

MAPS = "OME-TIFF (*.ome.tiff);;OME-Zarr (*.ome.zarr)"
FIGURES = "PNG, 300 dpi (*.png);;SVG, text editable (*.svg);;PDF (*.pdf)"
RECORDS = "Records and maps (*.json *.ome.tiff *.ome.tif *.tiff *.tif);;All files (*)"


def save(parent: QWidget, title: str, proposed: str, kinds: str) -> Path | None:
    """Let the user name a file, of the kind that is chosen where the name has no ending; None where the user does not."""
    path, kind = QFileDialog.getSaveFileName(parent, title, proposed, kinds)
    if not path:
        return None
    ending = kind.partition("*")[2].rstrip(")")
    endings = [one.partition("*")[2].rstrip(")") for one in kinds.split(";;")]
    return (
        Path(path) if not ending or path.lower().endswith(tuple(endings)) or Path(path).suffix else Path(path + ending)
    )


def record(parent: QWidget, folder: str) -> Path | None:
    """Let the user choose a record; None where the user does not."""
    path, _ = QFileDialog.getOpenFileName(parent, "Repeat from a record", folder, RECORDS)
    return Path(path) if path else None
