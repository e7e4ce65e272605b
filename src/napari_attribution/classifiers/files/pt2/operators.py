"""The operators that a .pt2 file may use: torch's own that compute."""

from __future__ import annotations

from typing import Any

from napari_attribution.classifiers.files.pt2.names import words

# Files, and memory that is not the tensor's own.
_FORBIDDEN_ATEN = words("from_file save _print set_ resize_storage_ _resize_output_ data_ptr")
_HIGHER_ORDER = words(
    "cond while_loop map map_impl scan associative_scan wrap_with_set_grad_enabled wrap_with_autocast strict_mode"
)
_OPERATOR = words(
    "getitem add sub mul truediv floordiv mod pow neg pos abs eq ne lt le gt ge and_ or_ not_ lshift rshift"
)
_MATH = words("ceil floor trunc sqrt")
_TORCH = words("sym_int sym_float sym_ite sym_max sym_min sym_not sym_sqrt sym_sum _sym_sqrt")


def is_known(value: Any) -> bool:
    """Whether something names one of them."""
    import torch

    parts = value.split(".") if isinstance(value, str) else []
    match parts:
        case ["torch", "ops", "aten", operator, overload] if not operator.startswith("__"):
            found = getattr(getattr(torch.ops.aten, operator, None), overload, None)
            return operator not in _FORBIDDEN_ATEN and isinstance(found, torch._ops.OpOverload)
        case ["torch", "ops", "higher_order", operator]:
            return operator in _HIGHER_ORDER
        case ["_operator", operator]:
            return operator in _OPERATOR
        case ["math", operator]:
            return operator in _MATH
        case ["torch", operator]:
            return operator in _TORCH
        case _:
            return False
