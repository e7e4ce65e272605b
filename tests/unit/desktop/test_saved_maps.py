"""What napari saves of ours it opens again, with the record; of other images nothing changes."""

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest

from napari_attribution.desktop.layers import RECORD, ROLE, show_attribution, show_well
from napari_attribution.desktop.layers.saved import map_reader, write_map
from napari_attribution.errors import OutputError, RecordError

RECORDED = {
    "method": "pcim", "parameters": {}, "stain_map": {"DNA": "DNA"}, "score": {"kind": "logit", "target": "hit"},
    "classifier": {"card": {}}, "well": {"stains": ["DNA"], "shape": [1, 40, 60]},
}  # fmt: skip


@pytest.fixture
def shown(viewer, well, answers):
    return show_attribution(viewer, answers(record=RECORDED), show_well(viewer, well))[0]


def test_a_map_keeps_its_record_its_numbers_and_its_place(shown, tmp_path):
    path = str(tmp_path / "why.attribution.ome.tiff")
    data, attributes, _ = shown.as_layer_data_tuple()
    assert write_map(path, data, attributes) == [path]
    assert tifffile.imread(path).tobytes() == shown.data.astype(np.float32).tobytes()
    (again,) = map_reader(path)(path)
    layer = ViewerModel().add_image(again[0], **again[1])
    assert layer.data.tobytes() == shown.data.tobytes()
    assert layer.name == shown.name
    assert layer.metadata[RECORD] == RECORDED
    assert layer.metadata[ROLE] == "map"
    assert np.allclose(layer.extent.world, shown.extent.world)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]


def test_without_a_pixel_size_there_is_none(viewer, wells, answers, tmp_path):
    layers = show_well(viewer, wells(pixel_size=None))
    shown = show_attribution(viewer, answers(record=RECORDED, pixel_size=None), layers)[0]
    path = str(tmp_path / "why.attribution.ome.tiff")
    write_map(path, *shown.as_layer_data_tuple()[:2])
    assert "PhysicalSize" not in tifffile.TiffFile(path).ome_metadata
    assert {str(unit) for unit in map_reader(path)(path)[0][1]["units"]} == {"pixel"}


def test_other_images_are_refused_and_left_to_others(viewer, well, tmp_path):
    stain = show_well(viewer, well)[0]
    path = str(tmp_path / "DNA.attribution.ome.tiff")
    with pytest.raises(OutputError, match="DNA is no attribution map"):
        write_map(path, *stain.as_layer_data_tuple()[:2])
    assert map_reader(str(tmp_path / "DNA.ome.tiff")) is None
    tifffile.imwrite(path, np.zeros((4, 4), np.float32))
    with pytest.raises(RecordError, match="without a record"):
        map_reader(path)(path)


def test_napari_finds_writer_and_reader_for_these_files_alone():
    from pathlib import Path

    manager = PluginManager()
    manager.register(PluginManifest.from_file(Path(__file__).parents[3] / "napari.yaml"))
    assert manager.get_writer("a.attribution.ome.tiff", ["image"])[0].command == "napari-attribution.write_map"
    for name in ("a.ome.tiff", "a.tif"):
        assert manager.get_writer(name, ["image"])[0] is None
        assert not list(manager.iter_compatible_readers(name))
    assert len(list(manager.iter_compatible_readers("a.attribution.ome.tiff"))) == 1
