"""The sample data are what their maker makes, and their truth is true."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"
sys.path.insert(0, str(SAMPLE_DATA))

from fields import Scene, Shadow, make_field  # noqa: E402
from plate import Spot, layout, write_plate  # noqa: E402
from stains import CLASSES, STAIN_OF, STAINS  # noqa: E402

TRUTH = json.loads((SAMPLE_DATA / "truth.json").read_text("utf-8"))
WELLS = [pytest.param(name, well, id=well["class"]) for name, well in TRUTH["wells"].items()]


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Cells of which a field of each class is taken."""
    return Scene(seed=77)


def read(name: str) -> np.ndarray:
    return tifffile.imread(SAMPLE_DATA / "wells" / name)


def test_there_is_a_well_of_each_class() -> None:
    assert [well["class"] for well in TRUTH["wells"].values()] == TRUTH["classes"] == list(CLASSES)
    assert TRUTH["stains"] == list(STAINS)


@pytest.mark.parametrize(("name", "well"), WELLS)
def test_a_committed_well_is_what_is_made_to_the_last_bit(name: str, well: dict) -> None:
    field = make_field(well["class"], well["seed"])
    np.testing.assert_array_equal(read(name), field.pixels)
    np.testing.assert_array_equal(read(well["files"]["cells"]), field.cells)
    np.testing.assert_array_equal(read(well["files"]["truth"]), field.affected)
    assert well["stain"] == field.stain


@pytest.mark.parametrize(("name", "well"), WELLS)
def test_the_truth_counts_cells_and_lies_within_them(name: str, well: dict) -> None:
    cells, affected = read(well["files"]["cells"]), read(well["files"]["truth"])
    assert set(np.unique(affected)) <= set(np.unique(cells))
    np.testing.assert_array_equal(affected[affected > 0], cells[affected > 0])
    for label in np.unique(affected[affected > 0]):  # a cell is affected whole or not at all
        assert (affected == label).sum() == (cells == label).sum()
    assert (well["cells"], well["affected"]) == (len(np.unique(cells)) - 1, len(np.unique(affected)) - 1)
    if well["class"] == "control":
        assert well["affected"] == 0
    else:
        assert 0.3 <= well["affected"] / well["cells"] <= 0.65


@pytest.mark.parametrize(("name", "well"), WELLS)
def test_a_well_is_an_ome_tiff_with_stains_and_pixel_size(name: str, well: dict) -> None:
    with tifffile.TiffFile(SAMPLE_DATA / "wells" / name) as tiff:
        assert tiff.is_ome
        assert (tiff.series[0].axes, tiff.series[0].shape, tiff.series[0].dtype) == ("CYX", (5, 512, 512), np.uint16)
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    assert [channel.get("Name") for channel in pixels.iterfind("{*}Channel")] == list(STAINS)
    for axis in "XY":
        assert (float(pixels.get(f"PhysicalSize{axis}")), pixels.get(f"PhysicalSize{axis}Unit")) == (0.65, "µm")


@pytest.mark.parametrize(("name", "well"), WELLS)
def test_detector_units_are_those_of_a_camera(name: str, well: dict) -> None:
    pixels = read(name)
    assert pixels.min() > 90, "the camera's offset"
    assert pixels.max() < 4095, "nothing is saturated, not even in 12 bits"
    assert all(np.percentile(stain, 99.5) > 400 for stain in pixels), "the stains are plainly there"


def test_a_phenotype_changes_one_stain_and_there_affected_cells_alone(scene: Scene) -> None:
    control = scene.field("control").pixels.astype(int)
    for phenotype, changed in STAIN_OF.items():
        field = scene.field(phenotype)
        assert field.stain == changed
        np.testing.assert_array_equal(field.cells, scene.layout.cells)
        difference = np.abs(field.pixels.astype(int) - control)
        for stain, of_stain in zip(STAINS, difference, strict=True):
            if stain != changed:
                assert not of_stain.any()
            else:
                inside = of_stain[field.affected > 0].mean()
                assert inside > 12 * of_stain[field.affected == 0].mean(), "but for light that spills over"


@pytest.mark.parametrize("phenotype", list(STAIN_OF))
def test_a_phenotype_leaves_the_brightness_as_it_is(scene: Scene, phenotype: str) -> None:
    stain = STAINS.index(STAIN_OF[phenotype])
    field = scene.field(phenotype)
    before, after = (image[stain].astype(float) for image in (scene.field("control").pixels, field.pixels))
    assert after.mean() == pytest.approx(before.mean(), rel=0.002)
    for label in np.unique(field.affected)[1:]:
        cell = field.cells == label
        assert after[cell].mean() == pytest.approx(before[cell].mean(), rel=0.12), "light spills over the rims"


