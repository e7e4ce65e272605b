"""Open .pt2 files (torch.export) so that only plain data is ever read.

`torch.export.load` trusts its file: it unpickles sample inputs, custom objects and odd tensors; it evaluates symbolic
sizes and guards as Python; it builds Python source from the names in the graph and runs it; it finds operators by
walking attributes from `torch`. So the file is not given to it. What a network needs is taken out by an allow-list
(the graph as JSON, checked key by key; the weights as raw bytes, checked against their sizes) and put into a new archive
in memory, and only that is loaded:

- every string is a name, a known operator, an arithmetic expression of sizes, or free text that is only ever quoted;
- sample inputs, guards, stack traces and unknown parts are left behind;
- a network exported on a GPU is read as one on the CPU; it can be moved afterwards.

Nothing of the file is unpickled, evaluated or imported. The operators themselves are torch's, and so are their flaws.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import logging
import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.files.archive import EXPORT, check_members, open_plain_file
from napari_attribution.errors import ClassifierError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

log = logging.getLogger(__name__)

MODEL = "model"
"""What torch.export.save calls the network in its archive."""

_MOST_JSON = 512 * 2**20


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DOTTED = re.compile(r"[\w.@\-]*", re.ASCII)
_PART = re.compile(r"[\w\-]+(\.[\w\-]+)*", re.ASCII)
_VERSION = re.compile(r"[\w.+<= ]*", re.ASCII)
_MODULES = re.compile(r"[\w.,;@\[\]()'\"<>\- ]*", re.ASCII)
_RESERVED = _words("self torch getattr super math operator _operator builtins device inf nan")

# Files, and memory that is not the tensor's own.
_FORBIDDEN_ATEN = _words("from_file save _print set_ resize_storage_ _resize_output_ data_ptr")
_HIGHER_ORDER = _words(
    "cond while_loop map map_impl scan associative_scan wrap_with_set_grad_enabled wrap_with_autocast strict_mode"
)
_OPERATOR = _words(
    "getitem add sub mul truediv floordiv mod pow neg pos abs eq ne lt le gt ge and_ or_ not_ lshift rshift"
)
_MATH = _words("ceil floor trunc sqrt")
_TORCH = _words("sym_int sym_float sym_ite sym_max sym_min sym_not sym_sqrt sym_sum _sym_sqrt")

_EXPRESSION_CALLS = _words(
    "Symbol Integer Float Rational Add Mul Pow Min Max Abs Mod floor ceiling sqrt Eq Ne Lt Le Gt Ge And Or Not "
    "Equality Unequality StrictLessThan LessThan StrictGreaterThan GreaterThan Piecewise "
    "FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv PowByNatural FloatPow "
    "FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat "
    "Identity"
)
_EXPRESSION_NAMES = re.compile(r"[a-z]{1,3}\d+|true|false|True|False", re.ASCII)
_ASSUMPTIONS = _words("integer positive nonnegative real finite negative zero nonzero commutative")
_EXPRESSION_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
    ast.Load,
    ast.keyword,
    ast.Tuple,
)
_LONGEST_EXPRESSION = 20_000
_LARGEST_NUMBER = 2**63

_MAPPINGS = _words(
    "tensor_values sym_int_values sym_bool_values sym_float_values range_constraints opset_version config "
    "as_string_to_argument"
)
_REFUSED = _words("as_custom_obj custom_obj token as_token gradient_to_parameter loss_output")
_STRUCTURE = _words(  # What holds something, and numbers.
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


def check_pt2(path: Path) -> None:
    """Check that a .pt2 file holds nothing but plain data.

    Raises
    ------
    ClassifierError
        Which says what else it holds.
    """
    plain_pt2(path)


def open_pt2(path: Path) -> ExportedProgram:
    """Load a .pt2 file's network on the CPU; exactly the bytes that were checked are loaded.

    The program has no example inputs and no guards: `module()` checks the shapes of its inputs by itself.

    Raises
    ------
    ClassifierError
        Where the file holds more than plain data, is damaged, or torch cannot load it.
    """
    content = plain_pt2(path)
    import torch.export

    told: list[BaseException] = []

    def listen(record: logging.LogRecord) -> bool:
        """Keep what torch only logs, and log it no further: it is said by the error."""
        if record.exc_info and record.exc_info[1] is not None:
            told.append(record.exc_info[1])
        return False

    logs = [logging.getLogger(name) for name in ("torch.export", "torch.export.pt2_archive._package", "torch._export")]
    try:
        for logger in logs:
            logger.addFilter(listen)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(io.BytesIO(content))
    except Exception as error:  # of any kind: a graph is checked for harm above, not for sense
        raise ClassifierError(
            f"torch {torch.__version__} cannot open {path.name}: {_short(told[0] if told else error)} The file is damaged, or "
            f"was made by a newer torch. {EXPORT}"
        ) from None
    finally:
        for logger in logs:
            logger.removeFilter(listen)


def _short(error: BaseException) -> str:
    """What torch says, without the whole description of a node that it may repeat."""
    text = reason(error)
    return text if len(text) <= 200 else text[:200].rstrip() + " ..."


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
            return _Rebuilt(archive, name).content()
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


class _Rebuilt:
    """What is plain data in an archive, as a new archive."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.archive = archive
        self.name = name
        self.top = archive.namelist()[0].partition("/")[0]
        self.parts = {info.filename.partition("/")[2]: info for info in archive.infolist()}

    def content(self) -> bytes:
        """The new archive."""
        self._check_layout()
        records = {
            "archive_format": b"pt2",
            "archive_version": self._read("archive_version"),
            "byteorder": b"little",
            ".data/version": b"6\n",
            f"models/{MODEL}.json": _dump(_Cleaner(self.name).clean(self._json(f"models/{MODEL}.json"))),
            f"data/sample_inputs/{MODEL}.pt": b"",
        }
        for kind, prefix in (("weights", "weight_"), ("constants", "tensor_")):
            records |= self._tensors(kind, prefix)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
            for part, data in records.items():
                archive.writestr(f"{MODEL}/{part}", data)
        return made.getvalue()

    def _check_layout(self) -> None:
        if f"models/{MODEL}.json" not in self.parts:
            raise self._refuse("holds no network (models/model.json)")
        for kind in ("weights", "constants"):
            if f"data/{kind}/{MODEL}.pt" in self.parts:
                raise ClassifierError(
                    f"{self.name} was saved by torch.export of torch 2.8 or older, which keeps the {kind} in a Python pickle. "
                    "Opening that could run any code, so it is not done here. Ask its author to load it and save it again with "
                    "torch 2.9 or newer."
                )
        if self._read("archive_format") != b"pt2" or not re.fullmatch(rb"\d{1,4}", self._read("archive_version")):
            raise self._refuse("names a format that is not known")
        if "byteorder" in self.parts and self._read("byteorder") != b"little":
            raise self._refuse("was written on a big-endian computer")

    def _tensors(self, kind: str, prefix: str) -> dict[str, bytes]:
        """The records of the weights or of the constants, and their table."""
        table = f"data/{kind}/{MODEL}_{kind}_config.json"
        config = self._json(table)["config"]
        records: dict[str, bytes] = {}
        types: dict[str, int] = {}
        cleaned = {}
        for tensor, payload in config.items():
            part, meta = payload["path_name"], payload["tensor_meta"]
            if payload["use_pickle"] is not False or not isinstance(part, str) or not part.startswith(prefix):
                raise self._refuse(
                    f"holds {tensor!r} as a Python object, not as plain numbers; opening it could run any code, so it is not done"
                )
            if not _PART.fullmatch(part) or not _DOTTED.fullmatch(tensor):
                raise self._refuse(f"gives a tensor a name that is none ({tensor!r})")
            record = f"data/{kind}/{part}"
            if record not in self.parts:
                raise ClassifierError(f"{self.name} is a damaged .pt2 file: it lacks its part {record}. {EXPORT}")
            if record not in records:
                records[record] = self._read(record)
                types[record] = meta["dtype"]
            if meta["dtype"] != types[record]:
                raise self._refuse(f"reads {part} as numbers of two kinds")
            cleaned[tensor] = {
                "path_name": part,
                "is_param": payload["is_param"] is True,
                "use_pickle": False,
                "tensor_meta": self._tensor(tensor, meta, len(records[record])),
            }
        return records | {table: _dump({"config": cleaned})}

    def _tensor(self, tensor: str, meta: dict[str, Any], size: int) -> dict[str, Any]:
        """A tensor's description, once it is known to stay within its bytes."""
        sizes, strides = ([_whole(value) for value in meta[key]] for key in ("sizes", "strides"))
        offset = _whole(meta["storage_offset"])
        width = _BYTES.get(meta["dtype"])
        if meta["layout"] != _STRIDED or width is None or len(sizes) != len(strides):
            raise self._refuse(f"holds {tensor!r} in a layout that is not plain (sparse, quantised)")
        empty = math.prod(sizes) == 0
        last = offset + sum((n - 1) * stride for n, stride in zip(sizes, strides, strict=True))
        if (not empty and (last + 1) * width > size) or (empty and size == 0 and offset) or size % width:
            raise ClassifierError(
                f"{self.name} is a damaged .pt2 file: {tensor!r} wants more numbers than its part holds. {EXPORT}"
            )
        return {
            "dtype": meta["dtype"],
            "sizes": [{"as_int": n} for n in sizes],
            "strides": [{"as_int": n} for n in strides],
            "storage_offset": {"as_int": offset},
            "requires_grad": False,
            "device": _cpu(meta["device"]),
            "layout": _STRIDED,
        }

    def _read(self, part: str) -> bytes:
        if part not in self.parts:
            raise ClassifierError(f"{self.name} is a damaged .pt2 file: it lacks its part {part}. {EXPORT}")
        return self.archive.read(self.parts[part])

    def _json(self, part: str) -> Any:
        if part in self.parts and self.parts[part].file_size > _MOST_JSON:
            raise self._refuse("has a description of an absurd size")
        try:
            return json.loads(self._read(part))
        except (ValueError, RecursionError) as error:
            raise ClassifierError(
                f"{self.name} is a damaged .pt2 file: its {part} is no JSON ({error}). {EXPORT}"
            ) from None

    def _refuse(self, what: str) -> ClassifierError:
        return refusal(self.name, what)


