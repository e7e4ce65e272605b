"""Keep and repeat on a viewer without a window."""

import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from napari.components import ViewerModel
from napari.layers import Layer
from torch import nn

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.keeping.keeper import Keeper
from napari_attribution.desktop.keeping.looks import FrozenLook
from napari_attribution.desktop.keeping.repeating import Repeating
from napari_attribution.desktop.layers import RECORD, show_well
from napari_attribution.keeping.figure import default_look
from napari_attribution.keeping.records import read_record
from napari_attribution.wells import Place, read_well

STAINS = ("DNA", "ER", "Mito")
SAME = "The same map as in the record, bit for bit."


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("classifier") / "net.pt"
    torch.jit.script(Net().eval()).save(str(path))
    card = ClassifierCard(
        stains=STAINS, classes=("control", "hit"), size=(32, 32), mean=(2000.0,) * 3, std=(1200.0,) * 3
    )
    write_card(card, weights=path)
    return path


@pytest.fixture
def image(tmp_path, well):
    path = tmp_path / "B03.ome.tiff"
    named = {"axes": "CYX", "Channel": {"Name": list(STAINS)}, "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5}
    tifffile.imwrite(path, well.pixels, photometric="minisblack", metadata=named)
    return path


class Dock:
    """A viewer with its controller, and what the row under the answer has of it."""

    def __init__(self, mail):
        self.mail = mail
        self.viewer = ViewerModel()
        self.controller = Controller(self.viewer, mail)
        self.keeper = Keeper(self.controller)
        self.repeating = Repeating(self.controller, self.keeper.tell)
        self.controller.watchers.append(self.repeating.advance)
        self.state = self.controller.state

    def show(self, image):
        show_well(self.viewer, read_well(image))
        self.mail.deliver_all()

    def load(self, weights):
        self.controller.open_classifier(weights)
        self.mail.deliver_until(lambda: self.state.checked is not None)

    def explained(self, **asked):
        place = asked.pop("place", None)
        self.controller.set(**asked)
        self.controller.explain(place)
        self.mail.deliver_until(lambda: not self.state.explaining)
        assert self.state.run_error is None
        return self.state.answer

    def until_said(self):
        self.mail.deliver_until(lambda: self.keeper.level != "busy", 40)
        return self.keeper.said


@pytest.fixture
def docks(mail):
    made = []

    def make():
        made.append(Dock(mail))
        return made[-1]

    yield make
    for dock in made:
        dock.controller.close()


@pytest.fixture
def dock(docks, image, weights):
    dock = docks()
    dock.show(image)
    dock.load(weights)
    return dock


def test_kept_and_repeated_from_nothing(dock, docks, tmp_path):
    place = Place.square((40, 60), (20, 30), 12)
    answer = dock.explained(method="pcim", target="hit", against="control", place=place)
    dock.keeper.export(tmp_path / "map.ome.tiff")
    assert str(tmp_path / "map.ome.tiff") in dock.until_said()
    assert dock.state.export_folder == str(tmp_path)

    other = docks()
    other.repeating.from_file(tmp_path / "map.ome.tiff")
    assert other.until_said() == SAME
    found = other.state.answer
    assert found.values.tobytes() == answer.values.tobytes()
    assert found.part == answer.part
    assert [layer.name for layer in other.viewer.layers][:3] == list(STAINS)
    state = other.state
    assert (state.method, state.target, state.against) == ("pcim", "hit", "control")
    assert state.explained.attribution is found
    assert state.asked.classifier is state.classifier


def test_what_is_open_is_not_opened_again(dock, tmp_path):
    dock.explained()
    dock.keeper.export(tmp_path / "map.ome.tiff")
    dock.until_said()
    layers, classifier = list(dock.viewer.layers), dock.state.classifier
    dock.controller.set(method="dcmix")
    dock.explained()
    dock.viewer.layers["Mito"].name = "Cy5"
    dock.viewer.layers["Cy5"].data = dock.viewer.layers["Cy5"].data
    dock.mail.deliver_all()
    dock.repeating.from_file(tmp_path / "map.json")
    assert dock.until_said() == SAME
    assert dock.state.classifier is classifier
    assert list(dock.viewer.layers) == layers
    assert dock.state.stain_map["Mito"] == "Cy5"


def test_files_that_are_gone_are_named_or_found_open(dock, docks, image, tmp_path):
    dock.explained()
    dock.keeper.export(tmp_path / "map.ome.tiff")
    dock.until_said()
    image.unlink()
    dock.repeating.from_file(tmp_path / "map.ome.tiff")
    assert dock.until_said() == SAME
    other = docks()
    other.repeating.from_file(tmp_path / "map.ome.tiff")
    assert "is not there any more" in other.until_said()
    assert "in napari, open it first" in other.keeper.said
    assert not other.viewer.layers


def test_a_layer_that_napari_saved_and_opened_again(dock, docks):
    answer = dock.explained(method="pcim")
    saved = next(layer for layer in dock.viewer.layers if layer.name.startswith("why hit") or "why" in layer.name)
    layer = Layer.create(*saved.as_layer_data_tuple())
    other = docks()
    other.repeating.from_layer(layer.name, layer.metadata[RECORD])
    assert other.until_said() == SAME
    assert other.state.answer.values.tobytes() == answer.values.tobytes()


def test_a_well_that_has_changed_is_said(dock, docks, image, tmp_path):
    dock.explained()
    dock.keeper.export(tmp_path / "map.ome.tiff")
    dock.until_said()
    pixels = tifffile.imread(image)
    pixels[2] += 500
    tifffile.imwrite(
        image, pixels, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": list(STAINS)}}
    )
    other = docks()
    other.repeating.from_file(tmp_path / "map.json")
    assert other.until_said().startswith("The pixels of Mito are not those of the record")
    assert other.keeper.level == "warn"


@pytest.mark.parametrize("text", ["", "{}", '{"method": "pcim"}', "[" * 100_000])
def test_what_is_no_record_is_a_sentence(docks, tmp_path, text):
    (tmp_path / "record.json").write_text(text)
    dock = docks()
    dock.repeating.from_file(tmp_path / "record.json")
    assert "record.json" in dock.until_said()
    assert dock.keeper.level == "wrong"


def test_cancelling_and_failing_end_it(dock, docks, tmp_path):
    dock.explained()
    dock.keeper.export(tmp_path / "map.ome.tiff")
    dock.until_said()
    dock.repeating.from_file(tmp_path / "map.json")
    dock.mail.deliver_until(lambda: dock.state.explaining)
    dock.controller.cancel()
    assert dock.until_said() == "Repeating was cancelled."
    other = docks()
    other.repeating.from_file(tmp_path / "map.json")
    other.mail.deliver_until(lambda: other.state.loading)
    other.controller.stop_waiting()
    assert "nothing was repeated" in other.until_said()


def test_the_map_may_replace_what_has_its_name_and_nothing_else(dock, tmp_path):
    dock.explained()
    (tmp_path / "map.json").write_text("mine")
    dock.keeper.export(tmp_path / "map")
    assert "map-2.ome.tiff" in dock.until_said()
    dock.keeper.export(tmp_path / "map-2.ome.tiff")
    assert str(tmp_path / "map-2.ome.tiff") in dock.until_said()
    assert len(list(tmp_path.glob("map*.json"))) == 2
    dock.keeper.export(tmp_path / "map.png")
    assert "numbers, not a picture" in dock.until_said()
    (tmp_path / "a file").write_text("")
    dock.keeper.export(tmp_path / "a file" / "map.ome.tiff")
    assert "Choose another folder" in dock.until_said()


def test_a_figure_has_the_layers_colours(dock, tmp_path):
    answer = dock.explained()
    layers = dock.viewer.layers
    layers["ER"].visible = False
    layers["DNA"].colormap, layers["DNA"].contrast_limits, layers["DNA"].gamma = "red", (150, 900), 0.5
    layers["Mito"].opacity = 0.25
    frozen = FrozenLook.of(dock.state.well, dock.viewer)
    well = frozen.well.read()
    look = frozen.look(well, answer)
    assert look.hidden == {"ER"}
    assert look.limits["DNA"] == (150, 900)
    np.testing.assert_allclose(look.colours["DNA"][-1], [1, 0, 0])
    np.testing.assert_allclose(look.colours["DNA"][64], [np.sqrt(64 / 255), 0, 0], atol=0.01)
    np.testing.assert_allclose(look.colours["Mito"][-1], 0.25 * layers["Mito"].colormap.colors[-1][:3], atol=1e-6)
    top = next(layer for layer in layers if layer.metadata.get("napari-attribution role") == "map")
    assert look.evidence_limits == tuple(top.contrast_limits)
    np.testing.assert_allclose(look.evidence[-1], top.colormap.map(1.0).ravel(), atol=1e-6)
    assert look.opacity == top.opacity
    # The defaults are what the dock shows at first.
    usual = default_look(well, answer)
    np.testing.assert_allclose(look.colours["ER"][-1], usual.colours["ER"][-1], atol=1e-3)
    assert look.limits["ER"] == pytest.approx(usual.limits["ER"])


def test_a_figure_is_drawn_of_the_well_that_was_explained(dock, tmp_path, wells):
    dock.explained()
    dock.controller.unload()
    show_well(dock.viewer, wells(seed=5))
    dock.mail.deliver_all()
    dock.keeper.draw(tmp_path / "figure.png")
    assert dock.until_said() == f"The figure is kept as {tmp_path / 'figure.png'}."
    for stain in STAINS:
        dock.viewer.layers.remove(stain)
    dock.mail.deliver_all()
    dock.keeper.draw(tmp_path / "other.png")
    assert "is not open any more" in dock.until_said()
    dock.keeper.draw(tmp_path / "other.gif")
    assert "not written as .gif" in dock.until_said()
    assert not (tmp_path / "other.png").exists()


def test_as_python_says_what_to_supply(dock, docks, weights, wells):
    dock.explained()
    texts = []
    dock.keeper.as_python(texts.append)
    assert dock.until_said() == f"Copied {len(texts[0].splitlines())} lines of Python that give these very numbers."
    other = docks()
    show_well(other.viewer, wells(source=()))
    other.mail.deliver_all()
    other.load(weights)
    other.explained()
    other.keeper.as_python(texts.append)
    assert "put its path where the text says so" in other.until_said()
    assert "layer DNA, layer ER, layer Mito" in texts[1]


def test_renamed_layers_are_read_under_their_new_names(dock, weights):
    dock.viewer.layers["Mito"].name = "Cy5"
    dock.mail.deliver_all()
    dock.controller.map_stain("Mito", "Cy5")
    dock.mail.deliver_until(lambda: dock.state.checked is not None)
    answer = dock.explained()
    texts = []
    dock.keeper.as_python(texts.append)
    dock.until_said()
    made = {}
    exec(texts[0], made)
    assert made["answer"].values.tobytes() == answer.values.tobytes()
    assert made["well"].stains == ("DNA", "ER", "Cy5")


def test_nothing_is_kept_alive(dock, tmp_path):
    dock.explained()
    for path in (tmp_path / "map.ome.tiff", tmp_path / "map2.ome.tiff"):
        dock.keeper.export(path)
        dock.until_said()
    dock.keeper.draw(tmp_path / "figure.png")
    dock.until_said()
    dock.repeating.from_file(tmp_path / "map.json")
    assert dock.until_said() == SAME
    alive = weakref.ref(dock.state.classifier)
    dock.controller.unload()
    dock.mail.deliver_until(lambda: not dock.controller.jobs.busy("unload"))
    gc.collect()
    assert alive() is None


def test_the_record_of_a_dock_is_that_of_a_file(dock, tmp_path):
    answer = dock.explained()
    dock.keeper.export(tmp_path / "map.ome.tiff")
    dock.until_said()
    recorded = read_record(tmp_path / "map.json")
    assert recorded.well.reading.path == answer.record["well"]["source"][0]
    assert recorded.work.device == "cpu"


def test_without_an_answer_there_is_nothing_to_keep(docks):
    dock = docks()
    dock.keeper.export(SimpleNamespace())
    dock.keeper.draw(SimpleNamespace())
    dock.keeper.as_python(lambda _text: None)
    assert dock.keeper.said == ""
