"""A figure of an answer, fit for a paper: the well, the map over it, the stains' importance, and a caption in words."""

from napari_attribution.keeping.figure.drawing import figure
from napari_attribution.keeping.figure.looks import Look, default_look
from napari_attribution.keeping.figure.writing import ENDINGS, write_figure

__all__ = ["ENDINGS", "Look", "default_look", "figure", "write_figure"]
