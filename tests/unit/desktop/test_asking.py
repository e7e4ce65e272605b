"""Ask the map: reading it, removing from the well, keeping its top - on a viewer without a window."""

import time
import weakref

import numpy as np
import pytest
import torch
from napari.layers import Labels
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import mouse_move_callbacks, mouse_press_callbacks, mouse_release_callbacks
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.asking.erased import MOST_STEPS, Erased
from napari_attribution.desktop.asking.readout import read, read_pixel
from napari_attribution.desktop.asking.removing import KIND, Removing
from napari_attribution.desktop.asking.sufficing import CURVE, KEPT, KINDS, Sufficing
from napari_attribution.desktop.asking.well import GONE, UNLOADED
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_attribution, show_well
from napari_attribution.desktop.layers.known import ROLE, find
from napari_attribution.desktop.layers.removed import REMOVED, set_colors
from napari_attribution.desktop.layers.veil import VEIL
from napari_attribution.faithfulness.what_if import what_if

STAINS = ("DNA", "ER", "Mito")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("classifier") / "net.pt"
    torch.jit.script(Net().eval()).save(str(path))
    return path


def card(**fields):
    defaults = {"stains": STAINS, "classes": ("control", "hit"), "size": (32, 32), "mean": (2000.0,) * 3}
    return ClassifierCard(**(defaults | {"std": (1200.0,) * 3} | fields))


@pytest.fixture
def controller(viewer, mail):
    controller = Controller(viewer, mail)
    yield controller
    controller.close()


@pytest.fixture
def answered(controller, viewer, well, weights, mail):
    show_well(viewer, well)
    mail.deliver_all()
    controller.open_classifier(weights, card())
    mail.deliver_until(lambda: controller.state.checked is not None)
    explain(controller, mail)
    return controller


def explain(controller, mail, **asked):
    controller.set(**({"method": "occlusion", "target": "hit"} | asked))
    controller.set_parameters({"window": 8, "channels": "none"})
    before = controller.state.answer
    controller.explain()
    mail.deliver_until(lambda: controller.state.answer is not before and not controller.state.explaining)
    assert controller.state.run_error is None


@pytest.fixture
def removing(answered):
    told = []
    removing = Removing(answered, lambda: told.append(1))
    removing.told = told
    answered.watchers.append(removing.look)
    removing.look()
    yield removing
    removing.close()


@pytest.fixture
def sufficing(answered, mail):
    sufficing = Sufficing(answered, lambda: None)
    answered.watchers.append(sufficing.look)
    sufficing.look()
    yield sufficing
    sufficing.close()


def opened(sufficing, mail):
    sufficing.open(True)
    mail.deliver_until(lambda: sufficing.found is not None and sufficing.curves is not None and sufficing.ready)


def half(left=True):
    mask = np.zeros((40, 60), bool)
    mask[:, :30] = True
    return mask if left else ~mask


class Mouse:
    """What napari hands to its callbacks."""

    def __init__(self, kind, position, pos=None, button=1):
        self.type, self.position, self.button = kind, tuple(position), button
        self.pos = np.asarray(position if pos is None else pos, dtype=float)
        self.modifiers, self.view_direction, self.dims_displayed, self.dims_point = (), None, [0, 1], (0, 0)
        self.handled, self.is_dragging = False, kind == "mouse_move"


def drag(target, *events):
    first, *moves, last = events
    mouse_press_callbacks(target, ReadOnlyWrapper(first))
    for move in moves:
        mouse_move_callbacks(target, ReadOnlyWrapper(move))
    mouse_release_callbacks(target, ReadOnlyWrapper(last))


def stroke(layer, *pixels):
    """A stroke of the brush over these pixels of the layer."""
    world = [layer.data_to_world(pixel) for pixel in pixels]
    kinds = ["mouse_press", *["mouse_move"] * len(pixels[1:]), "mouse_release"]
    drag(layer, *(Mouse(kind, at) for kind, at in zip(kinds, [*world, world[-1]], strict=True)))


