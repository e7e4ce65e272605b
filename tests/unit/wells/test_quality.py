"""What is wrong with pixels, at and around each threshold."""

import numpy as np
import pytest

from napari_attribution.wells.quality import Flaw, flaws
from napari_attribution.wells.well import Well


def _well(dtype, top, share, size=100):
    """A stain of noise in which exactly `share` of the pixels are at `top`."""
    plane = np.random.default_rng(0).integers(1, top, (size, size)).astype(dtype)
    plane.flat[: round(share * size**2)] = top
    return Well(plane[None], ("GFP",))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    ("value", "says"), [(0, "is empty: every pixel is 0"), (7, "every pixel has the same value, 7")]
)
def test_a_blank_stain_is_refused_and_the_others_are_not(dtype, value, says):
    noise = np.random.default_rng(0).integers(0, 200, (2, 20, 20)).astype(dtype)
    noise[1] = value
    (flaw,) = flaws(Well(noise, ("DNA", "GFP")))
    assert (flaw.stain, flaw.severity) == ("GFP", "refuse")
    assert says in flaw.sentence
    assert "GFP" in flaw.sentence


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("uint8", 8), *(("uint16", bits) for bits in (8, 10, 12, 14, 16)), ("uint32", 12), ("float32", 16)],
)
@pytest.mark.parametrize(
    ("share", "severity"), [(0.0049, None), (0.005, "warn"), (0.2499, "warn"), (0.25, "refuse"), (0.9, "refuse")]
)
def test_saturation_is_found_at_every_bit_depth(dtype, bits, share, severity):
    found = flaws(_well(dtype, 2**bits - 1, share))
    assert [flaw.severity for flaw in found] == ([severity] if severity else [])
    for flaw in found:
        assert f"{round(share * 10_000):,} of 10,000 pixels ({share:.1%}) are at {2**bits - 1:g}" in flaw.sentence
        assert f"{bits} bits" in flaw.sentence


@pytest.mark.parametrize(("dtype", "top"), [("uint16", 3000), ("uint16", 4094), ("uint16", 32767), ("uint8", 200)])
def test_a_flat_top_that_is_no_detectors_top_looks_clipped(dtype, top):
    assert flaws(_well(dtype, top, 0.04)) == ()
    (flaw,) = flaws(_well(dtype, top, 0.3))
    assert flaw.severity == "warn"
    assert f"3,000 of 10,000 pixels (30.0%) share its largest value, {top}" in flaw.sentence


def test_flaws_come_in_the_order_of_the_stains():
    sound = np.arange(400, dtype=np.uint16).reshape(20, 20)
    found = flaws(Well(np.stack([sound * 0, sound, sound * 0 + 5]), ("DNA", "ER", "AGP")))
    assert [flaw.stain for flaw in found] == ["DNA", "AGP"]
    assert all(isinstance(flaw, Flaw) for flaw in found)
