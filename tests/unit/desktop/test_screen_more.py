"""More choices of a run: only what is other than usual is asked for, in the words of the command line."""

from types import SimpleNamespace

import pytest

from napari_attribution.cli import main
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.screen import words
from napari_attribution.desktop.screen.run.more_view import MoreView
from napari_attribution.desktop.screen.run.running import Running
from napari_attribution.screens.run.choices import Choices
from napari_attribution.screens.run.choices import words as told


@pytest.fixture
def running(viewer, mail):
    controller = Controller(viewer, mail)
    made = Running(controller, mail, lambda: None, lambda _path: None)
    yield made
    made.close()
    controller.close()


@pytest.fixture
def more(running, qtbot):
    view = MoreView(running)
    qtbot.addWidget(view)
    view.heading.setChecked(True)
    view.show()
    view.render_state()
    return view


def test_each_chosen_method_has_its_parameters_and_no_other_has(more, running) -> None:
    assert set(more.methods) == {"pixel-ablation-cam"}
    running.want(methods=("pcim", "occlusion"))
    more.render_state()
    seen = {name for name, section in more.methods.items() if section.isVisible()}
    assert seen == {"pcim", "occlusion"}


def test_only_what_is_not_usual_is_kept_and_the_defaults_come_back(more, running) -> None:
    running.want(methods=("pcim", "occlusion"))
    more.render_state()
    assert (running.state.wanted.parameters, words.more(running.state.wanted)) == ({}, "")
    assert not more.reset.isEnabled()
    steps, fill = (more.methods["pcim"].body.fields[name] for name in ("steps", "fill"))
    usual = steps.value()
    steps.setValue(usual + 2)
    fill.setCurrentText("blur")
    more.methods["occlusion"].body.fields["window"].setValue(24)
    more.choices.fields["maps"].setChecked(False)
    more.choices.fields["workers"].setValue(3)
    wanted = running.state.wanted
    assert wanted.parameters == {"pcim": {"steps": usual + 2, "fill": "blur"}, "occlusion": {"window": 24}}
    assert wanted.choices == Choices(maps=False, workers=3)
    assert words.more(wanted) == "3 processes, no maps, parameters of PCIM and Occlusion"
    steps.setValue(usual)
    assert wanted.parameters["pcim"] == {"fill": "blur"}
    more.render_state()
    more.reset.click()
    more.render_state()
    assert (wanted.parameters, wanted.choices) == ({}, Choices())
    assert (fill.currentText(), more.choices.fields["workers"].value()) == ("mean", 1)
    assert more.choices.fields["maps"].isChecked()


def test_processes_and_a_cluster_are_not_both_asked_for(more, running) -> None:
    more.choices.fields["scheduler"].setText(" tcp://host:8786 ")
    assert running.state.wanted.choices.asked["scheduler"] == "tcp://host:8786"
    assert words.more(running.state.wanted) == "cluster tcp://host:8786"
    assert words.twofold(running.state.wanted.choices) == ""
    more.choices.fields["workers"].setValue(2)
    assert "no dask cluster" in words.twofold(running.state.wanted.choices)
    more.choices.fields["scheduler"].setText("  ")
    assert running.state.wanted.choices == Choices(workers=2)
    assert words.twofold(running.state.wanted.choices) == ""


def test_a_run_that_was_stopped_may_go_on_on_a_cluster(running, monkeypatch, tmp_path) -> None:
    asked: dict = {}
    monkeypatch.setattr(running, "_start", lambda plate, classifier, out, told: asked.update(told))
    begun = SimpleNamespace(asked={"workers": 2, "maps": True}, plate=None, classifier=None, folder=tmp_path)
    running.state.unfinished = begun
    running.want(choices=Choices(scheduler="tcp://host:8786"))
    running.resume()
    assert (asked["scheduler"], asked["workers"], asked["maps"]) == ("tcp://host:8786", 1, True)
    asked.clear()
    running.want(choices=Choices())
    running.resume()
    assert "scheduler" not in asked
    assert asked["workers"] == 2
    running.want(methods=("pcim",))
    assert running.state.unfinished is None, "that is another question"


def test_a_layer_of_another_network_is_not_asked_for(running) -> None:
    running.want(methods=("pixel-ablation-cam",), parameters={"pixel-ablation-cam": {"layer": "far", "head_runs": 20}})
    assert running._parameters() == {"pixel-ablation-cam": {"head_runs": 20}}


def test_the_words_are_those_of_the_command_line(more, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["screen", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, field in more.choices.fields.items():
        assert told(name) in said
        assert field.toolTip().casefold() == told(name).casefold()
