"""A new file is tried out before it is loaded; one that has passed, or is trusted, is not."""

import sys

import networks
import pytest

from napari_attribution import load_classifier
from napari_attribution.classifiers.files.trial import limits, remembered
from napari_attribution.classifiers.files.trial.trial import Trial
from napari_attribution.classifiers.files.trial.trying import try_out
from napari_attribution.errors import Cancelled, CardError, ClassifierError, DeviceError, TrialError

from .conftest import Loops, saved


@pytest.fixture
def tried(monkeypatch, tmp_path):
    """Switches the trial on, with a cache of its own."""
    monkeypatch.setenv(limits.SWITCH, "1")
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_loading_tries_a_new_file_out_and_remembers_it(tried, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Trial, "load", lambda self, path, card, seconds, cancelled: asked.append((path.name, seconds)))
    path = saved(networks.make("gap"), tmp_path)
    for _ in range(2):
        load_classifier(path, "cpu", networks.card(), time_limit=7)
    assert asked == [("net.pt", 7)]
    load_classifier(saved(networks.make("gated"), tmp_path), "cpu", networks.card())  # other bytes
    load_classifier(path, "cpu", networks.card(size=64))  # other shapes
    assert asked[1:] == [("net.pt", 60.0), ("net.pt", 60.0)]
    remembered.forget()
    load_classifier(path, "cpu", networks.card())
    assert len(asked) == 4


def test_loading_refuses_what_the_trial_refused(tried, tmp_path):
    with pytest.raises(TrialError, match="took longer than 1 s"):
        load_classifier(saved(Loops(), tmp_path), "cpu", networks.card(), time_limit=1)
    assert not tried.exists()
    with pytest.raises(Cancelled):
        load_classifier(saved(Loops(), tmp_path), "cpu", networks.card(), cancelled=lambda: True)


def test_a_file_that_is_trusted_is_not_tried_out(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(Trial, "load", lambda *_: pytest.fail("was tried out"))
    path = saved(networks.make("gap"), tmp_path)
    load_classifier(path, "cpu", networks.card(), time_limit=None)
    monkeypatch.setenv(limits.SWITCH, "0")
    load_classifier(path, "cpu", networks.card())


def test_without_a_card_no_trial_is_made(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(Trial, "load", lambda *_: pytest.fail("was tried out"))
    with pytest.raises(CardError, match="has no card"):
        load_classifier(saved(networks.make("gap"), tmp_path), "cpu")


def test_another_device_judges_for_itself(tried, tmp_path, monkeypatch):
    """Half-precision networks and the like may run on a GPU only."""

    def refuses(*_):
        raise ClassifierError("not on the CPU.")

    path = saved(networks.make("gap"), tmp_path)
    monkeypatch.setattr(Trial, "load", refuses)
    try_out(path, networks.card(), 60.0, device="cuda")
    with pytest.raises(ClassifierError, match="not on the CPU"):
        try_out(path, networks.card(), 60.0, device="cpu")
    assert not tried.exists()


def test_a_cache_that_cannot_be_written_does_not_matter(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(Trial, "load", lambda *_: None)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(remembered, "folder", lambda: tmp_path / "file" / "cache")
    load_classifier(saved(networks.make("gap"), tmp_path), "cpu", networks.card())


def test_no_second_python(tried, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    with pytest.raises(DeviceError, match=r"No second Python could be started.*NAPARI_ATTRIBUTION_TRIAL=0"):
        load_classifier(saved(networks.make("gap"), tmp_path), "cpu", networks.card())
