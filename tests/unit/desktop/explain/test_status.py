from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.explain.status import status
from napari_attribution.desktop.jobs import Failure
from napari_attribution.desktop.wells_from_layers import OpenWell
from napari_attribution.errors import LayerError

WELL = OpenWell("B03", (), ("DNA", "Mito"))


def network(**fields):
    card = SimpleNamespace(stains=("DNA", "Mito"), mode=fields.pop("mode", "resize"), size=fields.pop("size", (64, 64)))
    can_be_cut = fields.pop("can_be_cut", True)

    def layer(name=None):
        if not can_be_cut:
            raise LayerError("This network cannot be cut.")
        return SimpleNamespace(name="block", shape=(8, 4, 4))

    defaults = {
        "card": card,
        "classes": ("a", "b"),
        "device": "cpu",
        "gradients": True,
        "layer": layer,
        "head_cost": lambda name: 0.1,
        "head_may_be_affine": lambda name: True,
        "cost_by_vector": lambda name, locations: None,
        "forward_seconds": 0.5,
    }
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
        (
            {
                "classifier": network(gradients=False),
                "method": "pcim",
                "parameters": {"pcim": {"estimate": "gradient"}},
            },
            "PCIM is not possible: This network gives no gradients",
            "wrong",
        ),
        ({"classifier": network(can_be_cut=False)}, "cannot be cut", "wrong"),
        ({"checked": None, "check_cancelled": True}, "Look again", "todo"),
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


def test_who_waits_long_is_told_for_what():
    loading = {"classifier": None, "loading": True, "checked": None}
    assert status(right(**loading, waited=1.9, tried_out=True)).headline == "Loading c.pt ..."
    tried = status(right(**loading, waited=4.2, tried_out=True)).headline
    assert tried == "Loading c.pt: 4 s. A file that is new here is first tried out in a second process."
    assert "second process" not in status(right(**loading, waited=4.2)).headline
    # Also while there is no well yet: the button to cancel stands beside these words.
    assert "Loading" in status(right(**loading, well=None, wells=())).headline
    assert ": 7 s." in status(right(checked=None, checking=True, waited=7.0)).headline
