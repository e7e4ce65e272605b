"""From a plate to an answer, on plates whose truth is known."""

import dataclasses

import numpy as np
import pytest
import torch
from labelled_plates import CLASSES, QUICK, STAINS, TELLING, field_pixels

from napari_attribution import Well, load_classifier, train_dcmix
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import Cancelled, LabelError, OutputError

ALONE = QUICK.model_copy(update={"compare": False})


def test_the_stain_that_carries_the_class_is_found(trained):
    assert trained.ranking[0] == TELLING
    assert trained.importances.shape == (2, 3)
    np.testing.assert_allclose(trained.importances.sum(axis=1), 1)
    assert (trained.importances.argmax(axis=1) == STAINS.index(TELLING)).all()
    assert trained.shapley.argmax() == STAINS.index(TELLING)
    assert trained.shapley[STAINS.index(TELLING)] > 3 * np.abs(np.delete(trained.shapley, STAINS.index(TELLING))).max()
    assert tuple(trained.accuracy) == ("dcmix", "all stains", *STAINS)
    assert trained.accuracy[TELLING].min() == 1 == trained.accuracy["dcmix"].min()
    assert trained.accuracy["DNA"].max() < 0.9 > trained.accuracy["Mito"].max()
    assert trained.held_out == (6, 6)
    assert trained.chance == 0.5
    assert trained.warnings == ()
    assert [len(trained.histories[name]) for name in trained.accuracy] == [2] * 5
    assert trained.classes == ("control", "hit")


def test_the_record_says_all(trained):
    for seed in ("0", "1"):
        parts = trained.record["splits"][seed]
        assert sorted(well for side in parts.values() for well in side) == sorted(CLASSES)
    assert trained.record["recipe"] == QUICK.model_dump(mode="json")
    assert trained.record["labels"]["of"] == CLASSES
    assert len(trained.record["sources"]["A01"]) == 2


def test_accuracy_is_that_of_the_saved_classifier_on_the_wells_held_out(trained, saved, plate):
    classifier = load_classifier(saved, device="cpu", time_limit=None)
    seed = str(QUICK.first_seed + trained.best)
    right = []
    for position in trained.record["splits"][seed]["held_out"]:
        fields = [prepare(field.read(), classifier.card).inputs for field in plate.fields[position]]
        probabilities = classifier.scores(torch.cat(fields)).softmax(dim=1).mean(dim=0)
        right.append(classifier.classes[int(probabilities.argmax())] == CLASSES[position])
    assert np.mean(right) == trained.accuracy["dcmix"][trained.best]


def test_the_best_seed_is_chosen_by_its_validation_wells_not_by_those_held_out(trained):
    losses = [min(epoch.validation_loss for epoch in one) for one in trained.histories["dcmix"]]
    assert abs(losses[trained.best] - min(losses)) < 2e-3  # an epoch counts as better from a thousandth on
    np.testing.assert_array_equal(
        trained.network.mixing.importance.numpy(), trained.importances[trained.best].astype(np.float32)
    )


def test_stopped_and_asked_again_it_comes_to_the_same(plate, tmp_path):
    whole = train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu")
    told = []

    def stop(moment):
        told.append(moment)
        if (moment.seed, moment.epoch) == (1, 2):
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu", folder=tmp_path / "kept", tell=stop)
    before = len(told)
    again = train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu", folder=tmp_path / "kept", tell=told.append)
    assert [(m.seed, m.epoch) for m in told[before:] if m.phase == "training"] == [(1, 3)]
    assert np.array_equal(again.importances, whole.importances)
    assert again.histories == whole.histories
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], weights), name
    assert {m.phase for m in told} == {"reading", "training", "measuring"}
    assert all(m.done <= m.total for m in told)

    with pytest.raises(OutputError, match="its epochs was 3, not 2"):
        train_dcmix(
            plate, CLASSES, recipe=ALONE.model_copy(update={"epochs": 2}), folder=tmp_path / "kept", device="cpu"
        )
    other = CLASSES | {"A01": "control", "A02": "hit"}
    with pytest.raises(OutputError, match=r"the label was another, or missing, in 2 wells \(A01, A02\)"):
        train_dcmix(plate, other, recipe=ALONE, folder=tmp_path / "kept", device="cpu")
    with pytest.raises(OutputError, match="its stains were DNA, GFP, Mito"):
        train_dcmix(plate, CLASSES, recipe=ALONE, stains=["DNA", "GFP"], folder=tmp_path / "kept", device="cpu")


def test_wells_and_some_of_the_stains():
    wells = [Well(field_pixels(p, 1, label), STAINS, position=p) for p, label in CLASSES.items()]
    one = ALONE.model_copy(update={"epochs": 1, "seeds": 1})
    answer = train_dcmix(wells, list(CLASSES.values()), recipe=one, stains=["Mito", "GFP"], device="cpu")
    assert answer.stains == ("Mito", "GFP")
    assert np.isnan(answer.spread).all()
    assert any("Only one seed" in warning for warning in answer.warnings)
    with pytest.raises(LabelError, match="All 24 labelled wells are of one class"):
        train_dcmix(wells, ["hit"] * 24, recipe=one, device="cpu")


def test_split_by_plate(plate):
    plates = [dataclasses.replace(plate, name=name) for name in "pqr"]
    recipe = ALONE.model_copy(update={"epochs": 1, "seeds": 1, "split_by": "plate"})
    answer = train_dcmix(plates, CLASSES, recipe=recipe, device="cpu")
    parts = answer.record["splits"]["0"]
    assert sorted(len({name.split("/")[0] for name in side}) for side in parts.values()) == [1, 1, 1]
    assert answer.held_out == (24,)
