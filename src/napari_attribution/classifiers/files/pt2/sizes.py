"""Sizes in a .pt2 file: whole numbers, and arithmetic expressions of them, which torch evaluates as Python."""

from __future__ import annotations

import ast
import re
from typing import Any

from napari_attribution.classifiers.files.pt2.names import words

LARGEST = 2**63
"""No number is larger."""


_EXPRESSION_CALLS = words(
    "Symbol Integer Float Rational Add Mul Pow Min Max Abs Mod floor ceiling sqrt Eq Ne Lt Le Gt Ge And Or Not "
    "Equality Unequality StrictLessThan LessThan StrictGreaterThan GreaterThan Piecewise "
    "FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv PowByNatural FloatPow "
    "FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat "
    "Identity"
)
_EXPRESSION_NAMES = re.compile(r"[a-z]{1,3}\d+|true|false|True|False", re.ASCII)
_ASSUMPTIONS = words("integer positive nonnegative real finite negative zero nonzero commutative")
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


def whole(value: Any) -> int:
    """A size that is a number, not below zero."""
    number = value["as_int"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < LARGEST:
        raise ValueError(f"a size of {number}")
    return number


def is_arithmetic(expression: str) -> bool:
    """Whether an expression is arithmetic of sizes that is quick to work out."""
    try:
        return all(_is_harmless(node) for node in ast.walk(ast.parse(expression, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_harmless(node: ast.AST) -> bool:
    """Whether a part of an expression is arithmetic."""
    if isinstance(node, ast.Name):
        return node.id in _EXPRESSION_CALLS or bool(_EXPRESSION_NAMES.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, str):
            return bool(_EXPRESSION_NAMES.fullmatch(value)) or bool(
                re.fullmatch(r"-?[\d.]{1,40}(e[+-]?\d{1,3})?", value)
            )
        return isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= LARGEST)
    if isinstance(node, ast.Call):
        called = node.func
        if not isinstance(called, ast.Name) or called.id not in _EXPRESSION_CALLS:
            return False
        if called.id in ("Pow", "PowByNatural", "FloatPow") and not _is_small(node.args[-1]):
            return False
        return all(
            item.arg in _ASSUMPTIONS or (item.arg == "precision" and _is_small(item.value)) for item in node.keywords
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _is_small(node.right)
    return isinstance(node, _EXPRESSION_NODES)


def _is_small(node: ast.AST) -> bool:
    """Whether an exponent (or a precision) is a number that is quick to work out."""
    if isinstance(node, ast.UnaryOp):
        return _is_small(node.operand)
    if isinstance(node, ast.Call):
        return all(_is_small(part) for part in node.args)
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) <= 64
