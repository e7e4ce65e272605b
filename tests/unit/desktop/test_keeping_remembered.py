"""What is found again after a restart, and what is done about a file that is not ours."""

import json

import pytest
import torch
from napari.components import ViewerModel
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.keeping import remembered
from napari_attribution.desktop.keeping.again import Memory
from napari_attribution.desktop.keeping.remembered import NOTHING, recall, remember


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "config" / "dock.json"
    monkeypatch.setenv(remembered.SWITCH, str(path))
    return path


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "net.pt"
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    torch.jit.script(net.eval()).save(str(path))
    return path


CARD = ClassifierCard(stains="DNA,ER,Mito", classes="control,hit", size=(32, 32), mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.fixture
def started(mail):
    made = []

    def start():
        controller = Controller(ViewerModel(), mail)
        memory = Memory(controller)
        controller.watchers.append(memory.note)
        made.append(controller)
        return controller

    yield start
    for controller in made:
        controller.close()


def settle(mail, controller):
    mail.deliver_until(lambda: not any(map(controller.jobs.busy, ("recall", "remember", "warm up"))))


def test_what_was_chosen_is_found_again(file, started, mail, weights):
    first = started()
    settle(mail, first)
    assert first.state.again is None
    first.open_classifier(weights, CARD)
    mail.deliver_until(lambda: first.state.classifier is not None)
    first.set(method="pcim")
    first.set_parameters({"steps": 3})
    first.choose_device("cpu")
    first.state.export_folder = str(file.parent)
    first.changed()
    mail.deliver_until(lambda: not first.state.loading)
    settle(mail, first)
    assert json.loads(file.read_text())["classifier"] == str(weights)

    second = started()
    settle(mail, second)
    state = second.state
    assert state.again == weights
    assert state.classifier is None
    assert state.path is None
    assert (state.method, state.device, state.export_folder) == ("pcim", "cpu", str(file.parent))
    assert state.parameters["pcim"]["steps"] == 3
    # Unloading does not forget, and what a user chose before the memory came stays.
    third = started()
    third.set(method="occlusion")
    settle(mail, third)
    assert third.state.method == "occlusion"
    assert json.loads(file.read_text())["classifier"] == str(weights)


def test_a_classifier_that_is_gone_is_not_offered(file, started, mail, tmp_path):
    remember(NOTHING.model_copy(update={"classifier": str(tmp_path / "gone.pt")}))
    controller = started()
    settle(mail, controller)
    assert controller.state.again is None
    assert controller.state.notice == ""


def test_a_device_that_is_gone_is_said(file, started, mail):
    remember(NOTHING.model_copy(update={"device": "cuda:97"}))
    controller = started()
    settle(mail, controller)
    assert controller.state.device == "auto"
    assert "cuda:97" in controller.state.notice


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"napari_attribution": 2}', '{"napari_attribution": 1, "device": 5}', "\x00" * 10, "[" * 100_000,
     '{"napari_attribution": 1, "parameters": {"pcim": 3}}'],
)  # fmt: skip
def test_a_broken_or_foreign_file_is_ignored_with_a_note(file, started, mail, text):
    file.parent.mkdir()
    file.write_text(text)
    controller = started()
    settle(mail, controller)
    assert "What was remembered of last time is not used (dock.json" in controller.state.notice
    assert controller.state.method == Controller(ViewerModel(), mail).state.method
    # It is replaced only once there is something to remember.
    assert file.read_text() == text


def test_files_that_are_too_large_or_no_text(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\x00")
    assert recall()[0] == NOTHING
    file.write_bytes(b" " * 2**21)
    assert "too large" in recall()[1]


def test_parameters_of_another_version_are_left_out(file):
    file.parent.mkdir()
    parameters = {"pcim": {"steps": 3, "gone": 1}, "magic": {}, "occlusion": {"window": 8}}
    file.write_text(json.dumps({"napari_attribution": 1, "parameters": parameters}))
    found, note = recall()
    assert set(found.parameters) == {"occlusion"}
    assert not note


def test_nothing_is_remembered_where_that_is_not_wanted_or_not_possible(file, monkeypatch, tmp_path):
    (tmp_path / "config").write_text("a file where the folder should be")
    remember(NOTHING)
    assert recall() == (NOTHING, "")
    monkeypatch.setenv(remembered.SWITCH, "0")
    assert remembered.where() is None
    remember(NOTHING)
    assert recall() == (NOTHING, "")
    monkeypatch.setenv(remembered.SWITCH, "")
    assert remembered.where().name == "dock.json"
