"""The card's form: the fields that belong to a normalisation, what is asked for, and what is already known."""

import pytest

from napari_attribution import ClassifierCard
from napari_attribution.desktop.explain.views.card_form import CardForm
from napari_attribution.errors import CardError


@pytest.fixture
def form(qtbot):
    form = CardForm()
    qtbot.addWidget(form)
    form.stains.setText("DNA, ER")
    form.classes.setText("control, hit")
    form.size.setText("64")
    form.show()
    return form


def choose(combo, value):
    combo.setCurrentIndex(combo.findData(value))


def shown(form) -> set[str]:
    names = ("overlap", "mean", "std", "percentiles", "over", "together")
    return {name for name in names if getattr(form, name).isVisible()}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (None, set()),
        ("fixed", {"mean", "std"}),
        ("per-image", {"over", "together"}),
        ("percentiles", {"percentiles", "over", "together"}),
    ],
)
def test_only_what_belongs_is_shown(form, kind, fields):
    choose(form.normalisation, kind)
    assert shown(form) == fields
    choose(form.mode, "tiles")
    assert shown(form) == fields | {"overlap"}


def test_normalisation_is_asked_for_never_guessed(form):
    with pytest.raises(CardError, match="Choose how the training pixels were normalised"):
        form.card()
    choose(form.normalisation, "fixed")
    with pytest.raises(CardError, match="Give the mean"):
        form.card()
    choose(form.normalisation, "percentiles")
    form.percentiles.setText("1")
    with pytest.raises(CardError, match="Give two percentiles"):
        form.card()


def test_what_is_written_is_the_card(form):
    names = {"stains": ["DNA", "ER"], "classes": ["control", "hit"], "size": (64, 64)}
    choose(form.normalisation, "fixed")
    form.mean.setText("100, 200")
    form.std.setText("10")
    assert form.card() == ClassifierCard(**names, mean=[100, 200], std=[10, 10])
    # What was written for one normalisation does not go into another.
    choose(form.normalisation, "percentiles")
    form.percentiles.setText("0.5, 99.8")
    choose(form.over, "well")
    choose(form.mode, "tiles")
    form.overlap.setValue(50)
    assert form.card() == ClassifierCard(
        **names, mode="tiles", overlap=0.5, normalisation="percentiles", percentiles=(0.5, 99.8), over="well"
    )
    choose(form.normalisation, "per-image")
    form.together.setChecked(True)
    choose(form.over, "input")
    assert form.card() == ClassifierCard(**names, mode="tiles", overlap=0.5, normalisation="per-image", together=True)


def test_what_a_description_says_is_filled_in(form):
    known = {
        "stains": ["A", "B", "C"],
        "classes": ["x", "y"],
        "size": (32, 48),
        "mode": "cells",
        "pixel_size": 0.325,
        "name": "my classifier",
        "description": "of cells",
        "background": [1.0, 2.0, 3.0],
    }
    form.fill(known)
    choose(form.normalisation, "per-image")
    assert form.card() == ClassifierCard(**known, normalisation="per-image")
    form.suggest(["other"])
    assert form.stains.text() == "A, B, C"
    assert not form.error.isVisible()


def test_another_file_gets_nothing_of_the_one_before(form):
    choose(form.normalisation, "fixed")
    form.mean.setText("100")
    form.fill({"name": "my classifier", "clip_before": (0.0, 4095.0)})
    form.begin({})
    assert shown(form) == set()
    for line in (form.stains, form.classes, form.size, form.mean, form.std, form.percentiles, form.pixel_size):
        assert line.text() == ""
    form.begin({"stains": ["A"], "classes": ["x", "y"], "size": (8, 8)})
    choose(form.normalisation, "per-image")
    assert form.card() == ClassifierCard(stains=["A"], classes=["x", "y"], size=(8, 8), normalisation="per-image")


def test_a_description_is_replaced_only_where_that_is_asked_for(form, qtbot):
    assert form.save.isChecked()
    form.begin({"stains": ["A"], "classes": ["x", "y"], "size": (8, 8)}, replaces="net.bioimageio.yaml")
    assert form.save.text() == "Replace net.bioimageio.yaml"
    choose(form.normalisation, "per-image")
    with qtbot.waitSignal(form.given) as given:
        form.use.click()
    assert given.args[1] is False
    form.begin({})
    assert form.save.isChecked()
    assert "Replace" not in form.save.text()


def test_every_field_says_what_it_is_for(form):
    for name in (
        "stains",
        "classes",
        "mode",
        "size",
        "overlap",
        "normalisation",
        "mean",
        "percentiles",
        "over",
        "together",
    ):
        assert getattr(form, name).toolTip()
        assert getattr(form, name).objectName() == f"card_{name}"
