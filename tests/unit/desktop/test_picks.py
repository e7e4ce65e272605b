"""Picking on a `ViewerModel`: what a click asks, what it leaves behind, and what must not happen."""

import gc
import threading
import weakref

import networks
import numpy as np
import pytest
import torch
from networks import Gap

from napari_attribution import Well
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well
from napari_attribution.desktop.layers.picks import COLUMNS, picks_layer
from napari_attribution.desktop.picks import asking
from napari_attribution.desktop.picks.aim import OUTSIDE
from napari_attribution.desktop.picks.picking import Picks
from napari_attribution.desktop.picks.state import NO_CELLS
from napari_attribution.methods.explain import answer

SHAPE = (48, 64)
SCALE = 0.5


def labels(shape=SHAPE):
    """Six cells in a grid of 2 x 3, with background between them."""
    image = np.zeros(shape, dtype=np.int32)
    for number in range(6):
        row, column = divmod(number, 3)
        image[4 + 24 * row : 20 + 24 * row, 4 + 20 * column : 16 + 20 * column] = number + 1
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifiers")
    torch.manual_seed(0)
    network = Gap().eval()
    for name, mode in (("field", "resize"), ("tiles", "tiles"), ("cells", "cells")):
        networks.save(network, folder / f"{name}.pt")
        write_card(networks.card(mode=mode), folder / f"{name}.pt")
    return folder


@pytest.fixture
def controller(viewer, mail):
    controller = Controller(viewer, mail)
    yield controller
    controller.close()


@pytest.fixture
def picks(controller):
    picks = Picks(controller)
    controller.watchers.append(picks.look_around)
    yield picks
    picks.close()


def show(viewer, seed=0, with_cells=True, **keywords):
    pixels = np.random.default_rng(seed).normal(size=(3, *SHAPE)).astype(np.float32)
    show_well(viewer, Well(pixels, networks.STAINS, (SCALE, SCALE), source=(f"B0{seed}.tiff",)))
    if with_cells:
        same = {key: getattr(viewer.layers[0], key) for key in ("scale", "units")}
        viewer.add_labels(labels(), name="cells", **(same | keywords))


@pytest.fixture
def opened(controller, picks, viewer, mail, folder):
    def open_(name="field", **keywords):
        show(viewer, **keywords)
        mail.deliver_all()
        controller.open_classifier(folder / f"{name}.pt")
        mail.deliver_until(lambda: controller.state.classifier is not None)
        if name == "cells":
            controller.choose_cells(viewer.layers["cells"])
        mail.deliver_until(lambda: controller.state.checked is not None)
        mail.deliver_until(lambda: not controller.jobs.busy("count cells"))
        return picks

    return open_


def at(row, column):
    return (row * SCALE, column * SCALE)


def settle(mail, controller):
    """Until the refined answer is there."""

    def done():
        found = controller.state.answer
        note = found.record.get("pick") if found is not None else None
        return (note is not None and not note["coarse"] and not controller.state.explaining) or (
            controller.state.run_error is not None
        )

    mail.deliver_until(done)


def table(viewer):
    return picks_layer(viewer).features


# ------------------------------------------------------------------------------------------------------ what is asked


def test_a_click_on_a_cell_is_about_that_cell(opened, controller, viewer, mail):
    picks = opened()
    controller.set(method="occlusion", parameters={"occlusion": {"channels": "none"}})
    picks.pick(at(30, 30))
    mail.deliver_until(lambda: controller.state.answer is not None)
    first = controller.state.answer
    assert first.place.name == "cell 5"
    np.testing.assert_array_equal(first.place.mask, labels() == 5)
    assert first.method == "pixel-ablation-cam", "what is cheapest comes first"
    assert first.trust == ()
    ids = {layer.name: id(layer) for layer in viewer.layers if layer.name.startswith("why")}
    settle(mail, controller)
    last = controller.state.answer
    assert (last.method, last.place.name) == ("occlusion", "cell 5")
    assert last.trust
    assert list(ids.values()) == [id(layer) for layer in viewer.layers if layer.name.startswith("why")]
    assert not last.map[~last.place.mask].any()


