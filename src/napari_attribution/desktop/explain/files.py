"""Which files are offered to be opened, in the dialogs and when dropped onto the dock."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QMimeData
from qtpy.QtWidgets import QFileDialog, QWidget

CLASSIFIERS = (".pt", ".pt2", ".pth", ".torchscript", ".ts")
WELLS = (".tif", ".tiff")


def ask(parent: QWidget, title: str, folder: str, kind: str, suffixes: tuple[str, ...]) -> Path | None:
    """Let the user choose a file; None where the user does not."""
    patterns = " ".join(f"*{suffix}" for suffix in (*suffixes, *(suffix.upper() for suffix in suffixes)))
    path, _ = QFileDialog.getOpenFileName(parent, title, folder, f"{kind} ({patterns});;All files (*)")
    return Path(path) if path else None


def ask_folder(parent: QWidget, title: str, folder: str) -> Path | None:
    """Let the user choose a folder; None where the user does not."""
    path = QFileDialog.getExistingDirectory(parent, title, folder)
    return Path(path) if path else None


def dropped(data: QMimeData) -> Path | None:
    """The one file of ours that is being dropped."""
    paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
    ours = [path for path in paths if path.suffix.lower() in (*CLASSIFIERS, *WELLS)]
    return ours[0] if len(ours) == 1 else None


def is_classifier(path: Path) -> bool:
    """By its name; what is in it is seen when it is opened."""
    return path.suffix.lower() in CLASSIFIERS