def settled(removing, mail):
    mail.deliver_until(lambda: removing.result is not None or bool(removing.error))


# ---------------------------------------------------------------------------------------------------- reading the map


def test_the_pointer_reads_the_map_stain_by_stain(viewer, well, answers, answered):
    state = answered.state
    state.answer = answers(values=np.arange(3 * 40 * 60, dtype=np.float32).reshape(3, 40, 60) - 2400)
    layers = show_well(viewer, well)
    show_attribution(viewer, state.answer, layers)
    found = read(viewer, state, layers[0].data_to_world((7, 11)))
    assert (found.row, found.column) == (7, 11)
    expected = {stain: state.answer.values[index, 7, 11] for index, stain in enumerate(STAINS)}
    assert dict(found.stains) == expected
    assert found.value == sum(expected.values())
    assert abs(found.stains[0][1]) == max(map(abs, expected.values()))
    assert "logit per location" in found.sentence
    assert all(stain in found.sentence for stain in STAINS)


def test_where_the_method_does_not_tell_stains_apart_that_is_said(answered):
    found = read_pixel(answered.state.answer, 3, 4)
    assert found.stains == ()
    assert found.value == answered.state.answer.values[3, 4]
    assert "does not tell the stains apart" in found.sentence


@pytest.mark.parametrize(
    "placed", [{}, {"rotate": 30}, {"translate": (-70, 1e4)}, {"scale": (-2.0, 0.3)}, {"shear": [0.4]}]
)
def test_reading_is_right_wherever_the_map_lies(viewer, well, answers, answered, placed):
    state = answered.state
    state.answer = answers()
    layers = show_well(viewer, well)
    for layer in layers:
        for name, value in placed.items():
            setattr(layer, name, value)
    show_attribution(viewer, state.answer, layers)
    for row, column in ((0, 0), (39, 59), (17, 42)):
        for shift in (-0.4, 0.4):
            found = read(viewer, state, layers[0].data_to_world((row + shift, column - shift)))
            assert (found.row, found.column) == (row, column)
    for outside in ((-0.6, 3), (40, 3), (3, -0.6), (3, 59.6)):
        assert read(viewer, state, layers[0].data_to_world(outside)) is None


def test_reading_beside_a_stack_with_sliders(viewer, answered):
    viewer.add_image(np.zeros((4, 5, 40, 60)))
    world = find(viewer, "map").data_to_world((8, 9))
    found = read(viewer, answered.state, (3.0, 2.0, *world))
    assert (found.row, found.column) == (8, 9)
    viewer.dims.ndisplay = 3
    assert read(viewer, answered.state, (3.0, 2.0, *world)) is None


def test_a_map_that_is_hidden_or_gone_can_still_be_read(viewer, answered):
    layer = find(viewer, "map")
    world = layer.data_to_world((5, 6))
    expected = read(viewer, answered.state, world)
    layer.visible = False
    assert read(viewer, answered.state, world) == expected
    viewer.layers.remove(layer)
    assert read(viewer, answered.state, world) == expected
    viewer.layers.clear()
    answered.scan()
    assert read(viewer, answered.state, world) is None
    answered.state.answer = None
    assert read(viewer, answered.state, world) is None


def test_reading_makes_no_copy_and_no_job(viewer, answered):
    started = []
    answered.jobs.start = lambda *args, **keywords: started.append(args)
    world = find(viewer, "map").data_to_world((5, 6))
    read(viewer, answered.state, world)
    begun = time.perf_counter()
    for _ in range(200):
        read(viewer, answered.state, world)
    assert (time.perf_counter() - begun) / 200 < 0.005
    assert not started


# ------------------------------------------------------------------------------------------------------- what is removed


