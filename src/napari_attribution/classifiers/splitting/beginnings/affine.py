"""Which steps make something affine of what is affine, and which never do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_attribution.classifiers.splitting.steps import Key, Step

REARRANGE = (
    *("flatten", "view", "reshape", "_unsafe_view", "unflatten", "permute", "transpose", "t", "movedim", "moveaxis"),
    *("swapaxes", "swapdims", "contiguous", "clone", "squeeze", "unsqueeze", "expand", "expand_as", "view_as", "alias"),
    *("slice", "select", "narrow", "index_select", "roll", "flip", "chunk", "split", "split_with_sizes", "unbind"),
    *("cat", "concat", "stack", "to", "type_as", "_to_copy", "float", "identity", "numpy_T", "reshape_as"),
    *("ListConstruct", "TupleConstruct", "ListUnpack", "TupleUnpack", "__getitem__"),
)
AVERAGES = (
    *("avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
    *("_adaptive_avg_pool2d", "mean", "sum", "dropout", "feature_dropout", "upsample_bilinear2d", "upsample_nearest2d"),
)
# Affine in what they read first, if nothing else that they read depends on the activation.
_OF_ITS_FIRST = (
    *("linear", "conv1d", "conv2d", "conv3d", "_convolution", "convolution", "div", "true_divide", "neg", "batch_norm"),
    *("_native_batch_norm_legit_no_training", "constant_pad_nd", "pad", "rsub"),
)
# Affine in the one operand that does.
_OF_ONE = ("mul", "multiply", "matmul", "mm", "bmm", "addmm")
_SUMS = ("add", "sub", "subtract")

NEVER = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardswish"),
    *("hardsigmoid", "hardtanh", "sigmoid", "tanh", "softmax", "_softmax", "log_softmax", "_log_softmax", "clamp"),
    *("max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d", "max_pool3d", "layer_norm", "group_norm"),
    *("native_layer_norm", "native_group_norm", "instance_norm", "scaled_dot_product_attention", "exp", "log", "sqrt"),
    *("rsqrt", "pow", "norm", "linalg_vector_norm", "amax", "logsumexp", "_native_multi_head_attention"),
)
"""What these make is not affine in what they read, whatever a few trials might say."""


def is_affine(step: Step, affine: set[Key], reached: set[Key], values: Mapping[Key, Any]) -> bool:
    """Whether a step makes something affine of what is affine."""
    depends = [number for number, key in enumerate(step.reads) if key in reached]
    if any(key in reached for key in step.inner) or any(step.reads[number] not in affine for number in depends):
        return False
    if step.name in (*_SUMS, *REARRANGE):
        return True
    if step.name == "batch_norm" and values.get(step.reads[5]) is not False:
        return False
    return len(depends) == 1 and (step.name in _OF_ONE or (depends == [0] and step.name in (*_OF_ITS_FIRST, *AVERAGES)))
