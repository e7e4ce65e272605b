import pytest
from labelled_plates import CLASSES, QUICK, STAINS, plate_of_tiffs

from napari_attribution import read_plate


@pytest.fixture(scope="session")
def plate(tmp_path_factory):
    """24 wells of two fields whose class shows in GFP alone."""
    return read_plate(plate_of_tiffs(tmp_path_factory.mktemp("plates") / "plate", fields=2), stains=STAINS)


@pytest.fixture(scope="session")
def trained(plate):
    """Two seeds, each with all the networks to compare."""
    from napari_attribution import train_dcmix

    return train_dcmix(plate, CLASSES, recipe=QUICK, device="cpu")


@pytest.fixture(scope="session")
def saved(trained, tmp_path_factory):
    return trained.save(tmp_path_factory.mktemp("saved") / "gfp.pt")