def test_steps_back_lead_to_what_was_before():
    rng, erased = np.random.default_rng(0), Erased((20, 30), 3)
    seen = [erased.bits.copy()]
    for number in range(12):
        mask = rng.random((20, 30)) < 0.1
        erased.remove(mask, int(rng.integers(1, 8))) if number != 7 else erased.put_back()
        seen.append(erased.bits.copy())
    assert erased.version == erased.steps == 12
    for expected in reversed(seen[:-1]):
        assert erased.undo()
        np.testing.assert_array_equal(erased.bits, expected)
    assert not erased.undo()
    assert not erased.any


def test_stains_are_removed_one_by_one_and_together():
    erased, mask = Erased((4, 5), 3), np.eye(4, 5, dtype=bool)
    erased.remove(mask, 0b001)
    erased.remove(mask, 0b100)
    np.testing.assert_array_equal(erased.masks([0, 1, 2]), [mask, ~mask & mask, mask])
    np.testing.assert_array_equal(erased.masks([2, 0]), mask)
    assert not erased.remove(mask, 0b101)
    assert erased.steps == 2
    painted = erased.bits.copy()
    painted[0, 0], painted[3, 4] = 0, 77
    erased.take_over(painted, 0b010)
    assert erased.bits[0, 0] == 0
    assert erased.bits[3, 4] == 0b010
    assert erased.bits[1, 1] == 0b101


def test_many_steps_do_not_fill_the_memory():
    erased = Erased((4, 100), 17)
    for column in range(100):
        mask = np.zeros((4, 100), bool)
        mask[:, column] = True
        erased.remove(mask, 1 << 16)
    assert erased.steps == MOST_STEPS
    assert (erased.bits == 1 << 16).all()


def test_removing_is_answered_as_python_would(removing, answered, mail):
    removing.remove(half())
    assert removing.result is None
    assert removing.busy
    settled(removing, mail)
    found = removing.result
    assert found == what_if(answered.state.explained, half())
    for _ in range(3):
        answered.changed()
    assert removing.result is found
    assert not removing.busy
    removing.set_stain("Mito")
    removing.remove(half(left=False))
    settled(removing, mail)
    masks = np.stack([half(), half(), np.ones((40, 60), bool)])
    assert removing.result == what_if(answered.state.explained, masks)
    assert removing.result.after.score != removing.result.before.score


def test_a_stroke_of_the_brush_is_answered_and_undone(removing, viewer, answered, mail):
    removing.set_mode("brush")
    layer = find(viewer, REMOVED)
    assert viewer.layers.selection.active is layer
    assert (layer.mode, layer.brush_size) == ("paint", removing.size)
    removing.set_size(6)
    assert layer.brush_size == 6
    stroke(layer, (10, 10), (10, 30))
    first_bits = removing.erased.bits.copy()
    assert first_bits[10, 20] == 0b111
    settled(removing, mail)
    first = removing.result
    removing.set_stain("ER")
    stroke(layer, (10, 25), (30, 25))
    # What was removed already stays so, whatever is painted over it.
    assert removing.erased.bits[10, 25] == layer.data[10, 25] == 0b111
    assert removing.erased.bits[25, 25] == layer.data[25, 25] == 0b010
    settled(removing, mail)
    assert removing.result != first
    removing.undo()
    settled(removing, mail)
    np.testing.assert_array_equal(layer.data, first_bits)
    assert removing.result == first
    removing.undo()
    assert removing.result is None
    assert not removing.busy
    assert not layer.data.any()
    removing.undo()
    assert viewer.layers.selection.active is layer


def test_napari_s_own_undo_key_is_ours(removing, viewer, mail):
    removing.set_mode("brush")
    layer = find(viewer, REMOVED)
    stroke(layer, (10, 10), (10, 30))
    (bound,) = (call for key, call in layer.keymap.items() if str(key) == "Ctrl+Z")
    bound(layer)
    assert not removing.erased.any
    assert not layer.data.any()


