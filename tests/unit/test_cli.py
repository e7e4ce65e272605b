"""The command line as a screener types it: what is printed and written, and one sentence for what cannot be done."""

import json
import os
import subprocess
import sys
from pathlib import Path

import networks
import numpy as np
import pytest
import tifffile
import torch
from shared_data import SHARED, needs_shared

from napari_attribution.classifiers.cards.io import read_card
from napari_attribution.cli import main

SAMPLE = Path(__file__).parents[2] / "sample_data"
MITO = SAMPLE / "wells" / "B03_mito-fragmented.ome.tiff"
CLASSIFIER = SAMPLE / "phenotypes.pt"


def said(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "pcim", "dcmix"])
def test_explain_as_json(method, tmp_path, capsys):
    code, out, err = said(
        capsys,
        "explain",
        MITO,
        "--classifier",
        CLASSIFIER,
        "--method",
        method,
        "--out",
        tmp_path,
        "--json",
        "--device",
        "cpu",
    )
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["class"] == "mito fragmented"
    assert answer["probabilities"]["mito fragmented"] > 0.5
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert max(answer["channel_importance"], key=answer["channel_importance"].get) == "Mito"
    assert answer["forwards"] > 1
    assert answer["device"] == "cpu"
    with tifffile.TiffFile(answer["map"]) as file:
        values = file.asarray()
        assert file.is_ome
        assert 'PhysicalSizeX="0.65"' in file.ome_metadata
    assert values.dtype == np.float32
    assert values.shape[-2:] == (512, 512)
    record = json.loads(Path(answer["record"]).read_text())
    assert record["record"]["method"] == method
    assert record["record"]["classifier"]["sha256"]


def test_explain_as_a_table_with_a_choice_of_everything(tmp_path, capsys):
    _, out, _ = said(capsys, "check", CLASSIFIER)
    default = next(line.split()[1] for line in out.splitlines() if line.strip().startswith("* "))
    before_the_relu = default.replace(":relu", ":add")
    code, out, err = said(
        capsys, "explain", MITO, "--classifier", CLASSIFIER, "--target", "control", "--score", "contrast", "--against",
        "rna granules", "--layer", before_the_relu, "--set", "channels=none", "--out", tmp_path,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "class   control" in out
    assert "predicted: mito fragmented" in out
    assert "contrast with rna granules" in out
    assert "stains  nothing: not asked for\n" in out
    assert "+0.000" not in out
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["record"]["found"]["layer"] == before_the_relu


def test_check_says_what_a_file_is_and_whether_a_well_fits(capsys):
    code, out, _ = said(capsys, "check", CLASSIFIER, "--well", MITO)
    assert code == 0
    assert "DNA, ER, RNA, AGP, Mito" in out
    assert "*" in out
    assert "mito fragmented, probability" in out
    for part in ("1 x 5 x 256 x 256", "by the card's mean and std", "median", "GiB free"):
        assert part in out


def test_check_says_what_is_wrong(tmp_path, capsys):
    pixels = tifffile.imread(MITO)
    tifffile.imwrite(
        tmp_path / "dim.ome.tiff",
        pixels // 16,
        metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "ER", "RNA", "AGP", "Actin"]}},
    )
    code, out, _ = said(capsys, "check", CLASSIFIER, "--well", tmp_path / "dim.ome.tiff")
    assert code == 1
    assert "WRONG" in out
    assert "Mito" in out


def test_a_card_from_the_command_line(tmp_path, capsys):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    code, out, err = said(
        capsys, "card", weights, "--stains", "DNA,ER,Mito", "--classes", "control,hit,dead", "--size", "32,32", "--mean",
        "1,2,3", "--std", "1,1,1", "-o", tmp_path / "net.bioimageio.yaml",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert Path(out.strip()) == tmp_path / "net.bioimageio.yaml"
    code, out, _ = said(capsys, "check", weights)
    assert code == 0
    assert "control, hit, dead" in out


CARD = ("--stains", "DNA,ER,Mito", "--classes", "control,hit,dead", "--size", "32,32")


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (["--mean", "5", "--std", "1,2,3"], {"mean": (5, 5, 5), "std": (1, 2, 3)}),
        (["--normalisation", "per-image", "--over", "well"], {"normalisation": "per-image", "over": "well"}),
        (["--percentiles", "1,99", "--together"], {"normalisation": "percentiles", "together": True}),
        (["--percentiles", "1,99", "--mode", "tiles", "--overlap", "0.5"], {"percentiles": (1, 99), "overlap": 0.5}),
    ],
)
def test_a_card_says_how_pixels_are_normalised(arguments, fields, tmp_path, capsys):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    code, out, err = said(capsys, "card", weights, *CARD, *arguments)
    assert (code, err) == (0, "")
    card = read_card(out.strip())
    assert {name: getattr(card, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say how the classifier's training pixels were normalised"),
        (["--mean", "1"], "'std' is missing"),
        (["--normalisation", "per-image", "--mean", "1"], "does not use"),
        (["--percentiles", "1"], "takes two numbers in percent"),
        (["--percentiles", "low,high"], "takes numbers"),
    ],
)
def test_normalisation_is_asked_for_never_guessed(arguments, sentence, tmp_path, capsys):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    code, _, err = said(capsys, "card", weights, *CARD, *arguments)
    assert code == 2
    assert sentence in err
    assert not list(tmp_path.glob("*.yaml"))


