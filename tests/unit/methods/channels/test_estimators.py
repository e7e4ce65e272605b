"""Every estimator against its definition in loops, on games of which nothing is known but their scores."""

from itertools import permutations

import numpy as np
import planted_stains as planted
import pytest
import torch

from napari_attribution.classifiers import memory
from napari_attribution.errors import Cancelled, ClassifierError, RequestError
from napari_attribution.methods.channels import banzhaf, mixing, permutation, shapley
from napari_attribution.methods.channels.values import ESTIMATORS, stain_forwards, stain_values
from napari_attribution.methods.question.problem import Problem

GAMES = [name for name, estimator in ESTIMATORS.items() if estimator.game]


def scorer(problem: Problem):
    """The score of a subset, one forward at a time."""

    def v(stains) -> float:
        x = problem.fill.expand_as(problem.x).clone()
        for c in stains:
            x[0, c] = problem.x[0, c]
        with torch.no_grad():
            return float(problem.of(x)[0])

    return v


def subsets(stains: list[int]) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for c in stains:
        found += [[*one, c] for one in found]
    return found


def slow(problem: Problem, name: str) -> np.ndarray:
    """By the definitions, with nothing shared between stains."""
    v, C = scorer(problem), problem.x.shape[1]
    found = np.zeros(C)
    for c in range(C):
        others = [d for d in range(C) if d != c]
        if name == "shapley":
            orders = list(permutations(range(C)))
            for order in orders:
                before = list(order[: order.index(c)])
                found[c] += (v([*before, c]) - v(before)) / len(orders)
        elif name == "banzhaf":
            found[c] = np.mean([v([*one, c]) - v(one) for one in subsets(others)])
        elif name == "leave-one-out":
            found[c] = v(range(C)) - v(others)
        elif name == "keep-one":
            found[c] = v([c]) - v([])
    return found


@pytest.mark.parametrize("name", ["shapley", "banzhaf", "leave-one-out", "keep-one"])
@pytest.mark.parametrize("C", [1, 2, 3, 4])
def test_equals_its_definition(name, C):
    problem = planted.problem_of(planted.table(C, seed=C), C)
    values, error = ESTIMATORS[name].values(problem)
    assert error is None
    np.testing.assert_allclose(values.numpy(), slow(problem, name), atol=1e-5)