def test_put_everything_back_can_be_undone(removing, mail):
    removing.remove(half())
    settled(removing, mail)
    before = removing.result
    removing.put_back()
    assert removing.result is None
    assert not removing.erased.any
    removing.undo()
    settled(removing, mail)
    assert removing.result == before


def test_wiping_with_napari_s_eraser_puts_back(removing, viewer, mail):
    removing.set_mode("brush")
    layer = find(viewer, REMOVED)
    removing.set_size(5)
    stroke(layer, (10, 10), (10, 30))
    layer.mode = "erase"
    stroke(layer, (10, 10), (10, 30))
    assert not removing.erased.any


def test_many_strokes_are_answered_once_each_or_not_at_all(removing, answered, mail, monkeypatch):
    answers = []
    tell = removing._tell
    monkeypatch.setattr(removing, "_tell", lambda: (answers.append(removing.result), tell()))
    for column in range(20):
        mask = np.zeros((40, 60), bool)
        mask[:, column] = True
        removing.remove(mask)
    settled(removing, mail)
    assert len({id(found) for found in answers if found is not None}) == 1
    mask[:, :20] = True
    assert removing.result == what_if(answered.state.explained, mask)


def test_choosing_another_layer_or_tool_puts_the_brush_down(removing, viewer):
    removing.set_mode("brush")
    viewer.layers.selection.active = viewer.layers["DNA"]
    assert removing.mode == "off"
    removing.set_mode("brush")
    find(viewer, REMOVED).mode = "pan_zoom"
    assert removing.mode == "off"
    removing.set_mode("brush")
    removing.set_mode("off")
    assert find(viewer, REMOVED).mode == "pan_zoom"
    assert viewer.layers.selection.active is find(viewer, "map")


@pytest.mark.parametrize("placed", [{}, {"rotate": 20}, {"scale": (0.25, 0.125)}])
def test_a_click_removes_the_whole_cell(removing, viewer, mail, placed):
    cells = np.zeros((40, 60), np.int32)
    cells[5:15, 10:20], cells[25:35, 30:50] = 3, 9
    wanted = cells == 9
    well = viewer.layers["DNA"]
    if placed.get("scale"):
        cells = np.kron(cells, np.ones((2, 2), np.int32))
        # Pixels of half the size: their centres lie a quarter of a well's pixel off.
        offset = np.array(well.scale) * -0.25
        viewer.add_labels(cells, name="cells", translate=offset, units=well.units, **placed)
    else:
        for layer in viewer.layers:
            layer.rotate = placed.get("rotate", 0)
        viewer.add_labels(cells, name="cells", scale=well.scale, units=well.units, **placed)
    removing.set_mode("cell")
    at = well.data_to_world((30, 40))
    drag(viewer, Mouse("mouse_press", at), Mouse("mouse_release", at))
    settled(removing, mail)
    np.testing.assert_array_equal(removing.erased.bits, np.where(wanted, 0b111, 0))
    # A drag pans; and a click beside all cells says so.
    far = well.data_to_world((8, 12))
    drag(
        viewer,
        Mouse("mouse_press", far, (0, 0)),
        Mouse("mouse_move", far, (30, 0)),
        Mouse("mouse_release", far, (30, 0)),
    )
    aside = well.data_to_world((1, 1))
    drag(viewer, Mouse("mouse_press", aside), Mouse("mouse_release", aside))
    mail.deliver_until(lambda: bool(removing.error))
    assert "no cell here" in removing.error
    assert removing.erased.steps == 1


def test_clicks_in_a_row_all_count_and_without_cells_there_is_a_sentence(removing, viewer, mail):
    well = viewer.layers["DNA"]
    removing.remove_object(well.data_to_world((1, 1)))
    mail.deliver_until(lambda: bool(removing.error))
    assert "No layer says where the cells are" in removing.error
    cells = np.arange(40 * 60, dtype=np.int32).reshape(40, 60) // 600 + 1
    viewer.add_labels(cells, scale=well.scale, units=well.units)
    for row in (1, 15, 38):
        removing.remove_object(well.data_to_world((row, 30)))
    mail.deliver_until(lambda: removing.erased.steps == 3)
    np.testing.assert_array_equal(removing.erased.bits > 0, (cells == 1) | (cells == 2) | (cells == 4))


