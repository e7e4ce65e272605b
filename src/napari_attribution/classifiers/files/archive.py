"""Look inside a classifier file without running or unpickling anything."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from napari_attribution.classifiers.files.pickles import check_tensors
from napari_attribution.errors import ClassifierError

EXPORT = (
    "Ask its author to export it: torch.jit.script(model.eval()).save('classifier.pt'), or "
    "torch.export.save(torch.export.export(model.eval(), (example,)), 'classifier.pt2')."
)

Kind = Literal["torchscript", "pt2"]

MOST_MEMBERS = 100_000
"""A network of a thousand layers has some ten thousand parts."""

MOST_SWELLING = 200
"""Weights are stored as they are and code shrinks to a tenth; a part that grows more than this is a bomb."""

_SMALL = 2**20

_COPY_AGAIN = "Copy it again from where it came."

_GAP = r"(?:\s|\\|#[^\n]*\n)*"
"""What may stand between two words of TorchScript code."""

_FORBIDDEN_CODE = re.compile(
    r"\b(?P<file>from_file|read_file|write_file)\b"
    rf"|\b(?:torch|aten){_GAP}\.{_GAP}(?P<save>save|load)\b"
    r"|\b(?P<remote>rpc_async|rpc_sync|rpc_remote)\b"
    rf"|\bclasses{_GAP}\.{_GAP}(?P<class>dist_\w*|rpc\w*)"
    # torch and ops under another name, or asked for an attribute by its name, would hide the rest of this list.
    rf"|[=(,\[]{_GAP}(?P<alias>torch|ops(?:{_GAP}\.{_GAP}\w+)?)\b(?!{_GAP}[.=])(?![ \t]+\w)"
    rf"|getattr{_GAP}\({_GAP}(?P<getattr>torch|ops)\b"
)
_OPERATORS = re.compile(rf"\bops{_GAP}\.{_GAP}(\w+){_GAP}\.{_GAP}(\w+)")
_ALWAYS_THERE = {"aten", "prim", "prims"}
_SOMETIMES_THERE = frozenset(
    ("quantized", "_quantized", "quantization", "mkl", "mkldnn", "mkldnn_prepacked", "onednn", "prepacked", "sparse")
)
"""Operators of torch's own that a build of it may lack."""


def check_archive(path: Path) -> Kind:
    """Look inside a file without running or unpickling anything.

    Returns
    -------
    "torchscript" or "pt2", by what is inside, not by the name.

    Raises
    ------
    ClassifierError
        Where the file is neither, or is damaged, or was made to do harm; says what it is.
    """
    try:
        with open_plain_file(path) as file:
            start = file.read(512)
            file.seek(0)
            if not zipfile.is_zipfile(file):
                raise ClassifierError(_not_a_zip(path.name, start))
            with zipfile.ZipFile(file) as archive:
                return check_members(archive, path.name)
    except OSError as error:
        raise ClassifierError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error) as error:
        raise ClassifierError(f"{path.name} is a damaged archive ({error}). {_COPY_AGAIN}") from None


