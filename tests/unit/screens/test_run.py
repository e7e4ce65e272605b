"""A run: its rows are those of bare explanations, its maps are the very numbers, and it is done once."""

import math
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_screens import STAINS, make_classifier, make_plate, maps_of, record_of, without_seconds

from napari_attribution import explain, load_classifier
from napari_attribution.errors import Cancelled, OutputError, RecordError, RequestError
from napari_attribution.screens.results import open_results
from napari_attribution.screens.run.chunks import cut, size_of_chunks
from napari_attribution.screens.run.ledger import Ledger
from napari_attribution.screens.run.plan import chosen_wells, make_plan
from napari_attribution.screens.run.screen import run_screen

METHODS = ("pixel-ablation-cam", "dcmix")
SMALL = 3 * 200_000
"""Bytes with which a chunk has one to three of these fields."""


@pytest.fixture(scope="module")
def results(plate, loaded, tmp_path_factory):
    return run_screen(plate, loaded, tmp_path_factory.mktemp("run") / "results", methods=METHODS)


def test_every_row_is_what_the_bare_explanation_says(results, plate, loaded):
    assert len(results.table) == len(plate) == 12
    for row, field in zip(results.table.to_dict("records"), plate, strict=True):
        assert (row["plate"], row["well"], row["field"], row["error"]) == ("small", field.position, field.number, "")
        assert (row["row"], row["column"]) == (0, int(field.position[1:]) - 1)
        assert row["condition.dose"] == plate.conditions[field.position]["dose"]
        assert row["condition.drug"] == plate.conditions[field.position]["drug"]
        for method in METHODS:
            twin = explain(loaded, field.read(), method, accept_flaws=True, faithfulness=True)
            assert row["predicted"] == row["target"] == twin.predicted
            for name, probability in twin.probabilities.items():
                assert row[f"probability.{name}"] == pytest.approx(probability, abs=1e-5)
            for stain in STAINS:
                importance = twin.channel_importance[stain]
                assert row[f"importance.{method}.{stain}"] == pytest.approx(importance, abs=1e-4)
            for name, figure in twin.faithfulness.items():
                assert row[f"faithfulness.{method}.{name}"] == pytest.approx(figure, abs=1e-3)
        logits = sorted((row[f"logit.{name}"] for name in loaded.classes), reverse=True)
        assert row["margin"] == pytest.approx(logits[0] - logits[1])


def test_maps_are_the_very_numbers_and_ngio_opens_them_as_a_plate(results, plate, loaded):
    from ngio import open_ome_zarr_plate

    names = ["pixel-ablation-cam", *(f"dcmix: {stain}" for stain in STAINS)]
    opened = open_ome_zarr_plate(str(results.path / "maps.zarr"))
    assert len(opened.wells_paths()) == 6
    images = opened.get_images(max_workers=1)
    assert len(images) == 12
    for field in plate:
        found = results.field_map(field.position, field.number)
        assert list(found) == names
        image = images[f"A/{field.position[1:]}/{field.number}"].get_image()
        assert image.channel_labels == names
        assert (image.pixel_size.y, image.pixel_size.x) == (0.5, 0.5)
        np.testing.assert_array_equal(image.get_as_numpy(), np.stack(list(found.values())))
    twin = explain(loaded, field.read(), "dcmix").per_stain
    np.testing.assert_allclose(found["dcmix: ER"], twin["ER"], atol=1e-6)
    assert found["dcmix: ER"].dtype == np.float32
    assert found["dcmix: ER"].shape == (40, 48)


def test_columns_stand_in_their_order_and_are_of_their_kinds(results):
    schema = pq.read_schema(results.path / "fields.parquet")
    assert schema.names[:8] == [
        "plate", "well", "row", "column", "field", "condition.dose", "condition.drug", "predicted"
    ]  # fmt: skip
    assert schema.names[-4:] == ["flags", "why", "seconds", "error"]
    kinds = {
        name: str(schema.field(name).type) for name in ("row", "field", "condition.dose", "condition.drug", "margin")
    }
    assert kinds == {
        "row": "int16", "field": "int32", "condition.dose": "double", "condition.drug": "string", "margin": "double"
    }  # fmt: skip
    assert schema.names.index("importance.pixel-ablation-cam.DNA") < schema.names.index("importance.dcmix.DNA")


def test_the_record_tells_what_the_run_was_made_of(results, classifier):
    import hashlib

    record = record_of(results.path)
    assert record["classifier"] == {
        "file": str(classifier), "sha256": hashlib.sha256(classifier.read_bytes()).hexdigest()
    }  # fmt: skip
    assert [method["name"] for method in record["plan"]["methods"]] == list(METHODS)
    assert record["plan"]["methods"][0]["parameters"]["channels"] == "shapley"
    assert record["finished"]["fields"] == 12
    assert record["runs"][0]["versions"]["torch"]
    assert (results.stains, results.methods, results.layout) == (STAINS, METHODS, (4, 6))
    assert sorted(path.name for path in results.path.iterdir()) == [
        ".lock", "fields.parquet", "maps.zarr", "plate.parquet", "record.json"
    ]  # fmt: skip