def test_the_layer_lies_on_the_well_and_follows_it(removing, viewer, mail):
    removing.remove(half())
    layer, well = find(viewer, REMOVED), viewer.layers["DNA"]
    for change in ({"translate": (5, -7)}, {"scale": (2, 3)}, {"rotate": 15}):
        for name, value in change.items():
            for stain in STAINS:
                setattr(viewer.layers[stain], name, value)
        np.testing.assert_allclose(layer.data_to_world((12, 34)), well.data_to_world((12, 34)))


def test_what_is_removed_belongs_to_the_well(removing, viewer, answered, wells, mail):
    removing.remove(half())
    settled(removing, mail)
    first = removing.result
    explain(answered, mail, target="control")
    settled(removing, mail)
    assert removing.result == what_if(answered.state.explained, half())
    assert removing.result.after.probabilities == first.after.probabilities
    assert removing.result.after.score != first.after.score
    # Another well has nothing removed; and back at the first, it is as it was left.
    mine = answered.state.well
    show_well(viewer, wells(seed=5))
    mail.deliver_all()
    other = next(well for well in answered.state.wells if well.key != mine.key)
    answered.choose_well(other)
    mail.deliver_until(lambda: answered.state.checked is not None)
    explain(answered, mail)
    assert removing.well.key == other.key
    assert not removing.erased.any
    assert removing.result is None
    assert find(viewer, REMOVED) is None
    answered.choose_well(next(well for well in answered.state.wells if well.key == mine.key))
    mail.deliver_until(lambda: answered.state.checked is not None)
    explain(answered, mail)
    settled(removing, mail)
    assert removing.result.after.probabilities == pytest.approx(first.after.probabilities)
    np.testing.assert_array_equal(find(viewer, REMOVED).data > 0, half())


def test_deleting_the_layer_puts_everything_back(removing, viewer, mail):
    removing.set_mode("brush")
    removing.remove(half())
    viewer.layers.remove(find(viewer, REMOVED))
    assert removing.mode == "off"
    assert not removing.erased.any
    assert removing.result is None
    mail.deliver_all()
    removing.undo()
    settled(removing, mail)
    np.testing.assert_array_equal(find(viewer, REMOVED).data > 0, half())


def test_a_layer_with_other_pixels_is_a_sentence_and_nothing_is_lost(removing, viewer, mail):
    removing.remove(half())
    find(viewer, REMOVED).data = np.zeros((7, 8), int)
    assert "7 x 8" in removing.error
    assert "40 x 60" in removing.error
    np.testing.assert_array_equal(find(viewer, REMOVED).data > 0, half())
    # Pixels that fit are painted pixels.
    find(viewer, REMOVED).data = np.zeros((40, 60), int)
    assert not removing.erased.any


def test_a_renamed_layer_is_still_ours(removing, viewer):
    removing.remove(half())
    layer = find(viewer, REMOVED)
    layer.name = "my cuts"
    removing.remove(~half())
    assert find(viewer, REMOVED) is layer
    assert (layer.data == 0b111).all()
    assert layer not in removing.controller.cell_layers()
    # A renamed stain is still that stain.
    viewer.layers["ER"].name = "endoplasmic"
    removing.put_back()
    removing.set_stain("ER")
    removing.remove(half())
    assert (layer.data[half()] == 0b010).all()