def open_plain_file(path: Path) -> BinaryIO:
    """Open a file that is one: a pipe or a device would be waited for, for ever.

    Raises
    ------
    ClassifierError
        Where there is no such file, or it is a folder or no plain file.
    OSError
        Where it cannot be read.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ClassifierError(f"There is no file {path}.") from None
    except ValueError:
        raise ClassifierError(f"{str(path)!r} is no name that a file can have.") from None
    if stat.S_ISDIR(mode):
        raise ClassifierError(f"{path.name} is a folder; a classifier is one file. {EXPORT}")
    if not stat.S_ISREG(mode):
        raise ClassifierError(
            f"{path.name} is no plain file (a pipe, a socket or a device). Choose the classifier's file."
        )
    return path.open("rb")


def check_members(archive: zipfile.ZipFile, name: str) -> Kind:
    """Check every part of an open archive, without reading what is too large to be true.

    Raises
    ------
    ClassifierError
        Where the archive is neither TorchScript nor .pt2, or is damaged, or was made to do harm.
    """
    members = archive.infolist()
    check_table(archive, members, name)
    names = [member.filename for member in members]
    inside = {part.partition("/")[2] for part in names}
    kind = _kind(names, inside, name)
    damaged = archive.testzip()
    if damaged:
        raise ClassifierError(f"{name} is damaged: its part {damaged} is broken. {_COPY_AGAIN}")
    tops = {part.partition("/")[0] for part in names}
    if len(tops) > 1:
        raise ClassifierError(
            f"{name} holds several folders ({', '.join(sorted(tops)[:3])}), so which of them is the classifier is not clear. "
            f"Take the file as it was exported, not packed again. {EXPORT}"
        )
    if kind == "torchscript":
        for member in members:
            if "/code/" in member.filename and member.filename.endswith(".py"):
                check_code(archive.read(member).decode("utf-8", "replace"), name)
        check_tensors(archive, name)
    return kind


def check_table(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str) -> None:
    """Check what an archive's table of contents claims.

    Raises
    ------
    ClassifierError
        For a table that no exporter writes: bombs, encryption, names twice or outside of the archive.
    """
    if not members:
        raise ClassifierError(f"{name} is an empty archive. {_COPY_AGAIN}")
    if len(members) > MOST_MEMBERS:
        raise ClassifierError(f"{name} has {len(members)} parts; no classifier has so many, so it is not opened.")
    seen: set[str] = set()
    for member in members:
        part = member.filename
        if member.flag_bits & 0x1:
            raise ClassifierError(f"{name} is encrypted. Unpack it with its password, or ask for one without.")
        if part in seen:
            raise ClassifierError(f"{name} is a damaged archive: it holds {part!r} twice. {_COPY_AGAIN}")
        seen.add(part)
        if part.startswith("/") or "\\" in part or ".." in part.split("/") or "\0" in part:
            raise ClassifierError(f"{name} names a part outside of itself ({part!r}), which no exporter does. {EXPORT}")
        if member.file_size > _SMALL and member.file_size > MOST_SWELLING * max(member.compress_size, 1):
            raise ClassifierError(
                f"{name} claims that its part {part!r} unpacks from {member.compress_size} to {member.file_size} bytes. "
                "Exporters store weights as they are, so it is not opened."
            )
    file = archive.fp
    assert file is not None
    size = file.seek(0, 2)
    if sum(member.compress_size for member in members) > size:
        raise ClassifierError(f"{name} is a damaged archive: its parts are larger than the file. {_COPY_AGAIN}")


def check_code(code: str, name: str) -> None:
    """Refuse TorchScript code that reads or writes files, or speaks to other machines; no classifier needs to.

    Raises
    ------
    ClassifierError
        Which says what the code would do.
    """
    found = _FORBIDDEN_CODE.search(code)
    if found:
        what = {
            "file": "reads or writes files",
            "save": "reads or writes files",
            "remote": "calls other machines",
            "class": "calls other machines",
        }.get(found.lastgroup or "", "hides which operators it uses")
        raise ClassifierError(
            f"The network in {name} {what} ({' '.join(found.group().split())}), which no classifier needs to do; it is not run."
        )
    for namespace, operator in set(_OPERATORS.findall(code)):
        if namespace not in _ALWAYS_THERE and not (namespace in _SOMETIMES_THERE and _is_there(namespace, operator)):
            raise ClassifierError(
                f"The network in {name} needs the operator {namespace}::{operator}, which is not part of this torch. "
                f"It has to be exported without it. {EXPORT}"
            )


def _is_there(namespace: str, operator: str) -> bool:
    import torch

    return bool(torch._C._jit_get_schemas_for_operator(f"{namespace}::{operator}"))


def _kind(names: list[str], inside: set[str], name: str) -> Kind:
    """What an archive is, by the names of its parts; refuses what is no classifier."""
    if ".data/extern_modules" in inside:
        raise ClassifierError(
            f"{name} is a torch.package, which holds Python code. Opening it would run that code, so it is not done here. "
            f"{EXPORT}"
        )
    if "constants.pkl" in inside and any(part.startswith("code/") for part in inside):
        if "data.pkl" not in inside:
            raise ClassifierError(f"{name} is a damaged TorchScript file: it lacks its part data.pkl. {_COPY_AGAIN}")
        return "torchscript"
    if any(part.startswith("data/aotinductor/") for part in inside):
        raise ClassifierError(
            f"{name} holds machine code compiled for one kind of computer (AOTInductor), not a network. Running that could do "
            f"anything, so it is not done here. {EXPORT}"
        )
    if "archive_format" in inside or any(part.startswith("models/") for part in inside):
        return "pt2"
    if "serialized_exported_program.json" in names or "serialized_exported_program.json" in inside:
        raise ClassifierError(
            f"{name} was saved by torch.export of torch 2.7 or older, which keeps the weights in Python pickles. Opening those "
            "could run any code, so it is not done here. Ask its author to load it and save it again with torch 2.9 or newer."
        )
    if "data.pkl" in inside:
        raise ClassifierError(
            f"{name} holds Python objects saved by torch.save (a state dict or a whole model), not a TorchScript network. "
            f"Opening those could run any code, so it is not done here. {EXPORT}"
        )
    if "model.weights.h5" in names:
        raise ClassifierError(f"{name} is a Keras model, which is not understood. Convert it to PyTorch. {EXPORT}")
    raise ClassifierError(f"{name} is an archive, but holds no TorchScript network. {EXPORT}")


def _not_a_zip(name: str, start: bytes) -> str:
    if not start:
        return f"{name} is empty. {_COPY_AGAIN}"
    if start[:2] == b"PK":
        return f"{name} is a damaged archive, probably cut short. {_COPY_AGAIN}"
    if start[:1] == b"\x80" or start[257:262] == b"ustar":
        what = "a Python pickle" if start[:1] == b"\x80" else "an old torch.save file (a state dict or a whole model)"
        return f"{name} is {what}, not a TorchScript network. Opening it could run any code, so it is not done here. {EXPORT}"
    text = start.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return (
            f"{name} is not the classifier but a Git LFS pointer to it. Fetch the file itself: git lfs pull, or the download "
            "button of the page."
        )
    if text.startswith((b"<!doctype", b"<html")):
        return f"{name} is a web page, not a classifier: the download went wrong. Download it again."
    if start.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        return f"{name} is packed (gzip, 7z or the like). Unpack it first."
    what = _other_format(start)
    if what:
        return f"{name} is {what}, which is not understood. A TorchScript or .pt2 file is wanted. {EXPORT}"
    if not start.strip(b"\0"):
        return f"{name} holds only zeros: it was not copied completely. {_COPY_AGAIN}"
    return f"{name} is not a TorchScript file. {EXPORT}"


def _other_format(start: bytes) -> str:
    """What else networks are kept in."""
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file (Keras weights?)"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**32:
        return "a safetensors file: weights without a network"
    if start.startswith(b"GGUF"):
        return "a GGUF file: weights without a network"
    if start[4:8] == b"TFL3":
        return "a TensorFlow Lite file"
    if start[4:6] == b"ET":
        return "an ExecuTorch file"
    # A protobuf that begins with a small integer in field 1 (ir_version) and goes on with the producer or the graph.
    if len(start) > 3 and start[0] == 0x08 and start[1] < 64 and start[2] in (0x12, 0x1A, 0x22, 0x2A, 0x3A, 0x42):
        return "an ONNX file"
    return ""
