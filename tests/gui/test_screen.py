"""The dock "Screen" in a real window, with real clicks."""

import gc
import os
import time
import weakref
from contextlib import suppress
from pathlib import Path

import made_results
import numpy as np
import psutil
import pytest
import small_screens
from clicking import choose, wait
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit, QListWidget, QPushButton, QSpinBox

from napari_attribution.desktop.explain import files
from napari_attribution.desktop.layers.heat import HEAT
from napari_attribution.desktop.layers.known import ROLE
from napari_attribution.desktop.screen.keys import NEXT
from napari_attribution.errors import Cancelled
from napari_attribution.screens.results import open_results
from napari_attribution.screens.run.choices import Choices
from napari_attribution.screens.run.screen import run_screen

pytestmark = pytest.mark.gui

LEFT, NONE, CONTROL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """Results of a real run: 5 wells of 2 fields on a 4 x 6 plate."""
    folder = tmp_path_factory.mktemp("screened")
    plate = small_screens.make_plate(folder / "plate", wells=5)
    return run_screen(plate, small_screens.make_classifier(folder), folder / "results", time_limit=None).path


@pytest.fixture
def screen(window, qtbot):
    """The dock as napari opens it from its Plugins menu."""
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Screen")
    window.window._qt_window.resizeDocks([docked], [420], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    yield widget
    widget.screening.close()
    widget.running.close()
    widget.controller.close()


def opened(qtbot, screen, path, monkeypatch):
    """Open results by the button."""
    monkeypatch.setattr(files.QFileDialog, "getExistingDirectory", lambda *_args: str(path))
    press(qtbot, screen, "open_results")
    wait(qtbot, lambda: screen.screening.state.wells is not None)
    wait(qtbot, lambda: screen.overview.plate.isVisible() and screen.overview.plate.height() > 50)
    return screen.screening.state


def press(qtbot, screen, name):
    button = screen.findChild(QPushButton, name)
    screen.scroll.ensureWidgetVisible(button)
    assert button.isVisible(), f"{name} is not to be seen"
    assert button.isEnabled(), f"{name} cannot be pressed"
    qtbot.mouseClick(button, LEFT)


def click_well(qtbot, screen, place, held=NONE):
    screen.scroll.ensureWidgetVisible(screen.overview.plate)
    qtbot.mouseClick(screen.overview.plate, LEFT, held, screen.overview.plate.rect_of(place).center())


def settled(screen):
    state = screen.screening.state
    return bool(state.current) and not state.loading


def colours(widget):
    """What is on the screen, (H, W, 3)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    pixels = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return pixels.reshape(image.height(), -1)[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)


def at_well(screen, place):
    """The colour in the lower right of a well, where no mark is."""
    spot = screen.overview.plate.rect_of(place).bottomRight() - QPoint(4, 4)
    return colours(screen.overview.plate)[spot.y(), spot.x()]


@pytest.mark.slow
def test_from_the_plate_to_a_well_and_on_by_rank(window, screen, qtbot, screened, monkeypatch):
    state = opened(qtbot, screen, screened, monkeypatch)
    assert "5 wells with 10 fields" in screen.findChild(QLabel, "overview").text()
    assert "no\u00a0image" in screen.findChild(QLabel, "marks").text()
    screen.screening.choose_column("margin")
    values = dict(zip(state.wells.positions, state.wells.values("margin"), strict=True))
    for name, place in zip(state.wells.positions, state.wells.places, strict=True):
        expected = state.wells.scale("margin").colours([values[name]])[0, :3]
        assert np.abs(at_well(screen, place).astype(int) - expected).max() <= 2

    click_well(qtbot, screen, (0, 1))
    wait(qtbot, lambda: settled(screen))
    assert state.current == "A02"
    assert [layer.metadata[ROLE] for layer in window.layers] == [*["stain"] * 3, "map", "importance"]
    layers = [id(layer) for layer in window.layers]
    assert screen.findChild(QLabel, "well_name").text() == "A02"

    order = [state.wells.positions[at] for at in state.ranked]
    following = order[order.index("A02") + 1] if order.index("A02") + 1 < len(order) else "A02"
    native = window.window._qt_viewer.canvas.native
    native.setFocus()
    qtbot.keyClick(native, getattr(Qt.Key, f"Key_{NEXT}"))
    wait(qtbot, lambda: settled(screen) and state.current == following)
    press(qtbot, screen, "previous_well")
    wait(qtbot, lambda: settled(screen))
    screen.overview.plate.setFocus()
    qtbot.keyClick(screen.overview.plate, Qt.Key.Key_Right)
    wait(qtbot, lambda: settled(screen))
    assert [id(layer) for layer in window.layers] == layers

    # Pointing tells, an empty place too.
    qtbot.mouseMove(screen.overview.plate, screen.overview.plate.rect_of((0, 0)).center())
    wait(qtbot, lambda: screen.findChild(QLabel, "readout").text().startswith("A01."))
    qtbot.mouseMove(screen.overview.plate, screen.overview.plate.rect_of((3, 5)).center())
    wait(qtbot, lambda: "no image" in screen.findChild(QLabel, "readout").text())


def test_plate_and_table_choose_the_same_wells(window, screen, qtbot, tmp_path, monkeypatch):
    results = made_results.write_results(tmp_path, made_results.make_table((8, 12)), (8, 12))
    state = opened(qtbot, screen, results, monkeypatch)
    screen.table_section.heading.setChecked(True)
    table = screen.table.table
    click_well(qtbot, screen, (2, 3), CONTROL)
    click_well(qtbot, screen, (0, 0), CONTROL)
    assert set(state.selected) == {"C04", "A01"}
    assert {table.wells.order[row] for row in table.rows()} == {0, 27}

    # A box on the plate; the histogram and the table know of it.
    box = screen.overview.plate
    qtbot.mousePress(box, LEFT, pos=box.rect_of((1, 1)).center())
    qtbot.mouseMove(box, box.rect_of((2, 2)).center())
    qtbot.mouseMove(box, box.rect_of((2, 3)).center())
    qtbot.mouseRelease(box, LEFT, pos=box.rect_of((2, 3)).center())
    assert sorted(state.selected) == ["B02", "B03", "B04", "C02", "C03", "C04"]

    # The last row of the table, sorted by the column at a click on its heading.
    screen.screening.choose_column("importance.pcim.Mito")
    header = table.horizontalHeader()
    where = QPoint(header.sectionViewportPosition(1) + 12, header.height() // 2)
    screen.scroll.ensureWidgetVisible(table)
    qtbot.mouseClick(header.viewport(), LEFT, pos=where)
    qtbot.mouseClick(header.viewport(), LEFT, pos=where)
    first = [table.wells.wells.positions[at] for at in table.wells.order[:2]]
    assert first in (["H12", "H11"], ["A01", "A02"])
    row = table.visualRect(table.wells.index(1, 0))
    qtbot.mouseClick(table.viewport(), LEFT, pos=row.center())
    assert state.selected == (first[1],)
    assert state.current == first[1]

    # A column is found by typing a part of its name; what is none is taken back.
    search = screen.overview.column.lineEdit()
    screen.scroll.ensureWidgetVisible(search)
    for typed, expected in (("nonsense", "importance.pcim.Mito"), ("of DNA", "importance.pcim.DNA")):
        search.setFocus()
        search.selectAll()
        qtbot.keyClicks(search, typed)
        popup = screen.overview.column.completer().popup()
        if typed == "of DNA":
            wait(qtbot, popup.isVisible)
            qtbot.keyClick(popup, Qt.Key.Key_Down)
            qtbot.keyClick(popup, Qt.Key.Key_Return)
        else:
            qtbot.keyClick(search, Qt.Key.Key_Return)
        wait(qtbot, lambda expected=expected: state.column == expected)
        assert search.text() == screen.overview.column.itemText(screen.overview.column.currentIndex())

    # Filter; copy what is left.
    qtbot.keyClicks(screen.findChild(QLineEdit, "filter_text"), "dmso")
    screen.scroll.ensureWidgetVisible(screen.findChild(QComboBox, "filter_flag"))
    choose(qtbot, screen, "filter_flag", "flagged for the explanation")
    assert table.wells.rowCount() == len(state.ranked) == 10
    screen.screening.select([])
    press(qtbot, screen, "copy_csv")
    lines = QApplication.clipboard().text().splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("well,")
    assert all("DMSO" in line and "map at the edge" in line for line in lines[1:])


def test_a_note_and_an_exclusion_are_kept_with_the_results(window, screen, qtbot, tmp_path, monkeypatch):
    results = made_results.write_results(tmp_path / "r", made_results.make_table())
    state = opened(qtbot, screen, results, monkeypatch)
    click_well(qtbot, screen, (0, 0))
    wait(qtbot, lambda: settled(screen))
    assert "60 % of the map of A01" in screen.findChild(QLabel, "well_wrong").text()
    note = screen.findChild(QLineEdit, "well_note")
    qtbot.keyClicks(note, "a bubble")
    qtbot.keyClick(note, Qt.Key.Key_Return)
    assert open_results(results).notes == {"A01": {"note": "a bubble", "excluded": None}}
    assert not screen.findChild(QPushButton, "leave_out").isEnabled(), "a reason is needed"
    qtbot.keyClicks(screen.findChild(QLineEdit, "exclusion_reason"), "out of focus")
    before = colours(screen.overview.plate)
    press(qtbot, screen, "leave_out")
    assert open_results(results).notes["A01"]["excluded"] == "out of focus"
    assert "1 left out" in screen.findChild(QLabel, "overview").text()
    box = screen.overview.plate.rect_of((0, 0))
    cut = (slice(box.top(), box.bottom()), slice(box.left(), box.right()))
    wait(qtbot, lambda: (colours(screen.overview.plate)[cut] != before[cut]).any())
    # What is written of one well is kept when another is opened.
    qtbot.keyClicks(note, "!")
    click_well(qtbot, screen, (0, 1))
    wait(qtbot, lambda: settled(screen) and state.current == "A02")
    assert open_results(results).notes["A01"]["note"] == "a bubble!"
    assert note.text() == ""


@pytest.mark.slow
def test_thumbnails_are_clicked_and_the_report_is_written(window, screen, qtbot, screened, monkeypatch):
    state = opened(qtbot, screen, screened, monkeypatch)
    screen.screening.choose_column("margin")
    click_well(qtbot, screen, (0, 0))
    wait(qtbot, lambda: settled(screen))
    screen.findChild(QSpinBox, "montage_each").setValue(2)
    press(qtbot, screen, "montage")
    wait(qtbot, lambda: state.montage is not None and not state.drawing)
    assert state.failure is None, state.failure
    layer, native, camera = window.layers["montage"], window.window._qt_viewer.canvas.native, window.scene.camera
    assert len(state.montage.wells) == 4
    low, high = layer.extent.world
    world = low + (high - low) * np.array([0.7, 0.25])
    middle = np.array([native.height(), native.width()]) / 2
    row, column = middle + (world - np.asarray(camera.center)[-2:]) * camera.zoom
    qtbot.mouseClick(native, LEFT, NONE, QPoint(round(column), round(row)))
    wait(qtbot, lambda: settled(screen) and state.current == state.montage.wells[2])

    press(qtbot, screen, "report")
    wait(qtbot, lambda: state.report is not None or state.failure is not None)
    assert state.failure is None, state.failure
    assert state.report.stat().st_size > 50_000
    assert "report.html" in screen.findChild(QLabel, "written").text()


def test_a_plate_is_run_from_the_dock(window, screen, qtbot, tmp_path, monkeypatch):
    small_screens.make_plate(tmp_path / "plate", wells=3, fields=1)
    classifier = small_screens.make_classifier(tmp_path)
    out = tmp_path / "results"
    qtbot.mouseClick(screen.run_section.heading, LEFT)
    wait(qtbot, lambda: screen.run_view.isVisible())
    assert not screen.findChild(QPushButton, "run").isEnabled()
    chosen = iter([tmp_path / "plate", out])
    monkeypatch.setattr(files, "ask_folder", lambda *_args: next(chosen))
    monkeypatch.setattr(files, "ask", lambda *_args: classifier)
    pattern = screen.findChild(QLineEdit, "plate_pattern")
    qtbot.keyClicks(pattern, r"(?P<well>[A-Z]\d\d)-(?P<field>\d)\.ome\.tiff")
    press(qtbot, screen, "choose_plate")
    wait(qtbot, lambda: screen.running.state.plate is not None)
    assert "A01-1.ome.tiff" in screen.findChild(QLabel, "plate_preview").text()
    press(qtbot, screen, "choose_screen_classifier")
    press(qtbot, screen, "choose_out")
    press(qtbot, screen, "run")
    wait(qtbot, lambda: screen.screening.state.wells is not None or screen.running.state.failure is not None)
    assert screen.running.state.failure is None, screen.running.state.failure
    assert screen.screening.state.results.path == out
    assert not screen.run_view.isVisible(), "the form makes way for the plate"


PATTERN = r"(?P<well>[A-Z]\d\d)-(?P<field>\d)\.ome\.tiff"


def processes() -> list[psutil.Process]:
    """The worker processes that this one has."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # It has just ended.
            found += [one] if "spawn_main" in " ".join(one.cmdline()) else []
    return found


@pytest.mark.slow
def test_two_processes_are_asked_for_stopped_within_seconds_and_go_on(window, screen, qtbot, tmp_path):
    small_screens.make_plate(tmp_path / "plate", wells=12, fields=8)
    classifier, out = small_screens.make_classifier(tmp_path), tmp_path / "results"
    qtbot.mouseClick(screen.run_section.heading, LEFT)
    screen.running.want(plate=str(tmp_path / "plate"), pattern=PATTERN, classifier=classifier, out=out)
    wait(qtbot, lambda: screen.running.state.plate is not None)
    more = screen.run_view.more
    assert not more.choices.isVisible(), "closed at first"
    screen.scroll.ensureWidgetVisible(more.heading)
    qtbot.mouseClick(more.heading, LEFT)
    workers, memory = (more.findChild(QSpinBox, f"parameter_{name}") for name in ("workers", "in_hand"))
    for field, typed in ((workers, "2"), (memory, "3")):
        screen.scroll.ensureWidgetVisible(field)
        field.selectAll()
        qtbot.keyClicks(field, typed)
        qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.mouseClick(more.methods["pixel-ablation-cam"].heading, LEFT)
    choose(qtbot, more, "parameter_channels", "none")
    assert more.summary.toolTip() == "2 processes, 3 MiB, parameters of Pixel Ablation-CAM"
    press(qtbot, screen, "run")
    wait(qtbot, lambda: screen.running.state.progress[0] > 0 or screen.running.state.failure is not None)
    assert screen.running.state.failure is None, screen.running.state.failure
    assert len(processes()) == 2
    started = time.monotonic()
    press(qtbot, screen, "cancel_run")
    wait(qtbot, lambda: not processes(), 120)
    taken, busy = time.monotonic() - started, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    print(f"\nstopped after {taken:.1f} s, load {os.getloadavg()[0]:.1f}")
    assert taken < 10 * busy
    done = screen.running.state.progress[0]
    assert 0 < done < 96
    press(qtbot, screen, "resume")
    wait(qtbot, lambda: screen.screening.state.wells is not None or screen.running.state.failure is not None, 180)
    assert screen.running.state.failure is None, screen.running.state.failure
    record = open_results(out).record
    assert [run["workers"] for run in record["runs"]] == [2, 2]
    assert record["plan"]["batch_bytes"] == 3 * 2**20
    assert record["plan"]["methods"][0]["parameters"]["channels"] == "none"
    assert (open_results(out).table["error"] == "").all()


@pytest.mark.slow
def test_a_cluster_is_asked_for_by_its_address(window, screen, qtbot, tmp_path, monkeypatch):
    from distributed import LocalCluster

    from napari_attribution.screens.run import pools

    plate = small_screens.make_plate(tmp_path / "plate", wells=3, fields=1)
    broken = Path(plate.fields["A02"][0].reading["path"])
    broken.write_bytes(b"not there yet")
    classifier, out = small_screens.make_classifier(tmp_path), tmp_path / "results"
    qtbot.mouseClick(screen.run_section.heading, LEFT)
    screen.running.want(plate=str(tmp_path / "plate"), pattern=PATTERN, classifier=classifier, out=out)
    wait(qtbot, lambda: screen.running.state.plate is not None)
    more = screen.run_view.more
    screen.scroll.ensureWidgetVisible(more.heading)
    qtbot.mouseClick(more.heading, LEFT)
    address = more.findChild(QLineEdit, "parameter_scheduler")
    screen.scroll.ensureWidgetVisible(address)
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=0) as cluster:
        qtbot.keyClicks(address, cluster.scheduler_address)
        assert more.summary.toolTip() == f"cluster {cluster.scheduler_address}"
        press(qtbot, screen, "run")
        wait(qtbot, lambda: screen.screening.state.wells is not None or screen.running.state.failure is not None, 120)
        assert screen.running.state.failure is None, screen.running.state.failure
        record = open_results(out).record
        assert [run["scheduler"] for run in record["runs"]] == [cluster.scheduler_address]
        assert record["finished"]["failed"] == 1
    small_screens.write_field(broken, seed=10)
    monkeypatch.setattr(pools, "PATIENCE", 1)
    press(qtbot, screen, "retry_failed")
    wait(qtbot, lambda: screen.running.state.failure is not None, 60)
    assert "No dask scheduler answers" in screen.running.state.failure.sentence
    assert open_results(out).record["finished"]["failed"] == 1, "the results are as they were"
    screen.running.want(choices=Choices())
    press(qtbot, screen, "retry_failed")
    wait(qtbot, lambda: not screen.running.state.running and open_results(out).record["finished"]["failed"] == 0, 60)


