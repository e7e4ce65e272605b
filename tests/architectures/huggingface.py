"""Image classifiers of the `transformers` library, built small from their configurations; nothing is downloaded."""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor, nn

from architectures.convolutional import CLASSES, STAINS


class LogitsOnly(nn.Module):
    """A model of the library that answers with its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(pixel_values=x, return_dict=True).logits


SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 12, 16], "depths": [1, 2, 1], "layer_type": "bottleneck"},
    ),
    "regnet": (
        "RegNet",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "groups_width": 4, "layer_type": "y"},
    ),
    "bit": (
        "Bit",
        {
            "embedding_size": 8,
            "hidden_sizes": [32, 64],
            "depths": [1, 1],
            "num_groups": 4,
            "layer_type": "preactivation",
        },
    ),
    "hgnet": (
        "HGNetV2",
        {
            "stem_channels": [STAINS, 8, 12],
            "embedding_size": 8,
            "hidden_sizes": [16, 24],
            "depths": [1, 1],
            "stage_in_channels": [12, 16],
            "stage_mid_channels": [8, 8],
            "stage_out_channels": [16, 24],
            "stage_num_blocks": [1, 1],
            "stage_numb_of_layers": [2, 2],
            "stage_downsample": [False, True],
            "stage_light_block": [False, True],
            "stage_kernel_size": [3, 5],
        },
    ),
    "textnet": (
        "TextNet",
        {
            "stem_num_channels": STAINS,
            "stem_out_channels": 8,
            "conv_layer_kernel_sizes": [[[3, 3]], [[3, 3], [3, 1]], [[3, 3]], [[3, 3]]],
            "conv_layer_strides": [[1], [2, 1], [2], [1]],
            "hidden_sizes": [8, 8, 12, 16, 16],
        },
    ),
    "convnext": ("ConvNext", {"hidden_sizes": [12, 20], "depths": [2, 1], "num_stages": 2, "patch_size": 4}),
    "convnextv2": ("ConvNextV2", {"hidden_sizes": [12, 20], "depths": [2, 1], "num_stages": 2, "patch_size": 4}),
    "mobilenetv1": ("MobileNetV1", {"depth_multiplier": 0.25, "min_depth": 4}),
    "mobilenetv2": (
        "MobileNetV2",
        {"depth_multiplier": 0.25, "depth_divisible_by": 4, "min_depth": 4, "output_stride": 16},
    ),
    "efficientnet": (
        "EfficientNet",
        {
            "width_coefficient": 0.5,
            "depth_coefficient": 1.0,
            "kernel_sizes": [3, 5],
            "in_channels": [32, 16],
            "out_channels": [16, 24],
            "strides": [1, 2],
            "num_block_repeats": [1, 2],
            "expand_ratios": [1, 3],
            "depthwise_padding": [],
            "hidden_dim": 640,
        },
    ),
    "poolformer": (
        "PoolFormer",
        {
            "depths": [1, 1],
            "hidden_sizes": [12, 20],
            "num_encoder_blocks": 2,
            "patch_sizes": [7, 3],
            "strides": [4, 2],
            "padding": [2, 1],
            "mlp_ratio": 2.0,
        },
    ),
    "mobilevit": (
        "MobileViT",
        {
            "hidden_sizes": [24, 24, 24],
            "neck_hidden_sizes": [8, 8, 12, 16, 16, 16, 32],
            "num_attention_heads": 4,
            "mlp_ratio": 1.0,
            "expand_ratio": 2.0,
        },
    ),
    "mobilevitv2": ("MobileViTV2", {"width_multiplier": 0.25, "n_attn_blocks": [1, 1, 1]}),
    "swiftformer": (
        "SwiftFormer",
        {"depths": [1, 1, 1, 1], "embed_dims": [8, 12, 16, 20], "mlp_ratio": 2},
    ),
    "focalnet": (
        "FocalNet",
        {"embed_dim": 12, "hidden_sizes": [12, 24], "depths": [1, 1], "focal_levels": [2, 2], "focal_windows": [3, 3]},
    ),
    "vit": ("ViT", {}),
    "deit": ("DeiT", {}),
    "vit-msn": ("ViTMSN", {}),
    "beit": ("Beit", {"use_relative_position_bias": True, "use_mean_pooling": True, "layer_scale_init_value": 0.1}),
    "data2vec": ("Data2VecVision", {"use_mean_pooling": True, "use_relative_position_bias": True}),
    "dinov2": ("Dinov2", {"mlp_ratio": 2}),
    "dinov2-registers": ("Dinov2WithRegisters", {"mlp_ratio": 2, "num_register_tokens": 2}),
    "ijepa": ("IJepa", {}),
    "swin": ("Swin", {"embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "mlp_ratio": 2.0}),
    "swinv2": ("Swinv2", {"embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "mlp_ratio": 2.0}),
    "hiera": (
        "Hiera",
        {
            "embed_dim": 12,
            "depths": [1, 2],
            "num_heads": [1, 2],
            "image_size": [64, 64],
            "query_stride": [2, 2],
            "num_query_pool": 1,
            "masked_unit_size": [8, 8],
            "masked_unit_attention": [True, False],
            "mlp_ratio": 2.0,
        },
    ),
    "cvt": (
        "Cvt",
        {
            "embed_dim": [8, 12, 16],
            "num_heads": [1, 2, 2],
            "depth": [1, 2, 3],
            "mlp_ratio": [2.0, 2.0, 2.0],
        },
    ),
    "levit": (
        "Levit",
        {
            "hidden_sizes": [16, 24, 32],
            "num_attention_heads": [2, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
            "attention_ratio": [2, 2, 2],
            "mlp_ratio": [2, 2, 2],
        },
    ),
    "pvt": (
        "Pvt",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 12, 16, 24],
            "num_attention_heads": [1, 2, 2, 4],
            "mlp_ratios": [2, 2, 2, 2],
            "sequence_reduction_ratios": [4, 2, 2, 1],
        },
    ),
    "pvtv2": (
        "PvtV2",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 12, 16, 24],
            "num_attention_heads": [1, 2, 2, 4],
            "mlp_ratios": [2, 2, 2, 2],
            "sr_ratios": [4, 2, 2, 1],
        },
    ),
    "segformer": (
        "Segformer",
        {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [8, 12, 16, 24],
            "num_attention_heads": [1, 2, 2, 4],
            "mlp_ratios": [2, 2, 2, 2],
            "sr_ratios": [4, 2, 2, 1],
        },
    ),
}
"""The library's name of each model, and what makes it small."""

TOKENS = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "patch_size": 8}


def build(name: str, attention: str | None = None) -> nn.Module:
    """A model from its configuration; `attention` may be "sdpa" (fused) or "eager" (written out)."""
    library = importlib.import_module("transformers")
    stem, small = SMALL[name]
    fields: dict[str, Any] = {"num_channels": STAINS, "num_labels": CLASSES, "image_size": 64} | small
    if name in ("vit", "deit", "vit-msn", "beit", "data2vec", "dinov2", "dinov2-registers", "ijepa"):
        fields = TOKENS | fields
    config = getattr(library, f"{stem}Config")(**fields)
    if attention:
        config._attn_implementation = attention
    return LogitsOnly(getattr(library, f"{stem}ForImageClassification")(config))