@pytest.mark.parametrize("happens", ["deleted", "exchanged", "unloaded"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_where_the_well_or_the_classifier_has_gone_it_is_said(removing, viewer, answered, mail, happens, when):
    removing.set_mode("brush")
    removing.remove(half())
    if when == "before":
        settled(removing, mail)
    if happens == "deleted":
        viewer.layers.remove(viewer.layers["ER"])
    elif happens == "exchanged":
        viewer.layers["ER"].data = np.zeros((40, 60), np.uint16)
    else:
        answered.unload()
    mail.deliver_until(lambda: removing.well is None)
    end = time.monotonic() + 0.15
    while time.monotonic() < end:
        mail.deliver_all()
    assert removing.result is None
    assert removing.why_not == (UNLOADED if happens == "unloaded" else GONE)
    assert removing.mode == "off"
    assert find(viewer, REMOVED) is None
    removing.remove(half())
    removing.undo()
    removing.put_back()
    removing.set_mode("brush")
    removing.remove_object((0, 0))
    assert removing.mode == "off"


def test_a_stroke_while_explaining_waits_for_the_answer(removing, answered, mail):
    removing.remove(half())
    settled(removing, mail)
    answered.explain()
    removing.undo()
    removing.remove(~half())
    assert removing.result is None
    assert not removing.busy
    answered.cancel()
    settled(removing, mail)
    assert removing.result == what_if(answered.state.explained, ~half())
    explain(answered, mail, target="control")
    settled(removing, mail)
    assert removing.result == what_if(answered.state.explained, ~half())


def test_another_classifier_is_asked_anew(removing, answered, weights, mail):
    removing.remove(half())
    settled(removing, mail)
    answered.open_classifier(weights, card(size=(16, 16), classes=("no", "yes")))
    mail.deliver_until(lambda: answered.state.checked is not None and answered.state.classifier.classes[0] == "no")
    assert removing.result is None or removing.result.before.predicted in ("control", "hit")
    explain(answered, mail, target="yes")
    settled(removing, mail)
    assert removing.result == what_if(answered.state.explained, half())
    assert set(removing.result.after.probabilities) == {"no", "yes"}


@pytest.mark.parametrize("asked", ["removing", "sufficing"])
def test_nothing_of_ours_keeps_the_classifier_in_memory(answered, mail, removing, sufficing, asked):
    if asked == "removing":
        removing.remove(half())
        settled(removing, mail)
    else:
        opened(sufficing, mail)
    classifier = weakref.ref(answered.state.classifier)
    answered.unload()
    mail.deliver_until(lambda: "unloaded" in answered.state.notice)
    mail.deliver_all()
    assert classifier() is None


def test_scores_that_are_no_numbers_are_a_sentence(removing, answered, mail, monkeypatch):
    import napari_attribution.faithfulness.what_if as module

    removing.remove(half())
    settled(removing, mail)
    scores = module.torch.isfinite
    monkeypatch.setattr(module.torch, "isfinite", lambda values: torch.zeros_like(values, dtype=torch.bool))
    removing.remove(~half())
    mail.deliver_until(lambda: bool(removing.error))
    assert "not numbers" in removing.error
    assert removing.result is None
    monkeypatch.setattr(module.torch, "isfinite", scores)
    removing.undo()
    settled(removing, mail)
    assert removing.error == ""
    assert removing.result == what_if(answered.state.explained, half())


def test_colours_are_those_of_the_stains_and_grey_for_all():
    stains = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], float)
    colors = set_colors(stains)
    assert set(colors) == {None, 0, *range(1, 7)}
    assert colors[0][3] == 0
    assert np.argmax(colors[0b010][:3]) == 1
    assert min(colors[0b101][[0, 2]]) > colors[0b101][1]
    assert len(set_colors(np.ones((9, 4)))) == 2


# ----------------------------------------------------------------------------------------------------- how much is enough


def test_nothing_is_asked_before_the_section_is_opened(sufficing, answered, viewer):
    sufficing.move(50)
    assert not any(answered.jobs.busy(kind) for kind in KINDS)
    assert find(viewer, VEIL) is None


