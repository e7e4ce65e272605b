"""The text is run for real, in an interpreter of its own, and gives the very numbers."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_attribution import Well, explain, read_well
from napari_attribution.keeping.as_python import as_python, card_is_beside
from napari_attribution.keeping.records import checked_record
from napari_attribution.keeping.summary import as_json

from .conftest import MITO

RUN = """
import runpy, sys
import numpy as np
for path in sys.argv[1:]:
    answer = runpy.run_path(path)["answer"]
    scores = [answer.score, *answer.probabilities.values(), *answer.channel_importance.values(), *answer.faithfulness.values()]
    np.savez(path + ".npz", values=answer.values, scores=scores)
"""


def recorded(answer):
    return checked_record(json.loads(as_json(answer.record)))


def text_of(answer):
    record = recorded(answer)
    return as_python(record, card_is_beside(record))


@pytest.mark.slow
def test_the_text_gives_the_very_numbers(answer, of_a_cell, classifier, well, tmp_path):
    own = tmp_path / "it's own.tif"
    tifffile.imwrite(own, tifffile.imread(MITO)[[4, 0, 1, 2, 3]], photometric="minisblack")
    named = read_well(own, stains=["Mito tracker", "DNA", "ER", "RNA", "AGP"])
    given = {"stain_map": {"Mito": "Mito tracker"}, "accept_flaws": True}
    answers = {
        "pcim with parameters": answer,
        "a place": of_a_cell,
        "a contrast": explain(
            classifier, well, "fused-ablation-cam", "actin fibres", "contrast", against="rna granules", fill="blur"
        ),
        "other names": explain(
            classifier, named, "occlusion", score="probability", window=64, channels="keep-one", **given
        ),
    }
    for name, one in answers.items():
        (tmp_path / f"{name}.py").write_text(text_of(one), "utf-8")
    paths = [str(tmp_path / f"{name}.py") for name in answers]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *paths], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for (name, one), path in zip(answers.items(), paths, strict=True):
        found = np.load(path + ".npz")
        assert found["values"].tobytes() == one.values.tobytes(), name
        scores = [one.score, *one.probabilities.values(), *one.channel_importance.values(), *one.faithfulness.values()]
        assert found["scores"].tolist() == scores, name
    assert done.stdout.splitlines()[1] == f"mito fragmented {of_a_cell.score}"


def test_every_option_is_in_the_text(answer, of_a_cell):
    text = text_of(answer)
    for said in (
        "steps=2",
        "fill='mean'",
        "device='cpu'",
        "faithfulness=True",
        "target='mito fragmented'",
        "set_num_threads",
    ):
        assert said in text
    assert "Place.of_record(" in text_of(of_a_cell)
    assert "ClassifierCard" not in text


def test_a_card_that_is_in_no_file_is_in_the_text(answer):
    text = as_python(recorded(answer), card_beside=False)
    made = {}
    exec(
        "\n".join(text.split("card = ")[0].splitlines()[:2])
        + "\ncard = "
        + text.split("card = ")[1].split("\nclassifier")[0],
        made,
    )
    assert made["card"].stains == ("DNA", "ER", "RNA", "AGP", "Mito")
    assert made["card"].model_dump(mode="json") == answer.record["classifier"]["card"]
    assert "card=card" in text


def test_of_a_well_that_came_from_no_file_it_says_what_to_supply(classifier, noise):
    text = text_of(explain(classifier, Well(noise.pixels, noise.stains, source=("layer DNA\nimport os",)), "random"))
    assert "# The well did not come from files (layer DNA import os). Put the path" in text
    assert "read_well('PATH OF THE WELL', stains=['DNA'" in text
    compile(text, "text", "exec")


@pytest.mark.parametrize("evil", ["'); import os; ('", "x\nimport os\n#", '"""', "\\", "\u2028import os"])
def test_no_name_becomes_code(answer, evil):
    record = json.loads(as_json(answer.record))
    record["well"]["reading"]["path"] = record["well"]["source"][0] = record["classifier"]["file"] = evil
    record["score"] |= {"target": evil, "against": evil}
    record["stain_map"]["DNA"] = record["work"]["device"] = evil
    for reading in (record["well"]["reading"], None):
        record["well"]["reading"] = reading
        code = compile(as_python(checked_record(record)), "text", "exec")
        assert not {"os", "system"} & set(code.co_names)
