"""How far to trust an answer: whether the map shows what the classifier looks at.

`measure` takes every measure of one map at once, for benchmarks; `explain.explain` asks a question and says with the answer how
much of the score the map's top places carry. Importing this package does not import torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.faithfulness.measuring import measure as measure

_HOME = {"measure": "measuring"}

__all__ = ["measure"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
