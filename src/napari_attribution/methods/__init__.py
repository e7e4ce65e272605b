"""How a classifier's call is explained."""

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.explain import METHODS, explain

__all__ = ["METHODS", "Attribution", "explain"]
