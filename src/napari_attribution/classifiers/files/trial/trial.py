"""Trial: a classifier loaded and run in a child process, as if it were here."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from napari_attribution import errors
from napari_attribution.classifiers.files.archive import check_archive
from napari_attribution.classifiers.files.trial.limits import TIME_LIMIT
from napari_attribution.classifiers.files.trial.process import TO_START, Process
from napari_attribution.errors import AttributionError, ClassifierError

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard


class Trial:
    """A child process in which classifier files are loaded and run.

    One child serves for many files; after a crash or a kill the next request starts another. Close it, or use it as a
    context.
    """

    def __init__(self) -> None:
        self._process: Process | None = None
        self._name = ""
        self._is_warm = False
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(
        self,
        path: Path,
        card: ClassifierCard,
        seconds: float = TIME_LIMIT,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Load a file in the child, on the CPU, with all the checks of `load_classifier`.

        Parameters
        ----------
        path : Path
        card : ClassifierCard
        seconds : float
            The most that it may take, besides the child's own start.
        cancelled : callable, optional
            Asked often; once it says True the child is ended.

        Raises
        ------
        AttributionError
            What `load_classifier` raised, of the same type, with the same sentence.
        TrialError
            Where it took longer than `seconds`, or crashed.
        Cancelled
            Where `cancelled` said so.
        """
        self._name = path.name
        if check_archive(path) == "pt2" and not self._is_warm:
            self._ask({"do": "warm up"}, b"", TO_START, cancelled, "prepare for")
            self._is_warm = True
        request = {"do": "load", "path": str(path.resolve()), "card": card.model_dump(mode="json")}
        self._ask(request, b"", seconds, cancelled, "load and to answer")

    def scores(
        self,
        inputs: npt.ArrayLike,
        seconds: float = TIME_LIMIT,
        cancelled: Callable[[], bool] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Scores of prepared inputs by the file that was loaded last.

        Parameters
        ----------
        inputs : (N, C, h, w) array
        seconds, cancelled : as in `load`

        Returns
        -------
        (N, K) ndarray

        Raises
        ------
        AttributionError, TrialError, Cancelled
            As `load` does.
        """
        array = np.ascontiguousarray(inputs, dtype="<f4")
        request = {"do": "scores", "shape": array.shape}
        answer = self._ask(request, array.tobytes(), seconds, cancelled, "answer")
        return np.asarray(answer["scores"], dtype=np.float32).reshape(answer["shape"])

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the child."""
        process, self._process = self._process, None
        self._is_warm = False
        if process is not None:
            process.end()

    def _ask(
        self,
        request: Mapping[str, Any],
        data: bytes,
        seconds: float,
        cancelled: Callable[[], bool] | None,
        what: str,
    ) -> dict[str, Any]:
        with self._asking:
            is_new = self._process is None or not self._process.is_running
            if is_new:
                self.close()
                if request["do"] == "scores":
                    raise ClassifierError(f"{self._name or 'The classifier'} is not loaded; load it first.")
                self._process = Process()
            process = self._process
            assert process is not None
            header = json.dumps({**request, "bytes": len(data), "seconds": seconds}).encode() + b"\n"
            try:
                if is_new:
                    process.wait_until_ready(self._name, cancelled)
                answer = process.exchange(header + data, seconds, cancelled, self._name, what)
            finally:
                if process.has_ended:
                    self._process, self._is_warm = None, False
        if "error" in answer:
            raise _error(answer["error"], answer["sentence"])
        return answer


def _error(kind: str, sentence: str) -> AttributionError:
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, AttributionError):
        return found(sentence)
    return ClassifierError(sentence)
