"""How a classifier's call is explained."""

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.explain import explain

__all__ = ["METHODS", "Attribution", "explain"]
