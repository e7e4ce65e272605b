"""MONAI's networks for two dimensions and five stains, built small from their arguments."""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor, nn

from architectures.convolutional import CLASSES, STAINS


def net(name: str) -> Any:
    """A class of `monai.networks.nets`; monai is imported only when one is asked for."""
    return getattr(importlib.import_module("monai.networks.nets"), name)


class Pooled(nn.Module):
    """The map of a network that answers with an image, averaged into one score a class."""

    def __init__(self, body: nn.Module, channels: int = CLASSES) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


class FirstOf(nn.Module):
    """The first of what a network answers."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)[0]


class LastMap(nn.Module):
    """The last of a network's maps, averaged."""

    def __init__(self, body: nn.Module, channels: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[-1].mean((2, 3)))


def resnet(block: str = "basic") -> nn.Module:
    return net("ResNet")(
        block,
        [1, 1, 1, 1],
        [8, 8, 16, 16],
        spatial_dims=2,
        n_input_channels=STAINS,
        num_classes=CLASSES,
        conv1_t_size=5,
    )


def densenet() -> nn.Module:
    return net("DenseNet")(2, STAINS, CLASSES, init_features=8, growth_rate=4, block_config=(2, 2, 2), dropout_prob=0.1)


def senet(block: str) -> nn.Module:
    blocks = importlib.import_module("monai.networks.blocks.squeeze_and_excitation")
    groups = 8 if block == "SEResNeXtBottleneck" else 1
    return net("SENet")(
        2, STAINS, getattr(blocks, block), (1, 1, 1, 1), groups, 16, num_classes=CLASSES, inplanes=64, downsample_kernel_size=1,
        input_3x3=False,
    )  # fmt: skip


def efficientnet() -> nn.Module:
    blocks = ["r1_k3_s11_e1_i32_o16_se0.25", "r2_k3_s22_e3_i16_o24_se0.25", "r1_k5_s22_e3_i24_o40_se0.25"]
    return net("EfficientNet")(blocks, 2, STAINS, CLASSES, width_coefficient=1.0, depth_coefficient=1.0, image_size=64)


def vit() -> nn.Module:
    body = net("ViT")(
        STAINS, (64, 64), (8, 8), 24, 48, 2, 4, classification=True, num_classes=CLASSES, spatial_dims=2,
        post_activation="",
    )  # fmt: skip
    return FirstOf(body)


def unet() -> nn.Module:
    return Pooled(net("UNet")(2, STAINS, 8, channels=(6, 8, 12), strides=(2, 2), num_res_units=1), 8)


def attention_unet() -> nn.Module:
    return Pooled(net("AttentionUnet")(2, STAINS, 6, channels=(6, 8, 12), strides=(2, 2)), 6)


def basic_unet() -> nn.Module:
    return Pooled(net("BasicUNet")(2, STAINS, 6, features=(6, 6, 8, 8, 12, 6)), 6)


def segresnet() -> nn.Module:
    return Pooled(net("SegResNet")(2, 8, STAINS, 6, blocks_down=(1, 1, 1), blocks_up=(1, 1)), 6)


def highresnet() -> nn.Module:
    layers = (
        {"name": "conv_0", "n_features": 8, "kernel_size": 3},
        {"name": "res_1", "n_features": 8, "kernels": (3, 3), "repeat": 2},
        {"name": "res_2", "n_features": 12, "kernels": (3, 3), "repeat": 2},
        {"name": "conv_1", "n_features": 16, "kernel_size": 1},
        {"name": "conv_2", "kernel_size": 1},
    )
    return Pooled(net("HighResNet")(2, STAINS, 6, layer_params=layers), 6)


def mednext() -> nn.Module:
    return Pooled(
        net("MedNeXt")(2, 4, STAINS, 4, encoder_expansion_ratio=2, decoder_expansion_ratio=2, bottleneck_expansion_ratio=2,
                       blocks_down=(1, 1), blocks_bottleneck=1, blocks_up=(1, 1)), 4,
    )  # fmt: skip


def classifier() -> nn.Module:
    return net("Classifier")((STAINS, 64, 64), CLASSES, channels=(6, 8, 12), strides=(2, 2, 2))


def regressor() -> nn.Module:
    return net("Regressor")((STAINS, 64, 64), (CLASSES,), channels=(6, 8, 12), strides=(2, 2, 2))


def swin() -> nn.Module:
    transformer = importlib.import_module("monai.networks.nets.swin_unetr").SwinTransformer
    return LastMap(transformer(STAINS, 12, (4, 4), (2, 2), (1, 1, 1, 1), (2, 2, 2, 2), spatial_dims=2), 12 * 16)