def refusal(name: str, what: str) -> ClassifierError:
    """The error for a file that holds more than plain data."""
    return ClassifierError(f"{name} {what}. Only networks made of torch's own operators are loaded. {EXPORT}")


class _Cleaner:
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
            "device": _cpu,
            "as_device": _cpu,
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
            "torch_version": lambda value: self.matching(_VERSION, value),
            "verifiers": lambda value: [self.matching(_DOTTED, verifier) for verifier in value],
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
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_NUMBER:
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
        name = self.matching(_IDENTIFIER, value)
        if keyword.iskeyword(name) or name in _RESERVED or name.startswith("__"):
            raise refusal(self.name, f"gives something a name that Python reserves ({name!r})")
        return name

    def argument(self, value: Any) -> str:
        return "" if value == "" else self.matching(_IDENTIFIER, value)

    def dotted(self, value: Any) -> str:
        return self.matching(_DOTTED, value)

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
        if isinstance(stack, str) and _MODULES.fullmatch(stack):
            return {"nn_module_stack": stack}
        return {}

    def operator(self, value: Any) -> str:
        """An operator of torch's own that computes."""
        import torch

        parts = value.split(".") if isinstance(value, str) else []
        match parts:
            case ["torch", "ops", "aten", operator, overload] if not operator.startswith("__"):
                found = getattr(getattr(torch.ops.aten, operator, None), overload, None)
                allowed = operator not in _FORBIDDEN_ATEN and isinstance(found, torch._ops.OpOverload)
            case ["torch", "ops", "higher_order", operator]:
                allowed = operator in _HIGHER_ORDER
            case ["_operator", operator]:
                allowed = operator in _OPERATOR
            case ["math", operator]:
                allowed = operator in _MATH
            case ["torch", operator]:
                allowed = operator in _TORCH
            case _:
                allowed = False
        if not allowed:
            raise refusal(self.name, f"uses {str(value)[:80]!r}, which is not known here as an operator")
        return str(value)

    def expression(self, value: Any) -> str:
        """An arithmetic expression of sizes; torch evaluates it."""
        if not isinstance(value, str) or len(value) > _LONGEST_EXPRESSION:
            raise refusal(self.name, "has a size that is no expression")
        try:
            tree = ast.parse(value, mode="eval")
            if not all(_harmless(node) for node in ast.walk(tree)):
                raise ValueError
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise refusal(self.name, f"has a size that is no arithmetic of sizes ({value[:60]!r})") from None
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
            context = json.dumps([key if isinstance(key, int) else self.matching(_DOTTED, key) for key in keys])
        else:
            raise refusal(
                self.name, f"takes or gives a {str(kind)[:60]!r}; tensors, tuples, lists and dicts are understood"
            )
        return {"type": kind, "context": context, "children_spec": children}


