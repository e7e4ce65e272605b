"""Weights: a copy of a classifier whose weights are shuffled. The classifier itself is not touched, whatever happens.

A copy is made by opening the classifier's file once more, shuffling what torch finds in it, and parting and probing that
network as any other. So a cut graph and its halves, which hold on to the weights in ways of their own, are those of the
shuffled network from the beginning, and there is nothing to put back after an error or a cancel.

Shuffled means that the values of each tensor change places within it. Adebayo et al. draw them anew as training began;
a file does not say how it began, and a permutation keeps each tensor's mean and spread, so that the scores stay of the same
size and variances stay positive. What has the same value everywhere stays as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.exported import exported_network
from napari_attribution.classifiers.files.pt2.opening import open_pt2
from napari_attribution.classifiers.files.torchscript import torchscript_network
from napari_attribution.classifiers.network import Network
from napari_attribution.classifiers.splitting.techniques.torchscript_graph import all_nodes
from napari_attribution.errors import ClassifierError, RequestError


def shuffled(classifier: Classifier, layers: int | None = None, seed: int = 0) -> Classifier:
    """A copy of a classifier with other weights.

    Parameters
    ----------
    classifier : Classifier
        Loaded from a file that is still there.
    layers : int, optional
        How many of the last weight tensors (of at least two axes: matrices and kernels) are shuffled, with all that stands
        used after the first of them; all of them by default. Their order is that of their use in the graph.
    seed : int

    Raises
    ------
    RequestError
        Where the classifier has no file, or the file has changed since.
    ClassifierError
        Where no weights are found in it, or the shuffled network does not answer as a classifier must.
    """
    path = _file_of(classifier)
    device = torch.device(classifier.device)
    network = _torchscript if classifier.format == "TorchScript" else _exported
    return Classifier(network(path, device, layers, seed), classifier.card)


def _file_of(classifier: Classifier) -> Path:
    path = classifier.path
    if path is None or not path.is_file():
        raise RequestError(
            "The classifier's weights are shuffled in a fresh copy of its file, and there is no such file. Load the classifier "
            "from its file (load_classifier)."
        )
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if classifier.sha256 and sha256 != classifier.sha256:
        raise RequestError(f"{path.name} is not the file any more that the classifier was loaded from. Load it again.")
    return path


def _torchscript(path: Path, device: torch.device, layers: int | None, seed: int) -> Network:
    module = torch.jit.load(str(path), map_location=device)
    _shuffle(_read_by_graph(module) or list(module.state_dict().values()), layers, seed)
    return torchscript_network(module, device)


def _read_by_graph(module: torch.jit.ScriptModule) -> list[Tensor]:
    """The weights of a module in the order of their use; those of a frozen one are constants of its graph."""
    named: dict[str, Tensor] = module.state_dict()
    found: dict[int, Tensor] = {}
    for node in all_nodes(module.inlined_graph):
        for value in node.inputs():
            weight = named.get(_path(value)) if named else _constant(value.node())
            if weight is not None:
                found.setdefault(weight.data_ptr(), weight)
    return list(found.values())


def _path(value: Any) -> str:
    """The dotted name of what a value reads from the module; empty where it is something else."""
    names: list[str] = []
    while value.node().kind() == "prim::GetAttr":
        names.append(value.node().s("name"))
        value = next(iter(value.node().inputs()))
    return ".".join(reversed(names))


def _constant(node: Any) -> Tensor | None:
    is_tensor = node.kind() == "prim::Constant" and node.hasAttribute("value") and node.kindOf("value") == "t"
    return node.t("value") if is_tensor else None


def _exported(path: Path, device: torch.device, layers: int | None, seed: int) -> Network:
    program = open_pt2(path)
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    # Buffers that the module does not save are kept among the constants.
    tensors = {**program.constants, **program.state_dict}
    found: dict[str, Tensor] = {}
    for node in program.graph.nodes:
        for source in node.all_input_nodes:
            if source.op == "placeholder" and isinstance(tensors.get(names.get(source.name, "")), Tensor):
                found.setdefault(source.name, tensors[names[source.name]])
    _shuffle(list(found.values()), layers, seed)
    return exported_network(program, device)


def _shuffle(weights: Sequence[Tensor], layers: int | None, seed: int) -> None:
    """Shuffle the last of these tensors, in place."""
    floating = [value for value in weights if value.is_floating_point()]
    random = torch.Generator().manual_seed(seed)
    changed = False
    with torch.no_grad():
        for value in floating[_first(floating, layers) :]:
            order = torch.randperm(value.numel(), generator=random).to(value.device)
            mixed = value.flatten()[order].view_as(value)
            changed = changed or not torch.equal(mixed, value)
            value.copy_(mixed)
    if not changed:
        raise ClassifierError("No weights that could be shuffled are found in the classifier's file.")


def _first(weights: list[Tensor], layers: int | None) -> int:
    """Where the last `layers` matrices or kernels begin."""
    places = [place for place, value in enumerate(weights) if value.ndim >= 2]
    return 0 if layers is None or layers >= len(places) else places[-layers]
