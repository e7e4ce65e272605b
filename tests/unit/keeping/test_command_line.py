import json
import subprocess
import sys

import pytest
import tifffile

from napari_attribution.cli import main

from .conftest import CONTROL, MITO, WEIGHTS


def said(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    out = tmp_path_factory.mktemp("kept")
    asked = ["--method", "pcim", "--set", "steps=2", "--figure", "svg", "--out", out]
    assert main([str(one) for one in ("explain", MITO, "--classifier", WEIGHTS, "--device", "cpu", *asked)]) == 0
    return next(out.glob("*.json"))


def test_repeat_gives_the_same_and_says_so(kept, tmp_path, capsys):
    assert "<svg" in kept.with_suffix(".svg").read_text("utf-8")[:1000]
    code, out, err = said(capsys, "repeat", kept, "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "repeat  The same map as in the record, bit for bit." in out
    before, after = (tifffile.imread(next(folder.glob("*.ome.tiff"))) for folder in (kept.parent, tmp_path))
    assert before.tobytes() == after.tobytes()


def test_repeat_from_the_map_as_zarr_with_a_figure(kept, tmp_path, capsys):
    pytest.importorskip("ngio")
    image = next(kept.parent.glob("*.ome.tiff"))
    code, out, _ = said(capsys, "repeat", image, "--out", tmp_path, "--format", "ome-zarr", "--figure", "png", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["same"] is True
    assert told["map"].endswith(".ome.zarr")
    assert told["figure"].endswith(".png")
    assert said(capsys, "repeat", told["map"], "--out", tmp_path)[0] == 0


def test_repeat_with_another_well(kept, tmp_path, capsys):
    code, out, _ = said(capsys, "repeat", kept, "--well", CONTROL, "--classifier", WEIGHTS, "--out", tmp_path, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["same"] is False
    assert "B02_control has changed since, or is another well" in told["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.json"], "There is no file none.json"),
        ([MITO], "without a record"),
        ([WEIGHTS], "is not JSON text"),
    ],
)
def test_what_is_no_record_is_one_sentence(arguments, sentence, tmp_path, capsys):
    code, _, err = said(capsys, "repeat", *arguments, "--out", tmp_path)
    assert code == 2
    assert sentence in err
    assert err.count("\n") == 1


def test_to_offer_keeping_costs_no_torch_and_no_matplotlib():
    code = (
        "import sys, napari_attribution.keeping.export, napari_attribution.keeping.figure, napari_attribution.keeping.as_python\n"
        "print({'torch', 'matplotlib', 'ngio', 'zarr'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
