from pathlib import Path

import numpy as np
import pytest

from napari_attribution import Place, Well, explain, load_classifier, read_well

SAMPLE = Path(__file__).parents[3] / "sample_data"
MITO = SAMPLE / "wells" / "B03_mito-fragmented.ome.tiff"
CONTROL = SAMPLE / "wells" / "B02_control.ome.tiff"
WEIGHTS = SAMPLE / "phenotypes.pt"


@pytest.fixture(scope="session")
def well():
    return read_well(MITO)


@pytest.fixture(scope="session")
def classifier():
    return load_classifier(WEIGHTS, device="cpu")


@pytest.fixture(scope="session")
def cell(well):
    mask = np.zeros(well.shape, bool)
    mask[200:240, 210:260] = True
    mask[200:210, 210:220] = False
    return Place(mask, "cell 3")


@pytest.fixture(scope="session")
def answer(classifier, well):
    """Resolved by stain, and checked."""
    return explain(classifier, well, "pcim", steps=2, faithfulness=True)


@pytest.fixture(scope="session")
def of_a_cell(classifier, well, cell):
    return explain(classifier, well, "pixel-ablation-cam", target="mito fragmented", place=cell, faithfulness=True)


@pytest.fixture
def noise():
    """A well that came from no file."""
    pixels = np.random.default_rng(0).integers(0, 4000, (5, 64, 80), dtype=np.uint16)
    return Well(pixels, ("DNA", "ER", "RNA", "AGP", "Mito"))