def test_stains_are_asked_for_where_the_names_differ(window, screen, qtbot, tmp_path):
    small_screens.make_plate(tmp_path / "plate", wells=2, fields=1)
    classifier, out = small_screens.make_classifier(tmp_path), tmp_path / "results"
    qtbot.mouseClick(screen.run_section.heading, LEFT)
    want = screen.running.want
    want(plate=str(tmp_path / "plate"), pattern=PATTERN, classifier=classifier, out=out)
    wait(qtbot, lambda: screen.running.state.plate is not None and screen.running.state.card is not None)
    assert not screen.run_view.stains.isVisible()
    want(stains="DNA, ER, Mitochondria")
    wait(qtbot, lambda: screen.run_view.stains.isVisible())
    assert "no stain of the name Mito" in screen.findChild(QLabel, "run_missing").text()
    assert not screen.findChild(QPushButton, "run").isEnabled()
    screen.scroll.ensureWidgetVisible(screen.run_view.stains)
    choose(qtbot, screen, "stain_Mito", "Mitochondria")
    press(qtbot, screen, "run")
    wait(qtbot, lambda: screen.screening.state.wells is not None or screen.running.state.failure is not None)
    assert screen.running.state.failure is None, screen.running.state.failure
    assert open_results(out).stains == ("DNA", "ER", "Mitochondria")


