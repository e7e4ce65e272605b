"""The same numbers from a record, what is not as it was in sentences, and nothing but sentences from what is no record."""

import json
import random
import shutil

import networks
import numpy as np
import pytest
import tifffile

from napari_attribution import Well, explain, read_well
from napari_attribution.errors import AttributionError, RecordError, StainError
from napari_attribution.keeping.export import write_attribution
from napari_attribution.keeping.records import checked_record, read_record
from napari_attribution.keeping.repeat import repeat
from napari_attribution.keeping.summary import as_json, summary

from .conftest import CONTROL, MITO, WEIGHTS


def plain(answer):
    """The record as it comes out of a file."""
    return json.loads(as_json(answer.record))


def same(a, b):
    assert a.values.tobytes() == b.values.tobytes()
    assert a.score == b.score
    assert dict(a.probabilities) == dict(b.probabilities)
    assert dict(a.channel_importance) == dict(b.channel_importance)
    assert dict(a.faithfulness) == dict(b.faithfulness)


def test_the_same_from_the_files(answer, tmp_path):
    written = write_attribution(answer, tmp_path, "map")
    found = repeat(read_record(written.map))
    same(found.attribution, answer)
    assert found.same is True
    assert found.notes == ("The same map as in the record, bit for bit.",)


def test_the_same_of_a_place(of_a_cell, classifier):
    found = repeat(summary(of_a_cell), classifier=classifier)
    same(found.attribution, of_a_cell)
    assert (found.attribution.place.mask == of_a_cell.place.mask).all()
    assert found.attribution.part == of_a_cell.part


def test_the_same_of_a_contrast_of_stains_with_other_names(classifier, tmp_path):
    pixels = tifffile.imread(MITO)[[4, 0, 1, 2, 3]]
    path = tmp_path / "own.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack")
    names = ["MitoTracker", "Hoechst", "ER", "RNA", "AGP"]
    asked = {"stain_map": {"DNA": "Hoechst", "Mito": "MitoTracker"}, "score": "contrast", "target": "rna granules"}
    well = read_well(path, stains=names)
    answer = explain(classifier, well, "occlusion", window=64, channels="none", **asked)
    found = repeat(plain(answer), classifier=classifier)
    same(found.attribution, answer)
    assert found.attribution.score_name == answer.score_name
    assert found.attribution.stains == answer.stains


def test_single_cells_are_found_again(tmp_path):
    classifier = networks.opened(networks.make("gap"), tmp_path, mode="cells", size=(16, 16))
    pixels = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    tifffile.imwrite(tmp_path / "cells.tif", pixels, photometric="minisblack")
    well = read_well(tmp_path / "cells.tif", stains=networks.STAINS)
    answer = explain(classifier, well, "pcim", cells=np.array([[10.25, 1 / 3], [20, 30]]), steps=2)
    found = repeat(plain(answer), classifier=classifier)
    same(found.attribution, answer)
    tiles = networks.opened(networks.make("gap"), tmp_path, mode="tiles", size=(16, 16))
    answer = explain(tiles, well, "pixel-ablation-cam", target="hit")
    assert repeat(plain(answer), classifier=tiles).same is True


def test_a_focal_stack_is_projected_again(classifier, tmp_path):
    pixels = tifffile.imread(MITO)[:, :128, :128]
    path = tmp_path / "stack.ome.tiff"
    names = ["DNA", "ER", "RNA", "AGP", "Mito"]
    tifffile.imwrite(path, np.stack([pixels, pixels // 2]), photometric="minisblack",
                     metadata={"axes": "ZCYX", "Channel": {"Name": names}})  # fmt: skip
    answer = explain(classifier, read_well(path, project="mean"), "pixel-ablation-cam")
    assert repeat(plain(answer), classifier=classifier).same is True


def test_files_of_a_pattern_are_found_again(classifier, tmp_path):
    for stain, plane in zip(("DNA", "ER", "RNA", "AGP", "Mito"), tifffile.imread(MITO), strict=True):
        tifffile.imwrite(tmp_path / f"x-B03-{stain}.tif", plane)
    well = read_well(tmp_path, pattern=r"(?P<well>[A-P]\d\d)-(?P<stain>\w+)")
    answer = explain(classifier, well, "pixel-ablation-cam")
    assert repeat(plain(answer), classifier=classifier).same is True


def test_stains_that_were_renamed_are_found_by_their_pixels(classifier, well):
    renamed = Well(well.pixels[::-1], ("e", "d", "c", "b", "a"), well.pixel_size)
    stain_map = dict(zip(("DNA", "ER", "RNA", "AGP", "Mito"), "abcde", strict=True))
    answer = explain(classifier, renamed, "pixel-ablation-cam", stain_map=stain_map)
    assert repeat(plain(answer), well=well, classifier=classifier).same is True


def test_a_file_that_has_changed_is_said(answer, classifier, tmp_path):
    pixels = tifffile.imread(MITO)
    pixels[4, 100:120, 100:120] = 0
    path = tmp_path / "changed.ome.tiff"
    tifffile.imwrite(path, pixels, photometric="minisblack",
                     metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "RNA", "AGP", "Mito"]}})  # fmt: skip
    found = repeat(plain(answer), well=path, classifier=classifier)
    assert found.same is False
    assert found.notes[0].startswith("The pixels of Mito are not those of the record: changed has changed since")
    assert "in the record it is 2.26" in found.notes[-1]


def test_another_classifier_and_another_version_are_said(answer, tmp_path):
    record = plain(answer)
    record["versions"]["torch"] = "2.0.0"
    record["classifier"]["sha256"] = "0" * 64
    found = repeat(record)
    assert "torch 2.0.0" in found.notes[0]
    assert "phenotypes.pt is not the file that the record was made with" in found.notes[1]
    assert found.same is True


