"""The bars stay with the well that they are about."""

from types import SimpleNamespace

import pytest

from napari_attribution.desktop.channels.estimates import Estimates
from napari_attribution.desktop.channels.shown import Shown
from napari_attribution.desktop.channels.subject import Subject
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well


@pytest.fixture
def explained(viewer, mail, wells, answers):
    """Two wells; the first is explained, the second is chosen."""
    controller = Controller(viewer, mail)
    first = show_well(viewer, wells())
    second = show_well(viewer, wells(source=("B04.ome.tiff",), seed=1))
    mail.deliver_all()
    of_first, of_second = controller.state.wells
    controller.state.asked = SimpleNamespace(well=of_first.freeze())
    controller.state.answer = answers()
    controller.choose_well(of_second)
    subject = Subject(controller)
    yield controller, subject, first, second
    controller.close()


def test_it_is_the_well_that_was_asked_about_whichever_is_chosen(explained, mail):
    controller, subject, first, _ = explained
    assert subject.well.layers == tuple(first)
    # It is remembered when the classifier, and with it the question, has gone; and its stains when a layer is renamed.
    controller.state.asked = None
    first[2].name = "mitochondria"
    mail.deliver_all()
    assert subject.well.layers == tuple(first)
    assert subject.well.stains == ("DNA", "ER", "Mito")


def test_it_is_let_go_of_with_its_last_layer(explained, viewer):
    _, subject, first, _ = explained
    assert subject.well is not None
    viewer.layers.remove(first[0])
    assert subject.well is not None
    for layer in first[1:]:
        viewer.layers.remove(layer)
    assert subject.well is None


def test_without_the_question_it_is_the_chosen_well_if_that_has_the_stains(explained, answers):
    controller, subject, _, second = explained
    controller.state.asked = None
    controller.state.answer = answers()
    assert subject.well.layers == tuple(second)
    controller.state.answer = answers(stains=("GFP",), channel_importance={"GFP": 1.0}, channel_spread={})
    assert subject.well is None


def test_colours_are_those_of_its_layers(explained):
    controller, subject, first, second = explained
    shown = Shown(controller, Estimates(controller, lambda: None), subject)
    second[2].colormap = "green"
    first[2].colormap = "red"
    first[2].name = "something else"
    assert shown.colors["Mito"] == "#ff0000"
    assert set(shown.colors) == {"DNA", "ER", "Mito"}
