"""What is looked at: wells and the files that hold them."""

from napari_attribution.wells.readers import read_well
from napari_attribution.wells.well import Well

__all__ = ["Well", "read_well"]
