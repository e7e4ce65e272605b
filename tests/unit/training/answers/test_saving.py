"""What is saved is what was trained: in both formats, with its card, and the answer beside it."""

import json
import shutil

import numpy as np
import pytest
import torch
from labelled_plates import CLASSES

from napari_attribution import explain, load_classifier
from napari_attribution.classifiers.preflight import preflight
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import ClassifierError, OutputError, RecordError
from napari_attribution.training.answers.answer import read_answer


@pytest.fixture(params=[".pt", ".pt2"])
def classifier(saved, request):
    return load_classifier(saved.with_suffix(request.param), device="cpu", time_limit=None)


def test_the_file_answers_as_the_network(classifier, trained, plate):
    assert classifier.card == trained.card
    for count in (1, 3):
        wells = [plate.fields[position][0].read() for position in list(CLASSES)[:count]]
        x = torch.cat([prepare(well, classifier.card).inputs for well in wells])
        torch.testing.assert_close(classifier.scores(x), trained.network(x).detach())


def test_its_weights_are_recognised(classifier, trained):
    assert classifier.mixing is not None
    assert classifier.mixing.where == "mixing"
    np.testing.assert_allclose(classifier.mixing.importance, trained.importances[trained.best], atol=1e-6)


def test_it_fits_its_wells_and_can_be_cut_at_its_last_convolution(classifier, plate):
    well = plate.fields["A01"][0].read()
    found = preflight(classifier, well)
    assert found.ok, found.findings
    assert found.predicted == CLASSES["A01"]
    assert classifier.notes == ()
    last = classifier.layer()
    assert last.name.startswith("backbone.")
    x = prepare(well, classifier.card).inputs
    torch.testing.assert_close(classifier.head(classifier.features(x)), classifier.scores(x))
    # Behind it come pooling and a linear layer alone, so that one forward gives every drop.
    assert classifier.head_may_be_affine()


@pytest.mark.parametrize("method", ["pixel-ablation-cam", "pcim", "dcmix"])
def test_it_is_explained_by_every_method(classifier, plate, method):
    hit = next(position for position, label in CLASSES.items() if label == "hit")
    answer = explain(classifier, plate.fields[hit][0].read(), method=method, target="hit")
    assert np.isfinite(answer.map).all()
    assert np.abs(answer.map).max() > 0
    shares = answer.channel_importance
    assert max(shares, key=lambda stain: shares[stain]) == "GFP"


def test_the_answer_is_read_again(trained, saved):
    for path in (saved, saved.with_suffix(".training.json"), saved.with_suffix(".pt2")):
        again = read_answer(path)
    assert again.card == trained.card
    for name in ("importances", "importance", "spread", "shapley", "permutation"):
        np.testing.assert_array_equal(getattr(again, name), getattr(trained, name))
    for name in ("warnings", "held_out", "chance", "best", "ranking", "histories", "record"):
        assert getattr(again, name) == getattr(trained, name)
    assert {name: values.tolist() for name, values in again.accuracy.items()} == {
        name: values.tolist() for name, values in trained.accuracy.items()
    }
    x = torch.randn(2, 3, *trained.card.size)
    torch.testing.assert_close(again.network(x), trained.network(x))


def test_a_read_answer_can_be_saved_under_another_name(saved, tmp_path):
    weights = read_answer(saved).save(tmp_path / "other.pt2")
    assert weights == tmp_path / "other.pt"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "other.bioimageio.yaml",
        "other.pt",
        "other.pt2",
        "other.test-input.npy",
        "other.test-output.npy",
        "other.training.json",
    ]


def test_what_is_no_answer(saved, tmp_path):
    with pytest.raises(RecordError, match="There is no answer of a training"):
        read_answer(tmp_path / "nothing.pt")
    shutil.copy(saved, tmp_path / "x.pt")
    file = tmp_path / "x.training.json"
    kept = json.loads(saved.with_suffix(".training.json").read_text())
    for wrong in ("[]", "{", "{}", json.dumps(kept | {"importances": "x"}), json.dumps(kept | {"record": {}})):
        file.write_text(wrong)
        with pytest.raises(RecordError, match=r"x\.training\.json is not the answer of a training"):
            read_answer(tmp_path / "x.pt")
    recipe = kept["record"]["recipe"] | {"mixers": 3}
    file.write_text(json.dumps(kept | {"record": kept["record"] | {"recipe": recipe}}))
    with pytest.raises(ClassifierError, match="holds another network"):
        read_answer(tmp_path / "x.pt")


def test_where_nothing_can_be_written_nothing_is_left(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        trained.save(tmp_path / "file" / "x.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
