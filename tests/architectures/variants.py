"""The same networks as their authors ship them: in other number formats, settled, quantised."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn

SHIFT = 0.2


def settled(network: nn.Module, x: Tensor, seed: int = 0) -> nn.Module:
    """Random weights of a size that keeps the numbers alive, and the batch statistics of x.

    As they are initialised, many networks say nothing: their layer scales are 1e-6, their tokens 0, their classifiers
    0.02, and then a wrong half could pass for a right one.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "original0" in name or not parameter.is_floating_point():
                continue
            if parameter.ndim >= 2 and len(parameter) > 1:
                nn.init.normal_(parameter, std=1.2 * (parameter.numel() / len(parameter)) ** -0.5)
            elif parameter.ndim >= 2:
                nn.init.normal_(parameter, std=0.5)
            elif name.endswith("bias"):
                nn.init.normal_(parameter, std=SHIFT)
            elif parameter.numel() > 1:
                nn.init.uniform_(parameter, 0.6, 1.4)
        norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        network.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean of what is seen
            norm.train()
        if norms:
            network(x)
        for norm in norms:
            norm.momentum = 0.1
            # A channel that hardly varies would blow up the rounding of all that comes before it.
            norm.running_var.clamp_(min=0.1)
            norm.running_mean += SHIFT * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
    return network.eval()


class InAndOut(nn.Module):
    """A network of another number format that takes and gives float32."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network.to(dtype)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.to(self.dtype)).to(torch.float32)


class ChannelsLast(nn.Module):
    """A network whose maps lie channels last in memory."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.contiguous(memory_format=torch.channels_last))


class Probabilities(nn.Module):
    """A network with its softmax inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.network(x), dim=1)


class Autocast(nn.Module):
    """A network that computes in bfloat16 under autocast."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.network(x)
        return y.float()


def quantised(network: nn.Module, x: Tensor) -> nn.Module:
    """int8 weights and activations, calibrated on x."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = copy.deepcopy(network).eval()
        network.qconfig = torch.ao.quantization.get_default_qconfig(torch.backends.quantized.engine)
        prepared = torch.ao.quantization.prepare(network)
        prepared(x)
        return torch.ao.quantization.convert(prepared)


def quantised_linears(network: nn.Module, x: Tensor) -> nn.Module:
    """int8 weights in the linear layers only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(network, {nn.Linear}, dtype=torch.qint8)


def double(network: nn.Module, x: Tensor) -> nn.Module:
    return network.double()


def half(network: nn.Module, x: Tensor) -> nn.Module:
    return network.half()


def bfloat16(network: nn.Module, x: Tensor) -> nn.Module:
    return InAndOut(network, torch.bfloat16)


def autocast(network: nn.Module, x: Tensor) -> nn.Module:
    return Autocast(network)


def channels_last(network: nn.Module, x: Tensor) -> nn.Module:
    return ChannelsLast(network)


def probabilities(network: nn.Module, x: Tensor) -> nn.Module:
    return Probabilities(network)


def frozen(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Weights as constants of the graph, submodules gone."""
    return torch.jit.freeze(module.eval())


def optimised(module: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    """Frozen, norms folded into convolutions, layouts changed."""
    return torch.jit.optimize_for_inference(torch.jit.freeze(module.eval()))
