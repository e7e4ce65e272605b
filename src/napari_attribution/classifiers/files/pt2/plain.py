"""A .pt2 file's network as a new archive in memory, which holds only what was taken out as plain data."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

from napari_attribution.classifiers.files.archive import EXPORT, check_members, open_plain_file
from napari_attribution.classifiers.files.pt2.description import Cleaner
from napari_attribution.classifiers.files.pt2.parts import MODEL, Parts, as_json
from napari_attribution.classifiers.files.pt2.refusal import refusal
from napari_attribution.classifiers.files.pt2.tensors import plain_tensors
from napari_attribution.errors import ClassifierError


def plain_pt2(path: Path) -> bytes:
    """The network of a .pt2 file as a new archive that holds nothing but plain data.

    Raises
    ------
    ClassifierError
        Where the file is no .pt2 file, or holds what cannot be taken out as plain data.
    """
    name = path.name
    try:
        with open_plain_file(path) as file:
            content = file.read()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if check_members(archive, name) != "pt2":
                raise ClassifierError(f"{name} is a TorchScript file, not a .pt2 file.")
            return _rebuilt(Parts(archive, name))
    except OSError as error:
        raise ClassifierError(f"{name} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise ClassifierError(f"{name} is a damaged archive ({error}). Copy it again from where it came.") from None
    except (RecursionError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ClassifierError(
            f"{name} is a damaged .pt2 file: its description makes no sense ({type(error).__name__}: {error}). {EXPORT}"
        ) from None
    except MemoryError:
        raise ClassifierError(f"{name} is too large for this computer's memory.") from None


def _rebuilt(parts: Parts) -> bytes:
    """What is plain data in an archive, as a new archive."""
    _check_layout(parts)
    records = {
        "archive_format": b"pt2",
        "archive_version": parts.read("archive_version"),
        "byteorder": b"little",
        ".data/version": b"6\n",
        f"models/{MODEL}.json": as_json(Cleaner(parts.name).clean(parts.json(f"models/{MODEL}.json"))),
        f"data/sample_inputs/{MODEL}.pt": b"",
    }
    for kind, prefix in (("weights", "weight_"), ("constants", "tensor_")):
        records |= plain_tensors(parts, kind, prefix)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for part, data in records.items():
            archive.writestr(f"{MODEL}/{part}", data)
    return made.getvalue()


def _check_layout(parts: Parts) -> None:
    if f"models/{MODEL}.json" not in parts:
        raise refusal(parts.name, "holds no network (models/model.json)")
    for kind in ("weights", "constants"):
        if f"data/{kind}/{MODEL}.pt" in parts:
            raise ClassifierError(
                f"{parts.name} was saved by torch.export of torch 2.8 or older, which keeps the {kind} in a Python pickle. "
                "Opening that could run any code, so it is not done here. Ask its author to load it and save it again with "
                "torch 2.9 or newer."
            )
    if parts.read("archive_format") != b"pt2" or not re.fullmatch(rb"\d{1,4}", parts.read("archive_version")):
        raise refusal(parts.name, "names a format that is not known")
    if "byteorder" in parts and parts.read("byteorder") != b"little":
        raise refusal(parts.name, "was written on a big-endian computer")
