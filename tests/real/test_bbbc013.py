"""Real wells: a classifier of translocation must be seen to decide on GFP, the stain that carries the phenotype."""

import numpy as np
import pytest
from real import bbbc013
from shared_data import SHARED, needs_shared

from napari_attribution import explain, load_classifier

FOLDER = SHARED / "bbbc013"
pytestmark = [needs_shared, pytest.mark.slow]


@pytest.fixture(scope="module")
def classifier():
    path, card = bbbc013.trained(FOLDER)
    return load_classifier(path, "cpu", card)


def treated() -> list[int]:
    """Columns of row D from the dose on at which nearly every cell has translocated."""
    return (
        [column for (row, column), dose in bbbc013.doses(FOLDER).items() if row == "D" and dose >= 5]
        if FOLDER.is_dir()
        else []
    )


def test_row_d_is_called_right(classifier):
    for (row, column), dose in bbbc013.doses(FOLDER).items():
        if row == "D" and (dose == 0 or dose >= 7):
            found = explain(classifier, bbbc013.read(FOLDER, row, column), channels="none")
            assert found.predicted == ("translocated" if dose else "untreated"), f"{row}{column:02d}"


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "pcim", "dcmix"])
def test_gfp_comes_out_on_top_in_the_treated_wells(classifier, method):
    columns = treated()
    assert len(columns) >= 6
    tops = []
    for column in columns:
        found = explain(classifier, bbbc013.read(FOLDER, "D", column), method, target="translocated")
        tops.append(max(found.channel_importance, key=lambda stain: found.channel_importance[stain]))
    share = np.mean([top == "GFP" for top in tops])
    assert share >= 0.9, dict(zip(columns, tops, strict=True))