def test_a_device_that_is_not_here_is_said(answer):
    record = plain(answer)
    record["work"]["device"] = "cuda:97"
    found = repeat(record)
    assert "cuda:97, which this machine does not have" in found.notes[0]


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (lambda r: r["well"]["reading"].update(path="/not/there.tif"), "/not/there.tif. Supply the well: --well"),
        (lambda r: r["well"].update(reading=None), "did not come from files"),
        (lambda r: r["classifier"].update(file="/not/there.pt"), "/not/there.pt. Supply the classifier: --classifier"),
        (lambda r: r["classifier"].update(file=None), "came from no file"),
        (lambda r: r["classifier"]["card"].update(stains=5), "card in this record cannot be used"),
        (lambda r: r["classifier"]["card"].pop("classes"), "card in this record cannot be used"),
        (lambda r: r.update(place={"name": "x", "shape": [10**9, 10**9], "runs": []}), "asks about a place"),
        (lambda r: r.update(place={"name": "x", "shape": [512, 512], "runs": [[0, 0, float("inf")]]}), "place"),
        (lambda r: r.update(method="magic"), "no method 'magic'"),
        (lambda r: r["parameters"].update(target="control"), "no parameter 'target'"),
        (lambda r: r.update(record_version=99), "newer version"),
        (lambda r: r.pop("well"), "damaged record"),
        (lambda r: r.update(cells=[[1, 2, 3]]), "damaged record"),
        (lambda r: r["work"].update(threads=10**9), "damaged record"),
    ],
)
def test_what_is_missing_or_damaged_is_named(answer, what, sentence):
    record = plain(answer)
    what(record)
    with pytest.raises(AttributionError, match=sentence.replace(".", r"\.")):
        repeat(record)


def test_a_well_without_the_stains_is_refused_and_named(answer, classifier, noise):
    few = Well(noise.pixels[:2], ("DNA", "ER"))
    with pytest.raises(StainError, match=r"lacks RNA, AGP, Mito\. Supply the well of the record"):
        repeat(plain(answer), well=few, classifier=classifier)


def test_another_well_is_asked_the_same(answer, classifier):
    found = repeat(plain(answer), well=CONTROL, classifier=classifier)
    assert found.attribution.target == "mito fragmented"
    assert found.attribution.predicted == "control"
    assert found.well.name == "B02_control"


def test_a_file_that_moved_can_be_supplied(answer, tmp_path):
    record = plain(answer)
    record["well"]["reading"]["path"] = record["classifier"]["file"] = "/gone"
    well, weights = shutil.copy(MITO, tmp_path), shutil.copy(WEIGHTS, tmp_path)
    found = repeat(record, well=well, classifier=weights)
    assert found.same is True
    assert len(found.notes) == 1


def test_damaged_and_hostile_records_end_in_a_sentence(answer, tmp_path):
    """Each byte, each value may be anything: what comes is an answer or a sentence, never another error."""
    random.seed(0)
    text = as_json(summary(answer))
    path = tmp_path / "record.json"
    said = []
    hostile = ["", "[]", "null", '"x"', "{" * 50_000, '{"record":' * 30_000, '{"method": 1}', "\x00" * 100, "1e999",
               '{"method": "pcim", "record": {"method": "pcim"}}']  # fmt: skip
    hostile += [text[: random.randrange(len(text))] for _ in range(40)]
    for _ in range(60):
        at = random.randrange(len(text))
        hostile.append(text[:at] + chr(random.randrange(1, 256)) + text[at + 1 :])
    for one in hostile:
        path.write_text(one, "utf-8")
        try:
            read_record(path)
        except RecordError as error:
            said.append(str(error))
    assert len(said) >= 50
    assert max(map(len, said)) < 500
    path.write_bytes(bytes(random.randrange(256) for _ in range(2000)))
    with pytest.raises(RecordError, match=r"not JSON text|no JSON"):
        read_record(path)


def test_values_of_any_type_end_in_a_sentence(classifier, noise):
    """Any value may be of any type: what comes is an answer or a sentence, with a well and a classifier at hand."""
    random.seed(1)
    whole = plain(explain(classifier, noise, "centred-blob"))
    odd = [None, -1, 10**30, 1.5, "", "x" * 20_000, "\x00", [], [[]], {}, {"a": 1}, True, float("nan")]
    refused = 0
    for _ in range(60):
        record = json.loads(json.dumps(whole))
        part, key = record, random.choice(sorted(record))
        while isinstance(part[key], dict) and part[key] and random.random() < 0.8:
            part, key = part[key], random.choice(sorted(part[key]))
        part[key] = random.choice(odd)
        try:
            repeat(record, well=noise, classifier=classifier)
        except AttributionError:
            refused += 1
    assert 20 < refused < 60


def test_what_is_no_record(tmp_path):
    image = tmp_path / "image.tif"
    tifffile.imwrite(image, np.zeros((4, 4), np.uint8))
    folder = tmp_path / "image.zarr"
    folder.mkdir()
    (tmp_path / "cut.ome.tiff").write_bytes(MITO.read_bytes()[:1000])
    for path in (image, MITO, folder, tmp_path / "cut.ome.tiff", tmp_path / "none.json", WEIGHTS):
        with pytest.raises(RecordError):
            read_record(path)
    with pytest.raises(RecordError, match="not a record"):
        checked_record([1, 2])


def test_nothing_is_unpickled(answer, tmp_path, monkeypatch):
    import pickle

    def never(*_args, **_keywords):
        raise AssertionError("unpickled")

    written = write_attribution(answer, tmp_path, "map")
    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    assert read_record(written.map) == read_record(written.record)
