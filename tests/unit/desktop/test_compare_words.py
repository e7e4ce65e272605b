"""What the dock says about a comparison."""

import numpy as np
import pytest

from napari_attribution.desktop.compare import request, words
from napari_attribution.desktop.compare.limits import Kept, limits_of
from napari_attribution.faithfulness.agreement import Agreement


def comparison(answers, differs="method", names=("PCIM", "Occlusion"), first=None, second=None):
    values = np.random.default_rng(0).standard_normal((8, 9)).astype(np.float32)
    sides = tuple(
        request.Side(name, answers(**({"values": values} | fields)), np.zeros((8, 9, 3), np.uint8), (32, 32))
        for name, fields in zip(names, (first or {}, second or {}), strict=True)
    )
    return request.Comparison.of(differs, sides)


def test_a_column_of_the_table(answers):
    found = words.cells(
        answers(
            target="hit",
            predicted="other",
            score=-1.257,
            faithfulness={"keep 20": 0.943, "elsewhere 20": -0.021},
            seconds=12.3,
        )
    )
    assert found == {
        "class": "hit",
        "says": "other",
        "probability": "0.97",
        "score": "−1.26 logit",
        "stain": "Mito 70 %",
        "kept": "94 %",
        "elsewhere": "−2 %",
        "time": "12 s",
    }
    assert list(found) == [name for name, _, _ in words.ROWS]


def test_what_is_not_known_is_not_made_up(answers):
    found = words.cells(answers(importance=(0, 0, 0), score_name="probability"))
    assert (found["stain"], found["kept"], found["elsewhere"], found["score"]) == (
        "–",
        "not known",
        "not known",
        "2.50",
    )
    assert words.cells(answers(importance=(-0.2, -0.3, -0.5)))["stain"] == "none speaks for it"


@pytest.mark.parametrize(
    ("rho", "told"),
    [
        (0.999, "the same (rank correlation +1.00)"),
        (0.93, "nearly the same"),
        (0.7, "much the same"),
        (0.4, "somewhat alike"),
        (0.0, "not related"),
        (-0.7, "in reverse order (rank correlation −0.70)"),
    ],
)
def test_the_correlation_in_words(rho, told):
    assert told in words.correlation(Agreement(rho, 0.5, 0.2))


def test_the_overlap_in_words():
    assert words.overlap(Agreement(0.1, 0.634, 0.2)) == "Strongest places: 63 % in common (20 % by chance)."
    assert words.overlap(Agreement(0.1, None, None)) == words.correlation(Agreement(None, 0.5, 0.2)) == ""


@pytest.mark.parametrize(
    ("noise", "told"), [(0.0, "point at the same places"), (1.0, "agree in part"), (50.0, "point elsewhere")]
)
def test_the_headline_of_two_methods(answers, noise, told):
    a, b = np.random.default_rng(0).standard_normal((2, 80, 90)).astype(np.float32)
    assert (
        words.headline(comparison(answers, first={"values": a}, second={"values": a + noise * b}))
        == f"The two methods {told}."
    )


def test_the_headline_of_two_wells(answers):
    one = comparison(answers, "well", ("B03", "C03"), second={"probabilities": {"hit": 0.04, "other": 0.96}})
    assert words.headline(one) == "hit: 0.97 in B03, 0.04 in C03."


def test_a_flat_map_is_told(answers):
    one = comparison(answers, second={"values": np.zeros((8, 9), np.float32)})
    assert words.headline(one) == "Two maps of hit."
    assert any("Occlusion is the same everywhere" in note for note in words.notes(one))


def test_warnings_that_both_share_are_told_once(answers):
    one = comparison(answers, first={"warnings": ("dim", "blurred")}, second={"warnings": ("dim",)})
    assert [note for note in words.notes(one) if "dim" in note or "blurred" in note] == ["dim", "PCIM: blurred"]


def test_the_scale_in_words(answers):
    one = comparison(answers)
    assert words.scale(limits_of(one)) == "Logit per location; the same for both views."
    assert words.scale(limits_of(one, Kept(2.0, "logit per location"))) == "Logit per location; kept for both views."
    other = comparison(answers, second={"units": "mixing weight"})
    assert words.scale(limits_of(other)).startswith("A: logit per location. B: mixing weight. Different units")


def test_a_map_that_is_pale_on_the_scale_of_the_other_is_told(answers):
    a = np.random.default_rng(0).standard_normal((20, 20)).astype(np.float32)
    one = comparison(answers, first={"values": a}, second={"values": 10 * a})
    (told,) = [note for note in words.notes(one) if "smaller" in note]
    assert told.startswith("The values of PCIM are about 10 times smaller than those of Occlusion")
    assert words.scale(limits_of(one, share=False)).startswith("Logit per location; each view has a scale of its own")
    assert not [note for note in words.notes(comparison(answers)) if "smaller" in note]


def test_wells_of_other_sizes_say_how_their_views_are_linked(answers):
    small = {"values": np.ones((4, 5), np.float32)}
    assert "same magnification, in µm" in " ".join(
        words.notes(comparison(answers, "well", ("B03", "C03"), second=small))
    )
    small["pixel_size"] = None
    told = " ".join(words.notes(comparison(answers, "well", ("B03", "C03"), second=small)))
    assert "C03 does not say how large a pixel is" in told


def test_the_readout_under_the_mouse():
    assert words.readout((3, 4), (0.1234, -2.0), (0.5, 3.0)) == "Row 3, column 4: A +0.123, B −2.00"
    assert words.readout((3, 4), (3e-9, None), (0.6, 0.6)) == "Row 3, column 4: A 0, B –"
    assert words.readout((3, 4), (-0.0012, 250.0), (0.004, 400.0)) == "Row 3, column 4: A −0.00120, B +250"
    assert words.readout(None, (None, None), (1.0, 1.0)) == ""


def test_why_a_map_has_no_faithfulness_is_told(answers):
    one = comparison(
        answers, first={"faithfulness": {"keep 20": 0.9}}, second={"trust": ("An empty image scores as high.",)}
    )
    assert "Occlusion: An empty image scores as high." in words.notes(one)
    assert not any(note.startswith("PCIM") for note in words.notes(one))
