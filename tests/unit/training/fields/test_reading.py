"""Fields are read as the classifier will see them when it explains them."""

import dataclasses

import numpy as np
import pytest
import tifffile
import torch
from labelled_plates import CLASSES, STAINS, field_pixels, plate_of_tiffs

from napari_attribution import Well, read_plate
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import Cancelled, LabelError, WellError
from napari_attribution.training.fields.pixels import NOT_READ
from napari_attribution.training.fields.reading import read_pixels
from napari_attribution.training.fields.scratch import Scratch
from napari_attribution.training.labelling.labelled import labelled

SIZE = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return plate_of_tiffs(tmp_path_factory.mktemp("plates") / "plate", fields=2)


def plate_in(folder):
    return read_plate(folder, stains=STAINS)


def test_examples_are_what_explaining_prepares(folder):
    found = labelled(plate_in(folder), CLASSES)
    with Scratch() as scratch:
        pixels = read_pixels(found, SIZE, scratch)
        card = pixels.card(range(5, 15), "name", "")
        examples = pixels.examples([0, 3, 20], card, scratch)
    assert examples.groups == ("A01", "A01", "A04", "A04", "D03", "D03")
    assert [found.classes[n] for n in examples.classes] == [CLASSES[well] for well in examples.groups]
    wells = [field.read() for n in (0, 3, 20) for field in found.wells[n].fields]
    twins = torch.cat([prepare(well, card).inputs for well in wells]).numpy()
    np.testing.assert_allclose(examples.inputs, twins, atol=0.005)


def test_mean_and_std_are_those_of_the_training_wells_alone(folder):
    found = labelled(plate_in(folder), CLASSES)
    training = range(5, 15)
    with Scratch() as scratch:
        pixels = read_pixels(found, SIZE, scratch)
        card = pixels.card(training, "name", "")
        examples = pixels.examples(training, card, scratch)
    inputs = examples.inputs.astype(np.float64)
    np.testing.assert_allclose(inputs.mean(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(inputs.std(axis=(0, 2, 3)), 1, atol=1e-3)
    assert card.size == (SIZE, SIZE)
    assert card.stains == STAINS
    assert all(low < mean for low, mean in zip(card.background, card.mean, strict=True))


def test_large_arrays_lie_in_files_that_are_gone_afterwards(folder, tmp_path):
    found = labelled(plate_in(folder), CLASSES)
    with Scratch() as scratch:
        in_memory = read_pixels(found, SIZE, scratch).values.copy()
    with Scratch(tmp_path, in_memory=0) as scratch:
        pixels = read_pixels(found, SIZE, scratch)
        assert isinstance(pixels.values, np.memmap)
        assert np.array_equal(pixels.values, in_memory)
        scratch.let_go(pixels.values)
    assert list(tmp_path.iterdir()) == []


def test_a_field_that_cannot_be_read_is_left_out_with_its_reason(tmp_path):
    folder = plate_of_tiffs(tmp_path / "p", fields=2)
    (folder / "made_B02_s1_w2.tif").write_bytes(b"no image")
    found = labelled(plate_in(folder), CLASSES)
    with Scratch() as scratch:
        pixels = read_pixels(found, SIZE, scratch)
        examples = pixels.examples([7], pixels.card(range(24), "name", ""), scratch)
    assert examples.groups == ("B02",)
    assert (pixels.wells == NOT_READ).sum() == 1
    (note,) = pixels.found.notes
    assert note.startswith("1 of 48 fields cannot be learned from and are left out. B02 field 1: ")


def test_pixels_that_are_no_numbers_are_told_by_stain_and_well(tmp_path):
    folder = plate_of_tiffs(tmp_path / "p", fields=2)
    bad = ("B02_s1", "B02_s2", "C03_s1", "C04_s2", "C05_s1")
    for place in bad:
        plane = np.full((36, 40), 7, np.float32)
        plane[0, :3] = np.nan
        tifffile.imwrite(folder / f"made_{place}_w2.tif", plane)
    others = dataclasses.replace(plate_in(plate_of_tiffs(tmp_path / "q")), name="q")
    with Scratch() as scratch:
        (note,) = read_pixels(labelled(plate_in(folder), CLASSES), SIZE, scratch).found.notes
        (of_two,) = read_pixels(labelled([plate_in(folder), others], CLASSES), SIZE, scratch).found.notes
    assert note.startswith(
        "5 of 48 fields cannot be learned from and are left out. B02 field 1: made_B02_s1_w2.tif: The stain GFP holds 3 pixels "
        "that are not numbers (NaN or infinity). "
    )
    assert note.endswith(" The others are C04 field 2, C05 field 1.")
    assert "are left out. p/B02 field 1: made_B02_s1_w2.tif: The stain GFP holds" in of_two


def test_many_fields_that_fail_and_a_class_that_is_lost():
    wells = [Well(field_pixels(p, 1, CLASSES[p]), STAINS, position=p) for p in CLASSES]
    blank = np.full((3, 20, 20), 7, np.uint16)
    some = [Well(blank, STAINS, position=well.position) if n < 9 else well for n, well in enumerate(wells)]
    with (
        Scratch() as scratch,
        pytest.raises(WellError, match=r"9 of 24 fields .* the stain DNA, GFP, Mito has the same value"),
    ):
        read_pixels(labelled(some, CLASSES), SIZE, scratch)
    rare = CLASSES | dict.fromkeys(("A01", "A02", "A03"), "rare")
    few = [Well(blank, STAINS, position=well.position) if n < 3 else well for n, well in enumerate(wells)]
    with Scratch() as scratch, pytest.raises(LabelError, match="None of the wells of the class rare could be read"):
        read_pixels(labelled(few, rare), SIZE, scratch)


def test_sizes_in_um_are_kept_where_all_fields_have_them():
    def wells(size_of):
        return [Well(field_pixels(p, 1, CLASSES[p]), STAINS, size_of(p), position=p) for p in CLASSES]

    def read(given):
        with Scratch() as scratch:
            return read_pixels(labelled(given, CLASSES), SIZE, scratch)

    same = read(wells(lambda p: (0.5, 0.5))).card(range(24), "name", "")
    assert (same.pixel_size, same.field_size) == (0.5, (18.0, 20.0))
    other = read(wells(lambda p: (0.5, 0.5) if p < "C" else None)).card(range(24), "name", "")
    assert (other.pixel_size, other.field_size) == (None, None)


def test_reading_can_be_stopped(folder):
    told = []

    def tell(moment):
        told.append(moment)
        if moment.done == 5:
            raise Cancelled("Stopped.")

    with Scratch() as scratch, pytest.raises(Cancelled):
        read_pixels(labelled(plate_in(folder), CLASSES), SIZE, scratch, tell)
    assert [moment.done for moment in told] == [1, 2, 3, 4, 5]
    assert {(moment.phase, moment.total) for moment in told} == {("reading", 48)}
