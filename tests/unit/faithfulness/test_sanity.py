"""Whether a map reacts to shuffled weights, and that the classifier itself never feels it."""

import hashlib
import math
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from planted import Sum, classifier, disc

from napari_attribution import ClassifierCard, Well, load_classifier
from napari_attribution.errors import Cancelled, ClassifierError, RequestError
from napari_attribution.faithfulness.sanity import Reaction, compare, reactions, spearman, ssim
from napari_attribution.faithfulness.weights import shuffled

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def save(how: str, folder: Path) -> Path:
    network = networks.make("gated")
    if how in ("scripted", "traced"):
        return networks.save(network, folder / "net.pt", how)
    if how == "frozen":
        path = folder / "frozen.pt"
        torch.jit.freeze(torch.jit.script(network)).save(str(path))
        return path
    path = folder / "net.pt2"
    batch = {0: torch.export.Dim("batch")}
    torch.export.save(torch.export.export(network, (torch.randn(2, 3, 32, 32),), dynamic_shapes=(batch,)), path)
    return path


def well(stains: tuple[str, ...] = networks.STAINS) -> Well:
    return Well(np.random.default_rng(0).normal(size=(len(stains), 32, 32)).astype(np.float32), stains)


@pytest.mark.parametrize("how", ["scripted", "traced", "frozen", "exported"])
def test_a_shuffled_copy_is_another_network_in_both_halves(tmp_path, how):
    path = save(how, tmp_path)
    own = load_classifier(path, "cpu", networks.card())
    before, sha256 = own.scores(X), hashlib.sha256(path.read_bytes()).hexdigest()
    copy = shuffled(own, seed=3)
    assert not torch.allclose(copy.scores(X), before, atol=1e-3)
    assert torch.equal(own.scores(X), before)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert torch.equal(shuffled(own, seed=3).scores(X), copy.scores(X))
    assert not torch.equal(shuffled(own, seed=4).scores(X), copy.scores(X))
    for one in (own, copy):
        if one.default_layer is not None:
            torch.testing.assert_close(one.head(one.features(X)), one.scores(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", ["scripted", "exported"])
def test_the_last_layer_alone(tmp_path, how):
    own = load_classifier(save(how, tmp_path), "cpu", networks.card())
    layer = own.default_layer
    copy = shuffled(own, layers=1)
    assert not torch.allclose(copy.scores(X), own.scores(X), atol=1e-3)
    # In front of the last layer nothing has changed.
    torch.testing.assert_close(copy.features(X, layer).values, own.features(X, layer).values)
    assert not torch.allclose(shuffled(own).features(X, layer).values, own.features(X, layer).values, atol=1e-3)


def test_a_classifier_without_its_file_is_refused(tmp_path):
    in_memory = networks.opened(networks.make("gap"), tmp_path)
    with pytest.raises(RequestError, match="there is no such file"):
        shuffled(in_memory)
    path = save("scripted", tmp_path)
    own = load_classifier(path, "cpu", networks.card())
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RequestError, match="not the file any more"):
        shuffled(own)


def test_weights_that_are_all_alike_cannot_be_shuffled(tmp_path):
    opened = classifier(Sum(np.ones((3, 32, 32))), tmp_path, 3, (32, 32))
    own = load_classifier(tmp_path / "planted.pt", "cpu", opened.card)
    with pytest.raises(ClassifierError, match="No weights that could be shuffled"):
        shuffled(own)


@pytest.fixture
def spotted(tmp_path) -> tuple:
    weights = np.zeros((3, 32, 32))
    weights[1] = disc(32, 32, 9, 22, 6) + 0.01 * np.random.default_rng(0).normal(size=(32, 32))
    opened = classifier(Sum(weights), tmp_path, 3, (32, 32))
    own = load_classifier(tmp_path / "planted.pt", "cpu", ClassifierCard(**opened.card.model_dump()))
    pixels = 1 + np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    return own, Well(pixels, own.card.stains)


def test_occlusion_reacts_and_a_centred_blob_does_not(spotted):
    own, spotted_well = spotted
    question = {"target": "hit", "fill": "background", "window": 4}
    (right,) = reactions(own, spotted_well, layers=(None,), method="occlusion", **question)
    assert abs(right.spearman) < 0.4
    assert right.ssim < 0.8
    assert right.reacts
    assert "The map reacts" in right.sentence
    last, every = reactions(own, spotted_well, method="centred-blob", target="hit")
    assert (last.layers, every.layers) == (1, None)
    for blob in (last, every):
        assert blob.spearman == pytest.approx(1)
        assert blob.ssim == pytest.approx(1)
        assert "Careful" in blob.sentence


@pytest.mark.parametrize("score", ["logit", "contrast"])
def test_the_same_question_is_asked_again_and_forms_differ(tmp_path, score):
    own = load_classifier(save("scripted", tmp_path), "cpu", networks.card())
    found = reactions(own, well(), score=score, channels="none", layers=(1, 2, None))
    assert [one.layers for one in found] == [1, 2, None]
    assert all(-1 <= one.spearman <= 1 for one in found)
    assert len({one.spearman for one in found}) == 3


@pytest.mark.parametrize("after", [0, 1, 2])
def test_cancelled_at_any_step_the_classifier_is_as_it_was(tmp_path, after):
    own = load_classifier(save("scripted", tmp_path), "cpu", networks.card())
    before = own.scores(X)

    def progress(done: int, total: int) -> None:
        if done == after:
            raise Cancelled

    with pytest.raises(Cancelled):
        reactions(own, well(), channels="none", progress=progress)
    assert torch.equal(own.scores(X), before)


def ranks_slowly(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    return np.array([(flat < a).sum() + ((flat == a).sum() + 1) / 2 for a in flat])


def test_spearman_by_counting():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, (2, 6, 7)).astype(float), random.normal(size=(2, 6, 7))
    assert spearman(a, b) == pytest.approx(np.corrcoef(ranks_slowly(a), ranks_slowly(b))[0, 1])
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(b, np.exp(b)) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(3, 3), (4, 5), (16, 9), (2, 8, 8), (20, 7, 31)])
def test_ssim_is_one_for_the_same_map_at_any_scale(shape):
    values = np.random.default_rng(0).normal(size=shape)
    assert ssim(values, 7 * values) == pytest.approx(1)
    assert ssim(values, np.random.default_rng(1).normal(size=shape)) < 0.5


def test_maps_that_say_nothing():
    values = np.random.default_rng(0).normal(size=(5, 5))
    gone = compare(values, np.zeros((5, 5)))
    assert (gone.spearman, gone.ssim, gone.reacts) == (0, 0, True)
    nothing = compare(np.zeros((5, 5)), values)
    assert math.isnan(nothing.spearman)
    assert nothing.reacts is None
    assert "same everywhere" in nothing.sentence
    assert math.isnan(compare(values[:2], -values[:2]).ssim)
    assert math.isnan(compare([[1.0]], [[2.0]]).spearman)
    with pytest.raises(RequestError, match="different shapes"):
        compare(values, values[:3])


@pytest.mark.parametrize(
    ("layers", "words"), [(1, "last layer's weights"), (3, "last 3 layers' weights"), (None, "'s weights")]
)
def test_the_sentence_says_what_was_shuffled(layers, words):
    assert words in Reaction(layers, 0.1, 0.1).sentence
    turned = Reaction(layers, -0.9, 0.1)
    assert turned.reacts
    assert "turns about (rank correlation −0.90)" in turned.sentence
    assert not Reaction(layers, 0.9, 0.9).reacts