def test_failed_fields_are_tried_again_by_a_button(window, screen, qtbot, tmp_path, monkeypatch):
    plate = small_screens.make_plate(tmp_path / "plate", wells=3, fields=1)
    late = tmp_path / "plate" / "A02-1.ome.tiff"
    late.write_bytes(b"not there yet")
    out = tmp_path / "results"
    run_screen(plate, small_screens.make_classifier(tmp_path), out, time_limit=None)
    state = opened(qtbot, screen, out, monkeypatch)
    button = screen.findChild(QPushButton, "retry_failed")
    assert button.text() == "Try 1 failed field again"
    before = state.results
    small_screens.write_field(late, seed=10)
    press(qtbot, screen, "retry_failed")
    wait(qtbot, lambda: state.results is not before or screen.running.state.failure is not None)
    assert screen.running.state.failure is None, screen.running.state.failure
    assert (state.results.table["error"] == "").all()
    wait(qtbot, lambda: not button.isVisible())


@pytest.mark.slow
def test_the_heat_map_in_the_viewer_opens_wells_and_a_drag_pans(window, screen, qtbot, screened, monkeypatch):
    state = opened(qtbot, screen, screened, monkeypatch)
    wait(qtbot, lambda: settled(screen))
    screen.screening.choose_column("margin")
    press(qtbot, screen, "heat_layer")
    button = screen.findChild(QPushButton, "heat_layer")
    wait(qtbot, lambda: button.text() == "Look")
    press(qtbot, screen, "heat_layer")
    (layer,) = [layer for layer in window.layers if layer.metadata.get(ROLE) == HEAT]
    native, camera = window.window._qt_viewer.canvas.native, window.scene.camera

    def on_canvas(place):
        middle = np.array([native.height(), native.width()]) / 2
        row, column = middle + (np.array(layer.data_to_world(place)) - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(column), round(row))

    well = "A03" if state.current != "A03" else "A04"
    place = (0, int(well[1:]) - 1)
    looked = tuple(camera.center)
    qtbot.mouseClick(native, LEFT, NONE, on_canvas(place))
    wait(qtbot, lambda: settled(screen) and state.current == well)
    assert state.selected == (well,)
    assert tuple(camera.center) == looked, "the well is in sight already"
    start = on_canvas((0, 0))
    qtbot.mousePress(native, LEFT, NONE, start)
    for step in (10, 25, 40):
        qtbot.mouseMove(native, start + QPoint(step, step))
        qtbot.wait(30)
    qtbot.mouseRelease(native, LEFT, NONE, start + QPoint(40, 40))
    qtbot.wait(100)
    assert state.current == well
    assert tuple(camera.center) != looked
    window.layers.remove(layer)
    wait(qtbot, lambda: button.text() == "As layer")


