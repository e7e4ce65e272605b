"""Classifier files that torch makes, loads and runs, and that are still not what one expects."""

import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import networks
import pytest
import torch
from torch import Tensor, nn

from napari_attribution import load_classifier
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.errors import ClassifierError

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Quantised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.conv, self.relu, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        a = self.relu(self.conv(self.quant(x)))
        return self.dequant(self.head(a.mean(dim=[2, 3])))


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1))


class Detaches(networks.Gap):
    """Its backward pass succeeds, and leaves no gradient at the input."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x.detach()))


class Bytes(networks.Gap):
    """Rounds its input to whole numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features((x * 16).to(torch.int32).float() / 16))


class Named(NamedTuple):
    scores: Tensor
    embedding: Tensor


class AnswersNamed(networks.Gap):
    def forward(self, x: Tensor) -> Named:
        a = self.features(x).mean(dim=(2, 3))
        return Named(self.head(a), a)


class AnswersList(networks.Gap):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.classify(self.features(x)), self.classify(self.features(x.flip(3)))]


class Segments(nn.Module):
    """A map of scores, smaller than its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class DropsOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(dim=(2, 3)))


class OldDevice(networks.Gap):
    """Holds the name of a device, as traced networks that make tensors do."""

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x + torch.zeros(1, device=torch.device("cpu"))))


def scripted(network: nn.Module, folder: Path) -> Path:
    return networks.save(network.eval(), folder / "net.pt")


def traced(network: nn.Module, folder: Path, batch: int = 2) -> Path:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, X[:batch], check_trace=False).save(str(folder / "net.pt"))
    return folder / "net.pt"


def loaded(path: Path, **card: object) -> Classifier:
    return load_classifier(path, "cpu", networks.card(**card))


def with_code(path: Path, change) -> Path:
    """The archive with its code changed."""
    made = path.with_name("changed.pt")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w") as other:
        for part in archive.namelist():
            data = archive.read(part)
            other.writestr(part, change(data.decode()).encode() if part.endswith(".py") else data)
    return made


def note(classifier: Classifier, words: str) -> bool:
    return any(words in sentence for sentence in classifier.notes)


@pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="torch without quantised kernels"
)
def test_a_quantised_network_gives_no_gradients(tmp_path):
    network = Quantised().eval()
    network.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prepared = torch.ao.quantization.prepare(torch.ao.quantization.fuse_modules(network, [["conv", "relu"]]))
        prepared(X)
        quantised = torch.ao.quantization.convert(prepared)
    classifier = loaded(scripted(quantised, tmp_path))
    assert not classifier.gradients
    assert note(classifier, "no gradients")
    torch.testing.assert_close(classifier.scores(X), quantised(X))


def test_a_frozen_network_has_no_modules_but_layers(tmp_path):
    network = networks.make("gap")
    torch.jit.freeze(torch.jit.script(network)).save(str(tmp_path / "net.pt"))
    classifier = loaded(tmp_path / "net.pt")
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(X), network(X))
        assert classifier.gradients
        torch.testing.assert_close(classifier.head(classifier.features(X)), network(X))


@pytest.mark.parametrize("make", [scripted, traced])
def test_a_transformer(make, tmp_path):
    """Traced, torch's fast path is recorded, which has no derivative."""
    network = Transformer().eval()
    classifier = loaded(make(network, tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(X), network(X), rtol=1e-4, atol=1e-5)
    assert classifier.gradients or note(classifier, "no gradients")


@pytest.mark.parametrize("module", [Detaches, Bytes])
def test_no_gradient_at_the_input_is_found_out(module, tmp_path):
    classifier = loaded(scripted(module(), tmp_path))
    assert not classifier.gradients
    assert note(classifier, "no gradients")


def test_a_network_traced_with_one_input(tmp_path):
    """`view(1, -1)` is recorded as it was: more inputs at once are taken for one large one."""

    class Views(networks.Gap):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.features(x).mean(dim=(2, 3)).view(x.shape[0], -1))

    network = Views().eval()
    classifier = loaded(traced(network, tmp_path, batch=1))
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(X), network(X))


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (AnswersList, r"answers with several things.*\(1, 3\), \(1, 3\).*Export it with one output"),
        (Segments, r"answers with an image of shape \(1, 3, 15, 15\).*segmentation"),
    ],
)
def test_answers_that_are_no_scores(module, sentence, tmp_path):
    with pytest.raises(ClassifierError, match=sentence):
        loaded(scripted(module(), tmp_path))


def test_scores_in_a_named_tuple_are_found(tmp_path):
    network = AnswersNamed().eval()
    with torch.no_grad():
        torch.testing.assert_close(loaded(scripted(network, tmp_path)).scores(X), network(X).scores)


def test_the_wrong_size_on_the_card(tmp_path):
    network = networks.make("fully-connected")
    with pytest.raises(ClassifierError, match=r"cannot take an input of \(1, 3, 48, 48\).*input size on the card"):
        loaded(scripted(network, tmp_path), size=48)


