from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import status
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell

WELL = OpenWell("B03", (), ("DNA", "Mito"))


def network(**fields):
    card = SimpleNamespace(stains=("DNA", "Mito"), mode=fields.pop("mode", "resize"))
    defaults = {"card": card, "classes": ("a", "b"), "device": "cpu", "gradients": True, "layers": (1,)}
    return SimpleNamespace(**(defaults | fields))


def finding(ok, sentence=""):
    return SimpleNamespace(ok=ok, title="", sentence=sentence)


def right(**fields):
    preflight = SimpleNamespace(findings=(finding(True),), predicted="a", probabilities={"a": 0.97, "b": 0.03})
    defaults = {
        "wells": (WELL,),
        "well": WELL,
        "path": Path("c.pt"),
        "classifier": network(),
        "stain_map": {"DNA": "DNA", "Mito": "Mito"},
        "checked": preflight,
    }
    return State(**(defaults | fields))


def failure(sentence):
    return Failure(sentence, ValueError())


def test_when_all_is_right_explain_can_be_pressed():
    now = status(right())
    assert now.ready
    assert now.headline == ""
    assert now.stains.summary == "2 of 2 mapped"
    assert now.check.summary == "a 0.97"


def test_an_empty_dock_offers_the_sample():
    now = status(State())
    assert now.sample
    assert not now.ready
    assert now.headline == "Open a well, or try the sample."
    assert now.level == "todo"


@pytest.mark.parametrize(
    ("fields", "words", "level"),
    [
        ({"well": None, "open_error": "x.tif is not a TIFF."}, "not a TIFF", "wrong"),
        ({"well": None, "opening": "x.tif"}, "Opening x.tif", "busy"),
        ({"well": OpenWell("s", (), (), problem="It is a stack.")}, "It is a stack.", "wrong"),
        ({"classifier": None, "path": None}, "Choose a classifier", "todo"),
        ({"classifier": None, "loading": True}, "Loading c.pt", "busy"),
        ({"classifier": None, "needs_card": True}, "Fill in its card", "wrong"),
        ({"classifier": None, "classifier_error": failure("It is a pickle.")}, "It is a pickle.", "wrong"),
        ({"stain_map": {"DNA": "DNA", "Mito": None}}, "no stain named Mito", "wrong"),
        ({"stain_map": {"DNA": "DNA", "Mito": "DNA"}}, "DNA stands for DNA and Mito", "wrong"),
        ({"checked": None, "checking": True}, "Looking", "busy"),
        ({"checked": None, "check_error": failure("The well holds NaN.")}, "The well holds NaN.", "wrong"),
        ({"classifier": network(gradients=False), "method": "pcim"}, "needs gradients", "wrong"),
        ({"classifier": network(layers=())}, "cannot be cut", "wrong"),
        ({"classifier": network(mode="cells")}, "single cells", "todo"),
        ({"run_error": failure("There is no room.")}, "There is no room.", "wrong"),
    ],
)
def test_what_blocks_is_named_with_its_remedy(fields, words, level):
    now = status(right(**fields))
    assert words in now.headline
    assert now.level == level
    assert now.ready == ("run_error" in fields)  # what failed once may be tried again


def test_a_flaw_can_be_accepted():
    checked = SimpleNamespace(
        findings=(finding(False, "Mito is empty."),), predicted="a", probabilities={"a": 0.5, "b": 0.5}
    )
    assert "explain all the same" in status(right(checked=checked)).headline
    assert not status(right(checked=checked)).ready
    assert status(right(checked=checked, accept_flaws=True)).ready


def test_a_doubt_is_a_warning_and_blocks_nothing():
    checked = SimpleNamespace(findings=(finding(None),), predicted="a", probabilities={"a": 0.5, "b": 0.5})
    now = status(right(checked=checked))
    assert now.check.level == "warn"
    assert now.ready


def test_nothing_can_be_pressed_twice():
    assert not status(right(explaining=True)).ready