def test_opening_shows_the_top_what_it_keeps_and_the_curve(sufficing, answered, viewer, mail):
    from napari_attribution.faithfulness.enough import enough, enough_curves, entering

    opened(sufficing, mail)
    explained = answered.state.explained
    layer = find(viewer, VEIL)
    np.testing.assert_array_equal(layer.data, entering(explained))
    assert tuple(layer.contrast_limits) == (0.0, 0.4)
    assert layer.visible
    assert sufficing.found == enough(explained, 0.2)
    np.testing.assert_allclose(sufficing.curves.insertion, enough_curves(explained).insertion)
    assert sufficing.roughly == pytest.approx(sufficing.found.kept.score, abs=0.05)
    np.testing.assert_allclose(layer.extent.world, viewer.layers["DNA"].extent.world)
    sufficing.open(False)
    assert not layer.visible


def test_the_overlay_is_what_the_layer_says_at_every_share(sufficing, viewer, mail):
    opened(sufficing, mail)
    layer, first = find(viewer, VEIL), find(viewer, VEIL).data
    for percent in (1, 37, 80, 100):
        sufficing.move(percent)
        assert find(viewer, VEIL) is layer
        assert layer.data is first
        limits = np.array(layer.contrast_limits)
        veiled = (first - limits[0]) / (limits[1] - limits[0]) >= 0.5
        np.testing.assert_array_equal(veiled, first >= percent / 100 - 1e-7)


def test_of_a_hundred_moves_only_the_last_is_answered(sufficing, answered, mail):
    from napari_attribution.faithfulness.enough import enough

    opened(sufficing, mail)
    answers = []
    sufficing._tell = lambda: answers.append(sufficing.found)
    for percent in range(100, 0, -1):
        sufficing.move(percent)
        sufficing.ask()
    sufficing.move(63)
    sufficing.ask()
    mail.deliver_until(lambda: sufficing.found is not None)
    assert {found.part for found in answers if found is not None} == {0.63}
    assert sufficing.found == enough(answered.state.explained, 0.63)


def test_what_is_asked_of_a_share_that_was_left_is_dropped(sufficing, answered, mail):
    opened(sufficing, mail)
    sufficing.move(30)
    sufficing.ask()
    sufficing.move(31)
    mail.deliver_until(lambda: not answered.jobs.busy(KEPT))
    assert sufficing.found is None
    assert sufficing.roughly is not None


def test_the_overlay_belongs_to_the_answer(sufficing, answered, viewer, mail):
    opened(sufficing, mail)
    first, layer = sufficing.curves, find(viewer, VEIL)
    explain(answered, mail, target="control")
    assert sufficing.curves is not first
    mail.deliver_until(lambda: sufficing.found is not None and sufficing.curves is not None and sufficing.ready)
    from napari_attribution.faithfulness.enough import entering

    assert find(viewer, VEIL) is layer
    assert layer.visible
    np.testing.assert_array_equal(layer.data, entering(answered.state.explained))


def test_an_exact_score_does_not_wait_for_the_curve(sufficing, answered, mail):
    sufficing.open(True)
    mail.deliver_until(lambda: sufficing.found is not None)
    sufficing.move(45)
    sufficing.ask()
    mail.deliver_until(lambda: sufficing.found is not None)
    assert sufficing.found.part == 0.45
    mail.deliver_until(lambda: sufficing.curves is not None)


def test_a_long_curve_is_drawn_when_it_is_asked_for(sufficing, answered, mail, monkeypatch):
    monkeypatch.setattr(type(answered.state.classifier), "forward_seconds", 10.0)
    sufficing.open(True)
    mail.deliver_until(lambda: sufficing.found is not None)
    assert sufficing.curves is None
    assert not sufficing.drawing
    assert sufficing.cost == (40.0, 400.0)
    sufficing.draw()
    assert sufficing.drawing
    mail.deliver_until(lambda: sufficing.curves is not None)


