"""Side by side without a window: what is asked, what comes of it, and what happens when something goes away meanwhile."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.desktop.compare import request
from napari_attribution.desktop.compare.comparing import KIND, Comparing
from napari_attribution.desktop.compare.limits import Kept, limits_of
from napari_attribution.desktop.compare.words import headline, notes
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well
from napari_attribution.faithfulness.agreement import agreement

STAINS = ("DNA", "ER", "Mito")


class Net(nn.Module):
    def __init__(self, classes=2, channels=3):
        super().__init__()
        self.conv = nn.Conv2d(channels, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, classes)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def card(**fields):
    channels = len(fields.get("stains", STAINS))
    defaults = {"stains": STAINS, "classes": ("control", "hit"), "size": (32, 32)}
    return ClassifierCard(**(defaults | {"mean": (2000.0,) * channels, "std": (1200.0,) * channels} | fields))


def saved(path, seed=1, **fields):
    """A classifier's file with its card beside it."""
    torch.manual_seed(seed)
    described = card(**fields)
    net = Net(len(described.classes), len(described.stains)).eval()
    torch.jit.script(net).save(str(path))
    write_card(described, weights=path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifiers")
    saved(folder / "first.pt", seed=0)
    saved(folder / "second.pt", seed=1)
    saved(folder / "third class.pt", classes=("Control", "HIT", "dead"), size=(24, 40))
    saved(folder / "other classes.pt", classes=("round", "flat"))
    saved(folder / "other stains.pt", stains=("DNA", "Tubulin"))
    torch.jit.script(Net().eval()).save(str(folder / "no card.pt"))
    (folder / "no classifier.pt").write_bytes(b"this is no network")
    return folder


@pytest.fixture
def controller(viewer, mail, well, folder):
    controller = Controller(viewer, mail)
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(folder / "first.pt")
    mail.deliver_until(lambda: controller.state.checked is not None)
    yield controller
    controller.close()


@pytest.fixture
def comparing(controller):
    comparing = Comparing(controller, lambda: None)
    controller.watchers.append(comparing.settle)
    controller.set(method="pixel-ablation-cam")
    return comparing


def compare(comparing, mail):
    assert comparing.obstacle() == ""
    comparing.run()
    mail.deliver_until(lambda: not comparing.state.running)
    return comparing.state.comparison


@pytest.fixture
def held(monkeypatch):
    """Holds the worker just before each side is computed, until it is let go."""
    entered, go = threading.Event(), threading.Event()
    compute = request._side

    def side(question, name, paints, report):
        entered.set()
        assert go.wait(20)
        report(0, 1)
        return compute(question, name, paints, report)

    monkeypatch.setattr(request, "_side", side)
    yield entered, go
    go.set()


# ------------------------------------------------------------------------------------------------------- methods


@pytest.mark.slow
def test_two_methods(comparing, controller, viewer, mail):
    layers = [(layer.name, id(layer), layer.visible) for layer in viewer.layers]
    comparing.choose_method("occlusion")
    found = compare(comparing, mail)
    assert [side.name for side in found.sides] == ["Pixel Ablation-CAM", "Occlusion"]
    assert [side.attribution.method for side in found.sides] == ["pixel-ablation-cam", "occlusion"]
    assert [side.map.shape for side in found.sides] == [(40, 60)] * 2
    assert found.sides[0].attribution.target == found.sides[1].attribution.target
    assert found.agreement == agreement(found.sides[0].map, found.sides[1].map, ("Pixel Ablation-CAM", "Occlusion"))
    assert "keep 20" in found.sides[0].attribution.faithfulness or found.sides[0].attribution.trust
    # The Explain dock and the user's layers know nothing of it.
    assert [(layer.name, id(layer), layer.visible) for layer in viewer.layers] == layers
    assert (controller.state.answer, controller.state.explaining, controller.state.run_error) == (None, False, None)


def test_the_sides_are_what_the_explain_dock_would_answer(comparing, controller, mail):
    comparing.choose_method("occlusion")
    found = compare(comparing, mail)
    for side in found.sides:
        controller.set(method=side.attribution.method)
        controller.explain()
        mail.deliver_until(lambda: not controller.state.explaining)
        assert np.allclose(side.map, controller.state.answer.map)
        assert side.attribution.score == pytest.approx(controller.state.answer.score)


def test_the_class_asked_about_is_that_of_the_explain_dock(comparing, controller, mail):
    other = next(name for name in ("control", "hit") if name != controller.state.checked.predicted)
    controller.set(target=other, score="probability")
    found = compare(comparing, mail)
    assert {side.attribution.target for side in found.sides} == {other}
    assert {side.attribution.score_name for side in found.sides} == {"probability"}


def test_the_first_sides_method_cannot_be_the_second(comparing, controller):
    comparing.choose_method("occlusion")
    controller.set(method="occlusion")
    assert comparing.state.method not in (None, "occlusion")
    assert "occlusion" not in [one.method.name for one in comparing.methods()]
    comparing.choose_method("occlusion")
    assert comparing.obstacle() == "Choose another method than that of Explain well."


def test_another_comparison_replaces_the_last(comparing, mail):
    first = compare(comparing, mail)
    comparing.choose_method("occlusion")
    assert comparing.state.comparison is first
    assert compare(comparing, mail) is not first


# --------------------------------------------------------------------------------------------------- classifiers


def test_two_classifiers(comparing, mail, folder):
    comparing.differ("classifier")
    assert comparing.obstacle().startswith("Choose the other classifier")
    comparing.choose_classifier(folder / "second.pt")
    found = compare(comparing, mail)
    assert [side.name for side in found.sides] == ["first.pt", "second.pt"]
    files = [side.attribution.record["classifier"]["file"] for side in found.sides]
    assert [file.rsplit("/", 1)[-1] for file in files] == ["first.pt", "second.pt"]
    assert found.sides[0].attribution.target == found.sides[1].attribution.target
    assert not np.allclose(found.sides[0].map, found.sides[1].map)
    logits = ["logits of its own" in note for note in notes(found)]
    assert any(logits) == ("logit" in found.sides[0].attribution.units)


def test_the_other_classifier_is_let_go_of(comparing, mail, folder, monkeypatch):
    loaded = []
    load = request.load

    def note(*args):
        classifier = load(*args)
        loaded.extend([weakref.ref(classifier), weakref.ref(classifier._network)])
        return classifier

    monkeypatch.setattr(request, "load", note)
    comparing.differ("classifier")
    comparing.choose_classifier(folder / "second.pt")
    assert compare(comparing, mail) is not None
    assert len(loaded) == 2
    assert [ref() for ref in loaded] == [None, None]


def test_classes_are_matched_by_name_and_the_others_are_told(comparing, mail, folder):
    comparing.differ("classifier")
    comparing.choose_classifier(folder / "third class.pt")
    found = compare(comparing, mail)
    assert found.sides[1].attribution.target in ("Control", "HIT")
    assert found.sides[0].attribution.target.casefold() == found.sides[1].attribution.target.casefold()
    told = " ".join(notes(found))
    assert "only third class.pt knows dead" in told
    assert "first.pt looks at 32 × 32 pixels at a time, third class.pt at 24 × 40" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other classes.pt", "other classes.pt does not know the class"),
        ("other stains.pt", "Tubulin"),
        ("no card.pt", "no card.pt cannot be compared without a card"),
        ("no classifier.pt", "no classifier.pt"),
        ("gone.pt", "gone.pt"),
    ],
)
def test_a_classifier_that_is_refused_is_a_sentence(comparing, controller, mail, folder, name, words):
    before = compare(comparing, mail)
    comparing.differ("classifier")
    comparing.choose_classifier(folder / name)
    comparing.run()
    mail.deliver_until(lambda: not comparing.state.running)
    assert words in comparing.state.failure.sentence
    assert not comparing.state.failure.details
    assert comparing.state.comparison is before
    assert controller.status.ready
    # Another choice, and it is forgotten.
    comparing.choose_classifier(folder / "second.pt")
    assert comparing.state.failure is None
    assert compare(comparing, mail) is not before


