"""The dock "Screen" without its window: results opened, wells shown in layers that stay, ranks, filters, notes, runs."""

import shutil
import subprocess
import sys

import made_results
import numpy as np
import pytest
import small_screens

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers.heat import HEAT
from napari_attribution.desktop.layers.known import ROLE
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.choosing import Filter, beside, neighbour, ranked
from napari_attribution.desktop.screen.run.resuming import Unfinished, unfinished
from napari_attribution.desktop.screen.run.running import Running
from napari_attribution.desktop.screen.screening import Screening
from napari_attribution.errors import Cancelled
from napari_attribution.keeping.repeat import repeat
from napari_attribution.screens.report.wells import Wells
from napari_attribution.screens.results import open_results
from napari_attribution.screens.run.choices import Choices
from napari_attribution.screens.run.screen import run_screen

METHODS = ("pixel-ablation-cam", "occlusion")


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """Results of a real run: 4 wells of 2 fields; the second field of A03 is no TIFF."""
    folder = tmp_path_factory.mktemp("screened")
    plate = small_screens.make_plate(folder / "plate", wells=4)
    (folder / "plate" / "A03-2.ome.tiff").write_bytes(b"no image")
    classifier = small_screens.make_classifier(folder)
    return run_screen(plate, classifier, folder / "results", methods=METHODS, time_limit=None).path


@pytest.fixture
def screening(viewer, mail):
    controller = Controller(viewer, mail)
    made = Screening(controller, mail, lambda: None)
    yield made
    made.close()
    controller.close()


def opened(screening, mail, path):
    screening.open(path)
    mail.deliver_until(lambda: not screening.state.opening)
    assert screening.state.failure is None, screening.state.failure
    return screening.state


def show(screening, mail, *args):
    screening.open_well(*args)
    mail.deliver_until(lambda: not screening.state.loading)


def roles(viewer):
    return [layer.metadata.get(ROLE) for layer in viewer.layers]


