"""What the command line prints and writes of how far to trust a map."""

import json
from pathlib import Path

import pytest

from napari_attribution.cli import main

SAMPLE = Path(__file__).parents[3] / "sample_data"


def said(capsys, folder, *more) -> str:
    well = SAMPLE / "wells" / "B03_mito-fragmented.ome.tiff"
    fixed = ("--method", "occlusion", "--set", "channels=none", "--set", "window=64", "--device", "cpu")
    code = main(
        ["explain", str(well), "--classifier", str(SAMPLE / "phenotypes.pt"), "--out", str(folder), *fixed, *more]
    )
    assert code == 0
    return capsys.readouterr().out


def test_as_json_and_in_the_record(tmp_path, capsys):
    answer = json.loads(said(capsys, tmp_path, "--json"))
    assert answer["faithfulness"]["keep 20"] > 0.5 > answer["faithfulness"]["remove 20"]
    assert answer["trust"][0].startswith("Keeping only the top 20 % of the map keeps")
    kept = json.loads(Path(answer["record"]).read_text())["record"]["faithfulness"]
    assert kept == {"figures": answer["faithfulness"], "sentences": answer["trust"]}


@pytest.mark.parametrize("asked", [True, False])
def test_as_a_table_or_not_at_all(tmp_path, capsys, asked):
    out = said(capsys, tmp_path, *([] if asked else ["--no-faithfulness"]))
    assert ("trust   Keeping only the top 20 % of the map keeps" in out) is asked
    record = json.loads(next(tmp_path.glob("*.json")).read_text())["record"]
    assert ("faithfulness" in record) is asked