def test_explaining_comes_before_the_curve(sufficing, answered, mail):
    sufficing.open(True)
    mail.deliver_until(lambda: sufficing.found is not None)
    answered.explain()
    assert not answered.jobs.busy(CURVE)
    sufficing.draw()
    sufficing.ask()
    assert not answered.jobs.busy(CURVE)
    mail.deliver_until(lambda: not answered.state.explaining)
    mail.deliver_until(lambda: sufficing.curves is not None)


def test_a_map_of_zeros_is_a_sentence(sufficing, answered, viewer, mail, monkeypatch):
    import napari_attribution.faithfulness.enough as module

    monkeypatch.setattr(module, "orders", lambda explained, index: False)
    sufficing.open(True)
    mail.deliver_until(lambda: bool(sufficing.error))
    mail.deliver_until(lambda: not any(answered.jobs.busy(kind) for kind in KINDS))
    assert "prefers no place" in sufficing.error
    assert not sufficing.ready
    assert find(viewer, VEIL) is None


@pytest.mark.parametrize("happens", ["deleted", "exchanged", "unloaded"])
def test_the_overlay_goes_with_the_well_and_stays_without_the_classifier(sufficing, answered, viewer, mail, happens):
    opened(sufficing, mail)
    if happens == "deleted":
        viewer.layers.remove(viewer.layers["ER"])
    elif happens == "exchanged":
        viewer.layers["ER"].data = np.zeros((40, 60), np.uint16)
    else:
        answered.unload()
    mail.deliver_until(lambda: sufficing.well is None)
    sufficing.move(70)
    sufficing.ask()
    sufficing.draw()
    assert not any(answered.jobs.busy(kind) for kind in KINDS)
    assert sufficing.why_not == (UNLOADED if happens == "unloaded" else GONE)
    layer = find(viewer, VEIL)
    assert layer.visible == (happens == "unloaded")
    if happens == "unloaded":
        # What is known of the answer can still be looked at.
        assert tuple(layer.contrast_limits) == (0.0, 1.4)
        assert sufficing.roughly is not None
        viewer.layers.remove(viewer.layers["DNA"])
        mail.deliver_all()
        assert not layer.visible


def test_a_veil_that_was_deleted_comes_back_with_the_next_move(sufficing, viewer, mail):
    opened(sufficing, mail)
    viewer.layers.remove(find(viewer, VEIL))
    mail.deliver_all()
    assert find(viewer, VEIL) is None
    sufficing.move(33)
    assert tuple(find(viewer, VEIL).contrast_limits) == (0.0, 0.66)


def test_the_veil_lies_above_the_map_and_follows_the_well(sufficing, viewer, mail):
    opened(sufficing, mail)
    layer = find(viewer, VEIL)
    assert viewer.layers.index(layer) == viewer.layers.index(find(viewer, "map")) + 1
    for stain in STAINS:
        viewer.layers[stain].translate = (100, 50)
    np.testing.assert_allclose(layer.data_to_world((1, 2)), viewer.layers["DNA"].data_to_world((1, 2)))
    assert isinstance(layer.metadata[ROLE], str)


def test_the_viewer_closes_in_mid_run(removing, sufficing, answered, viewer, mail):
    sufficing.open(True)
    removing.remove(half())
    removing.set_mode("brush")
    answered.close()
    removing.close()
    sufficing.close()
    end = time.monotonic() + 0.15
    while time.monotonic() < end:
        mail.deliver_all()
    assert removing.result is None
    assert sufficing.found is None
    layer = find(viewer, REMOVED)
    assert isinstance(layer, Labels)
    stroke(layer, (10, 10), (10, 20))
    viewer.layers.clear()
    assert not answered.jobs.busy(KIND)


def test_a_click_does_one_thing_that_of_the_tool_taken_last(removing):
    removing.set_mode("cell")
    assert removing.controller.state.clicks == "remove"
    removing.controller.set(clicks="pick")
    assert removing.mode == "off"
    removing.set_mode("brush")
    assert removing.controller.state.clicks == "remove"
    removing.set_mode("off")
    assert removing.controller.state.clicks == ""
