"""Scripted, traced or exported, as people do it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from architectures import Architecture

HOW = ("scripted", "traced", "exported")


def dtype(network: nn.Module) -> torch.dtype:
    """Of the input that a network wants."""
    found = next((p.dtype for p in network.parameters() if p.is_floating_point()), torch.float32)
    return torch.float32 if found == torch.bfloat16 else found


@dataclass(frozen=True)
class Saved:
    """What became of saving.

    Parameters
    ----------
    path : Path, optional
        None where torch cannot save the network in this way.
    note : str
        Then the reason; otherwise whether the batch of an exported file is "any batch" or "batch of 1".
    """

    path: Path | None
    note: str = ""


def save(architecture: Architecture, network: nn.Module, how: str, folder: Path) -> Saved:
    """The network as a file in the folder, loadable by anybody.

    Parameters
    ----------
    how : {"scripted", "traced", "exported"}
    """
    if how not in architecture.only:
        return Saved(None, "not for this kind of file")
    x = architecture.inputs(2, seed=5).to(dtype(network))
    with torch.no_grad(), _quiet():
        try:
            if how == "exported":
                return _export(network, x, folder / "network.pt2")
            module: Any = torch.jit.script(network) if how == "scripted" else _trace(network, x)
            if architecture.finish:
                module = architecture.finish(module)
            module.save(str(folder / "network.pt"))
            return Saved(folder / "network.pt")
        except Exception as error:
            return Saved(None, _first_lines(error))


def _trace(network: nn.Module, x: Tensor) -> torch.jit.ScriptModule:
    # strict=False: dictionaries are allowed for outputs
    return torch.jit.trace(network, x, check_trace=False, strict=False)


def _export(network: nn.Module, x: Tensor, path: Path) -> Saved:
    """With a batch of any size, or of one where the network does not allow that."""
    note = "any batch"
    try:
        program = torch.export.export(network, (x,), dynamic_shapes=((torch.export.Dim.DYNAMIC, None, None, None),))
    except Exception as any_batch:
        try:
            program = torch.export.export(network, (x[:1],))
        except Exception:
            raise any_batch from None
        note = "batch of 1"
    torch.export.save(program, str(path))
    return Saved(path, note)


def _first_lines(error: BaseException) -> str:
    """Without the places in memory and on the disk that torch adds."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {' '.join(lines[:3])}"
    return re.sub(r"\s*(at 0x[0-9a-f]+|:? ?File \".*)", "", text)[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """Tracing warns of every size that it takes for a constant, export prints its graphs."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stderr(StringIO()), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
