"""fit: what it finds, and that it finds it again: by seed, after a kill, without numbers, when stopped."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training_toys import QUICK, toy

from napari_attribution.errors import Cancelled, RecordError, TrainingError
from napari_attribution.training.backbones import make_network
from napari_attribution.training.fields.examples import Examples
from napari_attribution.training.network import fitting
from napari_attribution.training.network.fitting import Fitted, fit
from napari_attribution.training.network.mixing import DCMIX
from napari_attribution.training.network.moment import Moment
from napari_attribution.training.recipe import Recipe

TRAINING, VALIDATION = toy(64, seed=0), toy(32, seed=1)


def fitted(
    recipe: Recipe = QUICK,
    training: Examples = TRAINING,
    seed: int = 0,
    checkpoint: Path | None = None,
    tell: Callable[[Moment], None] | None = None,
    mixed: bool = True,
) -> Fitted:
    network = make_network(recipe, training.inputs.shape[1], 2, mixed, seed=seed)
    return fit(network, training, VALIDATION, recipe, seed=seed, checkpoint=checkpoint, tell=tell)


def same(one: Fitted, other: Fitted) -> bool:
    """To the last bit."""
    pair = one.network.state_dict(), other.network.state_dict()
    return one.history == other.history and all(torch.equal(pair[0][name], pair[1][name]) for name in pair[0])


@pytest.fixture(autouse=True)
def only_after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: what is told within an epoch is not told."""
    monkeypatch.setattr(fitting, "EVERY", math.inf)


@pytest.mark.parametrize("nonnegative", ["projection", "softplus"])
@pytest.mark.parametrize("mixers", [1, 2])
def test_the_one_stain_that_tells_comes_first(nonnegative: str, mixers: int) -> None:
    lowest: list[float] = []
    found = fitted(
        QUICK.model_copy(update={"nonnegative": nonnegative, "mixers": mixers}),
        tell=lambda moment: lowest.append(min(moment.importance or (-1,))),
    )
    assert found.importance is not None
    assert found.importance.sum() == pytest.approx(1)
    assert found.importance.argmax() == 2
    assert found.importance[2] > 1.4 * np.delete(found.importance, 2).max()
    assert min(lowest) >= 0
    best = found.history[found.best_epoch - 1]
    assert best.accuracy > 0.95
    assert best.validation_loss == pytest.approx(min(epoch.validation_loss for epoch in found.history), abs=1e-3)
    assert type(found.network.mixing) is DCMIX
    np.testing.assert_allclose(found.network.mixing.importance, found.importance, atol=1e-6)
    with torch.no_grad():
        right = found.network(torch.from_numpy(VALIDATION.inputs)).argmax(1).numpy() == VALIDATION.classes
    assert right.mean() == pytest.approx(best.accuracy)


def test_no_weight_is_below_zero_after_any_step(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    project = DCMIX.project

    def look(layer: DCMIX) -> None:
        seen.append(layer.weights.min().item())
        project(layer)
        assert layer.weights.min() >= 0

    monkeypatch.setattr(DCMIX, "project", look)
    fitted(QUICK.model_copy(update={"mixing_rate": 0.5}))
    assert min(seen) < 0, "no step went below zero: this test shows nothing"


def test_stains_that_tell_nothing_are_pulled_to_zero() -> None:
    recipe = QUICK.model_copy(update={"least_steps": 12})
    left, pulled = (
        fitted(recipe.model_copy(update={"sparsity": sparsity}), toy(128)).importance for sparsity in (0.0, 0.5)
    )
    assert left is not None
    assert pulled is not None
    assert pulled[2] > left[2]
    assert pulled[2] > 0.95


def test_where_no_stain_tells_anything_the_pull_leaves_a_mixture() -> None:
    rng = np.random.default_rng(0)
    deaf = dataclasses.replace(TRAINING, classes=rng.integers(2, size=len(TRAINING)))
    recipe = QUICK.model_copy(update={"sparsity": 1.0, "patience": 100, "least_steps": 12})
    network, norms = make_network(recipe, 4, 2), list[float]()
    fit(
        network,
        deaf,
        VALIDATION,
        recipe,
        seed=0,
        tell=lambda moment: norms.append(network.mixing.weights.norm().item()),
    )
    assert min(norms) > 0.25
    assert max(norms) < 1, "the pull did nothing: this test shows nothing"


def test_without_a_mixing_layer_there_is_no_importance() -> None:
    found = fitted(QUICK.model_copy(update={"epochs": 2}), mixed=False)
    assert found.importance is None
    assert found.history[0].importance is None


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    recipe = QUICK.model_copy(update={"epochs": 2, "brightness": 0.1})
    assert same(fitted(recipe), fitted(recipe))
    assert not same(fitted(recipe), fitted(recipe, seed=1))


def test_training_stops_when_nothing_is_gained(tmp_path: Path) -> None:
    found = fitted(QUICK.model_copy(update={"epochs": 60, "patience": 2}))
    assert found.ended == "early"
    assert len(found.history) == found.best_epoch + 2
    assert fitted(QUICK.model_copy(update={"epochs": 1})).ended == "epochs"


HERE = Path(__file__).parent
KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {tests!r}]
import torch
torch.set_num_threads({threads})
import test_fitting
def tell(moment):
    print(moment.epoch, flush=True)