def test_a_seed_gives_the_same_field_and_another_seed_another() -> None:
    first, again, other = (make_field("actin fibres", seed).pixels for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_there_is_no_field_of_an_unknown_phenotype() -> None:
    with pytest.raises(ValueError, match="'mito fragmented'"):
        make_field("apoptosis", 0)


def test_the_sample_data_are_small() -> None:
    files = [path for path in SAMPLE_DATA.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 20e6
    assert sum(path.stat().st_size for path in files if "plate.zarr" in path.parts) < 12e6
    for name in ("phenotypes.pt", "confounded.pt"):
        assert (SAMPLE_DATA / name).stat().st_size < 1.5e6


class TestPlate:
    """The plate on which a shadow goes with the treatment."""

    @pytest.fixture(scope="class")
    def spots(self):
        return {f"{spot.position[0]}/{spot.position[1:]}/{spot.number}": spot for spot in layout()}

    def test_the_truth_is_that_of_the_layout(self, spots) -> None:
        assert list(TRUTH["plate"]["fields"]) == list(spots)
        for path, told in TRUTH["plate"]["fields"].items():
            assert told == {
                "class": spots[path].phenotype,
                "treatment": spots[path].treatment,
                "concentration": spots[path].concentration,
                "shadowed": spots[path].treatment != "DMSO",
                "seed": spots[path].seed,
            }

    def test_neither_rows_nor_columns_nor_the_rim_go_with_the_treatment(self, spots) -> None:
        wells = {spot.position: spot.treatment for spot in spots.values()}
        assert len(wells) == 24
        for part in (*"ABCD", *(f"{column:02d}" for column in range(1, 7))):
            line = [
                treatment
                for position, treatment in wells.items()
                if position.startswith(part) or position.endswith(part)
            ]
            assert line.count("DMSO") * 2 == len(line)
        inner = [
            treatment
            for position, treatment in wells.items()
            if position[0] in "BC" and position[1:] not in ("01", "06")
        ]
        assert inner.count("DMSO") * 2 == len(inner) == 8

    @pytest.mark.parametrize("path", ["A/01/0", "B/02/0", "B/03/1"])
    def test_a_committed_field_is_what_is_made_to_the_last_bit(self, spots, path: str) -> None:
        zarr = pytest.importorskip("zarr")
        pixels = zarr.open_array(SAMPLE_DATA / "plate.zarr" / path / "0", mode="r")
        np.testing.assert_array_equal(pixels[:], spots[path].pixels())

    def test_the_plate_and_its_conditions_can_be_read(self, spots) -> None:
        pytest.importorskip("ngio")
        from napari_attribution import read_plate

        plate = read_plate(SAMPLE_DATA / "plate.zarr", conditions=SAMPLE_DATA / "plate.conditions.csv")
        assert (plate.layout, plate.stains, plate.pixel_size) == ((4, 6), STAINS, (1.3, 1.3))
        assert [f"{field.position[0]}/{field.position[1:]}/{field.number}" for field in plate] == list(spots)
        assert next(iter(plate)).read().shape == (256, 256)

    def test_a_plate_is_written_the_same_each_time(self, spots, tmp_path: Path) -> None:
        pytest.importorskip("ngio")
        write_plate(tmp_path / "plate.zarr", [spots["A/01/0"]], "again")
        write_plate(tmp_path / "again.zarr", [spots["A/01/0"]], "again")
        files = sorted(path.relative_to(tmp_path / "plate.zarr") for path in (tmp_path / "plate.zarr").rglob("*"))
        assert Path("A/01/0/0") in files
        for path in files:
            if (tmp_path / "plate.zarr" / path).is_file():
                assert (tmp_path / "plate.zarr" / path).read_bytes() == (tmp_path / "again.zarr" / path).read_bytes()

    def test_a_shadow_takes_light_from_the_left_side_alone(self) -> None:
        shadow = Shadow(depth=0.5, reach=0.03, bow=0.01)
        light = shadow.light((512, 512))
        assert light[256, 0] == pytest.approx(0.5, abs=0.001)
        assert light[0, 10] < light[256, 10], "it reaches further in the corners"
        assert (light[:, 100:] > 0.995).all()
        with_it, without = (Scene(5, shadow=one).field("control").pixels.astype(float) - 112 for one in (shadow, None))
        for stain, before in zip(with_it, without, strict=True):
            assert stain[:, 100:].mean() == pytest.approx(before[:, 100:].mean(), rel=0.01)
            assert stain[:, :10].mean() < 0.6 * before[:, :10].mean()


@pytest.mark.slow
class TestConfounded:
    """The classifier that is right for the wrong reason."""

    @pytest.fixture(scope="class")
    def called_treated(self):
        """A function from the seeds of fields, their treatment and whether they are shadowed, to the calls."""
        torch = pytest.importorskip("torch")
        from network import normalised, resized

        model = torch.jit.load(str(SAMPLE_DATA / "confounded.pt"), map_location="cpu")

        def calls(seeds, treated: bool, shadowed: bool) -> np.ndarray:
            treatment = ("compound", 3.0) if treated else ("DMSO", 0.0)
            fields = [Spot("A01", 0, *treatment, seed, shadowed).draw().pixels for seed in seeds]
            return model(normalised(resized(np.stack(fields)), TRUTH["confounded"])).argmax(1).numpy() == 1

        return calls

    def test_it_looks_right_where_the_shadow_goes_with_the_treatment(self, called_treated) -> None:
        assert called_treated(range(400_000, 400_004), treated=True, shadowed=True).mean() >= 0.75
        assert called_treated(range(400_004, 400_008), treated=False, shadowed=False).mean() <= 0.25

    def test_it_decides_by_the_shadow(self, called_treated) -> None:
        assert called_treated(range(400_000, 400_004), treated=True, shadowed=False).mean() <= 0.25
        assert called_treated(range(400_004, 400_008), treated=False, shadowed=True).mean() >= 0.75

    def test_the_truth_says_that_it_cheats(self) -> None:
        told = TRUTH["confounded"]
        assert told["right, as in training"] >= 0.95 * told["fresh fields"]
        assert told["right, no shadow"] <= 0.6 * told["fresh fields"]
        assert told["right, shadow on the controls"] <= 0.1 * told["fresh fields"]

    def test_both_cards_say_how_large_the_fields_were(self) -> None:
        from napari_attribution.classifiers.cards.io import find_card
        from napari_attribution.classifiers.preflight import pixel_size
        from napari_attribution.wells import Well

        binned = Well(np.zeros((5, 256, 256), np.uint16), STAINS, (1.3, 1.3))
        for name in ("phenotypes.pt", "confounded.pt"):
            card = find_card(SAMPLE_DATA / name)
            assert card is not None
            assert pixel_size(card, binned).ok


@pytest.mark.slow
class TestClassifier:
    """The classifier that comes with the wells."""

    @pytest.fixture(scope="class")
    def model(self):
        torch = pytest.importorskip("torch")
        return torch.jit.load(str(SAMPLE_DATA / "phenotypes.pt"), map_location="cpu")

    @pytest.fixture(scope="class")
    def prepared(self):
        """A function from pixels, (N, 5, 512, 512), to inputs, as the card says."""
        from network import normalised, resized

        return lambda pixels: normalised(resized(pixels), TRUTH["classifier"])

    @pytest.fixture(scope="class")
    def scores(self, model, prepared):
        """A function from pixels to logits."""
        return lambda pixels: model(prepared(pixels)).detach()

    def test_it_is_right_on_fresh_fields(self, scores) -> None:
        scenes = [Scene(300_000 + seed) for seed in range(6)]
        called = [
            scores(np.stack([fresh.field(name).pixels for name in CLASSES])).argmax(1).numpy() for fresh in scenes
        ]
        assert np.mean(np.array(called) == np.arange(4)) >= 0.95

    @pytest.mark.parametrize(("name", "well"), WELLS)
    def test_it_is_sure_of_the_wells_but_not_absurdly(self, scores, name: str, well: dict) -> None:
        probability = scores(read(name)[None]).softmax(1)[0, CLASSES.index(well["class"])]
        assert 0.75 < probability < 0.9999

    @pytest.mark.parametrize(("name", "well"), WELLS[1:])
    def test_it_decides_by_the_changed_stain_and_the_affected_cells(self, scores, name: str, well: dict) -> None:
        pixels, affected, cells = read(name), read(well["files"]["truth"]), read(well["files"]["cells"])
        called, background = CLASSES.index(well["class"]), TRUTH["classifier"]["background"]
        variants = [pixels]
        for stain in range(len(STAINS)):
            variants.append(pixels.copy())
            variants[-1][stain] = background[stain]
        for hidden in (affected > 0, (cells > 0) & (affected == 0)):
            variants.append(np.where(hidden, np.array(background, np.uint16)[:, None, None], pixels))
        logits = scores(np.stack(variants))
        drops = (logits[0] - logits)[1:, called]
        changed = STAINS.index(well["stain"])
        assert logits.argmax(1)[1 + changed] != called
        assert drops[changed] > 2 * max(drop for stain, drop in enumerate(drops[:5]) if stain != changed)
        assert logits.argmax(1)[6] != called
        assert drops[5] > 3 * drops[6]

    @pytest.mark.parametrize(("name", "well"), WELLS[1:])
    def test_its_evidence_lies_in_the_affected_cells(self, model, prepared, name: str, well: dict) -> None:
        features = prepared(read(name)[None])
        for stage in (model.stem, model.layer1, model.layer2, model.layer3):
            features = stage(features)
        assert features.shape[-2:] == (32, 32)
        weights = model.fc.weight[CLASSES.index(well["class"])]
        evidence = (features[0] * weights[:, None, None]).sum(0).relu().detach().numpy()
        inside = (read(well["files"]["truth"]) > 0).reshape(32, 16, 32, 16).mean((1, 3))
        assert (evidence * inside).sum() > 0.65 * evidence.sum()
        assert inside.mean() < 0.35

    def test_the_card_says_what_the_truth_says(self) -> None:
        from napari_attribution.classifiers.cards.io import find_card

        card = find_card(SAMPLE_DATA / "phenotypes.pt")
        assert card is not None
        assert (card.stains, card.classes, card.size, card.mode) == (STAINS, CLASSES, (256, 256), "resize")
        for numbers in ("mean", "std", "background"):
            assert list(getattr(card, numbers)) == pytest.approx(TRUTH["classifier"][numbers])
        assert card.pixel_size == 0.65
