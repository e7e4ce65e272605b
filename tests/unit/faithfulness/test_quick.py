"""What comes with every map: shares of the score that the top of it carries, in numbers and words."""

import json

import networks
import numpy as np
import pytest
import torch
from planted import Root, Sum, classifier, disc

from napari_attribution import Well, explain
from napari_attribution.errors import Cancelled
from napari_attribution.faithfulness.quick import FORWARDS, MOST_INPUTS, Quick, forwards_needed
from napari_attribution.faithfulness.words import sentences
from napari_attribution.methods.explain import answer


@pytest.fixture
def well():
    pixels = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    return Well(pixels, networks.STAINS, pixel_size=(0.5, 0.5))


@pytest.fixture
def real(tmp_path):
    network = networks.make("gated")
    return network, networks.opened(network, tmp_path)


@pytest.mark.parametrize("score", ["logit", "probability", "contrast"])
@pytest.mark.parametrize(
    ("method", "parameters"), [("occlusion", {"window": 8}), ("occlusion", {"window": 8, "per_stain": True})]
)
@pytest.mark.parametrize("fill", ["mean", "blur"])
def test_equals_plain_loops(real, well, score, method, parameters, fill):
    network, opened = real
    asked = {"method": method, "target": "hit", "score": score, "fill": fill} | parameters
    plain = explain(opened, well, **asked)
    assert (plain.faithfulness, plain.trust) == ({}, ())
    found = explain(opened, well, faithfulness=True, **asked)
    assert found.forwards == plain.forwards + FORWARDS
    np.testing.assert_array_equal(found.values, plain.values)

    explained = answer(opened, well, **asked)
    values, x, filled = explained.at_input(), explained.problems[0].x, explained.problems[0].fill.expand(1, 3, 32, 32)
    assert values.shape == ((3, 32, 32) if "per_stain" in parameters else (32, 32))
    order = sorted(np.ndindex(values.shape), key=lambda place: (-values[place], place))
    chosen = np.zeros(values.shape, bool)
    for place in order[: round(values.size / 5)]:
        chosen[place] = True

    def of(mask) -> float:
        mixed = torch.where(torch.from_numpy(np.array(np.broadcast_to(mask, (3, 32, 32)))), x, filled)
        with torch.no_grad():
            return float(explained.problems[0].score.of(network(mixed))[0])

    moved = np.zeros_like(chosen)
    for *stain, row, column in np.ndindex(chosen.shape):
        moved[(*stain, (row + 16) % 32, (column + 16) % 32)] = chosen[(*stain, row, column)]
    scores = {"keep 20": of(chosen), "remove 20": of(~chosen), "elsewhere 20": of(moved)}
    ends = {"whole": of(np.ones(1, bool)), "filled": of(np.zeros(1, bool))}
    for name, expected in (scores | ends).items():
        assert found.faithfulness[f"score {name}"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    if "keep 20" in found.faithfulness:
        for name, expected in scores.items():
            share = (expected - ends["filled"]) / (ends["whole"] - ends["filled"])
            assert found.faithfulness[name] == pytest.approx(share, rel=1e-2, abs=1e-3)
    assert len(found.trust) >= 1
    assert found.record["faithfulness"] == {"figures": found.faithfulness, "sentences": list(found.trust)}
    assert found.record["work"]["forwards"] == found.forwards
    json.dumps(found.record, allow_nan=False)


@pytest.mark.parametrize("resolved", [False, True])
def test_the_planted_truth_is_kept_and_its_loss_seen(tmp_path, resolved):
    where = disc(32, 32, 9, 22, 5)
    weights = np.zeros((3, 32, 32))
    weights[1] = where
    opened = classifier(Sum(weights), tmp_path, 3, (32, 32))
    pixels = 1 + np.random.default_rng(0).random((3, 32, 32)).astype(np.float32)
    found = explain(
        opened,
        Well(pixels, opened.card.stains),
        "occlusion",
        target="hit",
        window=4,
        stride=1,
        per_stain=resolved,
        fill="background",
        faithfulness=True,
    )
    assert found.faithfulness["keep 20"] == pytest.approx(1, abs=0.01)
    assert found.faithfulness["remove 20"] == pytest.approx(0, abs=0.01)
    assert found.faithfulness["elsewhere 20"] < 0.1
    of_stains = " (stains at places)" if resolved else ""
    assert found.trust[0].startswith(
        f"Keeping only the top 20 % of the map{of_stains} keeps 100 % of the score; removing it leaves 0 %."
    )
    assert len(found.trust) == 1


def test_tiles_are_taken_together_and_no_more_than_sixteen_are_asked(real):
    _, opened = real
    opened.card = networks.card(16, mode="tiles")
    well = Well(np.random.default_rng(0).normal(size=(3, 80, 80)).astype(np.float32), networks.STAINS)
    plain = explain(opened, well, target="hit", channels="none")
    found = explain(opened, well, target="hit", channels="none", faithfulness=True)
    inputs = plain.record["preparation"]["inputs"]
    assert inputs > MOST_INPUTS
    assert found.forwards - plain.forwards == pytest.approx(FORWARDS * MOST_INPUTS, abs=0.02)
    assert forwards_needed(inputs) == FORWARDS * MOST_INPUTS
    assert f"each input's map (16 of {inputs} inputs)" in found.trust[0]


def test_a_map_without_an_order_costs_nothing(tmp_path):
    opened = classifier(Sum(np.zeros((2, 16, 16)), 1.0), tmp_path, 2, (16, 16))
    well = Well(np.random.default_rng(0).random((2, 16, 16)).astype(np.float32), opened.card.stains)
    plain = explain(opened, well, "occlusion", target="hit")
    found = explain(opened, well, "occlusion", target="hit", faithfulness=True)
    assert not found.values.any()
    assert found.forwards == plain.forwards
    assert found.faithfulness == {}
    assert found.trust == ("The map prefers no place that speaks for hit, so there is no top of it to keep or remove.",)


def test_scores_that_are_no_numbers_leave_the_map(tmp_path):
    opened = classifier(Root(), tmp_path, 2, (16, 16))
    opened.card = opened.card.model_copy(update={"background": (-4.0, -4.0)})
    well = Well(np.random.default_rng(0).random((2, 16, 16)).astype(np.float32), opened.card.stains)
    settings = {"target": "control", "fill": "background", "channels": "none", "window": 3}
    found = explain(opened, well, "occlusion", faithfulness=True, **settings)
    assert np.isfinite(found.values).all()
    assert found.faithfulness == {}
    assert found.trust[0].startswith("How far to trust the map is not known. The classifier's scores are not numbers")


def test_cancelled_between_the_map_and_the_measures(real, well):
    _, opened = real
    calls = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        if done == total and calls.count((done, total)) > 1:
            raise Cancelled

    with pytest.raises(Cancelled):
        explain(opened, well, "occlusion", progress=progress, faithfulness=True)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (
            (2.0, -3.0, 1.7, -2.4, -1.0),
            ["Keeping only the top 20 % of the map keeps 94 % of the score; removing it leaves 12 %. The same shape laid "
             "elsewhere keeps 40 %."],
        ),
        (
            (-1.0, -3.0, -3.02, -1.0, -2.0),
            ["Keeping only the top 20 % of the map keeps −1 % of the score; removing it leaves 100 %. The same shape laid "
             "elsewhere keeps 50 %.",
             "Other places do as well: do not rely on this map alone, compare it with another method."],
        ),
        (
            (-1.0, 0.5, 0.9, -2.0, 0.1),
            ["With everything filled, the score for hit is 0.5, higher than the well's −1: shares of it mean little. Top 20 % of "
             "the map kept: 0.9; removed: −2; the same shape laid elsewhere: 0.1."],
        ),
        (
            (2.0, 1.99, 5.0, -4.0, 2.0),
            ["With everything filled, the score for hit is 1.99, almost as high as the well's 2: shares of it mean little. Top "
             "20 % of the map kept: 5; removed: −4; the same shape laid elsewhere: 2."],
        ),
        ((0.0, 0.0, 0.0, 0.0, 0.0), ["The score is 0 whatever is filled: no map can say why."]),
    ],
)  # fmt: skip
def test_words(scores, said):
    found = Quick(*scores)
    assert list(sentences(found, "hit")) == said
    assert ("keep 20" in found.figures) == ("keeps" in said[0])
    json.dumps(found.figures, allow_nan=False)


@pytest.mark.parametrize("offset", [-1000.0, 0.0, 17.0])
def test_shares_do_not_change_where_a_number_is_added_to_the_logit(offset):
    found = Quick(*(score + offset for score in (2.0, -3.0, 1.7, -2.4, -1.0)))
    assert found.figures["keep 20"] == pytest.approx(0.94)
    assert found.figures["remove 20"] == pytest.approx(0.12)
