"""Open a TorchScript file as a network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.files.archive import EXPORT
from napari_attribution.classifiers.files.training_mode import refuse_training_mode
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.classifiers.mixing import Mixing, recognised
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.splitting.techniques.dispatch_capture import DispatchCapture
from napari_attribution.classifiers.splitting.techniques.graph_cut import GraphCut
from napari_attribution.classifiers.splitting.techniques.interpreter.graph_interpreter import GraphInterpreter
from napari_attribution.classifiers.splitting.techniques.technique import Technique
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import TorchScriptGraph
from napari_attribution.errors import ClassifierError, DeviceError

log = logging.getLogger(__name__)


def open_torchscript(path: Path, device: torch.device) -> Network:
    """Load a TorchScript file that was checked (`archive.check_archive`).

    Raises
    ------
    ClassifierError
        Where torch cannot load it, or it is no network of one input.
    DeviceError
        Where there is no room for it.
    """
    return torchscript_network(_load(path, device), device)


def torchscript_network(module: torch.jit.ScriptModule, device: torch.device) -> Network:
    """A TorchScript module on its device as a network."""
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    run: Any = module
    graph: TorchScriptGraph | None = None
    mixing: Mixing | None = None
    try:
        graph = TorchScriptGraph(module)
        if graph.loops or graph.devices - {device}:
            run = graph.whole(device)
    except Exception as error:  # the cut is an extra: whatever it stumbles over, the network itself can be used
        log.info("The graph cannot be read: %s", error)

    if graph is not None:
        steps, known = graph.steps(), graph.known(None)
        refuse_training_mode(steps, (-1, 0), known)
        mixing = recognised(steps, (-1, 0), known)

    def techniques(x: Tensor) -> Sequence[Technique]:
        capture = DispatchCapture(run, x)
        return [GraphCut(graph, x), GraphInterpreter(graph, x), capture] if graph is not None else [capture]

    return Network(run, device, _dtype(module), "TorchScript", techniques, mixing)


def _load(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    try:
        module: Any = torch.jit.load(str(path), map_location=device)
    except (RuntimeError, ValueError, OSError, AttributeError) as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(str(device))) from None
        raise ClassifierError(
            f"torch cannot open {path.name}: {reason(error)} The file is damaged, or was made for another version of torch."
        ) from None
    if not module._c._has_method("forward"):
        raise ClassifierError(f"{path.name} holds no network that can be run (it has no 'forward'). {EXPORT}")
    arguments = module._c._get_method("forward").schema.arguments[1:]
    needed = [argument for argument in arguments if not argument.has_default_value()]
    if len(needed) != 1:
        raise ClassifierError(
            f"{path.name} wants {len(needed)} inputs ({', '.join(argument.name for argument in needed)}); "
            "a classifier of a well takes one, the stack of its stains."
        )
    if needed[0].type.kind() not in ("TensorType", "AnyType"):
        raise ClassifierError(
            f"{path.name} wants a {needed[0].type} for input; a classifier of a well takes one tensor, the stack of its stains."
        )
    return module  # type: ignore[no-any-return]


def _dtype(module: torch.jit.ScriptModule) -> torch.dtype:
    """Of the network's weights: some are float64 or half."""
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
