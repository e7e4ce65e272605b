"""Why does the classifier call this well a hit? Attribution maps and stain importance for TorchScript classifiers.

The public face: `read_well`, `read_plate`, `load_classifier`, `explain`, `train_dcmix`, and what travels between them. Importing
this package is cheap; torch is imported when a classifier is first loaded.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_attribution.classifiers import Classifier as Classifier
    from napari_attribution.classifiers import ClassifierCard as ClassifierCard
    from napari_attribution.classifiers import load_classifier as load_classifier
    from napari_attribution.faithfulness.explain import explain as explain
    from napari_attribution.methods import Attribution as Attribution
    from napari_attribution.methods.channels.importance import channel_importance as channel_importance
    from napari_attribution.training.train import train_dcmix as train_dcmix
    from napari_attribution.wells import Place as Place
    from napari_attribution.wells import Plate as Plate
    from napari_attribution.wells import Well as Well
    from napari_attribution.wells import read_plate as read_plate
    from napari_attribution.wells import read_well as read_well

__version__ = "0.1.0"

_HOME = {
    "Attribution": "methods",
    "Classifier": "classifiers",
    "ClassifierCard": "classifiers",
    "Place": "wells",
    "Plate": "wells",
    "Well": "wells",
    "channel_importance": "methods.channels.importance",
    "explain": "faithfulness.explain",
    "load_classifier": "classifiers",
    "read_plate": "wells",
    "read_well": "wells",
    "train_dcmix": "training.train",
}

__all__ = [
    "Attribution",
    "Classifier",
    "ClassifierCard",
    "Place",
    "Plate",
    "Well",
    "channel_importance",
    "explain",
    "load_classifier",
    "read_plate",
    "read_well",
    "train_dcmix",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
