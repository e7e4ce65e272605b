"""Early layers: hundreds of head runs instead of thousands, in nearly the same order as brute force."""

from pathlib import Path

import networks
import pytest
import torch
from torch import nn

from napari_attribution import load_classifier, read_well
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import Cancelled
from napari_attribution.methods.choice.cost import forwards_needed
from napari_attribution.methods.choice.parameters import PixelAblationCamParameters
from napari_attribution.methods.pixel_ablation.drops import drops_at, find_drops
from napari_attribution.methods.pixel_ablation.hierarchy import spearman
from napari_attribution.methods.pixel_ablation.silencing import ablate
from napari_attribution.methods.pixel_ablation_cam import compute
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score

from .conftest import problem

SAMPLE = Path(__file__).parents[4] / "sample_data"


@pytest.fixture(scope="module")
def asked():
    """Why does the sample classifier call a sample well what it is?"""
    classifier = load_classifier(SAMPLE / "phenotypes.pt", "cpu")
    well = read_well(next((SAMPLE / "wells").glob("B03*.ome.tiff")))
    x = prepare(well, classifier.card).inputs
    with torch.no_grad():
        target = int(classifier.scores(x).argmax())
    return Problem(classifier, x, torch.zeros_like(x), Score("logit", target))


@pytest.mark.parametrize("layer", ["layer2.0.shortcut.1:relu", "layer2.1.bn2:relu"])
def test_4096_locations_in_300_head_runs(layer, asked):
    classifier = asked.classifier
    assert classifier.layer(layer).shape[1:] == (64, 64)
    assert not classifier.head_may_be_affine(layer)
    with torch.no_grad():
        activation = classifier.features(asked.x, layer)
    classifier.forwards = 0.0
    found = find_drops(asked, activation, layer)
    assert found.way == "hierarchical"
    assert classifier.forwards / classifier.head_cost(layer) <= 300
    assert found.head_runs == pytest.approx(classifier.forwards / classifier.head_cost(layer))
    # Brute force at every one of them takes a minute: a sample, another than the search has drawn itself.
    drawn = torch.randperm(4096, generator=torch.Generator().manual_seed(7))[:160]
    truth = ablate(asked, activation, layer, drawn)
    assert spearman(found.values.flatten()[drawn], truth) >= 0.95
    assert found.agreement is not None
    assert found.agreement >= 0.9
    # The locations with the largest drops were measured.
    top = found.values.flatten().argsort(descending=True)[:5]
    torch.testing.assert_close(found.values.flatten()[top], ablate(asked, activation, layer, top), rtol=1e-3, atol=1e-5)


def test_it_takes_no_more_runs_than_it_is_given(opened):
    classifier = opened(networks.make("gated"))
    early = next(layer.name for layer in classifier.layers if layer.shape[1:] == (16, 16) and layer.block)
    for runs in (10, 12, 30, 75):
        asked = problem(classifier)
        with torch.no_grad():
            activation = classifier.features(asked.x, early)
        classifier.forwards = 0.0
        found = find_drops(asked, activation, early, "hierarchical", runs)
        assert classifier.forwards <= runs * classifier.head_cost(early) * 1.0001
        assert found.values.shape == (16, 16)
        assert found.values.any()


def test_the_cost_is_known_beforehand(opened):
    classifier = opened(networks.make("gated"))
    early = next(layer.name for layer in classifier.layers if layer.shape[1:] == (16, 16) and layer.block)
    settings = PixelAblationCamParameters(layer=early, search="hierarchical", head_runs=60, channels="none")
    asked = problem(classifier)
    classifier.forwards = 1.0
    compute(asked, settings)
    needed = forwards_needed(classifier, "pixel-ablation-cam", settings)
    assert needed - 2 * classifier.head_cost(early) <= classifier.forwards <= needed


@pytest.mark.parametrize("size", [(40, 24), (33, 57)])
def test_maps_that_are_not_square(size, tmp_path):
    network = networks.make("gated")
    path = networks.save(network, tmp_path / "n.pt")
    classifier = load_classifier(path, "cpu", networks.card(None, mode="whole"), time_limit=None)
    early = next(layer.name for layer in classifier.layers if layer.kind == "relu" and layer.block)
    asked = problem(classifier, size=size)
    found = drops_at(asked, early, "hierarchical", 200)
    truth = drops_at(asked, early, "every location")
    assert found.shape == truth.shape == tuple(-(-side // 2) for side in size)
    assert spearman(found.flatten(), truth.flatten()) > 0.9  # random weights


def test_without_gradients_blocks_are_shared_out(opened, monkeypatch):
    classifier = opened(networks.make("gated"))
    monkeypatch.setattr(classifier, "gradients", False)
    early = next(layer.name for layer in classifier.layers if layer.shape[1:] == (16, 16) and layer.block)
    asked = problem(classifier)
    with torch.no_grad():
        activation = classifier.features(asked.x, early)
    # Nobody asked for a coarse picture: the default silences every location.
    assert find_drops(asked, activation, early, head_runs=100).way == "every location"
    found = find_drops(asked, activation, early, "hierarchical", 100)
    assert found.way == "hierarchical"
    assert found.agreement is None
    truth = drops_at(asked, early, "every location")
    assert spearman(found.values.flatten(), truth.flatten()) > 0.3


def test_progress_rises_and_can_cancel(asked):
    seen = []

    def report(done, total):
        seen.append((done, total))
        if len(seen) == 4:
            raise Cancelled

    stopped = Problem(asked.classifier, asked.x, asked.fill, asked.score, report)
    with pytest.raises(Cancelled):
        drops_at(stopped, "layer2.1.bn2:relu")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({total for _, total in seen}) == 1


def test_spearman_is_that_of_ranks_with_ties():
    a, b = torch.tensor([1.0, 2, 2, 5, 0]), torch.tensor([3.0, 3, 4, 9, -1])
    assert spearman(a, a**3) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(a, b) == pytest.approx(0.9210526, abs=1e-6)
    assert spearman(a, torch.ones(5)) == 0


class Silu(networks.Gap):
    def __init__(self) -> None:
        super().__init__()
        self.more = nn.Sequential(nn.Conv2d(12, 12, 3, 1, 1), nn.SiLU())

    def classify(self, a):
        return self.head(self.more(a).mean(dim=(2, 3)))


def test_estimates_alone_follow_brute_force_where_nothing_closes(opened):
    classifier = opened(Silu().eval())
    layer = [layer.name for layer in classifier.layers if layer.kind == "relu" and layer.shape == (12, 8, 8)][-1]
    asked = problem(classifier)
    found = drops_at(asked, layer, "hierarchical", 40)
    assert spearman(found.flatten(), drops_at(asked, layer, "every location").flatten()) > 0.97
