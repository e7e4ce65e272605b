"""captum, where it is installed. Importing this needs neither captum nor torch."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from napari_attribution.errors import RequestError

if TYPE_CHECKING:
    from torch import Tensor

    from napari_attribution.methods.question.problem import Problem

MISSING = (
    "This reference is captum's own code, and captum is not installed. Install it with: "
    'pip install "napari-attribution[references]"'
)


def missing() -> str:
    """What to do where captum is not installed; empty where it is."""
    return "" if find_spec("captum") else MISSING


def require() -> None:
    """Raises a RequestError where captum is not installed."""
    if missing():
        raise RequestError(missing())


def counted(problem: Problem, total: int) -> Callable[[Tensor], Tensor]:
    """The problem's score as captum calls it, which can be followed, and cancelled, from call to call."""
    done = 0

    def score(inputs: Tensor) -> Tensor:
        nonlocal done
        problem.progress(min(done, total), total)
        done += len(inputs)
        return problem.of(inputs)

    return score
