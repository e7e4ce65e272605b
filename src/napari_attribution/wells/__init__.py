"""What is looked at: wells and the files that hold them."""

from napari_attribution.wells.place import Place
from napari_attribution.wells.plate import Field, Plate
from napari_attribution.wells.readers import read_well
from napari_attribution.wells.readers.plates import read_plate
from napari_attribution.wells.well import Well

__all__ = ["Field", "Place", "Plate", "Well", "read_plate", "read_well"]
