"""Files that are not classifiers, each with a sentence that says what it is and what to do."""

import pickle
import zipfile

import networks
import pytest
import torch
from shared_data import SHARED, needs_shared
from torch import Tensor, nn

from napari_attribution import ClassifierCard, load_classifier
from napari_attribution.errors import AttributionError, CardError, ClassifierError, DeviceError


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) + y.mean(dim=(2, 3))


class Image(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Windows(nn.Module):
    """Answers for every 16-pixel window: another batch than it was given."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).flatten(0, 2).mean(dim=(2, 3))


class Tuple(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean(dim=(2, 3)), x.amax(dim=(2, 3))


class Embedding(nn.Module):
    """Class scores beside something else."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"embedding": x.flatten(1), "scores": x.mean(dim=(2, 3))}


class Probabilities(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)).softmax(dim=1)


class OneLogit(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


class OneSigmoid(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x.mean(dim=(1, 2, 3)))


class Sigmoids(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x.mean(dim=(2, 3)))


class Noise(nn.Module):
    def forward(self, x):
        return x.mean(dim=(2, 3)) + torch.rand(1)


class Dropout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.dropout(x.mean(dim=(2, 3)), 0.5, True)


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3)) * float("nan")


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1).double()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x)).mean(dim=(2, 3))


class AwkwardNames(nn.Module):
    """Submodules called like methods of Python's own module class."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Conv2d(3, 3, 3, padding=1)
        self.save = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.save(self.code(x)).mean(dim=(2, 3))


class SideBranch(nn.Module):
    """The last map of the file is one that the scores do not read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.side = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        a = torch.relu(self.conv(x))
        return {"scores": a.mean(dim=(2, 3)), "decoded": torch.relu(self.side(a))}


class ChannelsLast(nn.Module):
    """Blocks that hold their channels last, as Swin's do: no rows and columns to be had there."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 4, stride=4)
        self.mix = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).permute(0, 2, 3, 1)
        return self.head(torch.relu(self.mix(y)).mean(dim=(1, 2)))


class OneByOne(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(1, 3, 1024).mean(dim=2)


def saved(module: nn.Module, folder) -> object:
    return networks.save(module.eval(), folder / "net.pt")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (TwoInputs, r"wants 2 inputs \(x, y\)"),
        (Image, r"answers with an image of shape \(1, 3, 32, 32\).*segmentation"),
        (Windows, r"answers with the shape \(4, 3\), but \(1, 3\) is wanted.*input size on the card"),
        (Tuple, "several things"),
    ],
)
def test_networks_that_are_no_classifiers(module, sentence, tmp_path):
    with pytest.raises(ClassifierError, match=sentence):
        load_classifier(saved(module(), tmp_path), "cpu", networks.card())


def test_the_wrong_number_of_classes_or_stains(tmp_path):
    path = saved(networks.make("gap"), tmp_path)
    with pytest.raises(ClassifierError, match="gives 3 scores, but the card names 2 classes"):
        load_classifier(path, "cpu", networks.card(classes=["a", "b"]))
    two = ClassifierCard(stains=["a", "b"], classes=["x", "y", "z"], size=(32, 32), mean=[0, 0], std=[1, 1])
    with pytest.raises(ClassifierError, match=r"cannot take an input of \(1, 2, 32, 32\).*number of stains"):
        load_classifier(path, "cpu", two)


def test_a_file_without_a_card(tmp_path):
    with pytest.raises(CardError, match=r"net\.pt has no card.*net\.bioimageio\.yaml"):
        load_classifier(saved(networks.make("gap"), tmp_path), "cpu")


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(DeviceError, match=r"no device 'cuda:7'. It has: .*cpu"):
        load_classifier(saved(networks.make("gap"), tmp_path), "cuda:7", networks.card())


class Trap:
    """Unpickling this would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_nothing_is_ever_unpickled(tmp_path):
    sprung = tmp_path / "sprung"
    for name, write in {
        "pickle.pt": lambda path: path.write_bytes(pickle.dumps(Trap(sprung))),
        "saved.pt": lambda path: torch.save({"trap": Trap(sprung)}, path),
        "old.pt": lambda path: torch.save({"trap": Trap(sprung)}, path, _use_new_zipfile_serialization=False),
    }.items():
        write(tmp_path / name)
        with pytest.raises(ClassifierError, match=r"could run any code.*torch\.jit\.script"):
            load_classifier(tmp_path / name, "cpu", networks.card())
    assert not sprung.exists()


