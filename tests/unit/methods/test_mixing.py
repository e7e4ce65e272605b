"""PCIM and DCMIX on classifiers whose truth is planted: they read one disc of one stain."""

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import Well, explain
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.errors import Cancelled, ClassifierError, RequestError
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.choosing import check_parameters
from napari_attribution.methods.choice.cost import forwards_needed

SIZE = 64


class Disc(nn.Module):
    """Reads the mean of one disc of one stain, through a little non-linearity; nothing else matters."""

    def __init__(self, stain: int, row: int, column: int, radius: int) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        disc = ((rows - row) ** 2 + (columns - column) ** 2 <= radius**2).float()
        weight = torch.zeros(3, SIZE, SIZE)
        weight[stain] = disc / disc.sum()
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.tanh((x * self.weight).sum(dim=(1, 2, 3)))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


def classifier_of(network: nn.Module, size: int = SIZE) -> Classifier:
    module = torch.jit.script(network.eval())
    return Classifier(torchscript_network(module, torch.device("cpu")), networks.card(size))


def cells(seed: int = 0) -> Well:
    """Smooth positive blobs in every stain."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    pixels = np.stack([gaussian_filter(rng.uniform(size=(SIZE, SIZE)), 3) for _ in range(3)])
    return Well((pixels / pixels.max() * 2).astype(np.float32), networks.STAINS)


@pytest.mark.parametrize("stain", [0, 1, 2])
@pytest.mark.parametrize("place", [(16, 20), (40, 44)])
def test_pcim_finds_the_disc_and_its_stain(stain, place):
    classifier = classifier_of(Disc(stain, *place, 6))
    found = explain(classifier, cells(), "pcim", target="hit", fill="background", per_stain=True)
    assert found.values.shape == (3, SIZE, SIZE)
    name = networks.STAINS[stain]
    assert max(found.channel_importance, key=found.channel_importance.get) == name
    assert found.channel_importance[name] > 0.99
    peak = np.unravel_index(found.map.argmax(), found.map.shape)
    assert np.hypot(peak[0] - place[0], peak[1] - place[1]) <= 6
    rows, columns = np.indices(found.map.shape)
    near = np.hypot(rows - place[0], columns - place[1]) <= 10
    positive = np.maximum(found.map, 0)
    assert positive[near].sum() > 0.9 * positive.sum()


def test_literal_pcim_begins_as_input_times_gradient():
    classifier = classifier_of(Disc(1, 30, 30, 8))
    w = cells()
    found = explain(
        classifier, w, "pcim", target="hit", form="literal", steps=1, step_size=0.01, per_stain=False, fill="background"
    )
    x = torch.from_numpy(w.pixels.copy())[None].requires_grad_(True)
    (gradient,) = torch.autograd.grad(classifier.scores(x)[0, 1], x)
    expected = (x * gradient).sum(dim=1)[0].detach().numpy()
    np.testing.assert_allclose(found.native, 0.01 * expected / np.abs(expected).max(), rtol=1e-4, atol=1e-8)


def test_places_that_nothing_pulls_at_read_zero():
    classifier = classifier_of(Disc(0, 16, 16, 5))
    found = explain(classifier, cells(), "pcim", target="hit")
    assert not found.map[40:, 40:].any()


@pytest.mark.parametrize("mixing", ["tossed", "blended"])
@pytest.mark.parametrize("stain", [0, 1, 2])
def test_dcmix_and_shapley_find_the_stain(stain, mixing):
    found = explain(
        classifier_of(Disc(stain, 30, 30, 8)), cells(), "dcmix", target="hit", fill="background", mixing=mixing
    )
    assert found.record["found"]["mixing"] == mixing
    name = networks.STAINS[stain]
    assert found.channel_importance[name] == pytest.approx(1)
    shapley = found.record["found"]["shapley"]
    assert int(np.argmax(shapley)) == stain
    assert np.abs(np.delete(shapley, stain)).max() < 1e-6


def test_shapley_is_the_mean_over_all_orders_and_adds_up(tmp_path):
    """Against the definition: the mean marginal gain over all C! orders."""
    from itertools import permutations

    network = networks.make("gap")
    classifier = networks.opened(network, tmp_path)
    w = Well(np.random.default_rng(1).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)
    found = explain(classifier, w, "dcmix", target="dead", fill="background")
    x = torch.from_numpy(w.pixels.copy())[None]

    def value(stains):
        kept = torch.zeros_like(x)
        for stain in stains:
            kept[:, stain] = x[:, stain]
        with torch.no_grad():
            return float(network(kept)[0, 2])

    expected = np.zeros(3)
    for order in permutations(range(3)):
        for position, stain in enumerate(order):
            expected[stain] += (value(order[: position + 1]) - value(order[:position])) / 6
    np.testing.assert_allclose(found.record["found"]["shapley"], expected, atol=1e-5)
    assert sum(expected) == pytest.approx(value((0, 1, 2)) - value(()), abs=1e-6)


def test_many_stains_are_sampled_with_a_spread():
    stains = [f"stain {index}" for index in range(10)]

    class Tenth(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = x[:, 9].mean(dim=(1, 2))
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    classifier = Classifier(
        torchscript_network(torch.jit.script(Tenth()), torch.device("cpu")),
        networks.card(16, stains=stains, mean=[0.0] * 10, std=[1.0] * 10, background=[0.0] * 10),
    )
    w = Well(
        np.ones((10, 16, 16), np.float32) + np.random.default_rng(0).uniform(size=(10, 16, 16)).astype(np.float32),
        stains,
    )
    found = explain(classifier, w, "dcmix", target="hit")
    assert max(found.channel_importance, key=found.channel_importance.get) == "stain 9"
    assert len(found.record["found"]["shapley_standard_error"]) == 10


@pytest.mark.parametrize("method", ["pcim", "dcmix"])
def test_cancel_stops_at_the_first_step(method):
    steps = []

    def progress(done, total):
        steps.append((done, total))
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        explain(classifier_of(Disc(0, 30, 30, 8)), cells(), method, progress=progress)
    assert len(steps) == 1


def test_a_constant_classifier_gives_a_zero_map_and_says_so():
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x.mean(dim=(1, 2, 3))[:, None] * 0 + value for value in (0.0, 1.0, 0.5)], dim=1)

    found = explain(classifier_of(Constant()), cells(), "pcim")
    assert not found.map.any()
    assert any("map is zero" in warning for warning in found.warnings)
    assert all(value == 0 for value in found.channel_importance.values())


class Difference(nn.Module):
    """The first stain speaks for the hit, the second against it, and three times as much."""

    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, 0].mean(dim=(1, 2)) - 3 * x[:, 1].mean(dim=(1, 2))
        return torch.stack([-seen, seen, seen * 0], dim=1)


@pytest.mark.parametrize(
    ("method", "values"), [("pcim", {}), ("pcim", {"region": 0}), ("pcim", {"form": "smooth"}), ("dcmix", {})]
)
def test_a_stain_that_speaks_against_the_class_is_negative(method, values):
    found = explain(classifier_of(Difference()), cells(), method, target="hit", fill="background", **values)
    importance = found.channel_importance
    assert importance["DNA"] > 0.05
    assert importance["ER"] < -0.5
    assert importance["Mito"] == pytest.approx(0, abs=1e-6)
    assert found.per_stain["ER"].sum() < 0 < found.per_stain["DNA"].sum()


def test_blended_weights_are_trained_as_written(tmp_path):
    """Against the two games in loops, one image and one weight at a time."""
    network = networks.make("gap")
    classifier = networks.opened(network, tmp_path)
    w = Well(np.random.default_rng(1).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)
    found = explain(classifier, w, "dcmix", target="dead", fill="background", mixing="blended", steps=3, shapley=False)
    x = torch.from_numpy(w.pixels.copy())
    alpha = [0.5, 0.5, 0.5]
    for _ in range(3):
        weights = [torch.tensor(value, requires_grad=True) for value in alpha]
        keep = torch.stack([weight * plane for weight, plane in zip(weights, x, strict=True)])
        remove = torch.stack([(1 - weight) * plane for weight, plane in zip(weights, x, strict=True)])
        gain = network(keep[None])[0, 2] - network(remove[None])[0, 2]
        pulls = [float(pull) for pull in torch.autograd.grad(gain, weights)]
        most = max(abs(pull) for pull in pulls)
        alpha = [min(1, max(0, value + pull / most / 6)) for value, pull in zip(alpha, pulls, strict=True)]
    np.testing.assert_allclose(found.record["found"]["alpha"], alpha, atol=1e-5)
    assert "shapley" not in found.record["found"]
    assert (
        max(found.channel_importance, key=lambda name: abs(found.channel_importance[name]))
        == (networks.STAINS[int(np.argmax(np.abs(np.array(alpha) - 0.5)))])
    )


def test_the_strongest_weight_just_reaches_its_bound():
    for steps in (1, 8, 30):
        found = explain(classifier_of(Difference()), cells(), "dcmix", target="hit", fill="background", steps=steps)
        alpha = np.array(found.record["found"]["alpha"])
        assert alpha[1] == pytest.approx(0, abs=1e-6)
        assert 0.5 < alpha[0] < 1
        assert alpha[2] == pytest.approx(0.5)
        np.testing.assert_allclose(found.record["found"]["pull"], found.record["found"]["shapley"], atol=1e-5)


def test_stains_that_say_the_same_move_alike():
    class Either(nn.Module):
        """One of the first two is enough."""

        def forward(self, x: Tensor) -> Tensor:
            bright = x[:, :2].mean(dim=(2, 3))
            seen = 1 - torch.prod(1 - torch.clamp(2 * bright, 0.0, 1.0), dim=1)
            return torch.stack([-seen, seen, seen * 0], dim=1)

    w = cells()
    both = Well(np.stack([w.pixels[0], w.pixels[0], w.pixels[2]]), networks.STAINS)
    found = explain(classifier_of(Either()), both, "dcmix", target="hit", fill="background")
    importance = found.channel_importance
    assert importance["DNA"] == pytest.approx(importance["ER"], abs=1e-6)
    assert importance["DNA"] == pytest.approx(0.5, abs=1e-6)
    assert importance["Mito"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("mixing", ["tossed", "blended"])
def test_dcmix_of_a_constant_classifier_is_zero(mixing):
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x.mean(dim=(1, 2, 3))[:, None] * 0 + value for value in (0.0, 1.0, 0.5)], dim=1)

    found = explain(classifier_of(Constant()), cells(), "dcmix", mixing=mixing)
    assert not found.map.any()
    assert not any(found.channel_importance.values())
    assert found.record["found"]["alpha"] == [0.5, 0.5, 0.5]


def test_blended_weights_need_gradients():
    with pytest.raises(RequestError, match="Choose the mixing tossed"):
        explain(classifier_of(Disc(0, 30, 30, 8)), cells(), "dcmix", mixing="blended", estimate="masks")


@pytest.mark.parametrize("mixing", ["tossed", "blended"])
def test_gradients_that_are_not_numbers_are_an_error(mixing):
    class Root(nn.Module):
        """Its scores are numbers; where the first stain is half there, their slope is not."""

        def forward(self, x: Tensor) -> Tensor:
            off = x[:, 0].mean(dim=(1, 2)) - 0.5
            seen = torch.sqrt(off * off) + x[:, 1].mean(dim=(1, 2))
            return torch.stack([-seen, seen, seen * 0], dim=1)

    w = Well(np.ones((3, SIZE, SIZE), np.float32), networks.STAINS)
    with pytest.raises(ClassifierError, match="gradients are not numbers"):
        explain(
            classifier_of(Root()), w, "dcmix", "hit", fill="background", mixing=mixing, estimate="gradient",
            accept_flaws=True,
        )  # fmt: skip


@pytest.mark.parametrize("stains", [3, 12])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"shapley": False},
        {"mixing": "blended"},
        {"mixing": "blended", "shapley": False, "steps": 3},
        {"estimate": "masks", "masks": 64},
        {"estimate": "masks", "masks": 64, "shapley": False},
    ],
)
def test_what_dcmix_costs_is_what_is_counted(values, stains):
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = x[:, 1].mean(dim=(1, 2))
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    names = [f"stain {index}" for index in range(stains)]
    card = networks.card(16, stains=names, mean=[0.0] * stains, std=[1.0] * stains, background=[0.0] * stains)
    classifier = Classifier(torchscript_network(torch.jit.script(Mean()), torch.device("cpu")), card)
    pixels = np.random.default_rng(0).uniform(1, 2, size=(stains, 16, 16)).astype(np.float32)
    found = explain(classifier, Well(pixels, names), "dcmix", target="hit", **values)
    needed = forwards_needed(classifier, "dcmix", check_parameters(METHODS["dcmix"], values))
    assert found.forwards == pytest.approx(needed, abs=0.02)
    assert max(found.channel_importance, key=found.channel_importance.get) == "stain 1"
    assert ("shapley" in found.record["found"]) == values.get("shapley", True)


@pytest.mark.slow
def test_dcmix_ranks_the_stains_of_planted_fields_as_shapley_values_do():
    """Fresh fields of the sample data: the changed stain on top, and the mean Spearman with the exact Shapley values."""
    import sys
    from itertools import product
    from pathlib import Path

    from scipy.stats import spearmanr

    from napari_attribution import load_classifier
    from napari_attribution.methods.channels.problems import problems_of
    from napari_attribution.methods.channels.subsets import every_subset, score_subsets

    folder = Path(__file__).parents[3] / "sample_data"
    sys.path.insert(0, str(folder))
    from fields import Scene
    from stains import CLASSES, STAIN_OF, STAINS

    from napari_attribution.methods.channels.mixing import train
    from napari_attribution.methods.channels.shapley import shapley_game

    classifier = load_classifier(folder / "phenotypes.pt", "cpu")
    top, agreement = [], []
    for phenotype, scene in product(CLASSES[1:], [Scene(90_000 + number) for number in range(4)]):
        field = scene.field(phenotype)
        (problem,) = problems_of(classifier, Well(field.pixels, STAINS, (0.65, 0.65)), phenotype)
        scores = score_subsets(problem, every_subset(5))
        change = (train(scores).alpha - 0.5).numpy()
        top.append(STAINS[change.argmax()] == STAIN_OF[phenotype])
        agreement.append(spearmanr(change, shapley_game(5).of(scores)).statistic)
    assert all(top)
    assert np.mean(agreement) >= 0.95


@pytest.mark.parametrize("size", [100, 33, 250])
@pytest.mark.parametrize(
    ("method", "values", "place"),
    [
        ("pcim", {}, (0.6, 0.4)),
        ("pcim", {"region": 0}, (0.87, 0.2)),
        ("pcim", {"form": "smooth"}, (0.87, 0.2)),
        ("dcmix", {}, (0.87, 0.2)),
    ],
)
def test_maps_are_aligned_where_the_input_is_no_round_number(method, values, place, size):
    """Near the border, regions are higher towards it (it is a mirror): with regions, the blob lies further in."""
    _, w = one_blob(size, place)
    found = explain(classifier_of(Everywhere(), size), w, method, target="hit", fill="background", **values).map
    rows, columns = np.indices((size, size))
    centre = np.array([(found * rows).sum(), (found * columns).sum()]) / found.sum()
    np.testing.assert_allclose(centre, np.array(place) * size, atol=0.6 if size >= 100 else 2)


@pytest.mark.parametrize("size", [100, 250])
def test_regions_at_the_border_leave_the_place(size):
    blob, w = one_blob(size, (0.87, 0.2))
    found = explain(classifier_of(Everywhere(), size), w, "pcim", target="hit", fill="background").map
    top = np.unravel_index(found.argmax(), found.shape)
    assert blob[top] > 0.8


class Everywhere(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        seen = x.mean(dim=(1, 2, 3))
        return torch.stack([-seen, seen, seen * 0], dim=1)


def one_blob(size: int, place: tuple[float, float]) -> tuple[np.ndarray, Well]:
    """A blob at a share of the size, in every stain."""
    rows, columns = np.indices((size, size))
    far = (rows - place[0] * size) ** 2 + (columns - place[1] * size) ** 2
    blob = np.exp(-far / (2 * (size / 25) ** 2))
    return blob, Well(np.stack([blob * scale for scale in (1, 2, 3)]).astype(np.float32), networks.STAINS)


def test_tiles_without_signal_stay_faint_beside_one_with_it():
    """The largest mixing weight moves as far in every tile; what a tile gained says how much that means."""

    class Bright(nn.Module):
        def forward(self, x):
            hit = torch.relu(x[:, :1] - 3).mean(dim=(2, 3)) * 100 + 0.01 * x.mean(dim=(2, 3))[:, :1]
            return torch.cat([-hit, hit, 0 * hit], dim=1)

    module = torch.jit.script(Bright())
    classifier = Classifier(torchscript_network(module, torch.device("cpu")), networks.card(32, mode="tiles"))
    pixels = np.random.default_rng(0).normal(size=(3, 96, 96)).astype(np.float32).clip(-2, 2)
    pixels[0, 40:46, 60:66] = 12.0
    answer = explain(classifier, Well(pixels=pixels, stains=networks.STAINS), "pcim", "hit", accept_flaws=True)
    top = np.unravel_index(np.argmax(answer.map), answer.map.shape)
    assert 38 <= top[0] <= 47
    assert 58 <= top[1] <= 67
    far = answer.map.copy()
    far[16:72, 36:92] = 0
    assert np.abs(far).max() < 0.1 * answer.map.max()