def _harmless(node: ast.AST) -> bool:
    """Whether a part of an expression is arithmetic."""
    if isinstance(node, ast.Name):
        return node.id in _EXPRESSION_CALLS or bool(_EXPRESSION_NAMES.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str):
            return bool(_EXPRESSION_NAMES.fullmatch(value)) or bool(
                re.fullmatch(r"-?[\d.]{1,40}(e[+-]?\d{1,3})?", value)
            )
        return isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= _LARGEST_NUMBER)
    if isinstance(node, ast.Call):
        called = node.func
        if not isinstance(called, ast.Name) or called.id not in _EXPRESSION_CALLS:
            return False
        if called.id in ("Pow", "PowByNatural", "FloatPow") and not _small(node.args[-1]):
            return False
        return all(
            item.arg in _ASSUMPTIONS or (item.arg == "precision" and _small(item.value)) for item in node.keywords
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _small(node.right)
    return isinstance(node, _EXPRESSION_NODES)


def _small(node: ast.AST) -> bool:
    """Whether an exponent (or a precision) is a number that is quick to work out."""
    if isinstance(node, ast.UnaryOp):
        return _small(node.operand)
    if isinstance(node, ast.Call):
        return all(_small(part) for part in node.args)
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= 64


def _whole(value: Any) -> int:
    """A size that is a number, not below zero."""
    number = value["as_int"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _LARGEST_NUMBER:
        raise ValueError(f"a size of {number}")
    return number


def _cpu(value: Any) -> dict[str, Any]:
    if value["type"] not in ("cpu", "cuda", "mps", "xpu"):
        raise ValueError(f"a device {value['type']!r}")
    return {"type": "cpu", "index": None}


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
