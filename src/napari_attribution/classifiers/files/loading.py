"""Open a classifier file safely: look inside first, never unpickle, say what it is when it is not a classifier."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch

from napari_attribution.classifiers.answers import reason
from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.cards.io import card_path, find_card, read_card
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.devices import choose_device
from napari_attribution.classifiers.files.archive import EXPORT, check_archive
from napari_attribution.classifiers.memory import is_out_of_memory, no_room
from napari_attribution.classifiers.splitting.graph_cut import GraphCut
from napari_attribution.errors import CardError, ClassifierError, DeviceError

log = logging.getLogger(__name__)


def load_classifier(
    path: str | Path, device: str = "auto", card: ClassifierCard | str | Path | None = None
) -> Classifier:
    """Load a TorchScript classifier and find out what can be done with it.

    Parameters
    ----------
    path : path of the TorchScript file.
    device : str
        "auto" (CUDA, then MPS, then the CPU) or a name such as "cuda:1".
    card : ClassifierCard or path of one, optional
        By default the bioimage.io description beside the file or among its extra files.

    Raises
    ------
    ClassifierError
        For a file that is not a TorchScript classifier of one input; nothing is ever unpickled.
    CardError
        Where no card is found or given, or it cannot be used.
    DeviceError
        Where there is no such device, or no room on it.
    """
    path = Path(path)
    check_archive(path)
    chosen = choose_device(device)
    module = _load_module(path, chosen)
    if not isinstance(card, ClassifierCard):
        card = read_card(card) if card is not None else find_card(path)
    if card is None:
        raise CardError(
            f"{path.name} has no card: nothing says which stains it wants, in which order, how they are normalised, and what "
            f"its scores mean. Write one to {card_path(path).name} (napari-attribution card, or in the dock)."
        )
    try:
        cutter: GraphCut | None = GraphCut(module)
    except Exception as error:  # the cut is an extra: whatever it stumbles over, the network itself can be used
        log.info("%s cannot be cut: %s", path.name, error)
        cutter = None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        return Classifier(module, card, chosen, cutter, path, sha256, _dtype(module))
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(str(chosen))) from None
        raise ClassifierError(f"{path.name} cannot be run: {reason(error)}") from None


def _load_module(path: Path, device: torch.device) -> torch.jit.ScriptModule:
    try:
        module: Any = torch.jit.load(str(path), map_location=device)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceError(no_room(str(device))) from None
        raise ClassifierError(f"torch cannot open {path.name}: {reason(error)}") from None
    except (ValueError, OSError, UnicodeDecodeError, AttributeError) as error:
        raise ClassifierError(f"torch cannot open {path.name}: {reason(error)}") from None
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
    module.eval()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module  # type: ignore[no-any-return]


def _dtype(module: torch.jit.ScriptModule) -> torch.dtype:
    """Of the network's weights: some are float64 or half."""
    return next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