def test_first_and_last_answer_are_those_of_python(opened, controller, mail):
    """The independent twin: everything read, prepared and hashed anew."""
    picks = opened()
    seen = []
    controller.answered.append(lambda found: seen.append((found.attribution, controller.state.asked)))
    picks.pick(at(30, 30))
    settle(mail, controller)
    well = controller.state.well.freeze().read()
    for attribution, asked in seen:
        twin = answer(
            controller.state.classifier, well, asked.method, asked.target, place=asked.place, **asked.parameters
        ).attribution
        np.testing.assert_array_equal(attribution.values, twin.values)
        assert attribution.probabilities == twin.probabilities
        assert attribution.channel_importance == pytest.approx(twin.channel_importance, abs=1e-5)
        assert attribution.part.loses == pytest.approx(twin.part.loses, abs=1e-5)
        assert attribution.record["parameters"] == twin.record["parameters"]
        assert attribution.record["well"] == twin.record["well"]
    assert [asked.parameters.get("channels") for _, asked in seen] == ["leave-one-out", None]


def test_the_class_is_the_wells_unless_the_dock_names_another(opened, controller, mail):
    picks = opened()
    predicted = controller.state.checked.predicted
    picks.pick(at(30, 30))
    settle(mail, controller)
    assert controller.state.answer.target == predicted
    other = next(name for name in networks.CLASSES if name != predicted)
    controller.set(target=other)
    picks.pick(at(30, 30))
    mail.deliver_until(lambda: controller.state.answer.target == other)


def test_a_classifier_of_cells_gives_each_its_own_class(opened, controller, mail):
    picks = opened("cells")
    picks.pick(at(30, 30))
    settle(mail, controller)
    answered = controller.state.answer
    assert answered.target == answered.predicted
    assert answered.part is None


def test_off_the_cells_a_square_is_asked_about(opened, controller, mail):
    picks = opened()
    picks.pick(at(22, 30))
    settle(mail, controller)
    rows, columns = controller.state.answer.place.box
    assert (rows.stop - rows.start, columns.stop - columns.start) == (8, 8), "an eighth of the field's longer side"
    picks.choose_side(3.0)
    picks.pick(at(22, 30))
    mail.deliver_until(lambda: controller.state.answer.place.mask.sum() == 36, 20)


@pytest.mark.parametrize("name", ["tiles", "cells"])
def test_the_square_is_the_input_of_who_sees_less_than_a_field(opened, name):
    assert opened(name).side == 32


def test_a_drag_is_about_the_rectangle(opened, controller, mail):
    picks = opened()
    picks.pick_region(at(10.2, 50.3), at(2.2, 40.3))
    settle(mail, controller)
    rows, columns = controller.state.answer.place.box
    assert (rows.start, rows.stop, columns.start, columns.stop) == (3, 11, 41, 51)


def test_cells_that_lie_otherwise_are_found_where_they_are(controller, picks, viewer, mail, folder, opened):
    picks = opened(with_cells=False)
    coarse = labels()[::2, ::2]
    viewer.add_labels(coarse, name="half", scale=(2 * SCALE,) * 2, translate=(SCALE / 2,) * 2, units=("um", "um"))
    mail.deliver_all()
    mail.deliver_until(lambda: picks.state.cells is not None)
    picks.pick(at(30, 30))
    settle(mail, controller)
    np.testing.assert_array_equal(controller.state.answer.place.mask, np.kron(coarse == 5, np.ones((2, 2), bool)))


def test_of_a_stack_of_labels_the_plane_in_view_counts(opened, controller, viewer, mail):
    picks = opened(with_cells=False)
    stack = np.stack([labels(), 10 * labels(), np.zeros_like(labels())])
    viewer.add_labels(stack, name="times", scale=(1, SCALE, SCALE))
    mail.deliver_all()
    mail.deliver_until(lambda: picks.state.cells is not None)
    viewer.dims.set_current_step(0, 1)
    picks.pick((1.0, *at(30, 30)))
    settle(mail, controller)
    assert controller.state.answer.place.name == "cell 50"


# ------------------------------------------------------------------------------------------------------------ cells


