"""Wells from planes in memory."""

import numpy as np
import pytest

from napari_attribution.errors import StainError, WellError
from napari_attribution.wells.arrays import well_from_arrays


def test_planes_become_channels_in_their_order(planes):
    well = well_from_arrays({"GFP": planes[2], "DNA": planes[0]}, (0.5, 0.6), ["layer a", "layer b"])
    np.testing.assert_array_equal(well.pixels, planes[[2, 0]])
    assert (well.stains, well.named, well.pixel_size) == (("GFP", "DNA"), True, (0.5, 0.6))
    assert well.source == ("layer a", "layer b")
    assert well.pixels.dtype == planes.dtype


def test_lazy_planes_are_computed(planes):
    dask_array = pytest.importorskip("dask.array")
    well = well_from_arrays({"DNA": dask_array.from_array(planes[0])})
    np.testing.assert_array_equal(well.pixels[0], planes[0])


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (np.zeros((10, 32), np.uint16), r"the stain DNA is 24 x 32 pixels.*the stain GFP is 10 x 32 pixels"),
        (np.zeros((24, 32), np.uint8), "the stain DNA is uint16, but the stain GFP is uint8"),
        (np.zeros((5, 24, 32), np.uint16), r"GFP should be one plane.*\(5, 24, 32\).*one layer with a channel axis"),
        (np.zeros((24, 32, 3), np.uint8), r"GFP should be one plane.*a layer per stain"),
    ],
)
def test_planes_that_do_not_fit_are_refused_by_stain(planes, second, says):
    with pytest.raises(WellError, match=says):
        well_from_arrays({"DNA": planes[0], "GFP": second})


def test_no_planes_and_no_names_are_refused(planes):
    with pytest.raises(StainError, match=r"No stains were chosen.*a layer per stain"):
        well_from_arrays({})
    with pytest.raises(StainError, match="a name of its own"):
        well_from_arrays({"dna": planes[0], "DNA": planes[1]})


@pytest.mark.parametrize("size", [(0, 1), (1, -1), (float("nan"), 1)])
def test_a_pixel_without_a_size_is_refused(planes, size):
    with pytest.raises(WellError, match="is no pixel"):
        well_from_arrays({"DNA": planes[0]}, size)
