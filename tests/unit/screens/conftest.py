from pathlib import Path

import pytest
from small_screens import make_classifier, make_plate

from napari_attribution.wells import Plate


@pytest.fixture(scope="session")
def classifier(tmp_path_factory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("classifier"))


@pytest.fixture(scope="session")
def plate(tmp_path_factory) -> Plate:
    """Six wells of two fields."""
    return make_plate(tmp_path_factory.mktemp("plate"))


@pytest.fixture(scope="session")
def loaded(classifier):
    from napari_attribution import load_classifier

    return load_classifier(classifier)
