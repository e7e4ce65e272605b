"""The child: loads and runs what its parent names, and answers in lines of JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_attribution.classifiers.files.trial.confinement import limit_memory, silence, watch
from napari_attribution.errors import AttributionError, ClassifierError

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier

_MOST_THREADS = 4


def main() -> int:
    """Serve requests from stdin until it ends."""
    answers = silence()
    requests = sys.stdin.buffer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle: it ends this process

    import torch

    from napari_attribution.classifiers.files import loading  # noqa: F401 - what takes long is done before the clock runs

    torch.set_num_threads(max(1, min(_MOST_THREADS, torch.get_num_threads())))
    limit_memory()
    inbox = _Inbox(requests)
    classifier: Classifier | None = None
    _answer(answers, {"ready": True})
    while True:
        request, data = inbox.next()
        watch(request["seconds"])
        try:
            if request["do"] == "load":
                classifier = None
                classifier = _load(request)
                answer: dict[str, Any] = {"loaded": True}
            elif request["do"] == "warm up":
                answer = _warm_up()
            else:
                answer = _scores(classifier, request, data)
        except AttributionError as error:
            answer = {"error": type(error).__name__, "sentence": str(error)}
        except MemoryError:
            answer = {
                "error": "DeviceError",
                "sentence": "There is no room on cpu for even one input. Close other programs.",
            }
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            answer = {
                "error": "ClassifierError",
                "sentence": f"The classifier cannot be used ({what}): the file is damaged, or was made for another torch.",
            }
        watch(None)
        _answer(answers, answer)


def _warm_up() -> dict[str, Any]:
    """Import what torch needs for .pt2 files, which takes a second and is not the file's fault."""
    from importlib import import_module

    for module in (
        "torch._export.serde.serialize",
        "torch.export.pt2_archive",
        "torch.fx.experimental.symbolic_shapes",
    ):
        with suppress(ImportError):
            import_module(module)
    return {"warm": True}


def _load(request: Mapping[str, Any]) -> Classifier:
    from napari_attribution.classifiers.cards.card import ClassifierCard
    from napari_attribution.classifiers.files.loading import load_classifier

    return load_classifier(Path(request["path"]), "cpu", ClassifierCard(**request["card"]), time_limit=None)


def _scores(classifier: Classifier | None, request: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    import torch

    if classifier is None:
        raise ClassifierError("The classifier is not loaded; load it first.")
    inputs = torch.from_numpy(np.frombuffer(data, dtype="<f4").reshape(request["shape"]).astype(np.float32))
    scores = classifier.scores_of_many(lambda part: inputs[part], len(inputs)).numpy()
    return {"shape": scores.shape, "scores": scores.ravel().tolist()}


def _answer(answers: IO[bytes], answer: Mapping[str, Any]) -> None:
    try:
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    except OSError:
        os._exit(0)  # nobody listens any more


class _Inbox:
    """Reads requests in a thread of its own, which ends the process as soon as the parent is gone, whatever it is doing."""

    def __init__(self, requests: IO[bytes]) -> None:
        self._requests = requests
        self._arrived = threading.Semaphore(0)
        self._waiting: list[tuple[dict[str, Any], bytes]] = []
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def next(self) -> tuple[dict[str, Any], bytes]:
        self._arrived.acquire()
        return self._waiting.pop(0)

    def _read(self) -> None:
        with suppress(Exception):
            while line := self._requests.readline():
                request = json.loads(line)
                self._waiting.append((request, self._requests.read(request["bytes"])))
                self._arrived.release()
        os._exit(0)


if __name__ == "__main__":
    # Under its own name, so that the errors raised here are the ones that are caught here.
    from napari_attribution.classifiers.files.trial import child

    sys.exit(child.main())