def test_permutation_equals_plain_loops():
    problem = planted.problem_of(planted.Fine(), 3)
    values, spread = permutation.channel_permutation(problem, seeds=4)
    with torch.no_grad():
        whole = float(problem.of(problem.x)[0])
        drops = np.zeros((4, 3))
        for seed in range(4):
            for c in range(3):
                x = problem.x.clone()
                x[0, c] = permutation.shuffled(problem.x[0, c], c, seed)
                drops[seed, c] = whole - float(problem.of(x)[0])
    np.testing.assert_allclose(values.numpy(), drops.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(spread.numpy(), drops.std(axis=0, ddof=1), atol=1e-6)
    found = permutation.permutation_drops(problem, 4)
    np.testing.assert_allclose(permutation.magnitude(found).numpy(), np.abs(drops).mean(axis=0), atol=1e-6)
    assert float(values[0]) < -0.1  # shuffled pixels are rougher, and that speaks for the class
    assert float(values[2]) == pytest.approx(0, abs=1e-6)


def test_shuffling_keeps_every_pixel_and_is_the_same_for_a_seed():
    plane = planted.problem_of(planted.Fine(), 3).x[0, 0]
    one, again, other = (permutation.shuffled(plane, 0, seed) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one.flatten().sort().values, plane.flatten().sort().values)
    assert not torch.equal(one, permutation.shuffled(plane, 1, 1))


def slow_training(problem: Problem, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean score over the tosses, written out; its gradient by differences of it, which is exact as it is multilinear."""
    v, C = scorer(problem), problem.x.shape[1]
    known = {tuple(sorted(one)): v(one) for one in subsets(list(range(C)))}

    def J(alpha: np.ndarray) -> float:
        total = 0.0
        for one, score in known.items():
            total += score * np.prod([alpha[c] if c in one else 1 - alpha[c] for c in range(C)])
        return total

    def gradient(alpha: np.ndarray) -> np.ndarray:
        found = np.zeros(C)
        for c in range(C):
            up, down = alpha.copy(), alpha.copy()
            up[c], down[c] = 1, 0
            found[c] = J(up) - J(down)
        return found

    alpha, pulls = np.full(C, 0.5), []
    for _ in range(steps):
        pull = (gradient(alpha) + gradient(1 - alpha)) / 2
        pulls.append(pull)
        alpha = np.clip(alpha + pull / np.abs(pull).max() / (2 * steps), 0, 1)
    return alpha, np.mean(pulls, axis=0)


@pytest.mark.parametrize("steps", [1, 8])
def test_the_training_is_that_of_the_mean_score_over_tosses(steps):
    problem = planted.problem_of(planted.table(4, seed=7), 4)
    from napari_attribution.methods.channels.subsets import every_subset, score_subsets

    trained = mixing.train(score_subsets(problem, every_subset(4)), steps)
    alpha, pull = slow_training(problem, steps)
    np.testing.assert_allclose(trained.alpha.numpy(), alpha, atol=1e-5)
    np.testing.assert_allclose(trained.pull.numpy(), pull, atol=1e-5)
    assert trained.path.shape == (steps + 1, 4)
    assert float((trained.alpha - 0.5).abs().max()) <= 0.5


def test_the_first_step_is_the_banzhaf_value_and_the_diagonal_the_shapley_value():
    from napari_attribution.methods.channels.subsets import every_subset, score_subsets

    problem = planted.problem_of(planted.table(4, seed=3), 4)
    scores = score_subsets(problem, every_subset(4))
    np.testing.assert_allclose(mixing.train(scores, 1).pull, banzhaf.channel_banzhaf(problem)[0], atol=1e-5)
    nodes, weights = np.polynomial.legendre.leggauss(3)
    diagonal = sum(
        w / 2 * mixing.slope(scores.double(), torch.full((4,), (t + 1) / 2, dtype=torch.float64))
        for t, w in zip(nodes, weights, strict=True)
    )
    np.testing.assert_allclose(diagonal.numpy(), shapley.channel_shapley(problem)[0], atol=1e-5)


# ------------------------------------------------------------------------------------------------------ planted truths


@pytest.mark.parametrize("name", GAMES)
def test_a_sum_is_taken_apart_with_its_signs(name):
    problem = planted.problem_of(planted.Means([1.0, -2.0, 0.0, 0.5]), 4)
    values, _ = ESTIMATORS[name].values(problem)
    expected = problem.x.mean(dim=(2, 3))[0] * torch.tensor([1.0, -2.0, 0.0, 0.5])
    np.testing.assert_allclose(values.numpy(), expected.numpy(), atol=1e-5)


def test_what_each_makes_of_stains_that_say_the_same():
    """The score is 1 as soon as one of the first two is there; the third speaks against it."""
    either = torch.tensor([0.0, 1.0, 1.0, 1.0, -0.5, 0.5, 0.5, 0.5])
    problem = planted.problem_of(planted.Table(either), 3)
    expected = {
        "shapley": (0.5, 0.5, -0.5),
        "banzhaf": (0.5, 0.5, -0.5),
        "leave-one-out": (0.0, 0.0, -0.5),
        "keep-one": (1.0, 1.0, -0.5),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(ESTIMATORS[name].values(problem)[0], values, atol=1e-6)
    first, second, against = ESTIMATORS["dcmix"].values(problem)[0].tolist()
    assert first == pytest.approx(second)
    assert first > 0.4
    assert against == pytest.approx(-0.5)


def test_what_each_makes_of_stains_that_speak_only_together():
    both = torch.tensor([0.0, 0.0, 0.0, 1.0])
    problem = planted.problem_of(planted.Table(both), 2)
    for name, value in {"shapley": 0.5, "banzhaf": 0.5, "leave-one-out": 1.0, "keep-one": 0.0, "dcmix": 0.5}.items():
        np.testing.assert_allclose(ESTIMATORS[name].values(problem)[0], [value] * 2, atol=1e-6)


def test_shapley_values_add_up_to_what_all_stains_do():
    problem = planted.problem_of(planted.table(5, seed=2), 5)
    v = scorer(problem)
    assert float(shapley.channel_shapley(problem)[0].sum()) == pytest.approx(v(range(5)) - v([]), abs=1e-5)


# ---------------------------------------------------------------------------------------------------------- many stains


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_twenty_stains(name):
    weights = [0.0] * 20
    weights[19], weights[4] = 2.0, -1.0
    problem = planted.problem_of(planted.Means(weights), 20)
    values, spread = ESTIMATORS[name].values(problem)
    assert values.shape == (20,)
    if name == "permutation":
        assert float(values.abs().max()) < 1e-5
        return
    assert int(values.argmax()) == 19
    assert int(values.argmin()) == 4
    if name in ("shapley", "banzhaf", "dcmix"):
        assert spread is not None
        assert spread.shape == (20,)
        assert bool((spread >= 0).all())


@pytest.mark.parametrize("name", ["shapley", "banzhaf"])
def test_what_is_drawn_lies_within_its_error_of_what_is_exact(name, monkeypatch):
    problem = planted.problem_of(planted.table(6, seed=5), 6)
    exact, _ = ESTIMATORS[name].values(problem)
    for module in (shapley, banzhaf, mixing):
        monkeypatch.setattr(module, "MOST_EXACT", 5)
    monkeypatch.setattr(shapley, "PERMUTATIONS", 200)
    monkeypatch.setattr(banzhaf, "PAIRS", 60)
    drawn, error = ESTIMATORS[name].values(problem)
    assert error is not None
    assert 0 < float(error.max()) < 0.2
    assert float(((drawn - exact).abs() / error).max()) < 4


# ---------------------------------------------------------------------------------------------------- cost and the rest


@pytest.mark.parametrize("name", [*ESTIMATORS, "none"])
@pytest.mark.parametrize("C", [1, 3, 10])
def test_the_cost_is_what_is_counted(name, C):
    problem = planted.problem_of(planted.Means([1.0] * C), C)
    before = problem.classifier.forwards
    found = stain_values(problem, name)
    assert problem.classifier.forwards - before == stain_forwards(name, C)
    assert found.importance.shape == (C,)
    if name == "none":
        assert not found.importance.any()
        assert "not asked for" in found.meaning


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_the_same_numbers_every_time(name):
    problem = planted.problem_of(planted.Fine(), 10)
    (one, first), (two, second) = (ESTIMATORS[name].values(problem) for _ in range(2))
    assert torch.equal(one, two)
    assert (first is None) == (second is None)
    assert first is None or torch.equal(first, second)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_the_order_of_the_stains_makes_no_difference(name):
    values = torch.randn(16, generator=torch.Generator().manual_seed(1))
    turned = torch.stack([values[_turned(bits)] for bits in range(16)])
    one, _ = ESTIMATORS[name].values(planted.problem_of(planted.Table(values), 4))
    two, _ = ESTIMATORS[name].values(planted.problem_of(planted.Table(turned), 4))
    np.testing.assert_allclose(two.numpy(), one.roll(1).numpy(), atol=1e-6)


def _turned(bits: int) -> int:
    """The subset that this one was, before every stain moved on by one."""
    return (bits >> 1) | ((bits & 1) << 3)


@pytest.mark.parametrize("name", list(ESTIMATORS))
@pytest.mark.parametrize("size", [(32, 20), (9, 31)])
def test_inputs_need_not_be_square(name, size):
    problem = planted.problem_of(planted.Means([1.0, -1.0, 0.0]), 3, size)
    values, _ = ESTIMATORS[name].values(problem)
    assert bool(torch.isfinite(values).all())
    assert float(values[2]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", list(ESTIMATORS))
@pytest.mark.parametrize("rounding", [0.0, 1e-7])
def test_a_constant_classifier_gives_zeros(name, rounding):
    class Nearly(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            noise = rounding_of * torch.sin(1e4 * x.mean(dim=(1, 2, 3)))
            return torch.stack([noise, 1 + noise, 0.5 + noise], dim=1)

    rounding_of = rounding
    network = planted.Constant() if rounding == 0 else None
    if network is None:
        network = torch.jit.trace(Nearly(), torch.rand(2, 3, planted.SIZE, planted.SIZE))
    problem = planted.problem_of(network)
    values, spread = ESTIMATORS[name].values(problem)
    assert not values.any()
    assert spread is None or not spread.any()


@pytest.mark.parametrize("name", list(ESTIMATORS))
@pytest.mark.parametrize("offset", [-3.0, None])
def test_a_score_below_zero_or_at_zero_is_a_score(name, offset):
    """Only differences count: nothing is divided by the score."""

    class Shifted(planted.Fine):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            plane = x[:, 0]
            seen = (plane[:, 1:] - plane[:, :-1]).abs().mean(dim=(1, 2)) + 0.2 * x[:, 1].mean(dim=(1, 2)) + self.by
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    plain = planted.problem_of(planted.Fine())
    with torch.no_grad():
        by = -float(plain.of(plain.x)[0]) if offset is None else offset
    shifted = planted.problem_of(Shifted(by))
    with torch.no_grad():
        assert float(shifted.of(shifted.x)[0]) <= 1e-6
    np.testing.assert_allclose(ESTIMATORS[name].values(shifted)[0], ESTIMATORS[name].values(plain)[0], atol=1e-5)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_scores_that_are_not_numbers_are_an_error(name):
    class Breaks(torch.nn.Module):
        """Is right for the whole input alone."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            plane = x[:, 0]
            rough = (plane[:, 1:] - plane[:, :-1]).abs().mean(dim=(1, 2))
            seen = torch.sqrt(0.3 - rough) + torch.log(rough)
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    problem = planted.problem_of(planted.Fine())
    broken = torch.jit.script(Breaks())
    problem.classifier._scorer.scores = lambda x: broken(x)  # the examination at loading would not let it in
    with pytest.raises(ClassifierError, match="not numbers"):
        ESTIMATORS[name].values(problem)


def test_an_unknown_name_is_an_error_that_names_the_others():
    with pytest.raises(RequestError, match=r"'lime'.*shapley, banzhaf, leave-one-out"):
        stain_values(planted.problem_of(planted.Constant()), "lime")


@pytest.mark.parametrize("name", ["shapley", "permutation"])
def test_batches_change_nothing_and_each_can_be_cancelled(name, monkeypatch):
    problem = planted.problem_of(planted.Means([1.0, -1.0, 0.5, 0.2]), 4)
    at_once, _ = ESTIMATORS[name].values(problem)
    each = problem.classifier._bytes_of_a_forward
    monkeypatch.setattr(memory.in_batches, "__defaults__", (3 * each, 2**31))
    in_parts, _ = ESTIMATORS[name].values(problem)
    np.testing.assert_allclose(in_parts, at_once, atol=1e-6)

    def stop(done: int, total: int) -> None:
        raise Cancelled("stopped")

    before = problem.classifier.forwards
    with pytest.raises(Cancelled):
        ESTIMATORS[name].values(Problem(problem.classifier, problem.x, problem.fill, problem.score, stop))
    assert problem.classifier.forwards - before <= 3
