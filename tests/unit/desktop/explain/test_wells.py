"""Wells are found among the layers, opened from files, and looked at again when they change."""

import numpy as np
import tifffile

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.layers import show_well

from .conftest import STAINS, names


def test_a_well_that_is_opened_is_found_once_its_layers_are_all_there(controller, viewer, well, mail):
    seen = []
    controller.watchers.append(lambda: seen.append(controller.state.well))
    show_well(viewer, well)
    assert controller.state.well is None
    mail.deliver_all()
    assert controller.state.well.stains == STAINS
    assert len(seen) <= 2


def test_a_well_from_a_file(controller, viewer, tmp_path, mail):
    path = tmp_path / "w.ome.tiff"
    pixels = np.arange(3 * 24 * 24, dtype=np.uint16).reshape(3, 24, 24)
    tifffile.imwrite(path, pixels, metadata={"axes": "CYX", "Channel": {"Name": list(STAINS)}})
    controller.open_well(path)
    mail.deliver_until(lambda: not controller.state.opening)
    assert names(viewer) == list(STAINS)
    assert controller.state.well.stains == STAINS


def test_what_is_no_well_is_a_sentence_and_what_was_open_stays(ready, viewer, tmp_path, mail):
    before = names(viewer)
    path = tmp_path / "well.tif"
    path.write_bytes(b"not a TIFF")
    ready.open_well(path)
    mail.deliver_until(lambda: not ready.state.opening)
    assert "well.tif" in ready.state.open_error
    assert ready.state.open_error == ready.status.headline
    assert names(viewer) == before
    assert ready.status.ready


def test_pixels_that_are_exchanged_are_looked_at_again(ready, viewer, mail):
    viewer.layers["ER"].data = np.zeros_like(viewer.layers["ER"].data)
    mail.deliver_until(lambda: ready.state.checked is not None and not ready.state.checked.ok)
    assert ready.status.check.level == "wrong"
    assert "ER" in ready.status.headline


def test_closing_lets_go_of_the_viewer(viewer, mail, well):
    controller = Controller(viewer, mail)
    controller.close()
    controller.close()
    show_well(viewer, well)
    assert controller.state.wells == ()