def test_pixels_are_read_again_from_the_results_alone(results, plate):
    for field in plate:
        np.testing.assert_array_equal(results.read_field(field.position, field.number).pixels, field.read().pixels)
    with pytest.raises(RequestError, match="no field 7"):
        results.read_field("A01", 7)


def test_a_well_is_the_mean_of_its_fields(results):
    wells, fields = results.wells().set_index("well"), results.table
    assert list(wells.index) == list(dict.fromkeys(fields["well"]))
    for well, own in fields.groupby("well"):
        assert wells.loc[well, "margin"] == pytest.approx(own["margin"].mean())
        assert wells.loc[well, "importance.dcmix.ER"] == pytest.approx(own["importance.dcmix.ER"].mean())
        assert wells.loc[well, "predicted"] in set(own["predicted"])
        assert (wells.loc[well, "fields"], wells.loc[well, "failed"]) == (2, 0)
    assert {"margin", "predicted", "flags", "condition.dose"} <= set(results.columns)
    assert not {"well", "why", "error"} & set(results.columns)


def test_wells_take_what_their_fields_have():
    from napari_attribution.screens.results.wells import by_well

    fields = pd.DataFrame(
        {
            "plate": "p", "well": ["B01", "B01", "B01", "A02"], "row": [1, 1, 1, 0], "column": [0, 0, 0, 1],
            "field": [1, 2, 3, 1], "predicted": ["hit", "dead", "dead", None], "margin": [1.0, math.nan, 4.0, math.nan],
            "flags": ["dim; edge", "", "edge", ""], "why": ["Dim. Edge.", "", "Edge.", ""], "seconds": 1.0,
            "error": ["", "lost", "", "gone"],
        }
    )  # fmt: skip
    found = by_well(fields).set_index("well")
    assert list(found.index) == ["B01", "A02"]
    assert found.loc["B01", ["predicted", "margin", "flags", "fields", "failed"]].tolist() == [
        "dead",
        2.5,
        "dim; edge",
        3,
        1,
    ]
    assert found.loc["B01", "error"] == "lost"
    assert pd.isna(found.loc["A02", "margin"])
    assert pd.isna(found.loc["A02", "predicted"])
    assert found.loc["A02", "failed"] == 1


def test_a_run_that_was_stopped_goes_on_and_ends_as_one_that_was_not(plate, loaded, tmp_path):
    whole = run_screen(plate, loaded, tmp_path / "whole", batch_bytes=SMALL)
    stopped_at = []

    def stop(done, total):
        stopped_at.append((done, total))
        if done >= 5 and len(stopped_at) < 1000:
            raise Cancelled("Enough.")

    out = tmp_path / "stopped"
    with pytest.raises(Cancelled):
        run_screen(plate, loaded, out, batch_bytes=SMALL, progress=stop)
    assert stopped_at[-1][1] == 12
    assert not (out / "fields.parquet").exists()
    with pytest.raises(RecordError, match="not finished"):
        open_results(out)
    committed = {path.name: path.read_bytes() for path in (out / "parts").glob("*.parquet")}
    assert 0 < len(committed) < 12
    seconds = pd.concat([pq.read_table(out / "parts" / name).to_pandas() for name in sorted(committed)])
    heard = []
    found = run_screen(plate, loaded, out, batch_bytes=SMALL, progress=lambda done, total: heard.append(done))
    assert heard[0] == len(seconds)
    assert heard[-1] == 12
    assert without_seconds(found) == without_seconds(whole)
    assert maps_of(found) == maps_of(whole)
    both = found.table.merge(seconds, on=["well", "field"])
    assert (both["seconds_x"] == both["seconds_y"]).all()  # none was computed again
    assert len(record_of(out)["runs"]) == 2


def planned(plate, loaded, methods=("pixel-ablation-cam",), **asked):
    return make_plan(plate, loaded, methods, {}, None, **asked)


def test_how_many_fields_are_in_a_chunk_follows_from_the_bytes(plate, loaded):
    sizes = [size_of_chunks(plate, planned(plate, loaded, batch_bytes=bytes_)) for bytes_ in (1, SMALL, 2**29)]
    assert sizes[0] == 1
    assert 1 < sizes[1] < sizes[2] == 32
    assert [len(chunk.fields) for chunk in cut(plate, 5)] == [5, 5, 2]