test_fitting.fitted(checkpoint=Path(sys.argv[1]), tell=tell)
"""


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    whole = fitted()
    path = tmp_path / "checkpoint.pt"
    script = KILLED.format(here=str(HERE), tests=str(HERE.parents[2]), threads=torch.get_num_threads())
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "3":
                break
        time.sleep(0.05)  # into the next epoch
        os.kill(process.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    done = len(torch.load(path, weights_only=True)["history"])
    assert 3 <= done < QUICK.epochs, "it was over before it was killed"
    told: list[int] = []
    assert same(fitted(checkpoint=path, tell=lambda moment: told.append(moment.epoch)), whole)
    assert told == list(range(done + 1, QUICK.epochs + 1))
    # Once it is over, there is nothing left to do.
    told.clear()
    assert same(fitted(checkpoint=path, tell=lambda moment: told.append(moment.epoch)), whole)
    assert told == []


def test_cancelled_it_keeps_the_epochs_that_are_over_and_goes_on_from_them(tmp_path: Path) -> None:
    def stop(moment: Moment) -> None:
        if moment.epoch == 2:
            raise Cancelled("Stopped.")

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Cancelled):
        fitted(checkpoint=path, tell=stop)
    assert len(torch.load(path, weights_only=True)["history"]) == 2
    assert same(fitted(checkpoint=path), fitted())


def test_it_can_be_cancelled_within_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "EVERY", 0.0)
    told: list[Moment] = []

    def stop(moment: Moment) -> None:
        told.append(moment)
        if [one.epoch for one in told].count(1) == 3:
            raise Cancelled("Stopped.")

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Cancelled):
        fitted(checkpoint=path, tell=stop)
    assert (told[0].epoch, told[0].training_loss, told[0].importance) == (0, None, None)
    assert told[-1] == told[-2] == told[-3], "what the last epoch came to is told again"
    monkeypatch.setattr(fitting, "EVERY", math.inf)
    assert same(fitted(checkpoint=path), fitted())


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    recipe = QUICK.model_copy(update={"epochs": 1})
    fitted(recipe, checkpoint=path)
    relabelled = dataclasses.replace(TRAINING, classes=1 - TRAINING.classes)
    for other in ({"recipe": QUICK}, {"recipe": recipe, "seed": 1}, {"recipe": recipe, "training": relabelled}):
        with pytest.raises(RecordError, match="another training"):
            fitted(checkpoint=path, **other)


class Running:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path, str], int], tuple[Path, str]]:
        return Path.write_text, (self.file, "this was run")


def test_a_damaged_checkpoint_is_set_aside_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    path, recipe = tmp_path / "checkpoint.pt", QUICK.model_copy(update={"epochs": 1})
    plain = fitted(recipe, checkpoint=path)
    assert plain.set_aside == ""
    harmful = tmp_path / "harmful"
    torch.save({"key": Running(tmp_path / "trace")}, harmful)
    half, whole = path.read_bytes()[:1000], path.read_bytes()
    damaged = [half, b"", b"garbage", harmful.read_bytes(), whole[:-10], whole[:5000]]
    for number, content in enumerate(damaged, start=1):
        path.write_bytes(content)
        found = fitted(recipe, checkpoint=path)
        assert same(found, plain)
        assert found.set_aside == (
            f"{path} was damaged, so the network was trained anew. What was there was kept as {path.name}.damaged-{number}."
        )
        assert path.with_name(f"{path.name}.damaged-{number}").read_bytes() == content
        # What was set aside is said again when the training is asked for again, and nothing is left to do.
        assert (
            fitted(recipe, checkpoint=path, tell=lambda moment: pytest.fail(str(moment))).set_aside == found.set_aside
        )
    assert not (tmp_path / "trace").exists()


def test_a_checkpoint_that_may_not_be_read_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.mkdir()
    with pytest.raises(RecordError, match=r"checkpoint\.pt cannot be read \(Is a directory\)\. Make it readable"):
        fitted(checkpoint=path)
    assert path.is_dir()


def test_which_networks_are_asked_for_is_not_part_of_a_checkpoint(tmp_path: Path) -> None:
    path, recipe = tmp_path / "checkpoint.pt", QUICK.model_copy(update={"epochs": 1})
    plain = fitted(recipe, checkpoint=path)
    others = recipe.model_copy(update={"seeds": 7, "first_seed": 4, "compare": False})
    told: list[Moment] = []
    assert same(fitted(others, checkpoint=path, tell=told.append), plain)
    assert told == []


class Bursting(nn.Module):
    """Gives up numbers from a given training step on."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.at, self.steps = at, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        scores = self.head(x.mean((2, 3)))
        return scores / 0.0 if self.training and self.steps >= self.at else scores


