"""The refusal of what is no plain data."""

from napari_attribution.classifiers.files.archive import EXPORT
from napari_attribution.errors import ClassifierError


def refusal(name: str, what: str) -> ClassifierError:
    """The error for a file that holds more than plain data."""
    return ClassifierError(f"{name} {what}. Only networks made of torch's own operators are loaded. {EXPORT}")
