"""Heads that begin affine: one product, equal to brute force, for every kind of file; and never used where it is wrong."""

import networks
import pytest
import torch
from torch import nn

from napari_attribution import Well, explain
from napari_attribution.classifiers.splitting.beginnings.head_beginning import HeadBeginning
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.parameters import PixelAblationCamParameters
from napari_attribution.methods.pixel_ablation.drops import find_drops
from napari_attribution.methods.pixel_ablation.silencing import ablate_all

from .conftest import HEADS, Mean, brute_force, flat, made, problem


def found_behind_blocks(asked):
    classifier, at = asked.classifier, last_block(asked.classifier)
    with torch.no_grad():
        activation = classifier.features(asked.x, at)
    classifier.forwards = 0.0
    return activation, find_drops(asked, activation, at)


def last_block(classifier):
    return next(layer.name for layer in reversed(classifier.layers) if layer.kind == "relu" and layer.shape[0] == 12)


def differs(found, truth):
    return float((found.cpu() - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("head", HEADS)
def test_equals_brute_force(head, how, opened):
    network = made(*HEADS[head](8))
    classifier = opened(network, how)
    for kind in ("logit", "probability", "contrast"):
        asked = problem(classifier, kind)
        if kind == "contrast":
            asked = type(asked)(classifier, asked.x, asked.fill, type(asked.score)("contrast", 1, 0))
        _, found = found_behind_blocks(asked)

        assert found.way == "one product", kind
        assert differs(found.values, brute_force(network, asked.x, asked.score)) < 1e-5, kind


@pytest.mark.parametrize("how", ["scripted", "traced", "exported"])
@pytest.mark.parametrize("pool", ["none", "average", "adaptive"])
def test_2304_locations_in_a_few_forwards(pool, how, opened):
    size, before = {"none": (48, []), "average": (24, [nn.AvgPool2d(2)]), "adaptive": (7, [nn.AdaptiveAvgPool2d(7)])}[
        pool
    ]
    network = made(*flat(*before, size=size))
    classifier = opened(network, how, 192)
    asked = problem(classifier, size=192)
    _, found = found_behind_blocks(asked)
    assert found.values.shape == (48, 48)
    assert found.way == "one product"
    assert classifier.forwards + 1 - classifier.head_cost(last_block(classifier)) <= 5
    assert differs(found.values, brute_force(network, asked.x, asked.score)) < 1e-5


def test_what_it_costs_is_known_beforehand(opened):
    for head, size in (("flatten", 8), ("mean, two linear", 8), ("mean, softmax", 8)):
        classifier = opened(made(*HEADS[head](size)))
        needed = forwards_needed(classifier, "pixel-ablation-cam", PixelAblationCamParameters(channels="none"))
        w = Well(torch.randn(3, 32, 32).numpy(), networks.STAINS)
        # Some of the locations that are checked may be the same.
        spared = 3 * classifier.head_cost() + 0.02
        assert needed - spared <= explain(classifier, w, channels="none").forwards <= needed + 0.02


def test_no_backward_pass_is_tried_where_the_graph_shows_that_it_is_in_vain(opened):
    for head in HEADS:
        assert not opened(made(*HEADS[head](8))).head_may_be_affine(), head
    assert opened(made(Mean(), nn.Linear(12, 3))).head_may_be_affine()
    # What is positive already passes another ReLU unchanged.
    again = made(nn.ReLU(), Mean(), nn.ReLU(), nn.Linear(12, 3))
    classifier = opened(again)
    asked = problem(classifier)
    at = next(layer.name for layer in reversed(classifier.layers) if layer.kind == "relu" and layer.block)
    assert classifier.head_may_be_affine(at)
    with torch.no_grad():
        found = find_drops(asked, classifier.features(asked.x, at), at)
    assert found.way == "backward pass"
    assert differs(found.values, brute_force(again, asked.x, asked.score)) < 1e-5


def test_a_gate_has_no_affine_beginning(opened):
    network = made(networks.SqueezeExcite(12), Mean(), nn.Linear(12, 3))
    classifier = opened(network)
    before = [layer for layer in classifier.layers if layer.kind == "relu" and layer.shape == (12, 8, 8)][-1].name
    asked = problem(classifier)
    with torch.no_grad():
        activation = classifier.features(asked.x, before)
    found = find_drops(asked, activation, before)
    assert found.way == "every location"
    assert differs(found.values, brute_force(network, asked.x, asked.score)) < 1e-3  # of float32 differences


class TestSabotage:
    """A beginning that is wrong is refused at run time, however it came to be wrong."""

    def refused(self, head, opened):
        network = made(*HEADS[head](8))
        asked = problem(opened(network))
        activation, found = found_behind_blocks(asked)
        assert found.way == "every location"
        truth = ablate_all(asked, activation, last_block(asked.classifier))
        torch.testing.assert_close(found.values, truth, rtol=1e-4, atol=1e-6)

    def test_a_product_that_is_a_thousandth_wrong(self, opened, monkeypatch):
        right = HeadBeginning.rows
        monkeypatch.setattr(HeadBeginning, "rows", lambda self, *given: 1.001 * right(self, *given))
        self.refused("flatten", opened)

    def test_a_product_that_is_wrong_at_one_location_of_many(self, opened, monkeypatch):
        right = HeadBeginning.rows

        def wrong(self, *given):
            rows = right(self, *given)
            rows[17] *= 3
            return rows

        monkeypatch.setattr(HeadBeginning, "rows", wrong)
        self.refused("average pool, flatten", opened)

    def test_channels_that_are_taken_for_each_other(self, opened, monkeypatch):
        right = HeadBeginning.columns
        monkeypatch.setattr(HeadBeginning, "columns", lambda self, *given: right(self, *given).flip(1))
        self.refused("mean, two linear", opened)

    def test_a_step_that_is_not_affine_but_taken_for_one(self, opened, monkeypatch):
        from napari_attribution.classifiers.splitting.beginnings import affine

        monkeypatch.setattr(affine, "_OF_ITS_FIRST", (*affine._OF_ITS_FIRST, "tanh"))
        network = made(nn.Tanh(), nn.Flatten(), nn.Linear(768, 24), nn.ReLU(), nn.Linear(24, 3))
        classifier = opened(network)
        asked = problem(classifier)
        at = next(layer.name for layer in reversed(classifier.layers) if layer.kind == "relu" and layer.block)
        with torch.no_grad():
            activation = classifier.features(asked.x, at)
        assert classifier.cost_by_vector(at, 64) is not None
        assert find_drops(asked, activation, at).way == "every location"

    def test_a_rest_that_forgets_a_little(self, opened, monkeypatch):
        right = HeadBeginning.rest
        monkeypatch.setattr(HeadBeginning, "rest", lambda self, vectors, beside: right(self, vectors * 0.999, beside))
        self.refused("flatten", opened)


def test_a_rest_too_large_for_double_precision_is_run_as_it_is(opened, monkeypatch):
    from napari_attribution.classifiers.splitting.techniques import exported_cut, graph_cut

    network = made(*HEADS["flatten"](8))
    for how, module in (("scripted", graph_cut), ("exported", exported_cut)):
        monkeypatch.setattr(module, "MOST_DOUBLED", 100)
        asked = problem(opened(network, how))
        _, found = found_behind_blocks(asked)
        assert found.way == "one product"
        assert differs(found.values, brute_force(network, asked.x, asked.score)) < 1e-3
