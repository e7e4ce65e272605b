"""Look inside a classifier file without running or unpickling anything."""

from __future__ import annotations

import zipfile
from pathlib import Path

from napari_attribution.errors import ClassifierError

EXPORT = "Ask its author to export it: torch.jit.script(model.eval()).save('classifier.pt')."


def check_archive(path: Path) -> None:
    """Look inside a file without running or unpickling anything.

    Raises
    ------
    ClassifierError
        Where the file is not a TorchScript archive; says what it is.
    """
    if not path.is_file():
        raise ClassifierError(f"There is no file {path}.")
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if not zipfile.is_zipfile(path):
            raise ClassifierError(_not_a_zip(path, start))
        with zipfile.ZipFile(path) as archive:
            inside = {name.partition("/")[2] for name in archive.namelist()}
            damaged = archive.testzip()
    except OSError as error:
        raise ClassifierError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise ClassifierError(
            f"{path.name} is a damaged archive ({error}). Copy it again from where it came."
        ) from None
    if damaged:
        raise ClassifierError(
            f"{path.name} is damaged: its part {damaged} is broken. Copy it again from where it came."
        )
    if "constants.pkl" in inside and any(name.startswith("code/") for name in inside):
        return
    if "data.pkl" in inside:
        raise ClassifierError(
            f"{path.name} holds Python objects saved by torch.save (a state dict or a whole model), not a TorchScript network. "
            f"Opening those could run any code, so it is not done here. {EXPORT}"
        )
    if any(name.startswith("models/") or name == "archive_format" for name in inside):
        raise ClassifierError(f"{path.name} is a torch.export program (.pt2), which is not understood yet. {EXPORT}")
    raise ClassifierError(f"{path.name} is an archive, but holds no TorchScript network. {EXPORT}")


def _not_a_zip(path: Path, start: bytes) -> str:
    if not start:
        return f"{path.name} is empty. Copy it again from where it came."
    if start[:1] == b"\x80":
        return (
            f"{path.name} is a Python pickle, not a TorchScript network. Opening it could run any code, so it is not done "
            f"here. {EXPORT}"
        )
    if start[:2] == b"PK":
        return f"{path.name} is a damaged archive, probably cut short. Copy it again from where it came."
    return f"{path.name} is not a TorchScript file. {EXPORT}"