def test_a_network_saved_in_training_mode_is_put_right(tmp_path):
    """A scripted one can still be told; this one was not asked to be."""
    network = DropsOut().train()
    path = networks.save(network, tmp_path / "net.pt")
    with torch.no_grad():
        torch.testing.assert_close(loaded(path).scores(X), network.eval()(X))


@pytest.mark.parametrize("network", [DropsOut(), networks.make("gap")], ids=["dropout", "batch norm"])
def test_a_network_traced_in_training_mode_is_refused(network, tmp_path):
    """A traced one does for ever what it did then: drop out, or normalise by its own batch."""
    with pytest.raises(ClassifierError, match=r"eval"):
        loaded(traced(network.train(), tmp_path))


def test_operators_of_other_packages_are_missing(tmp_path):
    path = scripted(networks.make("gap"), tmp_path)
    for name in ("torchvision.nms", "prepacked.conv2d_clamp_run", "my_lab.segment"):
        changed = with_code(path, lambda code, name=name: code.replace("torch.mean(", f"ops.{name}("))
        with pytest.raises(ClassifierError, match=f"needs the operator {name.replace('.', '::')}") as raised:
            loaded(changed)
        assert str(raised.value).endswith(".")


def test_a_network_that_names_a_device_that_is_not_there(tmp_path):
    """Traced on a GPU, a network that makes tensors wants them there."""
    path = with_code(
        traced(OldDevice().eval(), tmp_path), lambda code: code.replace('torch.device("cpu")', 'torch.device("cuda:7")')
    )
    network = OldDevice().eval()
    classifier = loaded(path)
    assert classifier.scores(X).shape == network(X).shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_in_other_precisions(dtype, tmp_path):
    network = networks.make("gap").to(dtype)
    classifier = loaded(scripted(network, tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(X), network(X.to(dtype)).float(), rtol=1e-2, atol=1e-2)


def test_a_file_for_phones(tmp_path):
    path = tmp_path / "net.ptl"
    network = networks.make("gap")
    torch.jit.script(network)._save_for_lite_interpreter(str(path))
    with torch.no_grad():
        torch.testing.assert_close(loaded(path).scores(X), network(X))


def test_a_newer_file_than_torch_knows(tmp_path):
    path = scripted(networks.make("gap"), tmp_path)
    made = tmp_path / "newer.pt"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w") as other:
        for part in archive.namelist():
            other.writestr(part, b"999\n" if part.endswith("/version") else archive.read(part))
    with pytest.raises(ClassifierError, match=r"torch cannot open newer\.pt.*999"):
        loaded(made)


class NormThenTokens(nn.Module):
    """torch 2.13 on the CPU gives a wrong gradient for a single input of this one, and says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16)
        nn.init.normal_(self.norm.running_mean)
        nn.init.uniform_(self.norm.running_var, 0.5, 1.5)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).flatten(2).transpose(1, 2)).pow(2).mean(dim=1)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_the_gradient_of_a_single_input_is_the_true_one(how, tmp_path):
    torch.manual_seed(0)
    network = NormThenTokens().eval()
    classifier = load_classifier(networks.save(network, tmp_path / "net.pt", how), "cpu", networks.card())
    x = torch.randn(1, 3, 32, 32)

    def gradient(f, inputs: Tensor) -> Tensor:
        inputs = inputs.clone().requires_grad_(True)
        return torch.autograd.grad(f(inputs).sum(), inputs)[0]

    want = gradient(lambda inputs: network.double()(inputs), x.double()).float()
    network.float()
    torch.testing.assert_close(gradient(classifier.scores, x), want, rtol=1e-3, atol=1e-5)
    for layer in classifier.layers:
        maps = classifier.features(x, layer.name)
        values = maps.values.detach().requires_grad_(True)
        scores = classifier.head(type(maps)(values, maps.carried), layer.name)
        (found,) = torch.autograd.grad(scores.sum(), values)
        # One step along the gradient changes the scores as it says.
        step = 1e-3 * found / found.norm()
        with torch.no_grad():
            ends = [
                classifier.head(type(maps)(values + sign * step, maps.carried), layer.name).sum() for sign in (1, -1)
            ]
        assert float(ends[0] - ends[1]) / 2e-3 == pytest.approx(float(found.norm()), rel=0.05)


class Clipped(nn.Module):
    """Logits that never leave [0, 1], as those of a quantised network may not."""

    def forward(self, x: Tensor) -> Tensor:
        return (0.5 + 0.1 * x.mean(dim=(2, 3))).clamp(0.2, 0.8)


def test_logits_between_0_and_1_are_not_taken_for_sigmoids(tmp_path):
    network = Clipped()
    classifier = load_classifier(networks.save(network, tmp_path / "net.pt"), "cpu", networks.card())
    torch.testing.assert_close(classifier.scores(X), network(X))