def begun(folder):
    """A run that was stopped after its first field; returns the folder of its results."""

    def stop(count, _total):
        if count >= 1:
            raise Cancelled("enough")

    plate = small_screens.make_plate(folder / "plate", wells=4, fields=1)
    classifier, out = small_screens.make_classifier(folder), folder / "results"
    with pytest.raises(Cancelled):
        run_screen(plate, classifier, out, batch_bytes=1, progress=stop, time_limit=None)
    return out


def test_half_a_run_is_offered_to_go_on(window, screen, qtbot, tmp_path, monkeypatch):
    out = begun(tmp_path)
    monkeypatch.setattr(files.QFileDialog, "getExistingDirectory", lambda *_args: str(out))
    press(qtbot, screen, "open_results")
    assert "not finished" in screen.findChild(QLabel, "run_told").text()
    press(qtbot, screen, "resume")
    wait(qtbot, lambda: screen.screening.state.wells is not None or screen.running.state.failure is not None)
    assert screen.running.state.failure is None, screen.running.state.failure
    assert len(open_results(out).table) == 4


def test_the_window_closes_in_mid_run(window, screen, qtbot, tmp_path):
    screen.open_folder(begun(tmp_path))
    screen.running.resume()
    wait(qtbot, lambda: screen.running.state.progress[1] > 0)
    window.close()
    qtbot.wait(300)


