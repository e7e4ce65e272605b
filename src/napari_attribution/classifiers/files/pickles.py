"""Check the tensors that a TorchScript archive describes, without unpickling anything.

A TorchScript file describes its modules in a restricted pickle (`data.pkl`), which torch reads with a reader of its own
that knows no Python. That reader believes what the description says of a tensor's size and place: where the bytes are
fewer, torch reads beyond them, and crashes or takes what lies there for weights. Here the description is only followed
far enough to know each tensor's storage, sizes and strides.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from napari_attribution.errors import ClassifierError

_BYTES = {
    "Byte": 1,
    "Char": 1,
    "Bool": 1,
    "QInt8": 1,
    "QUInt8": 1,
    "Short": 2,
    "Half": 2,
    "BFloat16": 2,
    "Int": 4,
    "Float": 4,
    "QInt32": 4,
    "ComplexHalf": 4,
    "Long": 8,
    "Double": 8,
    "ComplexFloat": 8,
    "ComplexDouble": 16,
}
"""Bytes of an element, by the name of the storage."""

_REBUILD = {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_qtensor"}

_MARK = object()


@dataclass(frozen=True)
class _Name:
    """Something that the pickle names; it is not looked up."""

    text: str


@dataclass(frozen=True)
class _Storage:
    numbers: int


def check_tensors(archive: zipfile.ZipFile, name: str) -> None:
    """Check that every tensor of a TorchScript archive lies within its bytes.

    Raises
    ------
    ClassifierError
        Where one does not, or the description makes no sense.
    """
    parts = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    for description in ("data", "constants"):
        sizes = {
            part.removeprefix(f"{description}/"): info.file_size
            for part, info in parts.items()
            if part.startswith(f"{description}/")
        }
        if f"{description}.pkl" in parts:
            try:
                _Reader(sizes).read(archive.read(parts[f"{description}.pkl"]))
            except _WrongError as wrong:
                raise ClassifierError(
                    f"{name} is a damaged TorchScript file: {wrong}. Copy it again from where it came."
                ) from None
            except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise ClassifierError(
                    f"{name} is a damaged TorchScript file: its {description}.pkl makes no sense ({type(error).__name__}). "
                    "Copy it again from where it came."
                ) from None


class _WrongError(Exception):
    """What is wrong with a tensor."""


class _Reader:
    """Follows a pickle's operations on a stack of plain values."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def read(self, content: bytes) -> None:
        for operation, argument, _ in pickletools.genops(content):
            do = _OPERATIONS.get(operation.name)
            if do is None:
                raise _WrongError(f"its description holds what torch never writes ({operation.name})")
            do(self, argument)

    def marked(self) -> list[Any]:
        """What stands above the last mark, which is taken off."""
        above = []
        while (value := self.stack.pop()) is not _MARK:
            above.append(value)
        return above[::-1]

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def take(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise IndexError
        taken = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return taken

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def storage(self) -> None:
        (found,) = self.take(1)
        if not isinstance(found, tuple) or found[:1] != ("storage",):
            self.push(None)
            return
        _, kind, key, _, numbers = found[:5]
        width = _BYTES.get(kind.text.removeprefix("torch ").removesuffix("Storage"))
        if width is None:
            self.push(None)
            return
        if key not in self.sizes:
            raise _WrongError(f"it lacks the numbers of a tensor (part {key})")
        if not 0 <= numbers * width <= self.sizes[key]:
            raise _WrongError(f"a tensor of {numbers} numbers has only {self.sizes[key]} bytes (part {key})")
        self.push(_Storage(numbers))

    def reduce(self) -> None:
        called, arguments = self.take(2)
        if isinstance(called, _Name) and called.text in _REBUILD and isinstance(arguments[0], _Storage):
            storage, offset, sizes, strides = arguments[:4]
            if len(sizes) != len(strides) or min((offset, *sizes, *strides)) < 0:
                raise _WrongError(f"a tensor has the sizes {sizes} and the strides {strides}")
            last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
            if 0 not in sizes and last >= storage.numbers:
                raise _WrongError(f"a tensor of the sizes {sizes} reads beyond its {storage.numbers} numbers")
        self.push(None)


def _pushes(value: Any) -> Callable[[_Reader, Any], None]:
    return lambda reader, _: reader.push(value)


def _argument(reader: _Reader, argument: Any) -> None:
    reader.push(argument)


def _replaces(count: int) -> Callable[[_Reader, Any], None]:
    """Takes so many values and puts an object there, of which no more need be known."""

    def do(reader: _Reader, _: Any) -> None:
        reader.take(count)
        reader.push(None)

    return do


def _tuple(count: int) -> Callable[[_Reader, Any], None]:
    return lambda reader, _: reader.push(reader.take(count))


def _collects(reader: _Reader, _: Any) -> None:
    reader.marked()
    reader.push(None)


def _nothing(reader: _Reader, _: Any) -> None:
    pass


_OPERATIONS: dict[str, Callable[[_Reader, Any], Any]] = {
    **dict.fromkeys(("PROTO", "STOP"), _nothing),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "BINUNICODE8"), _argument),
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT", "NONE"), _pushes(None)),
    "SHORT_BINSTRING": _argument,
    "SHORT_BINUNICODE": _argument,
    "NEWTRUE": _pushes(True),
    "NEWFALSE": _pushes(False),
    "EMPTY_TUPLE": _pushes(()),
    "MARK": _pushes(_MARK),
    "TUPLE": lambda reader, _: reader.push(tuple(reader.marked())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "GLOBAL": lambda reader, name: reader.push(_Name(name)),
    "NEWOBJ": _replaces(2),
    "BUILD": lambda reader, _: reader.take(1),
    "APPEND": lambda reader, _: reader.take(1),
    "SETITEM": lambda reader, _: reader.take(2),
    "APPENDS": lambda reader, _: reader.marked(),
    "SETITEMS": lambda reader, _: reader.marked(),
    "LIST": _collects,
    "DICT": _collects,
    "POP": lambda reader, _: reader.take(1),
    "BINPUT": lambda reader, index: reader.put(index),
    "LONG_BINPUT": lambda reader, index: reader.put(index),
    "BINGET": lambda reader, index: reader.push(reader.memo[index]),
    "LONG_BINGET": lambda reader, index: reader.push(reader.memo[index]),
    "BINPERSID": lambda reader, _: reader.storage(),
    "REDUCE": lambda reader, _: reader.reduce(),
}