def bad_inputs(tmp_path: Path) -> dict[str, tuple[list, str]]:
    """Arguments after `explain`, and what the sentence must say."""
    pixels = tifffile.imread(MITO)
    stains = ["DNA", "ER", "RNA", "AGP", "Mito"]

    def well(name: str, pixels: np.ndarray, names=stains, axes="CYX") -> Path:
        path = tmp_path / f"{name}.ome.tiff"
        tifffile.imwrite(
            path, pixels, photometric="minisblack", metadata={"axes": axes, "Channel": {"Name": list(names)}}
        )
        return path

    text = tmp_path / "text.tif"
    text.write_text("not an image")
    cut = tmp_path / "cut.ome.tiff"
    cut.write_bytes(MITO.read_bytes()[:200_000])
    nan = pixels.astype(np.float32)
    nan[1, 5, 5] = np.nan
    empty, bright = pixels.copy(), pixels.copy()
    empty[2] = 0
    bright[4] = 65535
    state = tmp_path / "state.pt"
    torch.save(networks.make("gap").state_dict(), state)
    series = tmp_path / "series"
    series.mkdir()
    tifffile.imwrite(series / "A01_DNA.tif", pixels[0])
    tifffile.imwrite(series / "A01_Mito.tif", pixels[4][:100])
    net = networks.save(networks.make("gap"), tmp_path / "net.pt")
    locked = tmp_path / "a-file"
    locked.write_text("")
    good = ["--classifier", CLASSIFIER]
    return {
        "no such well": ([tmp_path / "none.tif", *good], "none.tif"),
        "not a TIFF": ([text, *good], "text.tif"),
        "truncated TIFF": ([cut, *good], "cut.ome.tiff"),
        "fewer stains": ([well("few", pixels[:3], stains[:3]), *good], "lacks 2 of the 5 stains"),
        "other stains": ([well("other", pixels, ["A", "B", "C", "D", "E"]), *good], "lacks 5 of the 5 stains"),
        "mixed sizes": ([series, *good], "A01_"),
        "NaN": ([well("nan", nan), *good], "not a number"),
        "all-zero stain": ([well("empty", empty), *good], "RNA"),
        "saturated stain": ([well("bright", bright), *good], "Mito"),
        "3-D stack": ([well("stack", np.stack([pixels] * 3), axes="ZCYX"), *good], "3 focal planes"),
        "state dict": ([MITO, "--classifier", state], "state dict"),
        "no card": ([MITO, "--classifier", net], "has no card"),
        "no such class": ([MITO, *good, "--target", "alive"], "no class 'alive'"),
        "no such method": ([MITO, *good, "--method", "lime"], "no method 'lime'"),
        "no such layer": ([MITO, *good, "--layer", "conv9"], "no layer 'conv9'"),
        "no such device": ([MITO, *good, "--device", "cuda:9"], "no device 'cuda:9'"),
        "no such parameter": ([MITO, *good, "--set", "speed=9"], "no parameter 'speed'"),
        "a request as a parameter": ([MITO, *good, "--set", "target=control"], "no parameter 'target'"),
        "no such cells": ([MITO, *good, "--cells", tmp_path / "none.csv"], "--cells takes a file"),
        "no such card": ([MITO, *good, "--card", tmp_path / "none.yaml"], "none.yaml"),
        "no room for output": ([MITO, *good, "--out", locked / "out"], "can be written"),
    }


def test_bad_input_ends_in_one_sentence_and_code_2(tmp_path, capsys):
    out = tmp_path / "results"
    for name, (arguments, sentence) in bad_inputs(tmp_path).items():
        given = arguments if "--out" in arguments else [*arguments, "--out", out]
        code, printed, err = said(capsys, "explain", *given)
        assert code == 2, f"{name}: exit code {code}, {err or printed}"
        assert sentence.casefold() in err.casefold(), f"{name}: {err}"
        assert err.startswith("napari-attribution: "), name
        assert "Traceback" not in err, name
    assert not list(out.glob("*.json")), "nothing was explained, so nothing may be written"


@pytest.mark.parametrize("size", ["nan", "inf", "32.5,32", "0,10", "1,2,3", "x"])
def test_sizes_that_are_none(size, tmp_path, capsys):
    weights = networks.save(networks.make("gap"), tmp_path / "net.pt")
    code, _, err = said(
        capsys, "card", weights, "--stains", "DNA,ER,Mito", "--classes", "control,hit,dead", "--size", size, "--mean", "1,2,3",
        "--std", "1,1,1",
    )  # fmt: skip
    assert code == 2
    assert "size" in err or "no input" in err


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_to_write(tmp_path, capsys):
    tmp_path.chmod(0o500)
    code, _, err = said(capsys, "explain", MITO, "--classifier", CLASSIFIER, "--out", tmp_path)
    tmp_path.chmod(0o700)
    assert code == 2
    assert "Choose another folder" in err


@needs_shared
@pytest.mark.parametrize(
    "name", ["unet2d_nuclei_broad.pt", "multi_tensor_unet.pt", "statedict_NOT_torchscript_MUSTFAIL.pt"]
)
def test_real_files_that_are_no_classifiers(name, capsys):
    path = SHARED / "torchscript" / f"bioimageio_{name}"
    code, _, err = said(capsys, "check", path)
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.slow
def test_as_a_program_of_its_own(tmp_path):
    """The installed entry point and `python -m`, in a process of their own: no stray output around the JSON."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "napari_attribution",
            "explain",
            MITO,
            "--classifier",
            CLASSIFIER,
            "--out",
            tmp_path,
            "--json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["class"] == "mito fragmented"
    failed = subprocess.run(
        [sys.executable, "-m", "napari_attribution", "check", tmp_path / "none.pt"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
