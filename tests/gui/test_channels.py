"""The dock Channel importance by the mouse: bars, one stain alone and back, other estimators, contrasts."""

import math
from dataclasses import replace
from weakref import ref

import numpy as np
import pytest
from clicking import choose, click, wait
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QPushButton, QScrollArea

from napari_attribution.desktop.channels.widget import ChannelImportance
from napari_attribution.desktop.layers import show_attribution, show_well
from napari_attribution.desktop.layers.known import find
from napari_attribution.methods.attribution import Attribution
from napari_attribution.wells import Well
from napari_attribution.wells.place import Place

pytestmark = pytest.mark.gui

STAINS = ("DNA", "ER", "Mito")
SHAPE = (40, 60)


def make_answer(importance=(0.1, -0.2, 0.7), stains=STAINS, resolved=True, **fields):
    values = np.random.default_rng(0).standard_normal((len(stains), *SHAPE)).astype(np.float32)
    values = values if resolved else values[0]
    defaults = {
        "values": values,
        "native": values,
        "stains": tuple(stains),
        "channel_importance": dict(zip(stains, importance, strict=True)),
        "channel_spread": dict.fromkeys(stains, 0.03),
        "importance_meaning": "Shapley value of the stain",
        "target": "hit",
        "score_name": "logit",
        "score": 2.5,
        "predicted": "hit",
        "probabilities": {"hit": 0.97, "control": 0.03},
        "method": "pcim",
        "units": "logit per location",
        "pixel_size": None,
        "device": "cpu",
        "seconds": 1.0,
        "forwards": 16.0,
        "record": {"well": {"position": "B03"}, "parameters": {"fill": "mean"}},
    }
    return Attribution(**(defaults | fields))


def shown(qtbot, answer, width=400, kept=True):
    """The dock on a viewer without a window, which holds a well and its answer."""
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 4000, (len(answer.stains), *SHAPE), dtype=np.uint16)
    show_well(viewer, Well(pixels, answer.stains, source=("B03.ome.tiff",)))
    dock = ChannelImportance(viewer)
    if kept:
        qtbot.addWidget(dock)
    dock.resize(width, 700)
    dock.show()
    wait(qtbot, lambda: dock.controller.state.well is not None)
    put(dock, answer)
    qtbot.wait(50)
    return dock


def put(dock, answer):
    """As the controller does it."""
    show_attribution(dock.viewer, answer, dock.controller.state.well.layers)
    dock.controller.state.answer = answer
    dock.controller.changed()
    for tell in dock.controller.answered:
        tell(None)


def spot(dock, stain, share=None):
    """Where a stain's bar is in the chart: in its middle, or at a share."""
    rows = [row.stain for row in dock.shown.rows]
    row = dock.shown.rows[rows.index(stain)]
    x = row.share / 2 if share is None else share
    chart = dock.chart
    return chart.mapFromScene(chart.getPlotItem().getViewBox().mapViewToScene(QPointF(x, rows.index(stain))))


def press(qtbot, dock, stain, **where):
    qtbot.mouseClick(dock.chart.viewport(), Qt.MouseButton.LeftButton, pos=spot(dock, stain, **where))


def visible(viewer):
    return {layer.name for layer in viewer.layers if layer.visible}


def said(dock, name):
    label = dock.findChild(QLabel, name)
    return label.text() if label.isVisible() else ""


def pixel(dock, stain):
    """The colour that is drawn in the middle of a bar, with no spread over it."""
    at = spot(dock, stain)
    return dock.chart.grab().toImage().pixelColor(at)


def near(color, other, by=12):
    return all(abs(a - b) <= by for a, b in zip(color.getRgb(), QColor(other).getRgb(), strict=True))


# ------------------------------------------------------------------------------------------------ in a real window


