"""What computes a node's outputs from its inputs: torch's operators, and what TorchScript has beside them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _set_item(items: Any, index: Any, item: Any) -> Any:
    items[index] = item
    return items


def _raise(message: Any, *_: Any) -> None:
    raise RuntimeError(str(message))


# What TorchScript has beside torch's operators.
_PLAIN: dict[str, Callable[..., Any]] = {
    "prim::ListConstruct": lambda *items: list(items),
    "prim::TupleConstruct": lambda *items: tuple(items),
    "prim::DictConstruct": lambda *items: dict(zip(items[::2], items[1::2], strict=True)),
    "prim::ListUnpack": tuple,
    "prim::TupleUnpack": tuple,
    "prim::TupleIndex": operator.getitem,
    "prim::NumToTensor": torch.tensor,
    "prim::RaiseException": _raise,
    "prim::Uninitialized": lambda: None,
    "prim::unchecked_cast": lambda value: value,
    "prim::unchecked_unwrap_optional": lambda value: value,
    "aten::_unwrap_optional": lambda value: value,
    "prim::Print": lambda *values: None,
    "prim::shape": lambda tensor: list(tensor.shape),
    "aten::Int": int,
    "aten::IntImplicit": int,
    "aten::Float": float,
    "aten::FloatImplicit": float,
    "aten::Bool": bool,
    "aten::ScalarImplicit": lambda tensor: tensor.item(),
    "aten::append": _append,
    "aten::_set_item": _set_item,
    "aten::__getitem__": operator.getitem,
    "aten::__contains__": operator.contains,
    "aten::__is__": operator.is_,
    "aten::__isnot__": operator.is_not,
    "aten::__not__": operator.not_,
    "aten::format": lambda text, *values: text.format(*values),
    "aten::warn": lambda *values: None,
}


def operation(node: Any) -> Callable[..., Any] | None:
    """What computes a node's outputs from its inputs."""
    kind = node.kind()
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "aten::add" and "List" in str(next(iter(node.inputs())).type()):
        return operator.add
    try:
        schema = torch._C.parse_schema(node.schema())
    except RuntimeError:
        return None
    names = [argument.name for argument in schema.arguments]
    positional = sum(not argument.kwarg_only for argument in schema.arguments)
    namespace, _, name = schema.name.partition("::")
    packet = getattr(getattr(torch.ops, namespace, None), name, None)
    called = getattr(packet, schema.overload_name or "default", None)
    if called is None:
        found = torch._C._jit_get_operation(kind)[0]
        if found is None:
            return None
        called = found

    def call(*arguments: Any) -> Any:
        words = dict(zip(names[positional:], arguments[positional:], strict=False))
        return called(*arguments[:positional], **words)

    return call