def test_a_loss_that_is_no_number_stops_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    told: list[int] = []
    path = tmp_path / "checkpoint.pt"
    recipe = QUICK.model_copy(update={"least_steps": 5, "batch": 4, "epochs": 4})
    found = fit(
        Bursting(2 * 16 + 7), TRAINING, VALIDATION, recipe, seed=0, checkpoint=path, tell=lambda moment: told.append(moment.epoch)
    )  # fmt: skip
    assert found.ended == "not a number"
    assert told == [1, 2]
    assert len(found.history) == 2
    assert "epoch 3, step 7" in found.note
    assert f"weights of epoch {found.best_epoch} are kept" in found.note
    assert "0-" in found.note, "the wells are not named"
    assert "learning_rate" in found.note
    assert all(torch.isfinite(tensor).all() for tensor in found.network.state_dict().values())
    again = fit(Bursting(10**6), TRAINING, VALIDATION, recipe, seed=0, checkpoint=path)
    assert again.ended == "not a number"


def test_pixels_that_are_no_numbers_are_named_by_their_wells() -> None:
    inputs = TRAINING.inputs.copy()
    inputs[21, 1, 3, 3] = np.nan
    with pytest.raises(TrainingError, match="Pixels of 0-5 are not finite") as caught:
        fitted(training=dataclasses.replace(TRAINING, inputs=inputs))
    assert "epoch 1, step" in str(caught.value)


def test_inputs_may_be_half_precision_and_lie_in_a_file(tmp_path: Path) -> None:
    recipe = QUICK.model_copy(update={"epochs": 1})
    half = dataclasses.replace(TRAINING, inputs=TRAINING.inputs.astype(np.float16))
    mapped = np.memmap(tmp_path / "inputs", np.float16, "w+", shape=half.inputs.shape)
    mapped[:] = half.inputs
    assert same(fitted(recipe, half), fitted(recipe, dataclasses.replace(half, inputs=mapped)))


def test_batch_normalisation_knows_the_network_that_it_is_in() -> None:
    plain = {"epochs": 1, "crop": 1, "turns": False, "brightness": 0}
    network = fitted(QUICK.model_copy(update=plain)).network
    norm = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    norm.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    with torch.no_grad():
        network(torch.from_numpy(TRAINING.inputs.astype(np.float32)))
    variance = seen[0].var(dim=(0, 2, 3), unbiased=False)
    # Running means of ten steps would still be a third of the way from the 1 that they began at.
    torch.testing.assert_close(norm.running_var, variance, rtol=0.1, atol=0)
    assert norm.momentum == 0.1
    assert ((variance - 1).abs() > 0.2).any(), "this would hold for means that were never taken"
