import pytest

from napari_attribution.desktop.explain import words


@pytest.mark.parametrize(
    ("importance", "sentence"),
    [
        ((0.1, 0.19, 0.71), "Mito decides (71 %)."),
        ((0.3, 0.25, 0.45), "Mito (45 %) and DNA (30 %) decide together."),
        ((0.3, -0.4, 0.29), "No single stain decides: DNA 30 %, Mito 29 %."),
        ((-0.5, -0.4, -0.1), "No stain speaks for hit."),
        ((0.0, 0.0, 0.0), "The stains' importance was not asked for: see the map."),
    ],
)
def test_who_decides(answers, importance, sentence):
    assert words.headline(answers(importance=importance)) == sentence


def test_details_say_what_was_asked_and_what_speaks_against(answers):
    text = words.details(answers(importance=(0.3, -0.2, 0.5), predicted="other"))
    assert "The classifier says other (probability 0.03)." in text
    assert "You asked about hit (probability 0.97)." in text
    assert "Against hit: ER (−20 %)." in text
    assert "Shares of: Shapley value of the stain." in text


def test_the_footnote_has_units(answers):
    assert words.footnote(answers()) == "logit 2.50 · 16 forwards, 1.2 s on cpu"


def test_the_legend_says_what_the_colours_and_the_numbers_are(answers):
    assert words.legend(answers(units="mixing weight")) == (
        "PCIM: purple speaks for hit, green against; unit: mixing weight"
    )
    assert words.legend(answers(method="fused-ablation-cam")).startswith("Fused Ablation-CAM: ")
