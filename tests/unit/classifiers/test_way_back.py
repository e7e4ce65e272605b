"""A planted dot is explained by a real classifier and found at its place, through every way of making an input."""

import numpy as np
import pytest
import torch
from torch import nn

from napari_attribution import ClassifierCard, Well, explain, load_classifier

SHAPE = (97, 122)
PLACES = [(0, 0), (96, 121), (0, 121), (96, 0), (37, 61), (50, 3), (93, 64), (48, 118), (2, 30)]
MODES = {
    "half": {"mode": "resize", "size": (49, 61)},
    "uneven": {"mode": "resize", "size": (62, 90)},
    "enlarged": {"mode": "resize", "size": (193, 181)},
    "one axis": {"mode": "resize", "size": (97, 61)},
    "whole": {"mode": "whole", "size": None},
    "tiles": {"mode": "tiles", "size": (41, 45)},
    "tiles half over": {"mode": "tiles", "size": (41, 49), "overlap": 0.5},
    "tiles edge to edge": {"mode": "tiles", "size": (45, 41), "overlap": 0.0},
    "cells": {"mode": "cells", "size": (33, 33)},
    "cells even": {"mode": "cells", "size": (34, 30)},
}


class Dots(nn.Module):
    """Counts bright dots of the first stain, with a small blob for a kernel, `halvings` times at half the size."""

    def __init__(self, halvings: int = 0, alone: bool = False) -> None:
        super().__init__()
        self.alone = alone
        strides = [2] * halvings or [1]
        self.convs = nn.Sequential()
        for index, stride in enumerate(strides):
            conv = nn.Conv2d(2, 2, 3, stride, 1, bias=False)
            blob = torch.tensor([0.5, 1.0, 0.5])
            with torch.no_grad():
                conv.weight.zero_()
                conv.weight[:, 0] = blob[:, None] * blob
            self.convs.add_module(f"conv{index}", conv)
            self.convs.add_module(f"relu{index}", nn.ReLU())
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[10.0, 10.0], [-10.0, -10.0]]))

    def forward(self, x):
        if self.alone:
            assert x.shape[0] == 1, "one at a time"
        return self.head(self.convs(x).mean(dim=(2, 3)))


def dotted(place: tuple[int, int]) -> Well:
    pixels = np.full((2, *SHAPE), 100, np.uint16)
    pixels[1] = 200
    pixels[0][place] = 60_000
    return Well(pixels, ("DNA", "ER"))


def classifier_of(tmp_path, fields: dict, **network):
    path = tmp_path / "dots.pt"
    torch.jit.script(Dots(**network).eval()).save(str(path))
    known = {"stains": ["DNA", "ER"], "classes": ["dots", "none"], "mean": [100.0, 200.0], "std": [10.0, 20.0]}
    return load_classifier(path, "cpu", ClassifierCard(**(known | fields)))


def nearby(place: tuple[int, int]) -> list[tuple[float, float]]:
    """Two cells, the dot in one of them off its middle; at the border the crop reaches over it."""
    return [(min(place[0] + 6, SHAPE[0] - 1), max(place[1] - 5.4, 0)), (50, 50)]


def distance(found: np.ndarray, place: tuple[int, int], fields: dict) -> float:
    """From the map's peak to the dot, in input pixels; to within the rounding to whole well pixels."""
    peak = np.unravel_index(found.argmax(), found.shape)
    pixel = np.divide(SHAPE, fields["size"]) if fields["mode"] == "resize" else np.ones(2)
    off = np.abs(np.subtract(peak, place))
    return float((np.maximum(off - 0.5 * (pixel < 1), 0) / pixel).max())


@pytest.mark.parametrize("fields", MODES.values(), ids=MODES)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("pixel-ablation-cam", {}),
        ("pcim", {"form": "literal", "steps": 1}),
        ("pcim", {"form": "smooth", "grid": 256, "steps": 2}),
        ("pcim", {"fine": 0, "region": 0, "steps": 2}),
    ],
    ids=["pixel-ablation-cam", "pcim literal", "pcim smooth", "pcim coarse-to-fine, unsmoothed"],
)
def test_within_one_input_pixel(fields, method, parameters, tmp_path):
    classifier = classifier_of(tmp_path, fields)
    if "grid" in parameters:
        parameters = {**parameters, "grid": max(fields["size"] or SHAPE)}
    for place in PLACES:
        cells = nearby(place) if fields["mode"] == "cells" else None
        answer = explain(classifier, dotted(place), method, accept_flaws=True, cells=cells, **parameters)
        assert answer.predicted == "dots"
        assert distance(answer.map, place, fields) <= 1, place


@pytest.mark.parametrize("fields", MODES.values(), ids=MODES)
@pytest.mark.parametrize("halvings", [1, 2])
def test_within_half_a_stride(fields, halvings, tmp_path):
    classifier = classifier_of(tmp_path, fields, halvings=halvings)
    assert classifier.layer().stride == 2**halvings
    for place in PLACES:
        cells = nearby(place) if fields["mode"] == "cells" else None
        answer = explain(classifier, dotted(place), accept_flaws=True, cells=cells)
        # Resizing may itself move the brightest input pixel by half of one.
        allowed = 2**halvings / 2 + (0.5 if fields["mode"] == "resize" else 0)
        assert distance(answer.map, place, fields) <= allowed, place


@pytest.mark.parametrize("name", ["tiles", "cells", "half"])
def test_a_network_that_takes_one_input_at_a_time_says_the_same(name, tmp_path):
    place, fields = (37, 61), MODES[name]
    cells = nearby(place) if fields["mode"] == "cells" else None
    maps = []
    for alone in (False, True):
        classifier = classifier_of(tmp_path, fields, alone=alone)
        assert classifier.one_by_one == alone
        maps.append(explain(classifier, dotted(place), accept_flaws=True, cells=cells).map)
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"normalisation": "per-image"},
        {"normalisation": "per-image", "over": "well"},
        {"normalisation": "per-image", "together": True},
        {"normalisation": "percentiles", "percentiles": (0, 100)},
        {"normalisation": "percentiles", "percentiles": (0, 100), "over": "well"},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["half", "whole", "tiles", "cells"])
def test_whatever_the_normalisation(fields, name, tmp_path):
    classifier = classifier_of(tmp_path, {"mean": None, "std": None} | MODES[name] | fields)
    place = (37, 61)
    cells = nearby(place) if name == "cells" else None
    answer = explain(classifier, dotted(place), accept_flaws=True, cells=cells, target="dots")
    assert distance(answer.map, place, MODES[name]) <= 1


def test_a_crop_over_the_border_leaves_nothing_outside(tmp_path):
    classifier = classifier_of(tmp_path, MODES["cells"])
    answer = explain(classifier, dotted((0, 0)), accept_flaws=True, cells=[(0, 0)])
    assert answer.map[:17, :17].max() > 0
    assert not answer.map[17:].any()
    assert not answer.map[:, 17:].any()
