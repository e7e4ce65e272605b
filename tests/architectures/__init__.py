"""A zoo of image classifiers for five stains and three classes, to open, cut and compare.

Each is a name in `ARCHITECTURES`; `build(name)` makes the network in eval mode with random but settled weights, and
`saving.save` writes it scripted, traced or exported. What is not plain torch is imported only when it is asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from architectures import (
    attention,
    beyond_convolution,
    control_flow,
    convolutional,
    huggingface,
    monai_nets,
    variants,
)
from napari_attribution import ClassifierCard

STAINS = ("DNA", "ER", "RNA", "AGP", "Mito")
CLASSES = ("control", "hit", "dead")
NEEDS = {"own": (), "monai": ("monai", "einops"), "transformers": ("transformers",)}


@dataclass(frozen=True)
class Default:
    """What the default layer should be like.

    Parameters
    ----------
    shape : (n, h', w') at the architecture's input size, None where any number will do.
    behind : float
        At most this share of a forward is behind it.
    """

    shape: tuple[int | None, int | None, int | None]
    behind: float = 0.5

    def fits(self, shape: tuple[int, int, int], behind: float) -> bool:
        """Whether a layer of this shape, with so much behind it, is such a one."""
        alike = all(want is None or want == found for want, found in zip(self.shape, shape, strict=True))
        return alike and behind <= self.behind


@dataclass(frozen=True)
class Architecture:
    """How to make a network, and what is known of it.

    Parameters
    ----------
    name, source : str
        The source is "own", "monai" or "transformers".
    make : callable
    size : int
        Rows and columns of its input.
    tolerance : float
        By how much of the largest score two ways of computing it may differ.
    convert : callable, optional
        What its authors do to the trained network: takes it and some inputs.
    finish : callable, optional
        What they do to the TorchScript module before they save it.
    only : tuple of str
        Ways of saving that make sense.
    loads : bool
        False where torch writes a file that it cannot read.
    data_decides : bool
        Whether tracing and exporting lose a decision, so that the file is another network than the module.
    cuttable : bool
        False where no value is one map of the input's places: tiles or flips are folded into the batch.
    default : Default, optional
    """

    name: str
    source: str
    make: Callable[[], nn.Module]
    size: int = 64
    tolerance: float = 1e-4
    convert: Callable[[nn.Module, Tensor], nn.Module] | None = None
    finish: Callable[[torch.jit.ScriptModule], torch.jit.ScriptModule] | None = None
    only: tuple[str, ...] = ("scripted", "traced", "exported")
    loads: bool = True
    data_decides: bool = False
    cuttable: bool = True
    default: Default | None = None

    @property
    def missing(self) -> str:
        """Which library is not installed; empty where all are."""
        return " and ".join(library for library in NEEDS[self.source] if importlib.util.find_spec(library) is None)

    @property
    def card(self) -> ClassifierCard:
        """For pixels that are normalised already."""
        n = len(STAINS)
        return ClassifierCard(
            stains=STAINS, classes=CLASSES, size=(self.size, self.size), mean=[0.0] * n, std=[1.0] * n,
            background=[0.0] * n, name=self.name,
        )  # fmt: skip

    def build(self) -> nn.Module:
        """The network, in eval mode."""
        torch.manual_seed(0)
        x = images(16, self.size, seed=7)
        network = variants.settled(self.make(), x)
        return self.convert(network, x).eval() if self.convert else network

    def inputs(self, n: int, seed: int = 1) -> Tensor:
        return images(n, self.size, seed)


def images(n: int, size: int, seed: int) -> Tensor:
    """(n, 5, size, size): smooth blobs under noise, each with its own strength, so that scores tell them apart."""
    generator = torch.Generator().manual_seed(seed)
    blobs = torch.randn(n, len(STAINS), 6, 6, generator=generator)
    strength = 0.5 + torch.rand(n, len(STAINS), 1, 1, generator=generator)
    noise = torch.randn(n, len(STAINS), size, size, generator=generator)
    return strength * F.interpolate(blobs, size=(size, size), mode="bilinear") + 0.3 * noise


def _zoo() -> dict[str, Architecture]:
    c, b, a, f, v = convolutional, beyond_convolution, attention, control_flow, variants
    hf, m = huggingface, monai_nets
    resnet = Default((32, 8, 8))
    tokens = Default((24, 8, 8))
    own: dict[str, dict] = {
        "VGG": {"make": c.Vgg, "default": Default((16, 16, 16))},
        "VGG without batch norm": {"make": partial(c.Vgg, False), "default": Default((16, 16, 16))},
        "AlexNet": {"make": c.AlexNet, "default": Default((16, 7, 7))},
        "ResNet": {"make": c.ResNet, "default": resnet},
        "ResNeXt": {"make": partial(c.ResNet, 4), "default": resnet},
        "SE-ResNet": {"make": partial(c.ResNet, 1, True), "default": resnet},
        "DenseNet": {"make": c.DenseNet, "default": Default((30, 8, 8))},
        "MobileNetV3": {"make": c.MobileNetV3, "default": Default((None, 8, 8))},
        "EfficientNet": {"make": c.EfficientNet, "default": Default((None, 8, 8))},
        "ConvNeXt": {"make": c.ConvNeXt, "default": Default((20, 8, 8))},
        "Inception": {"make": c.Inception, "default": Default((24, 8, 8))},
        "ShuffleNetV2": {"make": c.ShuffleNet, "default": Default((16, 8, 8))},
        "SqueezeNet": {"make": c.SqueezeNet, "default": Default((None, 15, 15))},
        "U-Net classifier": {"make": b.UNetClassifier, "default": Default((None, None, None))},
        "Norms": {"make": b.Norms, "default": Default((16, 8, 8))},
        "Dilated": {"make": b.Dilated, "default": Default((None, None, None))},
        "Feature pyramid": {"make": b.FeaturePyramid, "default": Default((None, None, None), 1.0)},
        "Spectral": {"make": b.Spectral, "default": Default((None, 16, 16), 1.0)},
        "Spatial transformer": {"make": b.SpatialTransformer, "default": Default((12, 32, 32))},
        "CoordConv": {"make": b.CoordinateConv, "default": Default((12, 16, 16))},
        "Non-local and CBAM": {"make": b.NonLocal, "default": Default((12, 8, 8))},
        "Stain-shared encoder": {"make": b.StainShared, "default": Default((16, 8, 8))},
        "Stains as a volume": {"make": b.StainVolume, "default": Default((12, 8, 8))},
        "Two streams": {"make": b.TwoStreams, "default": Default((16, 8, 8))},
        "Weight norm": {"make": b.WeightNormed, "default": Default((16, 8, 8))},
        "ViT": {"make": a.Vit, "default": tokens},
        "ViT, fused, mean of tokens": {"make": partial(a.Vit, False, True), "default": tokens},
        "TransformerEncoder": {"make": partial(a.Encoder, True), "default": tokens},
        "TransformerEncoder, tokens first": {"make": partial(a.Encoder, False), "default": tokens},
        "TransformerEncoder, norm first": {"make": partial(a.Encoder, True, True), "default": tokens},
        "Swin": {"make": a.Swin, "default": Default((32, 8, 8))},
        "MLP-Mixer": {"make": a.Mixer, "default": tokens},
        "Attention pool": {"make": a.AttentionPooled, "default": Default((16, 8, 8))},
        "Multiple instances": {"make": a.MultipleInstances, "cuttable": False},
        "GRU and LSTM": {"make": a.Recurrent, "default": Default((8, 8, 8), 1.0)},
        "Cross-attention": {"make": a.CrossAttention, "default": Default((16, 8, 8))},
        "Loop": {"make": f.Loop, "default": Default((16, 8, 8))},
        "Loop by size": {"make": f.RangeLoop, "default": Default((16, 8, 8))},
        "Loop by data": {"make": f.WhileLoop, "data_decides": True, "default": Default((16, 8, 8))},
        "If on data": {"make": f.IfOnData, "data_decides": True, "default": Default((16, 8, 8))},
        "Checks and early return": {"make": f.EarlyReturn, "default": Default((16, 8, 8))},
        "Dictionary output": {"make": f.DictOutput, "default": Default((16, 8, 8))},
        "Tuple output": {"make": f.TupleOutput, "default": Default((16, 8, 8))},
        "Named output": {"make": f.NamedOutput, "default": Default((16, 8, 8))},
        "In-place": {"make": f.InPlace, "default": Default((16, 8, 8))},
        "Shape taken early": {"make": f.EarlyShape, "default": Default((16, 8, 8))},
        "Scripted helpers": {"make": f.Helpers, "default": Default((16, 8, 8))},
        "Flips inside": {"make": f.Flipped, "cuttable": False},
        "Ensemble": {"make": f.Ensemble, "default": Default((16, 8, 8), 1.0)},
        "Maps in a list": {"make": f.Gathering, "default": Default((16, 8, 8))},
        "Forked": {"make": f.Forked, "default": Default((16, 8, 8))},
        "Counts its calls": {"make": f.Counting, "default": Default((16, 8, 8))},
        "Top places": {"make": f.TopK, "default": Default((16, 8, 8))},
        "Power pool": {"make": f.PowerPool, "default": Default((16, 8, 8))},
        "ResNet, softmax inside": {"make": c.ResNet, "convert": v.probabilities, "default": resnet},
        "ResNet, channels last": {"make": c.ResNet, "convert": v.channels_last, "default": resnet},
        "ResNet, float64": {"make": c.ResNet, "convert": v.double, "default": resnet},
        "ResNet, half": {"make": c.ResNet, "convert": v.half, "tolerance": 0.02, "default": resnet},
        "ResNet, bfloat16 within": {
            "make": c.ResNet, "convert": v.bfloat16, "tolerance": 0.05, "default": resnet,
        },
        "ResNet, autocast": {"make": c.ResNet, "convert": v.autocast, "tolerance": 0.05, "default": Default((32, 8, 8), 1.0)},
        "ResNet, frozen": {"make": c.ResNet, "finish": v.frozen, "only": ("scripted", "traced"), "default": resnet},
        "ViT, frozen": {"make": a.Vit, "finish": v.frozen, "only": ("scripted", "traced"), "default": tokens},
        "ResNet, optimised": {
            "make": c.ResNet, "finish": v.optimised, "only": ("scripted", "traced"), "loads": False,
        },
        "ResNet, int8": {"make": b.Quantised, "convert": v.quantised, "tolerance": 0.02},
        "VGG, int8 linear layers": {"make": c.Vgg, "convert": v.quantised_linears, "tolerance": 0.02},
    }  # fmt: skip
    monai: dict[str, dict] = {
        "ResNet": {"make": m.resnet},
        "ResNet bottleneck": {"make": partial(m.resnet, "bottleneck")},
        "DenseNet": {"make": m.densenet},
        "SE-ResNet": {"make": partial(m.senet, "SEResNetBottleneck"), "size": 32},
        "SE-ResNeXt": {"make": partial(m.senet, "SEResNeXtBottleneck")},
        "EfficientNet": {"make": m.efficientnet},
        "ViT": {"make": m.vit},
        "Swin transformer": {"make": m.swin},
        "UNet": {"make": m.unet},
        "AttentionUnet": {"make": m.attention_unet},
        "BasicUNet": {"make": m.basic_unet},
        "SegResNet": {"make": m.segresnet},
        "HighResNet": {"make": m.highresnet},
        "MedNeXt": {"make": m.mednext},
        "Classifier": {"make": m.classifier},
        "Regressor": {"make": m.regressor},
    }
    found = [Architecture(name, "own", **fields) for name, fields in own.items()]
    found += [Architecture(f"MONAI {name}", "monai", **fields) for name, fields in monai.items()]
    found += [Architecture(f"HF {name}", "transformers", partial(hf.build, name)) for name in hf.SMALL]
    found.append(Architecture("HF vit, attention written out", "transformers", partial(hf.build, "vit", "eager")))
    return {architecture.name: architecture for architecture in found}


ARCHITECTURES = _zoo()
