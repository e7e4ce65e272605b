"""From a plate to an answer, on plates whose truth is known."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from labelled_plates import CLASSES, QUICK, STAINS, TELLING, field_pixels

from napari_attribution import Well, load_classifier, train_dcmix
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.errors import Cancelled, LabelError, OutputError, TrainingError
from napari_attribution.training import seeds
from napari_attribution.training.answers.answer import read_answer
from napari_attribution.training.network import fitting
from napari_attribution.training.network.fitting import fit

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
    seed = str(trained.seeds[trained.best])
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


def test_stopped_and_asked_again_it_comes_to_the_same(plate, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "EVERY", math.inf)  # however slow the machine, only epochs that are over are told
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

    with pytest.raises(OutputError, match="was another: epochs was 3, not 2"):
        train_dcmix(
            plate, CLASSES, recipe=ALONE.model_copy(update={"epochs": 2}), folder=tmp_path / "kept", device="cpu"
        )
    other = CLASSES | {"A01": "control", "A02": "hit"}
    with pytest.raises(OutputError, match=r"the label was another, or missing, in 2 wells \(A01, A02\)"):
        train_dcmix(plate, other, recipe=ALONE, folder=tmp_path / "kept", device="cpu")
    with pytest.raises(OutputError, match="its stains were DNA, GFP, Mito"):
        train_dcmix(plate, CLASSES, recipe=ALONE, stains=["DNA", "GFP"], folder=tmp_path / "kept", device="cpu")


def networks_in(moments):
    """(seed, network) of all that were trained, in their order."""
    return list(dict.fromkeys((m.seed, m.network) for m in moments if m.phase == "training"))


def is_the_same(one, other):
    """All but when it was made, and how long it took."""
    for name in ("importances", "shapley", "permutation"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("card", "seeds", "held_out", "chance", "warnings", "histories", "best"):
        assert getattr(one, name) == getattr(other, name), name
    assert list(one.accuracy) == list(other.accuracy)
    for name, values in one.accuracy.items():
        np.testing.assert_array_equal(values, other.accuracy[name])
    for name, weights in one.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], weights), name
    changing = ("made_at", "seconds")
    assert {k: v for k, v in one.record.items() if k not in changing} == {
        k: v for k, v in other.record.items() if k not in changing
    }


@pytest.mark.slow
def test_with_more_seeds_or_something_to_compare_with_the_same_folder_goes_on(plate, trained, tmp_path):
    def asked(**wishes):
        told = []
        recipe = QUICK.model_copy(update=wishes)
        answer = train_dcmix(plate, CLASSES, recipe=recipe, device="cpu", folder=tmp_path, tell=told.append)
        assert all(m.done <= m.total for m in told)
        return answer, networks_in(told)

    others = ("all stains", *STAINS)
    one, done = asked(seeds=1, compare=False)
    assert done == [(0, "dcmix")]
    more, done = asked(compare=False)
    assert done == [(1, "dcmix")]
    compared, done = asked()
    assert done == [(seed, name) for seed in (0, 1) for name in others]
    is_the_same(compared, trained)
    is_the_same(more, train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu"))
    fewer, done = asked(seeds=1, compare=False)
    assert done == []
    is_the_same(fewer, one)
    later, done = asked(first_seed=1, compare=False)
    assert done == [(2, "dcmix")]
    assert later.seeds == (1, 2)
    np.testing.assert_array_equal(later.importances[0], trained.importances[1])


def without(*lost):
    """`fit`, but of these seeds the loss of the network with the mixing layer is no number from the first step on."""

    def fit_(network, training, validation, recipe, *, seed, **more):
        if seed in lost and hasattr(network, "mixing"):
            with torch.no_grad():
                network.mixing.weights.fill_(torch.nan)
        return fit(network, training, validation, recipe, seed=seed, **more)

    return fit_


@pytest.mark.slow
def test_a_seed_that_comes_to_no_network_falls_out_and_the_others_answer(plate, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "fit", without(0))
    told = []
    kept = {"folder": tmp_path / "kept", "device": "cpu"}
    answer = train_dcmix(plate, CLASSES, recipe=QUICK, tell=told.append, **kept)
    assert answer.seeds == (1,)
    assert answer.best == 0
    np.testing.assert_array_equal(answer.importances, trained.importances[1:])
    assert {name: values.tolist() for name, values in answer.accuracy.items()} == {
        name: values[1:].tolist() for name, values in trained.accuracy.items()
    }
    assert answer.histories == {name: one[1:] for name, one in trained.histories.items()}
    assert answer.held_out == trained.held_out[1:]
    assert answer.record["splits"] == {"1": trained.record["splits"]["1"]}
    assert answer.record["recipe"]["seeds"] == 2
    lost, single = answer.warnings
    assert lost.startswith(
        "Seed 0 fell out, and the answer is without it: its network with a mixing layer could not be trained. The loss is not a "
        "number in epoch 1, step 1, whose fields are of the wells "
    )
    assert "Only one seed" in single
    assert networks_in(told) == [(1, name) for name in trained.accuracy]
    assert all(m.done <= m.total for m in told)

    again = read_answer(answer.save(tmp_path / "saved"))
    assert again.seeds == (1,)
    assert again.warnings == answer.warnings
    np.testing.assert_array_equal(again.importances, answer.importances)

    is_the_same(train_dcmix(plate, CLASSES, recipe=QUICK, **kept), answer)
    # What was trained is kept; once the seed can be trained, it is in the answer.
    monkeypatch.setattr(seeds, "fit", fit)
    told.clear()
    is_the_same(train_dcmix(plate, CLASSES, recipe=QUICK, tell=told.append, **kept), trained)
    assert {seed for seed, _ in networks_in(told)} == {0}


def test_only_where_no_seed_comes_to_a_network_there_is_no_answer(plate, monkeypatch):
    monkeypatch.setattr(seeds, "fit", without(0, 1))
    with pytest.raises(
        TrainingError,
        match=r"^None of the 2 seeds came to a network with a mixing layer\. Seed 0: The loss .* try a smaller learning_rate\.",
    ):
        train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu")
    with pytest.raises(
        TrainingError, match=r"^Seed 1 came to no network with a mixing layer\. The loss is not a number"
    ):
        train_dcmix(plate, CLASSES, recipe=ALONE.model_copy(update={"seeds": 1, "first_seed": 1}), device="cpu")


def test_a_damaged_checkpoint_is_said_in_the_warnings(plate, tmp_path):
    whole = train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu", folder=tmp_path)
    file = tmp_path / "seed-1" / "0-dcmix.checkpoint"
    file.write_bytes(file.read_bytes()[:5000])
    told = []
    again = train_dcmix(plate, CLASSES, recipe=ALONE, device="cpu", folder=tmp_path, tell=told.append)
    assert networks_in(told) == [(1, "dcmix")]
    assert again.warnings == (
        f"The network of dcmix, seed 1: {file} was damaged, so the network was trained anew. What was there was kept as "
        "0-dcmix.checkpoint.damaged-1.",
        *whole.warnings,
    )
    np.testing.assert_array_equal(again.importances, whole.importances)
    assert sorted(one.name for one in file.parent.iterdir()) == ["0-dcmix.checkpoint", "0-dcmix.checkpoint.damaged-1"]


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
