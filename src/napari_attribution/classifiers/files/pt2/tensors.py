"""The weights and constants of a .pt2 file: raw bytes, and a table that says how they are to be read."""

from __future__ import annotations

import math
from typing import Any

from napari_attribution.classifiers.files.archive import EXPORT
from napari_attribution.classifiers.files.pt2.description import on_cpu
from napari_attribution.classifiers.files.pt2.names import DOTTED, PART
from napari_attribution.classifiers.files.pt2.parts import MODEL, Parts, as_json
from napari_attribution.classifiers.files.pt2.refusal import refusal
from napari_attribution.classifiers.files.pt2.sizes import whole
from napari_attribution.errors import ClassifierError

_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 2,
    7: 4,
    8: 8,
    9: 4,
    10: 8,
    11: 16,
    12: 1,
    13: 2,
    28: 2,
    34: 4,
    35: 8,
} | dict.fromkeys(range(29, 34), 1)
"""Bytes of an element, by torch.export's number of the type."""

_STRIDED = 7


def plain_tensors(parts: Parts, kind: str, prefix: str) -> dict[str, bytes]:
    """The records of the weights or of the constants, and their table.

    Parameters
    ----------
    parts : Parts
    kind : str
        "weights" or "constants".
    prefix : str
        With which the names of records of plain numbers begin.

    Raises
    ------
    ClassifierError
        Where one is no tensor of plain numbers, or does not fit its bytes.
    """
    table = f"data/{kind}/{MODEL}_{kind}_config.json"
    config = parts.json(table)["config"]
    records: dict[str, bytes] = {}
    types: dict[str, int] = {}
    cleaned = {}
    for tensor, payload in config.items():
        part, meta = payload["path_name"], payload["tensor_meta"]
        if payload["use_pickle"] is not False or not isinstance(part, str) or not part.startswith(prefix):
            raise refusal(
                parts.name,
                f"holds {tensor!r} as a Python object, not as plain numbers; opening it could run any code, so it is not done",
            )
        if not PART.fullmatch(part) or not DOTTED.fullmatch(tensor):
            raise refusal(parts.name, f"gives a tensor a name that is none ({tensor!r})")
        record = f"data/{kind}/{part}"
        if record not in parts:
            raise ClassifierError(f"{parts.name} is a damaged .pt2 file: it lacks its part {record}. {EXPORT}")
        if record not in records:
            records[record] = parts.read(record)
            types[record] = meta["dtype"]
        if meta["dtype"] != types[record]:
            raise refusal(parts.name, f"reads {part} as numbers of two kinds")
        cleaned[tensor] = {
            "path_name": part,
            "is_param": payload["is_param"] is True,
            "use_pickle": False,
            "tensor_meta": _described(parts.name, tensor, meta, len(records[record])),
        }
    return records | {table: as_json({"config": cleaned})}


def _described(name: str, tensor: str, meta: dict[str, Any], size: int) -> dict[str, Any]:
    """A tensor's description, once it is known to stay within its bytes."""
    sizes, strides = ([whole(value) for value in meta[key]] for key in ("sizes", "strides"))
    offset = whole(meta["storage_offset"])
    width = _BYTES.get(meta["dtype"])
    if meta["layout"] != _STRIDED or width is None or len(sizes) != len(strides):
        raise refusal(name, f"holds {tensor!r} in a layout that is not plain (sparse, quantised)")
    empty = math.prod(sizes) == 0
    last = offset + sum((n - 1) * stride for n, stride in zip(sizes, strides, strict=True))
    if (not empty and (last + 1) * width > size) or (empty and size == 0 and offset) or size % width:
        raise ClassifierError(
            f"{name} is a damaged .pt2 file: {tensor!r} wants more numbers than its part holds. {EXPORT}"
        )
    return {
        "dtype": meta["dtype"],
        "sizes": [{"as_int": n} for n in sizes],
        "strides": [{"as_int": n} for n in strides],
        "storage_offset": {"as_int": offset},
        "requires_grad": False,
        "device": on_cpu(meta["device"]),
        "layout": _STRIDED,
    }