def test_the_cells_to_start_with_are_many_and_no_truth(opened, picks, viewer, mail):
    opened()
    same = {"scale": (SCALE, SCALE), "units": ("um", "um")}
    few = (labels() == 1).astype(np.int32)
    truth = np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE)
    viewer.add_labels(few, name="few", **same)
    viewer.add_labels(truth, name="truth: affected cells", **same)
    viewer.add_labels(labels(), name="elsewhere", translate=(500, 500), **same)
    mail.deliver_all()
    mail.deliver_until(lambda: not picks.controller.jobs.busy("count cells"))
    assert [layer.name for layer in picks.state.layers] == ["cells", "few", "truth: affected cells"]
    assert picks.state.cells is viewer.layers["cells"]
    picks.choose_cells(viewer.layers["few"])
    assert picks.state.cells.name == "few"
    picks.choose_cells(NO_CELLS)
    assert picks.state.cells is None
    del viewer.layers["cells"]
    picks.choose_cells(None)
    mail.deliver_all()
    assert picks.state.cells is None


# ------------------------------------------------------------------------------------------------------------ table


def test_the_table_says_what_the_cell_is(opened, controller, viewer, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    answered = controller.state.answer
    assert list(table(viewer).columns) == list(COLUMNS)
    row = table(viewer).iloc[0]
    assert (row["pick"], row["place"], row["cell"], row["cells"]) == (1, "cell 5", 5, "cells")
    assert row["class"] == answered.target
    assert row["probability"] == answered.probabilities[answered.target]
    assert row["drop"] == answered.part.loses
    assert row["method"] == controller.state.method
    assert 0 <= row["inside cell"] <= 1 or np.isnan(row["inside cell"])
    np.testing.assert_allclose(picks_layer(viewer).data, [at(30, 30)], atol=0.01)


def test_a_cell_that_is_picked_again_keeps_its_row(opened, controller, viewer, mail):
    picks = opened()
    for spot in ((30, 30), (8, 8), (31, 31)):
        picks.pick(at(*spot))
        mail.deliver_until(lambda: not controller.state.explaining)
        settle(mail, controller)
    assert list(table(viewer)["place"]) == ["cell 5", "cell 1"]
    assert picks.state.shown == 1


def test_points_of_the_users_own_are_no_picks(opened, controller, viewer, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    picks_layer(viewer).add([5.0, 5.0])
    assert "not picked" in picks.state.said
    picks.pick(at(8, 8))
    mail.deliver_until(lambda: len(table(viewer)) == 3)
    assert list(table(viewer)["place"]) == ["cell 5", "", "cell 1"]


def test_many_picks_are_two_layers(opened, controller, viewer, mail):
    picks = opened()
    picks.idle = lambda _call: None  # without the refinement
    counts = set()
    for number in range(30):
        picks.pick(at(2 + number, 3 + 2 * number))
        mail.deliver_until(lambda: "picked" in viewer.layers and not controller.state.explaining)
        counts.add(len(viewer.layers))
    assert len(counts) == 1
    assert len(table(viewer)) > 20
    row = table(viewer).iloc[0]
    assert not any(isinstance(value, np.ndarray) for value in row), "a row holds no mask"


# ------------------------------------------------------------------------------------------------------ going round


def test_next_and_previous_show_the_same_picks_again(opened, controller, viewer, mail):
    picks = opened()
    for spot in ((30, 30), (8, 8), (22, 40)):
        picks.pick(at(*spot))
        mail.deliver_until(lambda: picks.state.shown is not None)
        settle(mail, controller)
    places = [(row["place"], row["pick"]) for _, row in table(viewer).iterrows()]
    for by, number in ((1, 1), (1, 2), (-1, 1), (-1, 3)):
        picks.step(by)
        mail.deliver_until(lambda n=number: picks.state.shown == n and not controller.state.explaining)
        settle(mail, controller)
        assert (controller.state.answer.place.name, number) in places
    assert len(table(viewer)) == 3


def test_a_selected_point_is_shown_again(opened, controller, viewer, mail):
    picks = opened()
    for spot in ((30, 30), (8, 8)):
        picks.pick(at(*spot))
        settle(mail, controller)
        mail.deliver_until(lambda: not controller.state.explaining)
    mail.deliver_until(lambda: picks.state.shown == 2)
    begun = []
    begin = picks._begin
    picks._begin = lambda *a: (begun.append(a), begin(*a))
    picks_layer(viewer).selected_data = {0}
    assert len(begun) == 1
    mail.deliver_until(lambda: picks.state.shown == 1)
    assert controller.state.answer.place.name == "cell 5"


def test_a_pick_whose_cells_are_gone_says_so(opened, controller, viewer, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    del viewer.layers["cells"]
    mail.deliver_all()
    before = controller.state.answer
    picks.step(1)
    assert "cells" in picks.state.said
    assert "pick the cell anew" in picks.state.said
    assert controller.state.answer is before


def test_the_next_method_explains_the_pick_that_is_shown(opened, controller, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    before = controller.state.method
    picks.next_method()
    assert controller.state.method != before
    mail.deliver_until(lambda: controller.state.answer.method == controller.state.method, 40)
    assert controller.state.answer.place.name == "cell 5"


def test_back_to_the_whole_well_without_asking_again(opened, controller, viewer, mail):
    picks = opened()
    controller.explain()
    mail.deliver_until(lambda: controller.state.answer is not None)
    whole = controller.state.answer
    assert not picks.away
    picks.pick(at(30, 30))
    settle(mail, controller)
    assert picks.away
    picks.back()
    mail.deliver_until(lambda: controller.state.answer is whole)
    assert not picks.away
    assert controller.state.explained.attribution is whole
    assert not viewer.layers["picked"].visible


def test_back_asks_where_the_whole_well_was_not_explained_yet(opened, controller, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    picks.back()
    mail.deliver_until(lambda: controller.state.answer.place is None)


# ------------------------------------------------------------------------------------------------------- bad things


def test_what_is_missing_is_said(controller, picks, viewer, mail):
    picks.pick((1, 1))
    assert "Open a well" in picks.state.said
    show(viewer)
    mail.deliver_all()
    picks.pick((1, 1))
    assert "Choose a classifier" in picks.state.said
    assert picks_layer(viewer) is None


@pytest.mark.parametrize("spot", [(-3, 5), (5, 64), (47.6, 5), (1000, 1000)])
def test_outside_the_well_nothing_is_asked(opened, controller, spot):
    picks = opened()
    picks.pick(at(*spot))
    assert picks.state.said == OUTSIDE
    assert not controller.state.explaining


@pytest.mark.parametrize("spot", [(-0.4, -0.4), (47.4, 63.4), (0, 63)])
def test_at_the_border_a_square_is_cut_off(opened, controller, mail, spot):
    picks = opened(with_cells=False)
    picks.pick(at(*spot))
    settle(mail, controller)
    assert controller.state.run_error is None
    assert 0 < controller.state.answer.place.mask.sum() < 64


def test_a_region_outside_the_well_is_a_sentence(opened, controller, mail):
    picks = opened()
    picks.pick_region(at(-30, -30), at(-10, -10))
    mail.deliver_until(lambda: not controller.state.explaining)
    assert "Choose a place within the image" in controller.state.run_error.sentence


def test_turned_and_three_dimensional_views_are_refused(opened, controller, viewer):
    picks = opened()
    viewer.add_image(np.zeros((4, *SHAPE)), scale=(1, SCALE, SCALE))
    viewer.dims.ndisplay = 3
    picks.pick((0.0, *at(30, 30)))
    assert "flat view" in picks.state.said
    viewer.dims.ndisplay = 2
    viewer.dims.order = (1, 0, 2)
    picks.pick((0.0, *at(30, 30)))
    assert "turned" in picks.state.said
    assert not controller.state.explaining


@pytest.fixture
def held(monkeypatch):
    """The worker waits at the beginning of a pick until it is let go."""
    gate, reached = threading.Event(), threading.Event()
    find = asking.find

    def wait(*args):
        reached.set()
        assert gate.wait(20)
        return find(*args)

    monkeypatch.setattr(asking, "find", wait)
    yield gate, reached
    gate.set()


@pytest.mark.parametrize("what", ["deleted", "replaced", "moved", "cells moved", "cells deleted", "another well"])
def test_what_changes_meanwhile_is_not_answered(opened, controller, viewer, mail, held, what):
    picks = opened()
    picks.pick(at(30, 30))
    assert held[1].wait(20)
    if what == "deleted":
        viewer.layers.remove(viewer.layers[1])
    elif what == "replaced":
        viewer.layers[1].data = np.array(viewer.layers[1].data) + 1
    elif what == "moved":
        for layer in viewer.layers:
            layer.translate = (7, 7)
    elif what == "cells moved":
        viewer.layers["cells"].translate = (3, 3)
    elif what == "cells deleted":
        del viewer.layers["cells"]
    else:
        show(viewer, seed=1, with_cells=False)
        mail.deliver_all()
        controller.choose_well(controller.state.wells[-1])
    held[0].set()
    mail.deliver_until(lambda: not controller.state.explaining)
    mail.deliver_all()
    assert controller.state.answer is None
    assert picks_layer(viewer) is None
    assert not any(layer.name.startswith("why") for layer in viewer.layers)
    if what != "another well":
        assert "Pick again" in controller.state.run_error.sentence


def test_the_viewer_closes_in_mid_run(opened, controller, viewer, mail, held):
    picks = opened()
    picks.pick(at(30, 30))
    assert held[1].wait(20)
    picks.close()
    controller.close()
    held[0].set()
    mail.deliver_all()
    assert picks_layer(viewer) is None


def test_of_many_clicks_the_last_is_answered(opened, controller, viewer, mail, held):
    picks = opened()
    picks.idle = lambda _call: None
    for number in range(60):
        picks.pick(at(2 + number % 40, 3 + number % 50))
    picks.pick(at(30, 30))
    held[0].set()
    mail.deliver_until(lambda: picks.state.shown is not None and not controller.state.explaining)
    assert list(table(viewer)["place"]) == ["cell 5"]


def test_a_pick_overtakes_an_explanation_that_is_under_way(opened, controller, mail):
    picks = opened()
    controller.set(method="occlusion", parameters={"occlusion": {"stride": 1}})
    controller.explain()
    assert controller.state.explaining
    controller.set(method="pixel-ablation-cam")
    picks.pick(at(30, 30))
    settle(mail, controller)
    assert controller.state.answer.place.name == "cell 5"
    assert controller.state.whole is None


def test_cancel_leaves_things_as_they_were(opened, controller, viewer, mail, held):
    picks = opened()
    before = list(viewer.layers)
    picks.pick(at(30, 30))
    assert held[1].wait(20)
    controller.cancel()
    held[0].set()
    assert not controller.state.explaining
    picks.pick(at(8, 8))
    mail.deliver_until(lambda: picks.state.shown is not None)
    assert list(table(viewer)["place"]) == ["cell 1"]
    assert list(viewer.layers)[: len(before)] == before


def test_pixels_that_are_painted_over_are_read_again(opened, controller, viewer, mail):
    picks = opened()
    viewer.layers[0].data = np.array(viewer.layers[0].data)
    mail.deliver_all()
    mail.deliver_until(lambda: controller.state.checked is not None)
    picks.pick(at(30, 30))
    settle(mail, controller)
    first = controller.state.answer
    viewer.layers[0].data[28:40, 24:36] += 3
    picks.pick(at(30, 30))
    mail.deliver_until(lambda: controller.state.answer is not first)
    hashes = [one.record["well"]["sha256_of_pixels"] for one in (first, controller.state.answer)]
    assert hashes[0] != hashes[1]


def test_a_classifier_that_is_unloaded_goes(opened, controller, viewer, mail):
    picks = opened()
    picks.pick(at(30, 30))
    settle(mail, controller)
    mail.deliver_until(lambda: not controller.state.explaining)
    alive = weakref.ref(controller.state.classifier)
    controller.unload()
    mail.deliver_until(lambda: "unloaded" in controller.state.notice)
    gc.collect()
    assert alive() is None
    picks.pick(at(30, 30))
    assert "Choose a classifier" in picks.state.said


def test_a_classifier_whose_file_changed_on_disk_is_told_of(controller, picks, viewer, mail, tmp_path):
    torch.manual_seed(0)
    path = networks.save(Gap().eval(), tmp_path / "net.pt")
    write_card(networks.card(), path)
    show(viewer)
    mail.deliver_all()
    controller.open_classifier(path)
    mail.deliver_until(lambda: controller.state.checked is not None)
    torch.manual_seed(1)
    networks.save(Gap().eval(), path)
    picks.pick(at(30, 30))
    settle(mail, controller)
    assert any("has changed since it was loaded" in warning for warning in controller.state.answer.warnings)
    path.unlink()
    picks.pick(at(8, 8))
    mail.deliver_until(lambda: controller.state.answer.place.name == "cell 1")
    assert any("is not there any more" in warning for warning in controller.state.answer.warnings)