def test_files_that_are_no_torchscript(tmp_path):
    whole = saved(networks.make("gap"), tmp_path).read_bytes()
    cases = {
        "missing.pt": (None, "no file"),
        "empty.pt": (b"", "is empty"),
        "text.pt": (b"hello", "not a TorchScript file"),
        "cut-short.pt": (whole[: len(whole) // 2], "damaged archive"),
        "flipped.pt": (whole[:5000] + bytes([whole[5000] ^ 255]) + whole[5001:], "damaged|cannot open"),
    }
    for name, (content, sentence) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ClassifierError, match=sentence):
            load_classifier(path, "cpu", networks.card())
    other = tmp_path / "other.pt"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ClassifierError, match="holds no TorchScript network"):
        load_classifier(other, "cpu", networks.card())


def test_a_state_dict(tmp_path):
    torch.save(networks.make("gap").state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ClassifierError, match=r"state dict.*torch\.jit\.script"):
        load_classifier(tmp_path / "weights.pt", "cpu", networks.card())


def test_scores_beside_something_else_are_found(tmp_path):
    classifier = load_classifier(saved(Embedding(), tmp_path), "cpu", networks.card())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x), x.mean(dim=(2, 3)))


def test_probabilities_are_read_as_such_and_said(tmp_path):
    classifier = load_classifier(saved(Probabilities(), tmp_path), "cpu", networks.card())
    x = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x).softmax(1), x.mean(dim=(2, 3)).softmax(1))
    assert any("probabilities" in note for note in classifier.notes)


def test_one_logit_makes_two_classes(tmp_path):
    classifier = load_classifier(saved(OneLogit(), tmp_path), "cpu", networks.card(classes=["no", "yes"]))
    x = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x).softmax(1)[:, 1], torch.sigmoid(x.mean(dim=(1, 2, 3))))


def test_a_single_sigmoid_makes_two_classes(tmp_path):
    classifier = load_classifier(saved(OneSigmoid(), tmp_path), "cpu", networks.card(classes=["no", "yes"]))
    x = 3 * torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x).softmax(1)[:, 1], torch.sigmoid(x.mean(dim=(1, 2, 3))))
    assert any("log-odds" in note for note in classifier.notes)


def test_a_sigmoid_a_class_is_read_as_log_odds(tmp_path):
    classifier = load_classifier(saved(Sigmoids(), tmp_path), "cpu", networks.card())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x), x.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
    assert any("each by itself" in note for note in classifier.notes)


@pytest.mark.parametrize(
    ("module", "sentence"),
    [(Dropout, "in training mode"), (Noise, "another answer each time"), (Nothing, "not numbers")],
)
def test_answers_that_cannot_be_trusted(module, sentence, tmp_path):
    with pytest.raises(ClassifierError, match=sentence):
        load_classifier(saved(module(), tmp_path), "cpu", networks.card())


def test_weights_in_double_precision(tmp_path):
    network = Double()
    classifier = load_classifier(saved(network, tmp_path), "cpu", networks.card())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(x), network(x.double()).float())
    assert classifier.default_layer


def test_submodules_with_awkward_names(tmp_path):
    assert load_classifier(saved(AwkwardNames(), tmp_path), "cpu", networks.card()).default_layer


def test_the_default_layer_is_one_that_the_scores_read(tmp_path):
    assert load_classifier(saved(SideBranch(), tmp_path), "cpu", networks.card()).layer().shape == (3, 32, 32)


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_maps_with_channels_last_are_not_taken_for_rows_and_columns(how, tmp_path):
    path = networks.save(ChannelsLast().eval(), tmp_path / "net.pt", how)
    classifier = load_classifier(path, "cpu", networks.card())
    assert {layer.shape for layer in classifier.layers} == {(6, 8, 8)}
    assert classifier.layer().grid.jump == (4, 4)


def test_a_network_for_one_input_at_a_time_is_fed_so(tmp_path):
    classifier = load_classifier(saved(OneByOne(), tmp_path), "cpu", networks.card())
    assert classifier.one_by_one
    x = torch.randn(3, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(x), x.mean(dim=(2, 3)))


def test_no_room_is_said_in_a_sentence(tmp_path):
    with pytest.raises(DeviceError, match="no room"):
        load_classifier(saved(Sigmoids(), tmp_path), "cpu", networks.card(size=10_000_000))


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "torchscript").glob("*")), ids=lambda path: path.name)
def test_real_files_end_in_a_sentence_or_in_scores(path):
    """Real files that are not one-image classifiers: each is refused with a sentence, never with another exception."""
    with pytest.raises(AttributionError) as raised:
        load_classifier(path, "cpu", networks.card())
    text = str(raised.value)
    assert text.endswith((".", ").", "')."))
    assert "Traceback" not in text
    if "MUSTFAIL" in path.name:
        assert "state dict" in text
    if "unet2d" in path.name:
        assert "input" in text
