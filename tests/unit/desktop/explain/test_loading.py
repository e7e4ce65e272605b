"""Opening classifiers and letting go of them: what is asked, what can be cancelled, what stays and what goes."""

import gc
import threading
import weakref

import networks
import numpy as np
import pytest
import torch
import yaml
from networks import Gap
from torch import nn

from napari_attribution import Well
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.classifiers.files import loading as files
from napari_attribution.desktop import sample
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well
from napari_attribution.errors import Cancelled


class Flat(nn.Module):
    """Has no place where it could be cut."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3 * 32 * 32, 3)

    def forward(self, x):
        return self.line(x.flatten(1))


class LoopsOnBrightWells(nn.Module):
    def forward(self, x):
        while bool(x.mean() > 1e6):
            x = x * 1.0
        return x.mean(dim=(2, 3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two networks; one has its description beside it."""
    folder = tmp_path_factory.mktemp("classifiers")
    torch.manual_seed(0)
    for name, module in (("gap", Gap()), ("bare", Gap()), ("flat", Flat())):
        networks.save(module.eval(), folder / f"{name}.pt")
    for name in ("gap", "flat"):
        write_card(networks.card(), folder / f"{name}.pt")
    return folder


@pytest.fixture
def controller(viewer, mail):
    controller = Controller(viewer, mail)
    yield controller
    controller.close()


def show(viewer, mail, level=0.0):
    pixels = np.random.default_rng(0).normal(level, size=(3, 32, 32)).astype(np.float32)
    show_well(viewer, Well(pixels, networks.STAINS, source=("B03.tiff",)))
    mail.deliver_all()


@pytest.fixture
def ready(controller, viewer, mail, folder):
    show(viewer, mail)
    controller.open_classifier(folder / "gap.pt")
    mail.deliver_until(lambda: controller.state.checked is not None)
    return controller


@pytest.fixture
def slow(monkeypatch):
    """Loading that ends when it is cancelled; says which time limits it was given."""
    limits, started = [], threading.Event()

    def load(path, *args, time_limit, cancelled, **keywords):
        limits.append(time_limit)
        started.set()
        while not cancelled():
            threading.Event().wait(0.01)
        raise Cancelled

    load.limits, load.started = limits, started
    monkeypatch.setattr(files, "load_classifier", load)
    return load


def test_what_is_cancelled_leaves_the_dock_as_it_was(ready, slow, folder, mail):
    ready.set(target="hit", method="dcmix")
    earlier = ready.state.classifier
    ready.open_classifier(folder / "bare.pt")
    assert slow.started.wait(10)
    assert ready.state.classifier is None
    ready.stop_waiting()
    assert ready.state.notice == "Loading bare.pt was cancelled."
    assert ready.state.classifier is earlier
    assert ready.state.path == folder / "gap.pt"
    assert (ready.state.target, ready.state.method) == ("hit", "dcmix")
    mail.deliver_until(lambda: ready.state.checked is not None)
    assert ready.status.ready


def test_a_device_that_was_not_reached_is_not_kept(ready, slow, mail):
    ready.choose_device("cpu")
    assert slow.started.wait(10)
    ready.stop_waiting()
    assert ready.state.device == "auto"
    assert ready.state.classifier is not None


def test_two_loads_and_a_cancel_go_back_to_what_was_usable(ready, slow, folder):
    earlier = ready.state.classifier
    ready.open_classifier(folder / "bare.pt")
    ready.open_classifier(folder / "flat.pt")
    ready.stop_waiting()
    assert ready.state.classifier is earlier


def test_only_the_samples_classifier_is_trusted(controller, slow, folder):
    controller.open_classifier(folder / "gap.pt")
    assert slow.started.wait(10)
    assert slow.limits == [60.0]
    slow.started.clear()
    controller.open_classifier(sample.classifier())
    assert slow.started.wait(10)
    assert slow.limits == [60.0, None]
    assert not controller.state.tried_out


def test_the_clock_is_told_while_something_is_under_way(controller, slow, folder, monkeypatch):
    controller.open_classifier(folder / "gap.pt")
    controller.state.since -= 3
    controller.tick()
    assert "3 s" in controller.status.headline
    controller.stop_waiting()
    controller.state.waited = 0.0
    controller.tick()
    assert controller.state.waited == 0.0


def test_a_look_at_a_well_can_be_cancelled_and_repeated(controller, viewer, mail, tmp_path):
    path = networks.save(LoopsOnBrightWells().eval(), tmp_path / "loops.pt")
    show(viewer, mail, level=9e6)
    controller.open_classifier(path, networks.card())
    mail.deliver_until(lambda: controller.state.checking)
    controller.stop_waiting()
    assert controller.status.check.level == "todo"
    assert "cancelled" in controller.status.headline
    assert not controller.status.ready
    controller.check()
    assert controller.state.checking
    controller.stop_waiting()
    # The worker is free again.
    done = []
    controller.jobs.start("other", lambda report: True, done.append, pytest.fail)
    mail.deliver_until(lambda: bool(done))


