"""Other estimators: what they are asked, what they cost, and that nothing stale is shown."""

import gc
import weakref

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.channels.estimates import FACES, Estimates, cost
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.loading import KINDS
from napari_attribution.desktop.explain.loading import STAINS as KIND
from napari_attribution.desktop.layers import show_well
from napari_attribution.wells.place import Place

STAINS = ("DNA", "ER", "Mito")
WEIGHTS = (0.5, -1.0, 3.0)


class Weighed(nn.Module):
    """How much of each stain there is over its mean, weighed: a truth that is known."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.register_buffer("weights", torch.tensor(WEIGHTS))

    def forward(self, x):
        seen = (x.mean((2, 3)) * self.weights).sum(1) + 0 * self.conv(x).mean((1, 2, 3))
        return torch.stack([-seen, seen], 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("classifier") / "net.pt"
    torch.jit.script(Weighed().eval()).save(str(path))
    return path


@pytest.fixture
def open_well(viewer, well, weights, mail):
    """A controller that has a well, whose stains are brighter than the training's by one standard deviation, and a classifier."""
    made = []

    def open_in(a_viewer: ViewerModel, **fields) -> Controller:
        controller = Controller(a_viewer, mail)
        made.append(controller)
        show_well(a_viewer, well)
        mail.deliver_all()
        means = well.pixels.mean(axis=(1, 2))
        card = ClassifierCard(
            **({"stains": STAINS, "classes": ("control", "hit"), "size": (32, 32)} | fields),
            mean=tuple(float(m) - 1000 for m in means),
            std=(1000.0,) * 3,
        )
        controller.open_classifier(weights, card)
        mail.deliver_until(lambda: controller.state.checked is not None)
        return controller

    yield open_in
    for controller in made:
        controller.close()


@pytest.fixture
def answered(viewer, open_well, mail):
    return explained(open_well(viewer), mail)


def explained(controller, mail, **asked):
    controller.set(method="occlusion", **asked)
    controller.set_parameters({"window": 16, "stride": 16, "channels": "none"})
    before = controller.state.answer
    controller.explain()
    mail.deliver_until(lambda: controller.state.answer is not before and not controller.state.explaining)
    assert controller.state.run_error is None
    return controller


def ask(controller, mail, name):
    estimates = Estimates(controller, lambda: None)
    estimates.follow()
    estimates.choose(name)
    estimates.compute()
    mail.deliver_until(lambda: not estimates.computing)
    return estimates


def test_the_list_holds_every_estimator():
    from napari_attribution.methods.channels.values import ESTIMATORS

    assert list(FACES) == list(ESTIMATORS)
    assert KIND in KINDS


@pytest.mark.parametrize("name", list(FACES))
def test_every_estimator_finds_the_planted_stain_and_costs_what_was_said(answered, mail, name):
    forwards, seconds, inputs = cost(answered.state, name)
    found = ask(answered, mail, name).found
    assert found.estimator == name
    assert found.forwards == pytest.approx(forwards)
    assert (inputs, seconds > 0) == (1, True)
    if name != "permutation":  # the mean knows nothing of where the pixels are
        order = np.argsort(-found.mean)
        assert [STAINS[c] for c in order] == ["Mito", "DNA", "ER"]
        assert found.mean[1] < 0


def test_the_values_are_those_of_the_weights(answered, mail):
    # A linear score: what a stain adds is its weight times how much brighter it is than its fill, in any company.
    found = ask(answered, mail, "shapley").found
    assert np.allclose(found.mean / found.mean[2], np.array(WEIGHTS) / WEIGHTS[2], atol=0.02)


def test_the_same_question_is_asked_as_of_the_map(viewer, open_well, mail):
    controller = explained(open_well(viewer), mail, target="control", against="hit")
    found = ask(controller, mail, "leave-one-out").found
    assert (found.targets, found.score_names) == (("control",), ("contrast with hit",))
    assert found.mean[2] < 0


def test_the_wells_own_names_stand_for_the_stains(viewer, open_well, mail):
    controller = open_well(viewer)
    viewer.layers["Mito"].name = "MitoTracker"
    mail.deliver_all()
    controller.map_stain("Mito", "MitoTracker")
    mail.deliver_until(lambda: controller.state.checked is not None)
    found = ask(explained(controller, mail), mail, "leave-one-out").found
    assert found.stains == ("DNA", "ER", "MitoTracker")


def test_an_answer_about_a_part_is_estimated_for_the_whole_well(viewer, open_well, mail, well):
    controller = explained(open_well(viewer), mail)
    whole = ask(controller, mail, "leave-one-out").found
    mask = np.zeros(well.shape, dtype=bool)
    mask[:10, :10] = True
    before = controller.state.answer
    controller.explain(Place(mask, "a corner"))
    mail.deliver_until(lambda: controller.state.answer is not before)
    assert controller.state.answer.place is not None
    assert np.allclose(ask(controller, mail, "leave-one-out").found.mean, whole.mean)


def test_a_new_answer_forgets_what_was_said_of_the_last(answered, mail):
    estimates = ask(answered, mail, "leave-one-out")
    assert estimates.found is not None
    explained(answered, mail)
    estimates.follow()
    assert (estimates.found, estimates.chosen) == (None, "")


def test_an_estimate_that_is_under_way_gives_way_to_a_new_question(answered, mail):
    estimates = Estimates(answered, lambda: None)
    estimates.follow()
    estimates.choose("shapley")
    estimates.compute()
    assert estimates.computing
    answered.explain()
    assert not estimates.computing
    mail.deliver_until(lambda: not answered.state.explaining)
    mail.deliver_all()
    assert estimates.found is None


def test_cancel_leaves_nothing(answered, mail):
    estimates = Estimates(answered, lambda: None)
    estimates.follow()
    estimates.choose("shapley")
    estimates.compute()
    estimates.stop()
    assert not estimates.computing
    # The worker is free again, and what was cancelled does not come after all.
    other = ask(answered, mail, "keep-one")
    assert other.found is not None
    assert (estimates.found, estimates.failure) == (None, None)


def test_what_was_computed_is_kept_for_this_answer(answered, mail):
    estimates = ask(answered, mail, "keep-one")
    first = estimates.found
    estimates.choose("")
    assert estimates.found is None
    estimates.choose("keep-one")
    assert estimates.found is first


def test_a_failure_is_a_sentence(answered, mail, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("napari_attribution.methods.channels.importance.channel_importance", broken)
    estimates = ask(answered, mail, "keep-one")
    assert "unexpected" in estimates.failure.sentence
    estimates.choose("shapley")
    assert estimates.failure is None


def test_unloading_frees_the_classifier_while_and_after_it_is_asked(answered, mail):
    estimates = ask(answered, mail, "keep-one")
    estimates.choose("shapley")
    estimates.compute()
    classifier = weakref.ref(answered.state.classifier)
    answered.unload()
    mail.deliver_until(lambda: answered.state.notice.startswith("net.pt was unloaded"))
    gc.collect()
    assert classifier() is None
    assert not estimates.possible
    assert cost(answered.state, "shapley") is None
    estimates.compute()
    assert not estimates.computing
    # What was said of the answer that is still shown stays.
    estimates.choose("keep-one")
    assert estimates.found is not None


def test_two_viewers_do_not_mix(answered, open_well, mail):
    estimates = ask(answered, mail, "keep-one")
    other = explained(open_well(ViewerModel()), mail, target="control")
    others = ask(other, mail, "keep-one")
    assert estimates.found.targets == ("hit",)
    assert others.found.targets == ("control",)
