"""Backbones: the networks behind a mixing layer."""

from napari_attribution.training.backbones.making import MixedNetwork, make_network

__all__ = ["MixedNetwork", "make_network"]
