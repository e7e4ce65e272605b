from typing import Literal

import pytest
from pydantic import BaseModel, Field

from napari_attribution.desktop.widgets.form import Form
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.training.recipe import Recipe


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_every_parameter_model_round_trips(qtbot, method):
    form = Form(method.parameters)
    qtbot.addWidget(form)
    assert method.parameters(**form.values()) == method.parameters()
    for name, info in method.parameters.model_fields.items():
        assert form.fields[name].toolTip().startswith(info.description)
        assert form.fields[name].objectName() == f"parameter_{name}"


def test_a_parameter_has_a_name_for_people_and_the_one_to_be_typed(qtbot):
    form = Form(METHODS["pcim"].parameters)
    qtbot.addWidget(form)
    fine, region = form.fields["fine"], form.fields["region"]
    assert form.layout().labelForField(fine).text() == "fine place"
    assert fine.toolTip().endswith("On the command line: --set fine=...")
    assert fine.text() == "4 px"
    assert region.text() == "0.1"
    region.stepBy(1)
    assert region.text() == "0.15"
    region.setValue(0)
    assert region.text() == "none: each place for itself"
    assert form.values()["region"] == 0


def test_a_model_can_be_drawn_in_parts(qtbot):
    few, rest = Form(Recipe, names=("seeds", "epochs")), Form(Recipe, names=("size", "compare"))
    for form in (few, rest):
        qtbot.addWidget(form)
    assert list(few.fields) == ["seeds", "epochs"]
    few.fields["seeds"].setValue(7)
    assert few.values() == {"seeds": 7, "epochs": Recipe().epochs}
    few.reset()
    assert Recipe(**few.values(), **rest.values()) == Recipe()


class Everything(BaseModel):
    kind: Literal["a", "b"] = "b"
    maybe_kind: Literal["a", "b"] | None = None
    count: int = Field(3, ge=1, le=9)
    share: float = Field(0.5, gt=0, le=1)
    maybe_count: int | None = Field(None, ge=2, le=5)
    flag: bool = True
    text: str = "x"
    maybe_text: str | None = None


VALUES = {
    "kind": "a",
    "maybe_kind": "b",
    "count": 9,
    "share": 0.125,
    "maybe_count": 2,
    "flag": False,
    "text": "y",
    "maybe_text": "z",
}


def test_every_kind_of_field_takes_and_gives_its_values(qtbot):
    form = Form(Everything)
    qtbot.addWidget(form)
    assert form.values() == Everything().model_dump()
    form.set_values(VALUES)
    assert form.values() == VALUES
    form.reset()
    assert form.values() == Everything().model_dump()


def test_fields_keep_within_their_bounds(qtbot):
    form = Form(Everything)
    qtbot.addWidget(form)
    form.set_values({"count": 500, "share": 0.0})
    assert form.values()["count"] == 9
    assert form.values()["share"] > 0


def test_choices_known_only_now(qtbot):
    form = Form(METHODS["pixel-ablation-cam"].parameters, {"layer": [("automatic", None), ("block 3", "l3.relu")]})
    qtbot.addWidget(form)
    assert form.values()["layer"] is None
    with qtbot.waitSignal(form.changed):
        form.fields["layer"].setCurrentIndex(1)
    assert form.values()["layer"] == "l3.relu"
