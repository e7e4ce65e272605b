"""Units as files spell them."""

import pytest

from napari_attribution.wells.readers.units import in_um


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        *(("µm", 2), ("μm", 2), ("Âµm", 2), ("\\u00B5m", 2), ("um", 2), ("UM", 2), ("micron", 2), ("Å", 2e-4)),
        *(("nm", 0.002), ("mm", 2000), ("cm", 20_000), ("m", 2e6), ("inch", 50_800)),
    ],
)
def test_lengths_come_in_um(unit, um):
    assert in_um(2, unit) == pytest.approx(um)


@pytest.mark.parametrize(("length", "unit"), [(2, "pixel"), (2, ""), (0, "um"), (-1, "um"), (float("inf"), "um")])
def test_what_is_no_length_is_none(length, unit):
    assert in_um(length, unit) is None
