"""Values without their numbers, where only shapes count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.splitting.steps import Key, tensors


def hollow(values: Mapping[Key, Any], of: set[Key]) -> dict[Key, Any]:
    """The same values, those of the given keys without their numbers: of the same shapes, on memories as shared as
    theirs, that take no room."""
    memories: dict[Any, Tensor] = {}

    def emptied(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.is_quantized or value.layout != torch.strided:
                return value
            memory = (value.untyped_storage()._cdata, value.dtype)
            if memory not in memories:
                memories[memory] = value.new_empty((), device="cpu")
            return memories[memory].expand(value.shape)
        if isinstance(value, list | tuple) and next(tensors(list(value)), None) is not None:
            items = [emptied(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        return value

    return {key: emptied(value) if key in of else value for key, value in values.items()}
