"""The only place that makes or updates napari layers."""

from napari_attribution.desktop.layers.answer import attribution_steps, show_attribution
from napari_attribution.desktop.layers.cells import cells_layer_tuple, show_cells
from napari_attribution.desktop.layers.known import RECORD, ROLE, ours
from napari_attribution.desktop.layers.wells import show_well, well_layer_tuples

__all__ = [
    "RECORD",
    "ROLE",
    "attribution_steps",
    "cells_layer_tuple",
    "ours",
    "show_attribution",
    "show_cells",
    "show_well",
    "well_layer_tuples",
]
