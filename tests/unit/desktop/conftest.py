from collections.abc import Callable

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells.well import Well

STAINS = ("DNA", "ER", "Mito")


class Mail:
    """A `post` whose calls are delivered by hand: the thread of the window, in a test without one."""

    def __init__(self) -> None:
        import queue

        self.calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def __call__(self, call: Callable[[], None]) -> None:
        self.calls.put(call)

    def deliver_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        import queue
        import time

        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "nothing came"
            try:
                self.calls.get(timeout=0.05)()
            except queue.Empty:
                continue

    def deliver_all(self) -> None:
        while not self.calls.empty():
            self.calls.get()()


@pytest.fixture
def mail() -> Mail:
    return Mail()


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def make_well(height: int = 40, width: int = 60, pixel_size=(0.5, 0.25), seed: int = 0, **fields) -> Well:
    pixels = np.random.default_rng(seed).integers(100, 4000, (len(STAINS), height, width), dtype=np.uint16)
    fields.setdefault("source", ("B03.ome.tiff",))
    return Well(pixels, STAINS, pixel_size, **fields)


def make_attribution(**fields) -> Attribution:
    shape = fields.pop("shape", (40, 60))
    values = fields.pop("values", np.random.default_rng(1).standard_normal((len(STAINS), *shape)).astype(np.float32))
    importance = fields.pop("importance", (0.1, 0.2, 0.7))
    target = fields.pop("target", "hit")
    defaults = {
        "values": values,
        "native": values,
        "stains": STAINS,
        "channel_importance": dict(zip(STAINS, importance, strict=True)),
        "channel_spread": dict.fromkeys(STAINS, 0.03),
        "importance_meaning": "Shapley value of the stain",
        "target": target,
        "score_name": "logit",
        "score": 2.5,
        "predicted": target,
        "probabilities": {target: 0.97, "other": 0.03},
        "method": "pcim",
        "units": "logit per location",
        "pixel_size": (0.5, 0.25),
        "device": "cpu",
        "seconds": 1.2,
        "forwards": 16.0,
        "record": {"method": "pcim", "seed": 0},
    }
    return Attribution(**(defaults | fields))


@pytest.fixture
def well() -> Well:
    return make_well()


@pytest.fixture
def wells() -> Callable[..., Well]:
    return make_well


@pytest.fixture
def answers() -> Callable[..., Attribution]:
    return make_attribution