def test_the_same_file_is_not_another_classifier(comparing, folder):
    comparing.differ("classifier")
    comparing.choose_classifier(folder / "." / "first.pt")
    assert "uses already" in comparing.obstacle()


# --------------------------------------------------------------------------------------------------------- wells


def two_wells(viewer, mail, wells, **fields):
    show_well(viewer, wells(**({"seed": 5, "source": ("C03.ome.tiff",)} | fields)))
    mail.deliver_all()


def test_two_wells(comparing, controller, viewer, mail, wells):
    comparing.differ("well")
    assert comparing.obstacle() == "Only B03 is open. Open a second well to compare it with."
    two_wells(viewer, mail, wells)
    assert controller.state.well.name == "B03"
    found = compare(comparing, mail)
    assert [side.name for side in found.sides] == ["B03", "C03"]
    assert found.agreement is None
    assert any("not the same places" in note for note in notes(found))
    assert headline(found).startswith(f"{found.sides[0].attribution.target}: ")
    assert not np.array_equal(found.sides[0].picture, found.sides[1].picture)


def test_wells_of_different_size(comparing, viewer, mail, wells):
    comparing.differ("well")
    two_wells(viewer, mail, wells, height=30, width=80, pixel_size=None)
    found = compare(comparing, mail)
    assert [side.map.shape for side in found.sides] == [(40, 60), (30, 80)]
    assert [side.picture.shape for side in found.sides] == [(40, 60, 3), (30, 80, 3)]
    assert any("linked by the share of the well" in note for note in notes(found))


