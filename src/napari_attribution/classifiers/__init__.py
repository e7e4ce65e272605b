"""What is explained: classifiers, their cards, and how a well becomes their input."""

from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.cards.card import ClassifierCard

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier as Classifier
    from napari_attribution.classifiers.files.loading import load_classifier as load_classifier

__all__ = ["Classifier", "ClassifierCard", "load_classifier"]

_HOME = {"Classifier": "classifier", "load_classifier": "files.loading"}


def __getattr__(name: str) -> Any:
    """Bring in torch only with the first classifier."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
