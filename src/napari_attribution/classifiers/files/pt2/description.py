"""The description of a .pt2 file's network: its graph as JSON, of which an allow-list of keys is taken."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from napari_attribution.classifiers.files.pt2.names import DOTTED, IDENTIFIER, MODULES, VERSION, is_reserved, words
from napari_attribution.classifiers.files.pt2.operators import is_known
from napari_attribution.classifiers.files.pt2.refusal import refusal
from napari_attribution.classifiers.files.pt2.sizes import LARGEST, is_arithmetic

_MAPPINGS = words(
    "tensor_values sym_int_values sym_bool_values sym_float_values range_constraints opset_version config "
    "as_string_to_argument"
)
_REFUSED = words("as_custom_obj custom_obj token as_token gradient_to_parameter loss_output")
_STRUCTURE = words(  # What holds something, and numbers.
    "graph_module graph signature module_call_graph inputs outputs nodes arg kind min_val max_val schema_version major minor "
    "is_hop_single_tensor_return is_single_tensor_return value persistent input_specs output_specs user_input parameter buffer "
    "tensor_constant constant_input user_output buffer_mutation gradient_to_user_input user_input_mutation "
    "parameter_mutation real imag "
    "as_none as_tensor as_tensors as_int as_ints as_float as_floats as_sym_int as_sym_ints as_scalar_type as_memory_format "
    "as_layout as_bool as_bools as_sym_bool as_sym_bools as_graph as_optional_tensors as_sym_float as_sym_floats "
    "as_optional_tensor as_complex as_nested_tensors as_int_lists as_float_lists as_expr "
    # Of a tensor's description.
    "hint dtype sizes requires_grad strides storage_offset layout is_param use_pickle tensor_meta"
)
_LONGEST_EXPRESSION = 20_000


class Cleaner:
    """Takes the description of a network apart by an allow-list of keys."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rules: dict[str, Callable[[Any], Any]] = {
            "target": self.operator,
            "as_operator": self.operator,
            "expr_str": self.expression,
            "in_spec": self.tree,
            "out_spec": self.tree,
            "metadata": self.metadata,
            "guards_code": lambda _: [],
            "custom_obj_values": self.nothing,
            "device": on_cpu,
            "as_device": on_cpu,
            "as_string": self.text,
            "as_strings": lambda value: [self.text(text) for text in value],
            "forward_arg_names": lambda value: value and [self.identifier(name) for name in value],
            "as_name": self.identifier,
            "user_input_name": self.identifier,
            "parameter_name": self.dotted,
            "buffer_name": self.dotted,
            "tensor_constant_name": self.dotted,
            "fqn": self.dotted,
            "path_name": self.dotted,
            "torch_version": lambda value: self.matching(VERSION, value),
            "verifiers": lambda value: [self.matching(DOTTED, verifier) for verifier in value],
        }

    def clean(self, value: Any, key: str = "") -> Any:
        """A copy of a JSON value, with what is known to be harmless."""
        if isinstance(value, dict):
            if key in _MAPPINGS:
                return {self.dotted(name): self.clean(part) for name, part in value.items()}
            return {name: self.entry(name, part, value) for name, part in value.items() if self.known(name)}
        if isinstance(value, list):
            return [self.clean(part, key) for part in value]
        if isinstance(value, str):
            if value in ("Infinity", "-Infinity", "NaN") and key in ("as_float", "as_floats", "as_float_lists"):
                return value
            raise refusal(self.name, f"holds text where none is expected ({key}: {value[:60]!r})")
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST:
            raise refusal(self.name, f"holds a number of absurd size ({key})")
        return value

    def known(self, key: str) -> bool:
        """Whether torch reads an entry; those that it does not know it ignores, and so they are left behind."""
        if key in _REFUSED:
            raise refusal(self.name, f"holds objects that are no tensors ({key})")
        return key in _STRUCTURE or key in _MAPPINGS or key in self.rules or key == "name"

    def entry(self, key: str, value: Any, within: dict[str, Any]) -> Any:
        if key == "name":
            # An argument may be called "self" or "from", or have no name; a value may not.
            return value if value is None else self.argument(value) if "arg" in within else self.identifier(value)
        rule = self.rules.get(key)
        return rule(value) if rule else self.clean(value, key)

    def matching(self, pattern: re.Pattern[str], value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise refusal(self.name, f"gives something a name that is none ({str(value)[:60]!r})")
        return value

    def identifier(self, value: Any) -> str:
        name = self.matching(IDENTIFIER, value)
        if is_reserved(name):
            raise refusal(self.name, f"gives something a name that Python reserves ({name!r})")
        return name

    def argument(self, value: Any) -> str:
        return "" if value == "" else self.matching(IDENTIFIER, value)

    def dotted(self, value: Any) -> str:
        return self.matching(DOTTED, value)

    def text(self, value: Any) -> str:
        """Text that an operator takes; torch only ever quotes it."""
        if not isinstance(value, str) or len(value) > 10_000:
            raise refusal(self.name, "holds text where none is expected")
        return value

    def nothing(self, value: Any) -> dict[str, Any]:
        if value:
            raise refusal(self.name, "holds objects that are no tensors")
        return {}

    def metadata(self, value: Any) -> dict[str, str]:
        """Of a node's notes only the modules that it came from, which name the layers."""
        stack = value.get("nn_module_stack") if isinstance(value, dict) else None
        if isinstance(stack, str) and MODULES.fullmatch(stack):
            return {"nn_module_stack": stack}
        return {}

    def operator(self, value: Any) -> str:
        """An operator of torch's own that computes."""
        if not is_known(value):
            raise refusal(self.name, f"uses {str(value)[:80]!r}, which is not known here as an operator")
        return str(value)

    def expression(self, value: Any) -> str:
        """An arithmetic expression of sizes; torch evaluates it."""
        if not isinstance(value, str) or len(value) > _LONGEST_EXPRESSION:
            raise refusal(self.name, "has a size that is no expression")
        if not is_arithmetic(value):
            raise refusal(self.name, f"has a size that is no arithmetic of sizes ({value[:60]!r})")
        return value

    def tree(self, value: Any) -> str:
        """How inputs or outputs are nested."""
        protocol, node = json.loads(value)
        if protocol != 1:
            raise refusal(self.name, "nests its inputs in a way that is not known")
        return json.dumps([1, self.node(node)])

    def node(self, value: dict[str, Any]) -> dict[str, Any]:
        kind, context = value["type"], value["context"]
        children = [self.node(child) for child in value["children_spec"]]
        if kind is None:
            if context is not None or children:
                raise refusal(self.name, "nests its inputs in a way that is not known")
        elif kind in ("builtins.tuple", "builtins.list"):
            context = "null"
        elif kind in ("builtins.dict", "collections.OrderedDict"):
            keys = json.loads(context)
            context = json.dumps([key if isinstance(key, int) else self.matching(DOTTED, key) for key in keys])
        else:
            raise refusal(
                self.name, f"takes or gives a {str(kind)[:60]!r}; tensors, tuples, lists and dicts are understood"
            )
        return {"type": kind, "context": context, "children_spec": children}


def on_cpu(value: Any) -> dict[str, Any]:
    """The CPU, in place of a device that is known."""
    if value["type"] not in ("cpu", "cuda", "mps", "xpu"):
        raise ValueError(f"a device {value['type']!r}")
    return {"type": "cpu", "index": None}