def test_a_well_without_the_stains_is_told_before(comparing, viewer, mail, wells):
    comparing.differ("well")
    two_wells(viewer, mail, wells)
    next(layer for layer in comparing.state.well.layers if layer.name.startswith("Mito")).name = "Tubulin"
    mail.deliver_all()
    assert "C03 has no stain named Mito" in comparing.obstacle()
    assert comparing.level() == "wrong"
    comparing.run()
    assert not comparing.state.running


def test_stains_mapped_by_hand_hold_for_the_other_well(comparing, controller, viewer, mail, wells):
    two_wells(viewer, mail, wells)
    comparing.differ("well")
    for layer in viewer.layers:
        layer.name = layer.name.replace("Mito", "TMRM")
    mail.deliver_all()
    controller.map_stain("Mito", "TMRM")
    mail.deliver_until(lambda: controller.state.checked is not None)
    found = compare(comparing, mail)
    assert found.sides[1].attribution.stains == ("DNA", "ER", "TMRM")


def test_a_classifier_of_single_cells_wants_those_of_the_other_well(comparing, controller, viewer, mail, wells, folder):
    two_wells(viewer, mail, wells)
    first = viewer.add_points([(10, 10), (20, 30)], name="cells A", scale=(0.5, 0.25))
    other = viewer.add_points([(12, 40)], name="cells B", scale=(0.5, 0.25))
    controller.open_classifier(folder / "first.pt", card(mode="cells", size=(16, 16)))
    mail.deliver_until(lambda: not controller.state.loading)
    controller.choose_cells(first)
    mail.deliver_until(lambda: controller.state.checked is not None)
    comparing.differ("well")
    assert comparing.cell_layers() == [other]
    assert "marks those of C03" in comparing.obstacle()
    assert comparing.level() == "todo"
    comparing.choose_cells(other)
    found = compare(comparing, mail)
    assert [side.attribution.record["cells"] for side in found.sides] == [[[10.0, 10.0], [20.0, 30.0]], [[12.0, 40.0]]]
    viewer.layers.remove(other)
    mail.deliver_all()
    assert comparing.state.cells is None


def test_what_nobody_expected_is_told_with_details(comparing, mail, monkeypatch):
    def fail(*_args):
        raise ZeroDivisionError("nobody expected this")

    monkeypatch.setattr(request, "_side", fail)
    comparing.run()
    mail.deliver_until(lambda: not comparing.state.running)
    assert "nobody expected this" in comparing.state.failure.sentence
    assert "ZeroDivisionError" in comparing.state.failure.details


# --------------------------------------------------------------------------------------------------- goes away


def test_cancel_leaves_the_last_comparison(comparing, controller, mail, held):
    entered, go = held
    go.set()
    before = compare(comparing, mail)
    go.clear()
    entered.clear()
    comparing.run()
    assert entered.wait(20)
    comparing.cancel()
    go.set()
    mail.deliver_until(lambda: not controller.jobs.busy(KIND))
    mail.deliver_all()
    assert comparing.state.comparison is before
    assert (comparing.state.running, comparing.state.failure) == (False, None)
    assert compare(comparing, mail) is not before


