"""Open a .pt2 file (torch.export) as a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.files.pt2.opening import open_pt2
from napari_attribution.classifiers.files.training_mode import refuse_training_mode
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.classifiers.mixing import recognised
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.splitting.techniques.dispatch_capture import DispatchCapture
from napari_attribution.classifiers.splitting.techniques.exported_cut import ExportedCut
from napari_attribution.classifiers.splitting.techniques.technique import Technique
from napari_attribution.errors import ClassifierError, DeviceError


def open_exported(path: Path, device: torch.device) -> Network:
    """Load a .pt2 file, of which only plain data is read.

    Raises
    ------
    ClassifierError
        Where the file holds what cannot be read safely, or is no network of one input.
    DeviceError
        Where there is no room for it.
    """
    program = open_pt2(path)
    try:
        return exported_network(program, device)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(str(device))) from None
        raise ClassifierError(f"{path.name} cannot be run on {device}: {reason(error)}") from None


def exported_network(program: torch.export.ExportedProgram, device: torch.device) -> Network:
    """An exported program as a network on a device.

    Raises
    ------
    ClassifierError
        Where it wants other inputs than one tensor, or was exported in training mode.
    """
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ClassifierError(
            f"The exported network wants {len(names)} inputs ({', '.join(map(str, names))}); a classifier of a well takes one, "
            "the stack of its stains."
        )
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    module = program.module(check_guards=False)
    assert isinstance(module, fx.GraphModule)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    parted = ExportedCut(module, torch.empty(0))
    steps, literals = parted.steps()
    refuse_training_mode(steps, parted.entrance, literals)
    mixing = recognised(steps, parted.entrance, {**parted.attributes, **literals})
    batch = _fixed_batch(module)

    run = _filled_up(module, batch)

    def techniques(x: Tensor) -> Sequence[Technique]:
        capture = DispatchCapture(run, x)
        return [ExportedCut(module, x), capture] if batch in (None, 1) else [capture]

    weights = [value for value in module.state_dict().values() if value.is_floating_point()]
    dtype = weights[0].dtype if weights else torch.float32
    return Network(run, device, dtype, "torch.export", techniques, mixing)


def _fixed_batch(module: fx.GraphModule) -> int | None:
    """The number of inputs that the network was exported for, None where it is free."""
    entrance = next(node for node in module.graph.nodes if node.op == "placeholder")
    example = entrance.meta.get("val")
    size = example.shape[0] if isinstance(example, Tensor) and example.ndim else None
    return size if isinstance(size, int) else None


def _filled_up(module: Callable[[Tensor], Any], batch: int | None) -> Callable[[Tensor], Any]:
    """A network for exactly so many inputs as one for any number: the batch is filled up with copies of the last."""
    if batch in (None, 1):
        return module

    def run(x: Tensor) -> Any:
        answers = []
        for part in x.split(batch):
            answer = module(torch.cat([part, part[-1:].expand(batch - len(part), *part.shape[1:])]))
            if not isinstance(answer, Tensor):
                raise ClassifierError(
                    f"The network was exported for exactly {batch} inputs and answers with more than one tensor. Export it "
                    "with a free batch size: dynamic_shapes={0: torch.export.Dim('batch')}."
                )
            answers.append(answer[: len(part)])
        return torch.cat(answers)

    return run
