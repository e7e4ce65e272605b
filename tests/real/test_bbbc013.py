"""Real wells: a classifier of translocation must be seen to decide on GFP, the stain that carries the phenotype."""

import pytest
from real import bbbc013
from scipy.stats import spearmanr
from shared_data import SHARED, needs_shared

from napari_attribution import explain, load_classifier

FOLDER = SHARED / "bbbc013"
pytestmark = [needs_shared, pytest.mark.slow]


@pytest.fixture(scope="module")
def classifier():
    path, card = bbbc013.trained(FOLDER, without="D", members=1, steps=220)
    return load_classifier(path, "cpu", card)


@pytest.fixture(scope="module")
def row_d() -> dict[int, int]:
    """The dose by column."""
    return {column: dose for (row, column), dose in bbbc013.doses(FOLDER).items() if row == "D"}


def test_the_probability_follows_the_dose(classifier, row_d):
    found = {column: explain(classifier, bbbc013.read(FOLDER, "D", column), channels="none") for column in row_d}
    for column, dose in row_d.items():
        if dose == 0 or dose >= 7:
            assert found[column].predicted == ("translocated" if dose else "untreated"), f"D{column:02d}"
    rising = [column for column, dose in row_d.items() if 1 <= dose <= 9]
    probabilities = [found[column].probabilities["translocated"] for column in rising]
    assert spearmanr(probabilities, [row_d[column] for column in rising]).statistic >= 0.8


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "pcim", "dcmix"])
def test_gfp_comes_out_on_top_in_the_treated_wells(classifier, row_d, method):
    columns = [column for column, dose in row_d.items() if dose >= 5]
    assert len(columns) >= 6
    for column in columns:
        found = explain(classifier, bbbc013.read(FOLDER, "D", column), method, score="contrast", target="translocated")
        importance = found.channel_importance
        assert importance["GFP"] > importance["DNA"], f"D{column:02d}"
