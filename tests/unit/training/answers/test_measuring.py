"""Stains are measured in the fields that can still be read, and what could not be is told."""

import numpy as np
import pytest
from labelled_plates import QUICK, STAINS, field_pixels

from napari_attribution import Well
from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.errors import DeviceError
from napari_attribution.training.answers import measuring
from napari_attribution.training.backbones import make_network
from napari_attribution.training.labelling.labelled import LabelledWell
from napari_attribution.wells.plate import Field

CARD = ClassifierCard(
    stains=STAINS,
    classes=("control", "hit"),
    size=(32, 32),
    mean=(300.0,) * 3,
    std=(300.0,) * 3,
    background=(200.0,) * 3,
)
GOOD = Well(field_pixels("A01", 1, "hit"), STAINS, position="A01", field=1)
GONE = Field("A01", 2, {}, stains=STAINS)


def measured(folder, *fields):
    network = make_network(QUICK, 3, 2, seed=0).eval()
    network.mixing = network.mixing.plain()
    wells = [LabelledWell(f"A{n:02d}", "", f"A{n:02d}", "hit", one) for n, one in enumerate(fields, 1)]
    return measuring.measured(network, CARD, wells, "cpu", folder)


def test_the_next_field_stands_in_for_one_that_is_gone(tmp_path):
    whole, nothing = measured(tmp_path, (GOOD,))
    assert nothing == ()
    other, warned = measured(tmp_path, (GONE, GOOD))
    assert warned == ()
    np.testing.assert_array_equal(other["shapley"], whole["shapley"])


def test_wells_that_are_gone_are_told(tmp_path):
    some, (sentence,) = measured(tmp_path, (GOOD,), (GONE,))
    assert "measured on 1 of 2 wells" in sentence
    assert np.isfinite(some["permutation"]).all()
    none, (sentence,) = measured(tmp_path, (GONE,), (GONE, GONE))
    assert "measured on 0 of 2 wells, so there are none" in sentence
    assert np.isnan(none["shapley"]).all()


def test_no_room_on_the_device_is_not_passed_over(tmp_path, monkeypatch):
    def full(*given, **more):
        raise DeviceError("No room.")

    monkeypatch.setattr(measuring, "channel_importance", full)
    with pytest.raises(DeviceError):
        measured(tmp_path, (GOOD,))