def test_a_plate_of_1536_wells_opens_and_changes_colours_at_once(window, screen, qtbot, tmp_path, monkeypatch):
    results = made_results.write_results(tmp_path, made_results.make_table((32, 48)), (32, 48))
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    started = time.perf_counter()
    opened(qtbot, screen, results, monkeypatch)
    assert time.perf_counter() - started < 2 * busy
    taken = []
    for column in ("margin", "predicted", "importance.pcim.Mito", "importance.pcim.DNA"):
        started = time.perf_counter()
        screen.screening.choose_column(column)
        QApplication.processEvents()
        taken.append(time.perf_counter() - started)
    print(f"\nrecoloured in {[round(1000 * one) for one in taken]} ms, load {os.getloadavg()[0]:.1f}")
    assert np.median(taken) < 0.2 * busy
    assert screen.overview.plate.rect_of((31, 47)).right() <= screen.overview.plate.width()
    assert screen.overview.plate.rect_of((31, 47)).bottom() <= screen.overview.plate.height()


def test_before_anything_is_open_it_says_what_it_is_for(window, screen, qtbot, tmp_path):
    assert "whole plate" in screen.findChild(QLabel, "headline").text()
    assert screen.findChild(QPushButton, "sample_plate").isVisible()
    assert not screen.plates.isVisible()
    screen.open_folder(tmp_path / "nowhere")
    wait(qtbot, lambda: screen.screening.state.failure is not None)
    assert "nowhere" in screen.findChild(QLabel, "headline").text()


def test_every_control_has_a_name_and_a_tooltip(window, screen):
    for kind in (QPushButton, QComboBox, QCheckBox, QLineEdit, QSpinBox, QListWidget):
        for control in screen.findChildren(kind):
            if control.objectName().startswith("qt_") or isinstance(control.parent(), QComboBox | QSpinBox):
                continue
            assert control.objectName(), control
            assert control.toolTip(), control.objectName()


def test_what_is_closed_is_let_go_of_and_gives_mouse_and_keys_back(window, qtbot):
    docked, widget = window.window.add_plugin_dock_widget("napari-attribution", "Screen")
    gone, pointer = weakref.ref(widget), widget.keys.clicked
    assert pointer in window.mouse_drag_callbacks
    docked.title.close_button.click()
    del widget, docked
    qtbot.wait(50)
    assert pointer not in window.mouse_drag_callbacks
    assert not window.keymap
    del pointer
    wait(qtbot, lambda: (gc.collect(), gone() is None)[1], 10)