def test_a_well_that_is_closed_in_mid_run_stops_it(comparing, viewer, mail, wells, held):
    entered, go = held
    two_wells(viewer, mail, wells)
    comparing.differ("well")
    comparing.run()
    assert entered.wait(20)
    for layer in comparing.state.well.layers:
        viewer.layers.remove(layer)
    mail.deliver_until(lambda: not comparing.state.running)
    go.set()
    mail.deliver_all()
    assert comparing.state.failure.sentence == "C03 was closed while it was compared, so the comparison was stopped."
    assert comparing.state.comparison is None


def test_pixels_that_are_exchanged_in_mid_run_stop_it(comparing, viewer, mail, held):
    entered, go = held
    comparing.run()
    assert entered.wait(20)
    viewer.layers[1].data = viewer.layers[1].data[::-1].copy()
    mail.deliver_until(lambda: not comparing.state.running)
    go.set()
    mail.deliver_all()
    assert comparing.state.failure.sentence.startswith("B03 was changed while it was compared")
    assert comparing.state.comparison is None


def test_a_well_that_is_closed_afterwards_is_told(comparing, viewer, mail, wells):
    two_wells(viewer, mail, wells)
    comparing.differ("well")
    compare(comparing, mail)
    assert comparing.state.gone == ""
    for layer in comparing.state.well.layers:
        viewer.layers.remove(layer)
    mail.deliver_all()
    assert comparing.state.gone == "No longer open: C03."
    # A later one that was stopped has nothing to say about the one that is shown.
    comparing.differ("method")
    comparing.run()
    comparing.cancel()
    assert comparing.state.gone == "No longer open: C03."
    assert comparing.state.well is None


def test_pixels_that_are_exchanged_afterwards_are_told(comparing, viewer, mail):
    compare(comparing, mail)
    viewer.layers[0].data = viewer.layers[0].data[::-1].copy()
    mail.deliver_all()
    assert comparing.state.gone == "The pixels of B03 have changed since."


def test_another_question_than_the_one_that_is_shown_is_told(comparing, controller, mail):
    compare(comparing, mail)
    assert comparing.state.gone == ""
    method = comparing.state.method
    comparing.choose_method("occlusion")
    assert comparing.state.gone.startswith("The question above is another one now")
    comparing.choose_method(method)
    assert comparing.state.gone == ""
    controller.set(score="probability")
    assert comparing.state.gone.startswith("The question above is another one now")
    compare(comparing, mail)
    assert comparing.state.gone == ""


def test_unload_in_mid_run_stops_it_and_frees_the_memory(comparing, controller, mail, held):
    entered, go = held
    comparing.run()
    assert entered.wait(20)
    gone = [weakref.ref(controller.state.classifier), weakref.ref(controller.state.classifier._network)]
    controller.unload()
    assert not comparing.state.running
    assert "The classifier was unloaded or exchanged" in comparing.state.failure.sentence
    go.set()
    mail.deliver_until(lambda: "was unloaded" in controller.state.notice)
    assert controller.state.notice.startswith("first.pt was unloaded.")
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


@pytest.mark.parametrize("differs", ["method", "classifier"])
def test_unload_after_a_comparison_frees_the_memory_and_keeps_what_is_shown(
    comparing, controller, mail, folder, differs
):
    comparing.differ(differs)
    comparing.choose_classifier(folder / "second.pt")
    found = compare(comparing, mail)
    gone = [weakref.ref(controller.state.classifier), weakref.ref(controller.state.classifier._network)]
    controller.unload()
    mail.deliver_until(lambda: "was unloaded" in controller.state.notice)
    assert [ref() for ref in gone] == [None, None]
    assert comparing.state.comparison is found
    assert comparing.obstacle()


def test_closing_in_mid_run_brings_nothing_and_leaves_the_explain_dock(comparing, controller, mail, held):
    entered, go = held
    comparing.run()
    assert entered.wait(20)
    comparing.close()
    go.set()
    controller.explain()
    mail.deliver_until(lambda: not controller.state.explaining)
    assert controller.state.answer is not None
    assert comparing.state.comparison is None


def test_explaining_meanwhile_is_answered_too(comparing, controller, mail):
    comparing.run()
    controller.explain()
    assert comparing.state.running
    mail.deliver_until(lambda: not comparing.state.running and not controller.state.explaining)
    assert comparing.state.comparison is not None
    assert controller.state.answer is not None


