"""The estimate without gradients: against dense matrices, planted truths, the gradients themselves, and int8 networks."""

import json
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor, nn

from napari_attribution import Well, explain, load_classifier, read_well
from napari_attribution.classifiers import memory
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.errors import Cancelled, RequestError
from napari_attribution.methods.shared import drawn_masks

SIZE = 64
SAMPLE_DATA = Path(__file__).parents[4] / "sample_data"


class Disc(nn.Module):
    """Reads the mean of one disc of one stain; gives no gradient."""

    def __init__(self, stain: int, row: int, column: int, sign: float = 1.0) -> None:
        super().__init__()
        rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
        disc = ((rows - row) ** 2 + (columns - column) ** 2 <= 36).float()
        weight = torch.zeros(3, SIZE, SIZE)
        weight[stain] = sign * disc / disc.sum()
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.tanh((x.detach() * self.weight).sum(dim=(1, 2, 3)))
        return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)


class NoGrad(nn.Module):
    """Any network, its gradients cut off."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.network(x)


def classifier_of(network: nn.Module, size: int = SIZE) -> Classifier:
    module = torch.jit.script(network.eval())
    return Classifier(torchscript_network(module, torch.device("cpu")), networks.card(size))


def cells(seed: int = 0, size: int = SIZE) -> Well:
    """Smooth positive blobs in every stain."""
    rng = np.random.default_rng(seed)
    pixels = np.stack([gaussian_filter(rng.uniform(size=(size, size)), 3) for _ in range(3)])
    return Well((pixels / pixels.max() * 2).astype(np.float32), networks.STAINS)


@pytest.mark.parametrize("method", ["pcim", "dcmix"])
@pytest.mark.parametrize(("stain", "place", "sign"), [(0, (16, 20), 1.0), (2, (40, 44), 1.0), (1, (30, 50), -1.0)])
def test_finds_the_disc_its_stain_and_its_sign(method, stain, place, sign):
    classifier = classifier_of(Disc(stain, *place, sign))
    assert not classifier.gradients
    found = explain(classifier, cells(), method, target="hit", fill="background")
    name = networks.STAINS[stain]
    assert sign * found.channel_importance[name] > 0.97
    rows, columns = np.indices(found.map.shape)
    distance = np.hypot(rows - place[0], columns - place[1])
    signed = np.maximum(sign * found.map, 0)
    assert distance.flat[signed.argmax()] <= 6
    assert signed[distance <= 12].sum() > 0.85 * signed.sum()
    assert signed.sum() > 5 * np.maximum(-sign * found.map, 0).sum()
    assert found.units == ("change of mixing weight" if method == "pcim" else "logit a place")
    assert found.record["parameters"]["estimate"] == "auto"
    assert found.record["found"]["estimate"] == "masks"
    assert found.record["found"]["masks"] == 500


def test_one_mask_for_all_stains():
    classifier = classifier_of(Disc(1, 30, 30))
    found = explain(classifier, cells(), "pcim", target="hit", fill="background", per_stain=False)
    assert found.values.shape == (SIZE, SIZE)
    assert np.hypot(*(np.array(np.unravel_index(found.map.argmax(), found.map.shape)) - 30)) <= 6
    assert found.importance_meaning == "Shapley value of the stain"
    assert found.channel_importance["ER"] == pytest.approx(1)


def test_agrees_with_the_gradients_where_there_are_any(tmp_path):
    w = cells(2, 32)
    classifier = networks.opened(networks.make("gap"), tmp_path)
    asked = {"target": "hit", "grid": 8, "fill": "background"}
    # What masks estimate is the smooth form.
    by_gradient = explain(classifier, w, "pcim", form="smooth", steps=1, **asked)
    by_masks = explain(classifier, w, "pcim", estimate="masks", masks=800, **asked)
    assert by_gradient.record["found"]["estimate"] == "gradient"
    assert spearmanr(by_gradient.native.ravel(), by_masks.native.ravel()).statistic > 0.85
    order = [sorted(found.channel_importance, key=found.channel_importance.get) for found in (by_gradient, by_masks)]
    assert order[0] == order[1]


def test_the_same_masks_every_time():
    classifier = classifier_of(Disc(0, 30, 30))
    one, two = (explain(classifier, cells(), "pcim", target="hit", masks=64) for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)
    assert one.channel_importance == two.channel_importance
    assert one.channel_spread == two.channel_spread


def test_more_masks_leave_a_smaller_error():
    classifier = classifier_of(Disc(0, 30, 30))
    few, many = (explain(classifier, cells(), "pcim", target="hit", masks=n, fill="background") for n in (64, 800))
    assert 0 < many.channel_spread["DNA"] < few.channel_spread["DNA"] < 1


def test_batches_change_nothing_and_each_can_be_cancelled(monkeypatch):
    classifier = classifier_of(Disc(0, 30, 30))
    at_once = explain(classifier, cells(), "pcim", target="hit", masks=64)
    monkeypatch.setattr(memory.in_batches, "__defaults__", (8 * 8 * 3 * SIZE * SIZE * 16, 2**31))
    seen: list[tuple[int, int]] = []
    in_parts = explain(classifier, cells(), "pcim", target="hit", masks=64, progress=lambda *step: seen.append(step))
    np.testing.assert_allclose(in_parts.values, at_once.values, atol=1e-6)
    assert len(seen) > 4
    assert seen == sorted(seen)
    assert seen[-1] == (64, 64)

    def stop(done: int, total: int) -> None:
        if done:
            raise Cancelled("stopped")

    before = classifier.forwards
    with pytest.raises(Cancelled):
        explain(classifier, cells(), "pcim", target="hit", masks=64, progress=stop)
    assert classifier.forwards < before / 2


def test_what_cannot_be_asked_without_gradients():
    classifier = classifier_of(Disc(0, 30, 30))
    with pytest.raises(RequestError, match=r"gives no gradients.*auto or masks"):
        explain(classifier, cells(), "dcmix", estimate="gradient")
    with pytest.raises(RequestError, match="Choose the form smooth"):
        explain(classifier, cells(), "pcim", form="literal")


def test_many_stains_are_drawn_with_a_spread():
    stains = [f"stain {index}" for index in range(10)]

    class Two(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = (x[:, 9] - 0.5 * x[:, 3]).mean(dim=(1, 2)).detach()
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    classifier = Classifier(
        torchscript_network(torch.jit.script(Two()), torch.device("cpu")),
        networks.card(16, stains=stains, mean=[0.0] * 10, std=[1.0] * 10, background=[0.0] * 10),
    )
    pixels = 1 + np.random.default_rng(0).uniform(size=(10, 16, 16)).astype(np.float32)
    found = explain(classifier, Well(pixels, stains), "dcmix", target="hit", fill="background")
    alpha = np.array(found.record["found"]["alpha"]) - 0.5
    expected = np.zeros(10)
    expected[[9, 3]] = pixels[9].mean(), -0.5 * pixels[3].mean()
    np.testing.assert_allclose(alpha, 0.5 * expected / pixels[9].mean(), atol=1e-4)
    assert set(found.channel_spread) == set(stains)


# --------------------------------------------------------------------------------------------------- int8 networks


class Small(nn.Module):
    """Convolutions, average, linear: something that can be quantised statically."""

    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.dequant(self.head(self.body(self.quant(x)).mean(dim=(2, 3))))


def quantised(network: nn.Module, how: str) -> nn.Module:
    if how == "dynamic":
        return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)
    network.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = torch.ao.quantization.prepare(network)
    with torch.no_grad():
        for seed in range(8):
            prepared(torch.from_numpy(cells(seed).pixels.copy())[None])
            prepared(torch.zeros(1, 3, SIZE, SIZE))
    return torch.ao.quantization.convert(prepared)


@pytest.mark.parametrize("how", ["static", "dynamic"])
def test_an_int8_network_is_explained_as_its_float_twin_is(how, tmp_path):
    engines = [engine for engine in torch.backends.quantized.supported_engines if engine != "none"]
    if not engines:
        pytest.skip("this build of torch has no engine for int8")
    torch.manual_seed(0)
    network = Small().eval()
    with torch.no_grad():
        network.head.weight *= 20
    twin = classifier_of(network)
    path = tmp_path / "int8.pt"
    torch.jit.script(quantised(network, how)).save(str(path))
    classifier = load_classifier(path, "cpu", networks.card(SIZE))
    assert twin.gradients
    assert not classifier.gradients
    rows, columns = np.indices((SIZE, SIZE))
    blobs = [np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 72) for r, c in ((16, 20), (44, 40), (20, 50))]
    w = Well(
        np.stack([blob * height for blob, height in zip(blobs, (2, 1, 0.3), strict=True)]).astype(np.float32),
        networks.STAINS,
    )
    asked = {"target": "hit", "fill": "background"}
    for method, form in (("pcim", {"form": "smooth"}), ("dcmix", {})):
        found = explain(classifier, w, method, **asked)
        expected = explain(twin, w, method, estimate="masks", **asked)
        assert np.corrcoef(found.map.ravel(), expected.map.ravel())[0, 1] > 0.9
        by_gradient = explain(twin, w, method, **form, **asked)
        assert np.corrcoef(found.map.ravel(), by_gradient.map.ravel())[0, 1] > 0.9
        for name in networks.STAINS:
            assert found.channel_importance[name] == pytest.approx(by_gradient.channel_importance[name], abs=0.15)
    # Smaller windows move the score by less than one step of int8.
    by_occlusion, expected = (explain(of, w, "occlusion", window=20, **asked) for of in (classifier, twin))
    assert np.corrcoef(by_occlusion.map.ravel(), expected.map.ravel())[0, 1] > 0.9


def test_pixel_ablation_cam_needs_no_gradients(tmp_path):
    """Where a network without gradients can be cut, its map is that of the network with them."""
    network = networks.make("fully-connected")
    w = Well(np.random.default_rng(0).normal(size=(3, 32, 32)).astype(np.float32), networks.STAINS)
    expected = explain(networks.opened(network, tmp_path), w, target="hit")

    class Detached(type(network)):  # type: ignore[misc]
        def forward(self, x: Tensor) -> Tensor:
            return self.classify(self.features(x.detach()))

    detached = Detached().eval()
    detached.load_state_dict(network.state_dict())
    classifier = networks.opened(detached, tmp_path)
    assert not classifier.gradients
    found = explain(classifier, w, target="hit", layer=expected.record["found"]["layer"])
    np.testing.assert_allclose(found.native, expected.native, rtol=1e-4, atol=2e-6)


# --------------------------------------------------------------------------------------------------- the estimator


def test_masks_are_coin_tosses_laid_over_the_places_bilinearly():
    size, side = (24, 16), 3.0
    masks = drawn_masks.draw(3, 2, size)
    generator = torch.Generator().manual_seed(0)
    tosses = [int((length - 1) / side + 1) + 2 for length in size]
    coins = (torch.rand(3, 2, *tosses, generator=generator) < 0.5).double() - 0.5
    shifts = torch.rand(2, 3, generator=generator).double()
    for n in range(3):
        for c in range(2):
            for i in range(size[0]):
                for j in range(size[1]):
                    r, q = i / side + float(shifts[0, n]), j / side + float(shifts[1, n])
                    r0, q0 = int(r), int(q)
                    expected = sum(
                        coins[n, c, r0 + dr, q0 + dq] * (1 - abs(r - r0 - dr)) * (1 - abs(q - q0 - dq))
                        for dr in (0, 1)
                        for dq in (0, 1)
                    )
                    assert float(masks[n, c, i, j]) == pytest.approx(float(expected), abs=1e-5)
    many = drawn_masks.draw(2000, 1, size)
    assert many.abs().max() <= 0.5
    np.testing.assert_allclose(many.mean(dim=0).numpy(), 0, atol=0.05)


def dense(weights: Tensor, kernels: tuple[Tensor, Tensor], energies: Tensor) -> Tensor:
    """The prior covariance of all effects as one matrix."""
    C = len(energies)
    plane = torch.kron(*kernels)
    blocks = [weights[c] * energies[c].flatten()[:, None] * plane * energies[c].flatten()[None] for c in range(C)]
    return torch.block_diag(*blocks)


def test_the_fit_is_the_posterior_in_dense_matrices():
    torch.manual_seed(0)
    size = (6, 5)
    contrasts, energies = drawn_masks.draw(40, 2, size), torch.rand(2, *size) + 0.2
    z = torch.randn(40)
    found = drawn_masks.fit(contrasts, z, energies)

    e = energies.double() / energies.double().square().mean(dim=(1, 2), keepdim=True).sqrt()
    spread = z.double().square().mean().sqrt()
    y, D = z.double() / spread, contrasts.double().flatten(1)
    candidates = []
    for length in drawn_masks._LENGTHS:
        kernels = [drawn_masks._kernel(many, length * drawn_masks.toss_side(size)) for many in size]
        model = drawn_masks._Posterior.of(contrasts.double() * e, y, *kernels)
        prior = dense(model.variances, (kernels[0], kernels[1]), e)
        covariance = D @ prior @ D.T + model.variances[-1] * torch.eye(40).double()
        likelihood = torch.distributions.MultivariateNormal(torch.zeros(40).double(), covariance).log_prob(y)
        candidates.append((float(likelihood), prior, covariance))
        for stain in range(3):
            for factor in (0.8, 1.25):
                other = model.variances.clone()
                other[stain] *= factor
                changed = D @ dense(other, (kernels[0], kernels[1]), e) @ D.T + other[-1] * torch.eye(40).double()
                worse = torch.distributions.MultivariateNormal(torch.zeros(40).double(), changed).log_prob(y)
                assert float(worse) < float(likelihood) + 0.05
    _, prior, covariance = max(candidates, key=lambda candidate: candidate[0])
    gain = prior @ D.T @ torch.linalg.inv(covariance)
    beta, left = spread * (gain @ y), spread**2 * (prior - gain @ D @ prior)
    np.testing.assert_allclose(found.map.flatten().numpy(), beta.numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.map_error.flatten().numpy(), left.diagonal().sqrt().numpy(), rtol=1e-4, atol=1e-6)
    change = 0.5 * beta / beta.abs().max()
    np.testing.assert_allclose(found.change.flatten().numpy(), change.numpy(), rtol=1e-4, atol=1e-6)
    for c in range(2):
        own = slice(30 * c, 30 * (c + 1))
        assert float(found.gained[c]) == pytest.approx(float((change * beta.abs())[own].sum()), rel=1e-4)
        slope = 2 * change.abs()[own]
        assert float(found.gained_error[c]) == pytest.approx(float((slope @ left[own, own] @ slope).sqrt()), rel=1e-3)


def test_standard_errors_are_those_of_what_the_model_draws():
    size, n = (8, 8), 120
    contrasts, energies = drawn_masks.draw(n, 2, size), torch.ones(2, *size)
    kernel = drawn_masks._kernel(8, 1.0 * 0.5)
    root = torch.linalg.cholesky(torch.kron(kernel, kernel) + 1e-9 * torch.eye(64))
    generator = torch.Generator().manual_seed(1)
    places = []
    for _ in range(30):
        truth = torch.zeros(2, 64)
        truth[0] = (root @ torch.randn(64, generator=generator).double()).float()
        z = contrasts.flatten(1) @ truth.flatten()
        z = z + 0.3 * z.std() * torch.randn(n, generator=generator)
        found = drawn_masks.fit(contrasts, z, energies)
        places.append((found.map[0].flatten() - truth[0]) / found.map_error[0].flatten())
        assert found.map[1].abs().max() < 0.5 * found.map[0].abs().max()
    assert 0.8 < float(torch.stack(places).square().mean().sqrt()) < 1.3


def test_what_is_even_about_the_middle_cancels():
    class Even(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen = ((x.detach() - 0.5 * 1.0) ** 2).mean(dim=(1, 2, 3))
            return torch.stack([-seen, seen, torch.zeros_like(seen)], dim=1)

    w = Well(np.ones((3, SIZE, SIZE), np.float32), networks.STAINS)
    found = explain(classifier_of(Even()), w, "pcim", target="hit", fill="background", accept_flaws=True)
    assert not found.map.any()


def test_places_where_nothing_is_mixed_in_read_zero():
    w = cells()
    pixels = w.pixels.copy()
    pixels[:, 32:] = 0
    classifier = classifier_of(NoGrad(Disc(0, 16, 16)))
    found = explain(classifier, Well(pixels, networks.STAINS), "pcim", target="hit", fill="background")
    assert found.map[:28].any()
    assert not found.map[36:].any()


@pytest.mark.slow
def test_the_sample_wells_without_gradients():
    """Share of the positive map in the affected cells, whose area is 0.2 of the well: cf. 0.71 to 0.77 by gradients."""
    tifffile = pytest.importorskip("tifffile")
    truth = json.loads((SAMPLE_DATA / "truth.json").read_text("utf-8"))
    classifier = load_classifier(SAMPLE_DATA / "phenotypes.pt", "cpu")
    for name, least in (("B03_mito-fragmented.ome.tiff", 0.62), ("B05_rna-granules.ome.tiff", 0.62)):
        known = truth["wells"][name]
        affected = tifffile.imread(SAMPLE_DATA / "wells" / known["files"]["truth"]) > 0
        found = explain(
            classifier,
            read_well(SAMPLE_DATA / "wells" / name),
            "pcim",
            target=known["class"],
            estimate="masks",
            masks=250,
        )
        positive = np.maximum(found.map, 0)
        assert positive[affected].sum() > least * positive.sum()
        assert max(found.channel_importance, key=found.channel_importance.get) == known["stain"]
