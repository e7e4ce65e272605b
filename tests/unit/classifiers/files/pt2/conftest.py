"""A good .pt2 file, and ways to change what it holds."""

import json
import zipfile
from pathlib import Path

import networks
import pytest
import torch
from torch import nn

MODEL = "net/models/model.json"
WEIGHTS = "net/data/weights/model_weights_config.json"
CONSTANTS = "net/data/constants/model_constants_config.json"
X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
BATCH = {0: torch.export.Dim("batch", min=1, max=64)}


def exported(network: nn.Module, path: Path, shapes: dict | None = None) -> Path:
    program = torch.export.export(network.eval(), (X,), dynamic_shapes=None if shapes is None else (shapes,))
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return exported(networks.make("gap"), tmp_path_factory.mktemp("pt2") / "net.pt2", BATCH)


def changed(path: Path, folder: Path, change) -> Path:
    """The archive with some parts changed; `change` works on a dict of its parts, JSON taken apart."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in (MODEL, WEIGHTS, CONSTANTS):
        parts[name] = json.loads(parts[name])
    change(parts)
    made = folder / "net.pt2"
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return made


def graph(parts: dict) -> dict:
    return parts[MODEL]["graph_module"]["graph"]
