"""Recipro-CAM one location at a time."""

import networks
import numpy as np
import pytest
import torch

from napari_attribution import explain
from napari_attribution.classifiers import memory
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.cost import forwards_needed

KERNEL = [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]]


def plain(network, x, target, gaussian, score=lambda s: s):
    with torch.no_grad():
        a = network.features(x)
        _, _, rows, columns = a.shape
        nothing = float(score(network.classify(a * 0))[0, target])
        found = np.zeros((rows, columns), np.float32)
        for i in range(rows):
            for j in range(columns):
                kept = torch.zeros_like(a)
                if not gaussian:
                    kept[:, :, i, j] = a[:, :, i, j]
                for di in (-1, 0, 1) if gaussian else ():
                    for dj in (-1, 0, 1):
                        if 0 <= i + di < rows and 0 <= j + dj < columns:
                            kept[:, :, i + di, j + dj] = KERNEL[di + 1][dj + 1] * a[:, :, i + di, j + dj]
                found[i, j] = float(score(network.classify(kept))[0, target]) - nothing
    return found


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("kind", ["gap", "fully-connected"])
def test_one_location_at_a_time(kind, score, well, classifier, as_input):
    network = networks.make(kind)
    w = well()
    c = classifier(network)
    of = (lambda s: s.softmax(1)) if score == "probability" else (lambda s: s)
    for gaussian in (False, True):
        found = explain(c, w, "recipro-cam", target="hit", score=score, gaussian=gaussian)
        expected = plain(network, as_input(w), 1, gaussian, of)
        np.testing.assert_allclose(found.native, expected, rtol=1e-4, atol=2e-6)


def test_without_neighbours_it_is_pixel_ablation_cam_behind_an_affine_head(well, classifier):
    c = classifier(networks.make("gap"))
    ours = explain(c, well(), "pixel-ablation-cam", target="hit", channels="none").native
    theirs = explain(c, well(), "recipro-cam", target="hit", gaussian=False).native
    np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-6)


def test_batches_and_cost(well, classifier, monkeypatch):
    c = classifier(networks.make("fully-connected"))
    at_once = explain(c, well(), "recipro-cam", target="hit")
    monkeypatch.setattr(memory.in_batches, "__defaults__", (60_000, 2**31))
    in_parts = explain(c, well(), "recipro-cam", target="hit")
    np.testing.assert_allclose(in_parts.native, at_once.native, rtol=1e-4, atol=1e-6)
    monkeypatch.undo()
    for layer in c.layers[:3]:
        for channels in ("none", "shapley"):
            found = explain(c, well(), "recipro-cam", target="hit", layer=layer.name, channels=channels)
            settings = ALL["recipro-cam"].parameters(layer=layer.name, channels=channels)
            assert found.forwards == pytest.approx(forwards_needed(c, "recipro-cam", settings), abs=0.02)