def test_unload_gives_the_memory_back(ready, mail, folder):
    ready.explain()
    mail.deliver_until(lambda: not ready.state.explaining)
    gone = [weakref.ref(ready.state.classifier), weakref.ref(ready.state.classifier._network)]
    ready.unload()
    mail.deliver_until(lambda: "was unloaded" in ready.state.notice)
    assert "in use" not in ready.state.notice
    assert "free on cpu" in ready.state.notice
    assert [ref() for ref in gone] == [None, None]
    assert ready.state.path is None
    assert ready.status.headline == "Choose a classifier: a TorchScript or .pt2 file."
    ready.open_classifier(folder / "gap.pt")
    mail.deliver_until(lambda: ready.state.checked is not None)
    assert ready.status.ready


def test_an_explanation_that_failed_keeps_nothing_alive(ready, mail, monkeypatch):
    def fails(classifier, *args, **keywords):
        try:
            raise KeyError(classifier)
        except KeyError:
            raise ZeroDivisionError from None

    monkeypatch.setattr("napari_attribution.faithfulness.explain.explained", fails)
    ready.explain()
    mail.deliver_until(lambda: ready.state.run_error is not None)
    error = ready.state.run_error.error
    assert error.__traceback__ is None
    assert error.__context__.__traceback__ is None
    assert "ZeroDivisionError" in ready.state.run_error.details


def test_the_worker_keeps_nothing_of_its_last_job(controller, mail):
    class Large:
        def work(self, report):
            return 1

    large, done = Large(), []
    gone = weakref.ref(large)
    controller.jobs.start("x", large.work, done.append, pytest.fail)
    del large
    mail.deliver_until(lambda: bool(done))
    for _ in range(100):
        gc.collect()
        if gone() is None:
            break
        threading.Event().wait(0.02)
    assert gone() is None


def test_a_method_that_is_not_possible_gives_way(ready, folder, mail):
    ready.set(parameters={"pixel-ablation-cam": {"layer": ready.state.classifier.layers[0].name}})
    ready.open_classifier(folder / "flat.pt")
    mail.deliver_until(lambda: ready.state.checked is not None)
    assert ready.state.method == "pcim"
    assert ready.status.ready
    # A layer of another network is not asked for in this one.
    assert ready.state.parameters["pixel-ablation-cam"]["layer"] is None


def test_what_the_description_knows_is_kept_for_the_form(controller, folder, tmp_path, mail):
    path = tmp_path / "gap.pt"
    path.write_bytes((folder / "gap.pt").read_bytes())
    description = yaml.safe_load((folder / "gap.bioimageio.yaml").read_text())
    description["inputs"][0]["preprocessing"] = []
    (tmp_path / "gap.bioimageio.yaml").write_text(yaml.safe_dump(description))
    controller.open_classifier(path)
    mail.deliver_until(lambda: not controller.state.loading)
    state = controller.state
    assert state.needs_card
    assert tuple(state.known["classes"]) == networks.CLASSES
    assert state.replaces == "gap.bioimageio.yaml"
    assert "normalisation" in controller.status.headline
    # A card that does not fit leaves the form open, with what is known.
    controller.use_card(networks.card(classes=("a", "b")), save=False)
    mail.deliver_until(lambda: not state.loading)
    assert state.needs_card
    assert state.known
    controller.open_classifier(folder / "bare.pt")
    assert state.known == {}
    mail.deliver_until(lambda: not state.loading)
    assert state.needs_card
    assert state.replaces == ""


def test_a_card_that_does_not_fit_is_not_saved(controller, folder, tmp_path, mail):
    path = tmp_path / "bare.pt"
    path.write_bytes((folder / "bare.pt").read_bytes())
    controller.open_classifier(path)
    mail.deliver_until(lambda: not controller.state.loading)
    controller.use_card(networks.card(classes=("a", "b")), save=True)
    mail.deliver_until(lambda: not controller.state.loading)
    done = []
    controller.jobs.start("other", lambda report: True, done.append, pytest.fail)
    mail.deliver_until(lambda: bool(done))
    assert list(tmp_path.iterdir()) == [path]


def test_devices_are_listed_anew(controller, mail):
    assert controller.state.devices == ()
    controller.refresh_devices()
    mail.deliver_until(lambda: bool(controller.state.devices))
    assert controller.state.devices[-1].name == "cpu"