def test_a_well_is_shown_as_the_run_saw_it_and_the_layers_stay(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    results = open_results(screened)
    show(screening, mail, "A02")
    assert roles(viewer) == [*["stain"] * 3, "map", "importance"]
    before = [id(layer) for layer in viewer.layers]
    well = results.read_field("A02", 1)
    for stain in well.stains:
        np.testing.assert_array_equal(viewer.layers[stain].data, well.plane(stain))
    (shown,) = [layer for layer in viewer.layers if layer.metadata.get(ROLE) == "map"]
    np.testing.assert_array_equal(shown.data, results.field_map("A02", 1)["pixel-ablation-cam"])
    assert tuple(shown.scale) == tuple(viewer.layers["DNA"].scale) == (0.5, 0.5)
    bars = next(layer for layer in viewer.layers if layer.metadata.get(ROLE) == "importance")
    row = results.table.query("well == 'A02' and field == 1").iloc[0]
    for stain, value in zip(bars.features["stain"], bars.features["importance"], strict=True):
        assert value == row[f"importance.pixel-ablation-cam.{stain}"]

    for well in ("A04", "A01", "A02"):
        show(screening, mail, well)
    screening.showing.choose_field(2)
    mail.deliver_until(lambda: not state.loading)
    assert [id(layer) for layer in viewer.layers] == before
    assert viewer.layers["DNA"].metadata["well"] == "A02 field 2"
    np.testing.assert_array_equal(viewer.layers["DNA"].data, results.read_field("A02", 2).plane("DNA"))
    screening.showing.choose_method("occlusion")
    mail.deliver_until(lambda: not state.loading)
    np.testing.assert_array_equal(shown.data, results.field_map("A02", 2)["occlusion"])


def test_the_first_by_rank_is_shown_as_soon_as_results_are_open(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    mail.deliver_until(lambda: not state.loading)
    assert state.current == state.wells.positions[state.ranked[0]]
    assert roles(viewer) == [*["stain"] * 3, "map", "importance"]
    assert viewer.layers["DNA"].metadata["position"] == state.current
    assert state.selected == (), "nobody has chosen it"


def test_the_other_docks_know_the_well_and_its_answer(screening, viewer, mail, screened) -> None:
    opened(screening, mail, screened)
    show(screening, mail, "A02")
    mail.deliver_all()
    own = screening.controller.state
    assert own.well.name == "A02 field 1"
    assert own.answer.record["well"]["position"] == "A02"
    assert own.answer.probabilities[own.answer.predicted] == max(own.answer.probabilities.values())


@pytest.mark.parametrize("method", METHODS)
def test_the_answer_of_a_well_can_be_repeated_and_gives_the_very_map(screening, mail, screened, method) -> None:
    state = opened(screening, mail, screened)
    state.method = method
    show(screening, mail, "A02")
    answer = screening.controller.state.answer
    again = repeat(answer.record, time_limit=None)
    assert again.same, again.notes
    assert again.attribution.channel_importance == pytest.approx(dict(answer.channel_importance))
    assert again.attribution.trust == answer.trust


def test_limits_stay_from_well_to_well_where_they_are_to(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    show(screening, mail, "A01")
    (shown,) = [layer for layer in viewer.layers if layer.metadata.get(ROLE) == "map"]
    viewer.layers["DNA"].contrast_limits = (100, 900)
    shown.contrast_limits = (-0.25, 0.25)
    show(screening, mail, "A02")
    assert tuple(viewer.layers["DNA"].contrast_limits) == (100, 900)
    assert tuple(shown.contrast_limits) == (-0.25, 0.25)
    state.keep_limits = False
    show(screening, mail, "A01")
    assert tuple(viewer.layers["DNA"].contrast_limits) != (100, 900)
    assert tuple(shown.contrast_limits) != (-0.25, 0.25)


def test_of_quick_clicks_only_the_last_is_shown(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    for well in ("A01", "A02", "A03", "A04"):
        screening.open_well(well)
    mail.deliver_until(lambda: not state.loading)
    mail.deliver_all()
    assert viewer.layers["DNA"].metadata["position"] == "A04" == state.current
    assert len(viewer.layers) == 5


def test_a_field_that_failed_shows_why_and_nothing_of_the_well_before(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    show(screening, mail, "A01")
    state.field = 2
    show(screening, mail, "A03")
    assert state.field == 2
    assert "not to be seen" in state.trouble
    assert list(viewer.layers) == []
    assert screening.controller.state.answer is None
    show(screening, mail, "A01")
    assert len(viewer.layers) == 5
    assert not state.trouble


def test_images_that_were_moved_leave_the_map_and_a_sentence(screening, viewer, mail, screened, tmp_path) -> None:
    copy = tmp_path / "results"
    shutil.copytree(screened, copy)
    plate = screened.parent / "plate"
    plate.rename(screened.parent / "elsewhere")
    try:
        state = opened(screening, mail, copy)
        show(screening, mail, "A02")
    finally:
        (screened.parent / "elsewhere").rename(plate)
    assert roles(viewer) == ["map", "importance"]
    assert "pixels are not to be seen" in state.trouble
    shutil.rmtree(copy / "maps.zarr")
    screening.open_well("A02")
    mail.deliver_until(lambda: not state.loading)
    assert roles(viewer) == ["importance", "stain", "stain", "stain"]
    assert "map is not to be seen" in state.trouble


def test_next_and_previous_go_by_rank_among_those_that_pass(screening, mail, tmp_path) -> None:
    state = opened(screening, mail, made_results.write_results(tmp_path, made_results.make_table()))
    screening.choose_column("importance.pcim.Mito")
    assert [state.wells.positions[at] for at in state.ranked] == ["B03", "B02", "B01", "A03", "A02", "A01"]
    screening.open_well("B03")
    screening.step(1)
    assert state.current == "B02"
    screening.step(-1)
    screening.step(-1)
    assert state.current == "B03", "there is none before the first"
    screening.narrow(predicted="control")
    screening.step(1)
    assert state.current == "B02"
    screening.step(1)
    assert state.current == "A03"
    screening.move(1, 0)
    assert state.current == "B03", "the arrow keys go by place"
    screening.move(1, 0)
    assert state.current == "B03"


def test_filters_narrow_by_words_class_flags_and_exclusion(tmp_path) -> None:
    table = made_results.fail(made_results.make_table(), "B01", "no TIFF")
    wells = Wells.of(open_results(made_results.write_results(tmp_path, table)))
    notes = {"A02": {"note": "odd glow", "excluded": "hair"}}

    def names(**values):
        return sorted(wells.positions[at] for at in ranked(wells, "margin", Filter(**values), notes))

    assert names() == ["A01", "A02", "A03", "B01", "B02", "B03"]
    assert names(text="dmso b0") == ["B02"]
    assert names(text="GLOW") == ["A02"]
    assert names(predicted="hit") == ["A02", "B03"]
    assert names(flag="any") == ["A01", "B01", "B03"]
    assert names(flag="map at the edge") == names(flag="explanation") == ["A01", "B03"]
    assert names(flag="image") == []
    assert names(excluded="out") == ["A02"]
    assert "A02" not in names(excluded="in")
    assert neighbour([], None, 1) is None
    assert beside(wells, "A01", 0, -1) == ""


def test_wells_are_chosen_by_what_was_done(screening, mail, tmp_path) -> None:
    state = opened(screening, mail, made_results.write_results(tmp_path, made_results.make_table()))
    screening.select_where("condition.drug", ["DMSO"])
    assert state.selected == ("A01", "A03", "B02")
    screening.add(["A02"])
    screening.add(["A01", "A03"])
    assert state.selected == ("B02", "A02")


def test_notes_are_kept_at_once_and_a_refusal_is_said(screening, mail, tmp_path) -> None:
    path = made_results.write_results(tmp_path / "r", made_results.make_table())
    state = opened(screening, mail, path)
    screening.note("A01", "odd")
    screening.leave_out(["A01", "A02"], "a hair")
    assert open_results(path).notes == {
        "A01": {"note": "odd", "excluded": "a hair"},
        "A02": {"note": "", "excluded": "a hair"},
    }
    screening.leave_out(["A01"], "  ")
    assert "say why" in state.failure.sentence
    assert open_results(path).notes["A01"]["excluded"] == "a hair"
    screening.leave_out(["A01", "A02"], None)
    assert open_results(path).notes == {"A01": {"note": "odd", "excluded": None}}
    shutil.rmtree(path)
    screening.note("A01", "lost")
    assert "Nothing was noted" in state.failure.sentence


def test_results_that_are_none_are_refused_and_those_of_before_stay(screening, mail, tmp_path) -> None:
    state = opened(screening, mail, made_results.write_results(tmp_path / "r", made_results.make_table()))
    before = state.results
    screening.open(tmp_path)
    mail.deliver_until(lambda: state.failure is not None)
    assert "no results" in state.failure.sentence
    assert state.results is before


def test_damaged_notes_do_not_hide_the_results(screening, mail, tmp_path) -> None:
    path = made_results.write_results(tmp_path, made_results.make_table())
    (path / "notes.json").write_text("{", "utf-8")
    screening.open(path)
    mail.deliver_until(lambda: not screening.state.opening)
    assert screening.state.wells is not None
    assert "notes" in screening.state.failure.sentence


def test_thumbnails_of_both_ends_one_layer_a_click_each(screening, viewer, mail, screened, qapp) -> None:
    state = opened(screening, mail, screened)
    screening.choose_column("margin")
    show(screening, mail, "A01")
    count = len(viewer.layers)
    for each in (1, 2):
        screening.showing.draw(each)
        mail.deliver_until(lambda: not state.drawing)
        assert state.failure is None, state.failure
        assert len(viewer.layers) == count + 1
    layer = viewer.layers["montage"]
    assert len(state.montage.wells) == 4
    order = [state.wells.positions[at] for at in state.ranked]
    assert list(state.montage.wells) == order
    low, high = layer.extent.world
    assert high[1] < viewer.layers["DNA"].extent.world[0, 1], "beside the field"
    for at, well in enumerate(order):
        place = low + (high - low) * ((at // 2 + 0.4) / 2, (at % 2 + 0.5) / 2)
        assert screening.showing.well_at(place) == well
    assert screening.showing.well_at(low - 1) == ""


def test_a_run_is_stopped_and_goes_on_from_what_it_left(viewer, mail, tmp_path) -> None:
    plate = small_screens.make_plate(tmp_path / "plate", wells=3, fields=2)
    classifier, out = small_screens.make_classifier(tmp_path), tmp_path / "results"
    done = []

    def stop(count, _total):
        if count >= 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run_screen(plate, classifier, out, batch_bytes=1, progress=stop, time_limit=None)
    begun = unfinished(out)
    assert begun.classifier == classifier
    assert begun.plate().conditions == plate.conditions
    controller = Controller(viewer, mail)
    running = Running(controller, mail, lambda: None, done.append)
    running.state.unfinished = begun
    running.resume()
    mail.deliver_until(lambda: not running.state.running, 60)
    assert running.state.failure is None, running.state.failure
    assert done == [out]
    assert running.state.before >= 1, "what was done is not done again"
    assert len(open_results(out).table) == 6
    assert unfinished(out) is None
    running.close()
    controller.close()


@pytest.fixture
def running(viewer, mail):
    """A run's controller, and the folders of what it finished."""
    controller, done = Controller(viewer, mail), []
    made = Running(controller, mail, lambda: None, done.append)
    made.done = done
    yield made
    made.close()
    controller.close()


def test_failed_fields_are_tried_again_from_the_dock(screening, running, mail, tmp_path) -> None:
    plate = small_screens.make_plate(tmp_path / "plate", wells=3, fields=2)
    late = tmp_path / "plate" / "A02-1.ome.tiff"
    late.write_bytes(b"not there yet")
    out = tmp_path / "results"
    run_screen(plate, small_screens.make_classifier(tmp_path), out, maps=False, faithfulness=False, time_limit=None)
    state = opened(screening, mail, out)
    assert state.failed == 1
    show(screening, mail, "A02")
    assert words.tried_again(state.failed) == "Try 1 failed field again"
    small_screens.write_field(late, seed=10)
    running.try_again(Unfinished(state.results.path, state.results.record))
    mail.deliver_until(lambda: not running.state.running, 60)
    assert running.state.failure is None, running.state.failure
    assert running.done == [out]
    state = opened(screening, mail, out)
    assert state.failed == 0
    assert state.current == "A02", "the well that was open is open again"
    assert set(state.results.table["error"]) == {""}
    assert state.results.record["runs"][-1]["tried_again"] == 1
    assert state.results.record["plan"]["maps"] is False, "all else is as it was asked for then"


def test_stains_of_other_names_are_asked_for_and_all_choices_reach_the_run(running, mail, tmp_path) -> None:
    small_screens.make_plate(tmp_path / "plate", wells=2, fields=1)
    classifier = small_screens.make_classifier(tmp_path)
    running.want(
        plate=str(tmp_path / "plate"),
        pattern=r"(?P<well>[A-Z]\d\d)-(?P<field>\d)\.ome\.tiff",
        stains="Hoechst, er, Mitochondria",
        classifier=classifier,
        out=tmp_path / "results",
    )
    mail.deliver_until(lambda: running.state.plate is not None and running.state.card is not None)
    assert running.names_differ
    assert running.stain_map == {"DNA": None, "ER": "er", "Mito": None}
    assert "no stain of the name DNA or Mito" in running.obstacle()
    running.map_stain("DNA", "Hoechst")
    assert "no stain of the name Mito" in running.obstacle()
    running.map_stain("Mito", "er")
    assert "er is chosen for more than one" in running.obstacle()
    running.map_stain("Mito", "Mitochondria")
    assert running.obstacle() == ""
    assert words.more(running.state.wanted) == ""
    running.want(
        choices=Choices(in_hand=64, faithfulness=False, maps=False),
        methods=("occlusion",),
        parameters={"occlusion": {"window": 16}, "pcim": {"steps": 3}},
    )
    assert words.more(running.state.wanted) == "64 MiB, trust is not measured, no maps, parameters of Occlusion"
    running.run()
    mail.deliver_until(lambda: not running.state.running, 60)
    assert running.state.failure is None, running.state.failure
    plan = open_results(tmp_path / "results").record["plan"]
    assert plan["stain_map"] == {"DNA": "Hoechst", "ER": "er", "Mito": "Mitochondria"}
    assert (plan["batch_bytes"], plan["faithfulness"], plan["maps"]) == (64 * 2**20, False, False)
    assert [method["name"] for method in plan["methods"]] == ["occlusion"]
    assert plan["methods"][0]["parameters"]["window"] == 16


def test_the_choices_as_they_are_ask_what_the_command_line_asks() -> None:
    from inspect import signature

    asked = {name: one.default for name, one in signature(run_screen).parameters.items()}
    assert Choices().asked == {
        name: asked[name] for name in ("workers", "scheduler", "batch_bytes", "faithfulness", "maps")
    }


def test_a_run_goes_on_with_as_many_processes_as_it_had(tmp_path) -> None:
    plate = small_screens.make_plate(tmp_path / "plate", wells=1, fields=1)
    results = run_screen(plate, small_screens.make_classifier(tmp_path), tmp_path / "results", time_limit=None)
    last = dict(results.record["runs"][-1])
    for run, expected in ((last, 1), (last | {"workers": 3}, 3), (last | {"workers": 5, "scheduler": "tcp://far"}, 1)):
        assert Unfinished(results.path, {**results.record, "runs": [run]}).asked["workers"] == expected


def test_a_worker_does_not_run_the_script_again_that_opened_the_window(tmp_path) -> None:
    script = tmp_path / "opens_napari.py"
    script.write_text(
        "import multiprocessing, pathlib, sys\n"
        "from napari_attribution.desktop.screen.run.alone import alone\n"
        "with pathlib.Path(__file__).with_suffix('.log').open('a') as log:\n"
        "    log.write('window')\n"
        "with alone():\n"
        "    worker = multiprocessing.get_context('spawn').Process(target=print, args=('worker',))\n"
        "    worker.start()\n"
        "    worker.join()\n"
        "assert pathlib.Path(__file__).name == 'opens_napari.py'\n"
        "sys.exit(worker.exitcode)\n",
        "utf-8",
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "worker\n"), ran.stderr
    assert script.with_suffix(".log").read_text("utf-8") == "window"


def test_the_heat_map_is_one_layer_that_follows_the_column_and_the_well(screening, viewer, mail, screened) -> None:
    state = opened(screening, mail, screened)
    mail.deliver_until(lambda: not state.loading)
    screening.choose_column("margin")
    count, camera = len(viewer.layers), (tuple(viewer.scene.camera.center), viewer.scene.camera.zoom)
    viewer.layers.selection.active = viewer.layers["DNA"]
    screening.heating.show()
    (layer,) = [layer for layer in viewer.layers if layer.metadata.get(ROLE) == HEAT]
    assert len(viewer.layers) == count + 1
    assert (tuple(viewer.scene.camera.center), viewer.scene.camera.zoom) == camera
    assert viewer.layers.selection.active is viewer.layers["DNA"]
    assert layer.name == "margin of the prediction [logit]"
    assert (layer.metadata["column"], layer.metadata["unit"]) == ("margin", "logit")
    assert (layer.interpolation2d, layer.data.shape, layer.data.dtype) == ("nearest", (4, 6), np.float32)
    expected = np.full((4, 6), np.nan)
    expected[0, :4] = state.wells.values("margin")
    np.testing.assert_allclose(layer.data, expected, rtol=1e-6)
    assert tuple(layer.contrast_limits) == pytest.approx(state.wells.scale("margin").limits)
    # Above the well, as wide, and in its units.
    high = layer.extent.world[1]
    well = viewer.layers["DNA"].extent.world
    assert high[0] < well[0, 0] - 1
    assert layer.scale[1] * 6 == pytest.approx(0.5 * viewer.layers["DNA"].data.shape[1])
    assert tuple(map(str, layer.units)) == tuple(map(str, viewer.layers["DNA"].units))

    # Another column, in the same layer; a name that a person gave stays.
    screening.choose_column("predicted")
    assert viewer.layers["predicted class"] is layer
    names = state.wells.scale("predicted").categories
    assert layer.metadata["categories"] == list(names)
    assert [names[int(code)] for code in layer.data[0, :4]] == list(state.wells.values("predicted"))
    layer.name = "mine"
    screening.choose_column("margin")
    assert layer.name == "mine"

    # The colours are those of the dock.
    for column in ("margin", "predicted"):
        screening.choose_column(column)
        values, (low_limit, high_limit) = layer.data[0, :4], layer.contrast_limits
        shown = 255 * layer.colormap.map((values - low_limit) / (high_limit - low_limit))
        assert np.abs(shown - state.wells.scale(column).colours(state.wells.values(column))).max() <= 2
    assert layer.colormap.map(np.array([np.nan]))[0, 3] == 0

    # A place without results opens nothing; other wells are opened where they lie.
    for place, expected in (((0, 1), "A02"), ((0, 5), ""), ((3, 0), "")):
        at = layer.data_to_world(place)
        assert screening.heating.well_at(at) == expected
    assert screening.heating.well_at((-1e6, 0)) == ""
    layer.visible = False
    assert screening.heating.well_at(layer.data_to_world((0, 1))) == ""
    screening.heating.show()
    assert layer.visible, "asked for again, it is looked at"
    half = np.asarray(viewer.canvas.size) / viewer.scene.camera.zoom / 2
    center = np.asarray(viewer.scene.camera.center)[-2:]
    for shown in (layer, viewer.layers["DNA"]):
        first, last = shown.extent.world
        assert (center - half <= first).all()
        assert (last <= center + half).all()

    # Taken away by a person, it stays away until it is asked for.
    viewer.layers.remove(layer)
    assert not screening.heating.there
    screening.choose_column("predicted")
    assert len(viewer.layers) == count
    screening.heating.show()
    assert viewer.layers["predicted class"] is not layer


def test_the_heat_map_of_other_results_takes_the_place_of_the_first(
    screening, viewer, mail, screened, tmp_path
) -> None:
    made = made_results.write_results(tmp_path, made_results.make_table((8, 12)), (8, 12))
    state = opened(screening, mail, made)
    mail.deliver_until(lambda: not state.loading)
    screening.choose_column("margin")
    screening.heating.show()
    layer = next(layer for layer in viewer.layers if layer.metadata.get(ROLE) == HEAT)
    assert (layer.data.shape, tuple(map(str, layer.units))) == ((8, 12), ("pixel", "pixel"))
    opened(screening, mail, screened)
    mail.deliver_until(lambda: not state.loading)
    assert layer in viewer.layers
    assert layer.data.shape == (4, 6)
    assert tuple(map(str, layer.units)) == tuple(map(str, viewer.layers["DNA"].units))
    assert layer.extent.world[1, 0] < viewer.layers["DNA"].extent.world[0, 0]


def test_what_is_missing_for_a_run_is_said_in_turn(viewer, mail, tmp_path) -> None:
    controller = Controller(viewer, mail)
    running = Running(controller, mail, lambda: None, lambda _path: None)
    assert "Choose a plate" in running.obstacle()
    (tmp_path / "empty").mkdir()
    running.want(plate=str(tmp_path / "empty"))
    mail.deliver_until(lambda: not running.state.looking)
    assert "0 wells" in running.obstacle()
    small_screens.make_plate(tmp_path / "plate")
    running.want(plate=str(tmp_path / "plate"), pattern=r"(?P<well>[A-Z]\d\d)-(?P<field>\d)\.ome\.tiff")
    mail.deliver_until(lambda: not running.state.looking)
    assert running.state.failure is None, running.state.failure
    for told in ("6 of ", "12 fields", "A01 field 1", "A01-1.ome.tiff"):
        assert told in running.state.preview
    assert "Choose a classifier" in running.obstacle()
    running.want(classifier=tmp_path / "some.pt", methods=())
    assert "method" in running.obstacle()
    running.want(methods=("pcim",))
    assert "folder" in running.obstacle()
    running.want(out=tmp_path / "results")
    assert running.obstacle() == ""
    running.close()
    controller.close()