@pytest.fixture
def channels(window, dock, qtbot):
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Channel importance")
    window.window._qt_window.resizeDocks([docked], [400], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    return widget


@pytest.mark.slow
def test_from_the_sample_to_one_stain_and_back(window, dock, channels, qtbot):
    assert "Nothing is explained yet" in said(channels, "channels_help")
    click(qtbot, dock, "try_sample")
    wait(qtbot, lambda: dock.controller.status.ready)
    choose(qtbot, dock, "method", "PCIM")
    click(qtbot, channels, "explain_now")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    assert said(channels, "channels_headline").startswith("Mito decides (")
    assert said(channels, "channels_help") == ""
    qtbot.wait(100)
    before = [(layer, layer.visible) for layer in window.layers]
    press(qtbot, channels, "Mito")
    assert visible(window) == {"Mito", "why mito fragmented - Mito"}
    assert said(channels, "channels_told") == "Only Mito is shown."
    press(qtbot, channels, "Mito")
    assert [(layer, layer.visible) for layer in window.layers] == before
    # By its name, and back by the button.
    at = QPoint(20, spot(channels, "Mito").y())
    qtbot.mouseClick(channels.chart.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert visible(window) == {"Mito", "why mito fragmented - Mito"}
    click(qtbot, channels, "show_all")
    assert [(layer, layer.visible) for layer in window.layers] == before
    assert not channels.findChild(QPushButton, "show_all").isEnabled()

    # Another estimator: what it costs is said before, what brightness explains after.
    choose(qtbot, channels, "estimator", "Leave one out")
    assert "s here" in said(channels, "estimator_cost") or "about 1 s" in said(channels, "estimator_cost")
    assert channels.estimates.found is None
    click(qtbot, channels, "compute_stains")
    wait(qtbot, lambda: channels.estimates.found is not None)
    assert "Mito" in next(line for line in said(channels, "brightness").splitlines() if line.startswith("Beyond"))
    assert said(channels, "channels_meaning").startswith("Shares of: what the score loses without the stain.")
    assert all(row.value[1] == "logit" for row in channels.shown.rows)
    bars = find(window, "importance")
    assert bars.metadata["meaning"] == "what the score loses without the stain"

    # What is cancelled leaves everything as it was.
    choose(qtbot, channels, "estimator", "Shapley")
    told = said(channels, "channels_headline")
    click(qtbot, channels, "compute_stains")
    click(qtbot, channels, "cancel_stains")
    assert not channels.estimates.computing
    assert channels.findChild(QPushButton, "compute_stains").isVisible()
    assert said(channels, "channels_headline") == told

    # The dock goes, and comes back: the answer is still there.
    docked = next(one for name, one in window.window._wrapped_dock_widgets.items() if "Channel importance" in name)
    before = visible(window)
    press(qtbot, channels, "ER")
    assert visible(window) != before
    docked.destroyOnClose()  # what its "x" does
    wait(qtbot, lambda: visible(window) == before)
    _, again = window.window.add_plugin_dock_widget("napari-attribution", "Channel importance")
    assert again is not channels
    wait(qtbot, again.isVisible)
    assert said(again, "channels_headline").startswith("Mito decides (")
    assert len(dock.controller.watchers) == 2
    # The window may be closed as it is.
    qtbot.wait(100)
    press(qtbot, again, "Mito")


@pytest.mark.slow
def test_a_contrast_by_the_mouse(window, dock, channels, qtbot):
    click(qtbot, dock, "try_sample")
    wait(qtbot, lambda: dock.controller.status.ready)
    targets, against = dock.findChild(QComboBox, "target"), dock.findChild(QComboBox, "against")
    checked = dock.controller.state.checked
    assert targets.itemText(0) == "mito fragmented (predicted)"
    assert targets.itemText(1).startswith("mito fragmented  ")
    assert targets.itemText(1).endswith(" %")
    offered = [targets.itemData(i) for i in range(1, targets.count())]
    assert offered == sorted(offered, key=lambda name: -checked.probabilities[name])
    assert (against.itemText(0), against.itemData(0)) == ("anything else", None)
    assert "mito fragmented" not in [against.itemData(i) for i in range(against.count())]
    choose(qtbot, dock, "against", "control")
    click(qtbot, dock, "explain")
    wait(qtbot, lambda: dock.controller.state.answer is not None)
    assert dock.controller.state.answer.score_name == "contrast with control"
    assert said(channels, "channels_about").startswith("Why mito fragmented rather than control, in ")
    assert any(layer.name.startswith("why mito fragmented rather than control - ") for layer in window.layers)
    # The bars hold on to the answer, and not to the classifier.
    classifier = ref(dock.controller.state.classifier)
    click(qtbot, dock, "unload")
    wait(qtbot, lambda: "was unloaded." in dock.controller.state.notice)
    assert classifier() is None
    assert channels.chart.isVisible()


def test_the_dock_opens_the_other(window, qtbot):
    _, channels = window.window.add_plugin_dock_widget("napari-attribution", "Channel importance")
    wait(qtbot, channels.isVisible)
    click(qtbot, channels, "open_explain")
    assert any("Explain well" in name for name in window.window._wrapped_dock_widgets)
    channels.controller.close()


# --------------------------------------------------------------------------------------------------- without a window


def test_bars_have_the_colours_of_their_layers_and_follow_them(qtbot):
    dock = shown(qtbot, make_answer((0.4, -0.3, 0.3), channel_spread={}))
    dock.viewer.layers["Mito"].colormap = "red"
    assert near(pixel(dock, "Mito"), "#ff0000")
    assert near(pixel(dock, "DNA"), dock.controller.stain_colors()["DNA"])
    assert near(pixel(dock, "ER"), dock.controller.stain_colors()["ER"])
    bars = find(dock.viewer, "importance")
    colours = dict(zip(bars.features["stain"], bars.face_color, strict=True))
    assert np.allclose(colours["Mito"], [1, 0, 0, 1])


def test_bars_are_as_long_as_their_shares_and_left_of_zero_where_they_are_negative(qtbot):
    dock = shown(qtbot, make_answer((0.4, -0.3, 0.3), channel_spread={}))
    image, paper = dock.chart.grab().toImage(), dock.chart.backgroundBrush().color()
    for stain, share in (("DNA", 0.4), ("ER", -0.3)):
        inside, outside = spot(dock, stain, 0.95 * share), spot(dock, stain, 1.05 * share)
        assert near(image.pixelColor(inside), dock.controller.stain_colors()[stain])
        assert near(image.pixelColor(outside), paper.name())
        assert near(image.pixelColor(spot(dock, stain, -0.1 * share)), paper.name())


def test_hovering_tells_the_value_and_marks_the_row(qtbot):
    dock = shown(qtbot, make_answer())
    told = []
    dock.chart.hovered.connect(told.append)
    plain = dock.chart.grab().toImage().pixelColor(spot(dock, "ER", 0.5))
    qtbot.mouseMove(dock.chart.viewport(), pos=spot(dock, "ER"))
    wait(qtbot, lambda: told == ["ER"])
    assert said(dock, "channels_told") == "ER: −20 % ± 3."
    assert dock.chart.toolTip() == "ER: −20 % ± 3."
    assert dock.chart.grab().toImage().pixelColor(spot(dock, "ER", 0.5)) != plain


def test_one_stain_alone_stays_alone_when_a_new_answer_comes(qtbot):
    dock = shown(qtbot, make_answer())
    before = visible(dock.viewer)
    press(qtbot, dock, "Mito")
    alone = visible(dock.viewer)
    put(dock, make_answer((0.3, 0.3, 0.4)))
    assert visible(dock.viewer) == alone
    assert said(dock, "channels_headline") == "Mito (40 %) and DNA (30 %) decide together."
    press(qtbot, dock, "Mito")
    assert visible(dock.viewer) == before


def test_the_dock_follows_an_answer_about_a_part(qtbot):
    dock = shown(qtbot, make_answer())
    put(dock, make_answer((0.3, 0.3, 0.4), place=Place(np.ones(SHAPE, dtype=bool), "cell 12")))
    assert said(dock, "channels_about") == "Why hit, in cell 12 of B03."
    assert dock.shown.table.splitlines()[1].endswith("\tB03\tcell 12")
    choose(qtbot, dock, "estimator", "Keep one")
    dock.controller.state.asked = object()
    dock.render_state()
    assert "It asks the whole well" in said(dock, "estimator_cost")


def test_between_the_two_answers_to_a_click_the_bars_wait(qtbot):
    dock = shown(qtbot, make_answer())
    first = make_answer((0.0, 0.0, 0.0), place=Place(np.ones(SHAPE, dtype=bool), "cell 12"))
    dock.controller.state.explaining = True
    dock.controller.state.answer = first
    dock.controller.changed()
    assert said(dock, "channels_headline") == "Mito decides (70 %)."
    assert said(dock, "channels_about") == "Why hit, in B03."
    assert dock.chart.isVisible()
    dock.controller.state.explaining = False
    put(dock, replace(first, channel_importance={"DNA": 0.9, "ER": 0.05, "Mito": 0.05}))
    assert said(dock, "channels_headline") == "DNA decides (90 %)."
    assert said(dock, "channels_about") == "Why hit, in cell 12 of B03."


def test_closing_the_dock_shows_all_layers_again(qtbot):
    dock = shown(qtbot, make_answer(), kept=False)
    viewer, before = dock.viewer, visible(dock.viewer)
    press(qtbot, dock, "Mito")
    assert visible(viewer) != before
    dock.deleteLater()
    wait(qtbot, lambda: visible(viewer) == before)


def test_the_layer_of_the_bars_is_shown_hidden_and_made_again(qtbot):
    dock = shown(qtbot, make_answer())
    box = dock.findChild(QCheckBox, "as_layer")
    assert box.isChecked()
    at = QPoint(8, box.height() // 2)
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=at)
    assert not find(dock.viewer, "importance").visible
    find(dock.viewer, "importance").visible = True
    assert box.isChecked()
    dock.viewer.layers.remove(find(dock.viewer, "importance"))
    assert not box.isChecked()
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=at)
    assert find(dock.viewer, "importance").features["stain"].tolist() == ["Mito", "DNA", "ER"]
    assert box.isChecked()


def test_the_table_goes_to_the_clipboard(qtbot):
    dock = shown(qtbot, make_answer())
    click(qtbot, dock, "copy_table")
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[:3] == ["stain", "share", "spread"]
    assert lines[1].split("\t")[:3] == ["Mito", "0.7", "0.03"]
    assert len(lines) == 4


@pytest.mark.parametrize("width", [320, 400])
def test_twenty_stains_with_names_of_forty_letters_fit(qtbot, width):
    stains = [f"a stain with a name of forty letters, {n:02d}!" for n in range(20)]
    assert len(stains[0]) == 41
    dock = shown(qtbot, make_answer(np.linspace(-0.05, 0.1, 20), stains), width=width)
    scroll = dock.findChild(QScrollArea, "channels_scroll")
    assert scroll.widget().width() <= scroll.viewport().width()
    # The bars have more than a third of the dock, and every row can be clicked.
    box = dock.chart.getPlotItem().getViewBox()
    assert box.width() > width / 3
    for stain in (stains[0], stains[9], stains[19]):
        at = spot(dock, stain)
        assert dock.chart.row_at(at.y()) == [row.stain for row in dock.shown.rows].index(stain)
    press(qtbot, dock, stains[19])
    assert stains[19] in visible(dock.viewer)


def test_one_stain_no_number_and_no_importance(qtbot):
    dock = shown(qtbot, make_answer((1.0,), ("GFP",)))
    assert said(dock, "channels_headline") == "GFP decides (100 %)."
    other = shown(qtbot, make_answer((0.5, math.nan, 0.5), channel_spread={"DNA": math.nan}))
    assert [row.figure for row in other.shown.rows] == ["50 %", "50 %", "no number"]
    press(qtbot, other, "ER", share=0.0)
    assert "ER" in visible(other.viewer)
    none = shown(qtbot, make_answer((0.0, 0.0, 0.0)))
    assert said(none, "channels_headline") == "The stains' importance was not asked for: see the map."
    assert not none.chart.isVisible()
    assert not none.findChild(QCheckBox, "as_layer").isVisible()
    assert none.findChild(QComboBox, "estimator").isVisible()


def test_layers_that_are_deleted_or_renamed_while_it_shows(qtbot):
    dock = shown(qtbot, make_answer())
    press(qtbot, dock, "Mito")
    dock.viewer.layers["Mito"].name = "mitochondria"
    dock.viewer.layers.remove("DNA")
    qtbot.wait(50)
    assert said(dock, "channels_headline") == "Mito decides (70 %)."
    click(qtbot, dock, "show_all")
    press(qtbot, dock, "DNA")
    dock.viewer.layers.clear()
    qtbot.wait(50)
    press(qtbot, dock, "DNA")
    assert [row.stain for row in dock.shown.rows] == ["Mito", "DNA", "ER"]


def test_what_brightness_explains_is_a_line_across_the_row(qtbot):
    dock = shown(qtbot, make_answer())
    row = dock.shown.rows[0]
    marked = [replace(row, brightness=0.5, sentence="Mito counts for much."), *dock.shown.rows[1:]]
    at = spot(dock, "Mito", 0.5)
    assert near(dock.chart.grab().toImage().pixelColor(at), dock.controller.stain_colors()["Mito"])
    dock.chart.show_rows(marked, dock.controller.stain_colors(), "", "dark")
    assert near(dock.chart.grab().toImage().pixelColor(at), dock.chart.getPlotItem().getAxis("left").textPen().color())
    told = []
    dock.chart.hovered.connect(told.append)
    qtbot.mouseMove(dock.chart.viewport(), pos=spot(dock, "Mito"))
    wait(qtbot, lambda: told == ["Mito"])
    assert dock.chart.toolTip() == "Mito: 70 % ± 3. Mito counts for much."


def test_before_and_during_an_explanation_the_dock_says_so(qtbot):
    dock = ChannelImportance(ViewerModel())
    qtbot.addWidget(dock)
    dock.show()
    assert said(dock, "channels_help").startswith("Nothing is explained yet.")
    assert said(dock, "channels_help").endswith("Open a well, or try the sample.")
    assert not dock.findChild(QPushButton, "explain_now").isVisible()
    dock.controller.state.explaining = True
    dock.controller.changed()
    assert said(dock, "channels_help") == "Explaining ..."
    dock.controller.state.explaining = False
    dock.controller.state.answer = make_answer()
    dock.controller.changed()
    assert said(dock, "channels_help") == ""
    assert dock.chart.isVisible()


def test_themes_change_the_paper_and_the_ink(qtbot):
    dock = shown(qtbot, make_answer())
    dark = dock.chart.backgroundBrush().color().lightness()
    dock.viewer.theme = "light"
    assert dock.chart.backgroundBrush().color().lightness() > dark + 100
    assert dock.chart.getPlotItem().getAxis("left").textPen().color().lightness() < 100


def test_without_the_classifier_estimators_say_what_to_do(qtbot):
    dock = shown(qtbot, make_answer())
    choose(qtbot, dock, "estimator", "Shapley")
    assert "not loaded any more" in said(dock, "estimator_cost")
    assert not dock.findChild(QPushButton, "compute_stains").isEnabled()


def test_two_viewers_do_not_mix(qtbot):
    one, other = shown(qtbot, make_answer()), shown(qtbot, make_answer((0.9, 0.05, 0.05)))
    assert said(one, "channels_headline") == "Mito decides (70 %)."
    assert said(other, "channels_headline") == "DNA decides (90 %)."
    press(qtbot, one, "Mito")
    assert len(visible(other.viewer)) == 5


@pytest.fixture
def own_settings(tmp_path, monkeypatch):
    """Preferences of this test's own, of the plugin as it is installed."""
    from napari import settings

    settings._clear_plugin_settings_cache()
    monkeypatch.setattr(settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    yield tmp_path / "napari-attribution.yaml"
    settings._clear_plugin_settings_cache()


def test_colours_chosen_in_the_preferences_dialog_are_those_of_the_map(qtbot, own_settings):
    from napari._qt.dialogs.preferences_dialog import PreferencesDialog

    dock = shown(qtbot, make_answer())
    top = find(dock.viewer, "map")
    assert top.colormap.name == "purple / green"
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    pages = [dialog._list.item(i).text() for i in range(dialog._list.count())]
    dialog._list.setCurrentRow(pages.index("Attribution"))
    combo = next(box for box in dialog.findChildren(QComboBox) if box.currentText() == "purple / green")
    combo.setCurrentText("orange / blue")
    assert top.colormap.name == "orange / blue"
    dialog.accept()
    assert "orange / blue" in own_settings.read_text()


def test_every_control_has_a_name_and_a_tooltip(qtbot):
    from qtpy.QtWidgets import QProgressBar

    dock = shown(qtbot, make_answer())
    for kind in (QPushButton, QComboBox, QCheckBox, QProgressBar):
        for control in dock.findChildren(kind):
            assert control.objectName(), control
            assert control.toolTip(), control.objectName()