def test_what_explain_well_lacks_is_lacking_here(viewer, mail):
    controller = Controller(viewer, mail)
    comparing = Comparing(controller, lambda: None)
    comparing.settle()
    assert comparing.obstacle() == controller.status.headline
    assert "Open a well" in comparing.obstacle()
    comparing.run()
    assert not comparing.state.running
    controller.close()


def test_two_viewers_do_not_mix(comparing, mail, folder, wells):
    other = Controller(ViewerModel(), mail)
    second = Comparing(other, lambda: None)
    other.watchers.append(second.settle)
    show_well(other.viewer, wells(seed=7, source=("Z09.ome.tiff",)))
    mail.deliver_all()
    other.open_classifier(folder / "second.pt")
    mail.deliver_until(lambda: other.state.checked is not None)
    comparing.run()
    second.run()
    mail.deliver_until(lambda: not comparing.state.running and not second.state.running)
    first, second = comparing.state.comparison, second.state.comparison
    files = [one.sides[0].attribution.record["classifier"]["file"].rsplit("/", 1)[-1] for one in (first, second)]
    assert files == ["first.pt", "second.pt"]
    other.close()


# ------------------------------------------------------------------------------------------------------- limits


def comparison(answers, first, second, units=("logit a location",) * 2, differs="method"):
    sides = tuple(
        request.Side(
            name,
            answers(values=np.asarray(values, dtype=np.float32), units=unit),
            np.zeros((2, 2, 3), np.uint8),
            (8, 8),
        )
        for name, values, unit in zip("AB", (first, second), units, strict=True)
    )
    return request.Comparison.of(differs, sides)


def test_one_scale_for_both_maps_of_one_unit(answers):
    found = limits_of(comparison(answers, [[0.0, 1.0], [0.5, 0]], [[0, -4], [2, 3.0]]))
    assert found.each == (4.0, 4.0)
    assert (found.shared, found.locked) == (True, False)


def test_each_its_own_scale_where_units_differ(answers):
    one = comparison(answers, [[0.0, 1.0], [0.5, 0]], [[0, -4], [2, 3.0]], ("logit a location", "mixing weight"))
    found = limits_of(one, Kept(9.0, "logit a location"))
    assert found.each == (1.0, 4.0)
    assert (found.shared, found.locked) == (False, False)
    assert any("different units" in note for note in notes(one))


def test_a_scale_for_each_where_that_is_wanted(answers):
    found = limits_of(
        comparison(answers, [[0.0, 1.0], [0.5, 0]], [[0, -4], [2, 3.0]]), Kept(9.0, "logit a location"), share=False
    )
    assert found.each == (1.0, 4.0)
    assert (found.shared, found.locked, found.comparable) == (False, False, True)


def test_limits_are_kept_from_one_comparison_to_the_next(comparing, controller, mail, folder):
    assert comparing.state.limits is None
    comparing.keep_limits(True)
    assert comparing.state.kept is None
    comparing.choose_method("grad-cam")
    compare(comparing, mail)
    comparing.keep_limits(True)
    kept = comparing.state.kept
    assert comparing.state.limits.each == (kept.limit, kept.limit)
    comparing.differ("classifier")
    comparing.choose_classifier(folder / "second.pt")
    other = compare(comparing, mail)
    assert other.limit != kept.limit
    assert comparing.state.limits.each == (kept.limit, kept.limit)
    comparing.keep_limits(False)
    assert comparing.state.limits.each == (other.limit, other.limit)
    comparing.share_limits(False)
    assert comparing.state.limits.each == other.limits


def test_limits_that_are_kept(answers):
    one = comparison(answers, [[0.0, 1.0], [0.5, 0]], [[0, -4], [2, 3.0]])
    assert limits_of(one, Kept(9.0, "logit a location")).each == (9.0, 9.0)
    assert limits_of(one, Kept(9.0, "logit a location")).locked
    assert limits_of(one, Kept(9.0, "mixing weight")).each == (4.0, 4.0)


def test_maps_that_are_zero_everywhere_have_a_scale_too(answers):
    assert limits_of(comparison(answers, np.zeros((3, 3)), np.zeros((3, 3)))).each == (1.0, 1.0)