def test_a_finished_run_is_opened_not_repeated(results, plate, loaded):
    before = (results.path / "fields.parquet").stat().st_mtime_ns, record_of(results.path)
    again = run_screen(plate, loaded, results.path, methods=METHODS)
    assert ((results.path / "fields.parquet").stat().st_mtime_ns, record_of(results.path)) == before
    assert len(again.table) == 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods": ("occlusion",)}, "the methods were"),
        ({"plate": "other fields"}, "there were other fields, or they were read in another way"),
        ({"plate": "other conditions"}, "the conditions were others"),
        ({"target": "hit"}, "the class was null, now hit"),
        ({"batch_bytes": 7}, "the batch bytes were"),
    ],
)
def test_another_question_is_not_mixed_with_the_first(changes, said, results, plate, loaded):
    plates = {
        "other fields": chosen_wells(plate, ["A0[2-6]"]),
        "other conditions": replace(plate, conditions={"A01": {"dose": 7.0}}),
    }
    asked = {"plate": plate, "loaded": loaded, "methods": METHODS} | changes
    asked["plate"] = plates.get(changes.get("plate"), plate)
    with pytest.raises(OutputError, match=f"another question.*{said}"):
        Ledger.found(results.path, planned(**asked))
    assert Ledger.found(results.path, planned(plate, loaded, METHODS)).finished


def test_another_classifier_is_another_question(results, plate, tmp_path):
    other = make_classifier(tmp_path, "gated")
    with pytest.raises(OutputError, match="the classifier was"):
        run_screen(plate, other, results.path, methods=METHODS)


def test_wells_are_chosen_by_name_or_by_row(loaded, tmp_path):
    plate = make_plate(tmp_path / "plate", wells=8, fields=1)
    results = run_screen(plate, loaded, tmp_path / "out", wells=["A02", "b.."], maps=False, faithfulness=False)
    assert list(results.table["well"]) == ["A02", "B01", "B02"]
    assert results.table["faithfulness.pixel-ablation-cam.keep 20"].isna().all()
    assert not (results.path / "maps.zarr").exists()
    with pytest.raises(RecordError, match="has no maps"):
        results.field_map("A02", 1)
    with pytest.raises(RequestError, match="no well 'C01'"):
        run_screen(plate, loaded, tmp_path / "other", wells=["C01"])


def test_a_class_and_a_score_of_ones_choice(plate, loaded, tmp_path):
    results = run_screen(plate, loaded, tmp_path, wells=["A01"], target="dead", score="contrast", against="hit")
    assert set(results.table["target"]) == {"dead"}
    row = results.table.iloc[0]
    contrast = row["logit.dead"] - row["logit.hit"]
    assert row["faithfulness.pixel-ablation-cam.score whole"] == pytest.approx(contrast, abs=1e-5)


def test_tiles_are_screened_too(plate, tmp_path):
    classifier = make_classifier(tmp_path, mode="tiles", size=(32, 32))
    results = run_screen(plate, classifier, tmp_path / "out", wells=["A01"])
    twin = explain(load_classifier(classifier), results.read_field("A01", 1))
    assert set(results.table["error"]) == {""}
    assert results.table["probability.hit"][0] == pytest.approx(twin.probabilities["hit"], abs=1e-5)
    np.testing.assert_allclose(results.field_map("A01", 1)["pixel-ablation-cam"], twin.map, atol=1e-5)


@pytest.mark.parametrize("step", ["learn", "judged"])
def test_results_stay_when_the_plate_cannot_be_judged(step, plate, loaded, tmp_path, monkeypatch):
    from napari_attribution.screens.quality import judging

    def fail(*args):
        raise ArithmeticError("no median")

    monkeypatch.setattr(judging, step, fail)
    results = run_screen(plate, loaded, tmp_path, wells=["A01"])
    assert results.record["finished"]["not_judged"] == "ArithmeticError: no median"
    assert list(results.table["flags"]) == ["", ""]
    assert results.table["margin"].notna().all()


def test_what_a_killed_run_was_writing_is_cleared_away(plate, loaded, tmp_path):
    with pytest.raises(Cancelled):
        run_screen(plate, loaded, tmp_path, progress=_stop)
    (tmp_path / "maps.zarr" / "A" / "01").mkdir(parents=True)
    left = [
        tmp_path / name
        for name in (
            ".7.writing.plate.parquet", ".7.writing.fields.parquet", "maps.zarr/.7.writing..zattrs",
            "maps.zarr/A/01/.7.writing..zgroup", "parts/.7.writing.00000000.parquet",
            "parts/gathered",
        )
    ]  # fmt: skip
    for path in left:
        path.write_text("half", "utf-8")
    results = run_screen(plate, loaded, tmp_path)
    assert not any(path.exists() for path in left)
    assert len(results.table) == 12


def _stop(done, total):
    raise Cancelled("At once.")


def test_what_goes_wrong_with_whoever_listens_is_no_fault_of_a_field(plate, loaded, tmp_path, monkeypatch):
    from napari_attribution.screens.run import screen

    monkeypatch.setattr(screen, "HEED", 0.0)  # Told at every step of an explanation.
    calls = []

    def listen(done, total):
        calls.append((done, threading.current_thread()))
        if len(calls) == 5:
            raise KeyError("a label that is gone")

    with pytest.raises(KeyError, match="gone"):
        run_screen(plate, loaded, tmp_path, progress=listen)
    assert [done for done, _ in calls] == [0] * 5  # in the midst of the first chunk
    assert {thread for _, thread in calls} == {threading.current_thread()}
    assert (run_screen(plate, loaded, tmp_path).table["error"] == "").all()
