"""napari-attribution screen, as a screener types it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from small_screens import STAINS, make_plate, write_field

from napari_attribution.cli import main
from napari_attribution.cli.screen import parameters_of
from napari_attribution.errors import RequestError
from napari_attribution.screens.results import open_results

PATTERN = r"(?P<well>[A-Z]\d\d)-(?P<field>\d+)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four wells of two fields, one of them broken."""
    folder = tmp_path_factory.mktemp("files")
    make_plate(folder, wells=4, fields=2)
    broken = folder / "A03-2.ome.tiff"
    broken.write_bytes(broken.read_bytes()[:2000])
    return folder


def said(capsys, *arguments) -> tuple[int, str, str]:
    code = main(["screen", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_screen_is_told_in_a_few_lines_and_again_for_programs(folder, classifier, tmp_path, capsys):
    (tmp_path / "conditions.csv").write_text("well,drug\nA01,a\nA02,b\n", "utf-8")
    typed = [
        folder, "--classifier", classifier, "--out", tmp_path / "out", "--pattern", PATTERN, "--stains", ",".join(STAINS),
        "--method", "pixel-ablation-cam", "--method", "occlusion", "--set", "channels=none", "--set", "occlusion.window=16",
        "--conditions", tmp_path / "conditions.csv", "--batch-bytes", "64M",
    ]  # fmt: skip
    code, out, _ = said(capsys, *typed)
    assert code == 0
    assert "8 in 4 wells, 1 failed" in out
    assert "A03-2" in out
    assert str(tmp_path / "out") in out
    results = open_results(tmp_path / "out")
    assert results.methods == ("pixel-ablation-cam", "occlusion")
    assert [method["parameters"]["channels"] for method in results.record["plan"]["methods"]] == ["none", "none"]
    assert results.record["plan"]["methods"][1]["parameters"]["window"] == 16
    assert results.table["condition.drug"].dropna().tolist() == ["a", "a", "b", "b"]
    code, out, _ = said(capsys, *typed, "--json")
    told = json.loads(out)
    assert (code, told["fields"], told["wells"], told["failed"]) == (0, 8, 4, 1)
    assert sum(told["classes"].values()) == 7
    assert told["results"] == str(tmp_path / "out")


def test_failed_fields_are_tried_again_in_the_same_folder(classifier, tmp_path, capsys):
    make_plate(tmp_path / "plate", wells=2, fields=2)
    late = tmp_path / "plate" / "A02-1.ome.tiff"
    late.write_bytes(b"not there yet")
    typed = [
        tmp_path / "plate", "--classifier", classifier, "--out", tmp_path / "out", "--pattern", PATTERN,
        "--stains", ",".join(STAINS), "--no-faithfulness",
    ]  # fmt: skip
    assert "4 in 2 wells, 1 failed" in said(capsys, *typed)[1]
    write_field(late, seed=10)
    assert "1 failed" in said(capsys, *typed)[1]
    code, out, err = said(capsys, *typed, "--retry-failed")
    assert code == 0
    assert "4 in 2 wells, 0 failed" in out
    assert "tried again: 1 that had failed" in out
    assert "note" not in err
    code, out, err = said(capsys, *typed, "--retry-failed", "--json")
    assert (code, json.loads(out)["tried_again"]) == (0, 0)
    assert "No field had failed: nothing was tried again." in err


def test_preview_says_how_files_map_to_wells_and_stops(folder, capsys):
    code, out, _ = said(capsys, folder, "--preview", "--pattern", PATTERN)
    assert code == 0
    assert "A02" in out
    assert "A02-1.ome.tiff" in out


def test_wrong_input_ends_with_a_sentence(folder, classifier, tmp_path, capsys):
    code, _, err = said(capsys, folder, "--pattern", PATTERN)
    assert code == 2
    assert "--classifier is needed" in err
    asked = [folder, "--classifier", classifier, "--out", tmp_path / "out", "--pattern", PATTERN]
    code, _, err = said(capsys, *asked, "--stains", "DNA,RNA,AGP")
    assert code == 2
    assert "ER" in err
    code, _, err = said(capsys, *asked, "--set", "pcim.steps=3")
    assert code == 2
    assert "pcim" in err


def test_parameters_by_method_and_for_all_that_have_them():
    methods = ("pcim", "dcmix", "occlusion")
    found = parameters_of(methods, ["steps=3", "occlusion.window=8", "fill=background"])
    fill = {"fill": "background"}
    assert found == {"pcim": {"steps": 3} | fill, "dcmix": {"steps": 3} | fill, "occlusion": {"window": 8} | fill}
    with pytest.raises(RequestError, match="None of the methods has a parameter 'heat'"):
        parameters_of(methods, ["heat=3"])


@pytest.mark.slow
def test_ctrl_c_stops_the_run_and_the_same_command_goes_on(classifier, tmp_path):
    make_plate(tmp_path / "plate", wells=24, fields=8)
    typed = [
        sys.executable, "-m", "napari_attribution.cli", "screen", tmp_path / "plate", "--classifier", classifier,
        "--out", tmp_path / "out", "--pattern", PATTERN, "--batch-bytes", "1M",
    ]  # fmt: skip
    # Whoever starts the tests in the background has Control-C ignored there.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run = subprocess.Popen(list(map(str, typed)), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, former)
    end = time.monotonic() + 120
    while not list((tmp_path / "out").glob("parts/[0-9]*.parquet")) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    done = len(list((tmp_path / "out").glob("parts/[0-9]*.parquet")))
    assert done > 0
    assert not (tmp_path / "out" / "fields.parquet").exists()
    assert main(["screen", *map(str, typed[4:])]) == 0
    assert len(open_results(tmp_path / "out").table) == 192
