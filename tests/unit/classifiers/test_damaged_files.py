"""Five hundred damaged files: each ends in a sentence or in scores, soon, and nothing crashes or hangs here."""

import io
import json
import random
import time
import zipfile
from collections import Counter
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from shared_data import SHARED, needs_shared
from torch import nn

from napari_attribution.classifiers.files.trial.trial import Trial
from napari_attribution.errors import AttributionError, ClassifierError, TrialError

COUNT = 500
AT_MOST = 5.0
"""Seconds that a file may take to its sentence."""

LIMIT = 4.0
"""Seconds after which the trial stops it: a damaged number can make a network a thousand times as large."""

Parts = list[tuple[str, bytes]]


def normalised_convolution() -> nn.Module:
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Path]:
    """Small networks, scripted, traced and exported."""
    folder = tmp_path_factory.mktemp("originals")
    made = [
        networks.save(networks.make(kind), folder / f"{kind}-{how}.pt", how)
        for kind, how in [("gap", "scripted"), ("gap", "traced"), ("gated", "scripted"), ("branching", "scripted")]
    ]
    x = torch.randn(2, 3, 32, 32)
    for name, network in [("gap", networks.make("gap")), ("plain", normalised_convolution())]:
        batch = {0: torch.export.Dim("batch", min=1, max=64)}
        torch.export.save(torch.export.export(network, (x,), dynamic_shapes=(batch,)), folder / f"{name}.pt2")
        made.append(folder / f"{name}.pt2")
    return made


# ---------------------------------------------------------------------------------------------------- damage to the bytes


def flipped(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 3, 20])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def cut_short(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(len(content))])


def zeroed(content: bytearray, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice([16, 512, 4096]))
    content[start:end] = bytes(end - start)
    return bytes(content)


def table_flipped(content: bytearray, chance: random.Random) -> bytes:
    """In the table of contents, which has no checksum."""
    start = content.rindex(b"PK\x05\x06") - 46 * 20
    content[chance.randrange(start, len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


# --------------------------------------------------------------------------- damage that the checksums do not tell of


def swapped(parts: Parts, chance: random.Random) -> Parts:
    a, b = chance.sample(range(len(parts)), 2)
    parts[a], parts[b] = (parts[a][0], parts[b][1]), (parts[b][0], parts[a][1])
    return parts


def missing(parts: Parts, chance: random.Random) -> Parts:
    parts.pop(chance.randrange(len(parts)))
    return parts


def twice(parts: Parts, chance: random.Random) -> Parts:
    return [*parts, (chance.choice(parts)[0], chance.choice(parts)[1])]


def edited(parts: Parts, chance: random.Random) -> Parts:
    """Some bytes of the code, of a pickle or of a description."""
    index = chance.choice(
        [i for i, (name, data) in enumerate(parts) if data and name.endswith((".py", ".pkl", ".json"))]
    )
    data = bytearray(parts[index][1])
    for _ in range(chance.choice([1, 2, 8])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    parts[index] = (parts[index][0], bytes(data))
    return parts


def other_numbers(parts: Parts, chance: random.Random) -> Parts:
    """A number in the code or in a description becomes another, so that it can still be read."""
    index = chance.choice(
        [i for i, (name, data) in enumerate(parts) if data and name.endswith((".py", "model.json", "config.json"))]
    )
    name, data = parts[index]
    places = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    changed = bytearray(data)
    for place in chance.sample(places, min(3, len(places))):
        changed[place : place + 1] = chance.choice([b"0", b"7", b"99", b"-1", b"123456789", b"9" * 25])
    parts[index] = (name, bytes(changed))
    return parts


def lines_shuffled(parts: Parts, chance: random.Random) -> Parts:
    """Two lines of the code change places; of a description, two entries of the graph."""
    index = chance.choice([i for i, (name, _) in enumerate(parts) if name.endswith((".py", "model.json"))])
    name, data = parts[index]
    if name.endswith(".py"):
        lines = data.split(b"\n")
        a, b = chance.sample(range(len(lines)), 2)
        lines[a], lines[b] = lines[b], lines[a]
        parts[index] = (name, b"\n".join(lines))
    else:
        model = json.loads(data)
        nodes = model["graph_module"]["graph"]["nodes"]
        a, b = chance.sample(range(len(nodes)), 2)
        nodes[a], nodes[b] = nodes[b], nodes[a]
        parts[index] = (name, json.dumps(model).encode())
    return parts


def weights_damaged(parts: Parts, chance: random.Random) -> Parts:
    """Weights cut short, too long, or anything at all."""
    index = chance.choice(
        [i for i, (name, data) in enumerate(parts) if data and ("/data/" in name or "/weight_" in name)]
    )
    name, data = parts[index]
    parts[index] = (
        name,
        chance.choice([data[: len(data) // 2], data * 3, b"", chance.randbytes(len(data)), b"\xff" * len(data)]),
    )
    return parts


OF_BYTES = [flipped, cut_short, zeroed, table_flipped]
OF_PARTS = [swapped, swapped, missing, twice, edited, edited, other_numbers, lines_shuffled, weights_damaged]


def damaged(original: Path, how, chance: random.Random) -> bytes:
    if how in OF_BYTES:
        return how(bytearray(original.read_bytes()), chance)
    with zipfile.ZipFile(original) as archive:
        parts = how([(name, archive.read(name)) for name in archive.namelist()], chance)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in parts:
            archive.writestr(name, data)
    return made.getvalue()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_five_hundred_damaged_files(originals, tmp_path, record_property):
    path = tmp_path / "damaged.pt"
    x = np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32)
    ends: Counter[str] = Counter()
    crashes, seconds = [], []
    with Trial() as trial:
        trial.load(originals[0], networks.card())  # the child's start is not the file's fault
        for index in range(COUNT):
            chance = random.Random(20_000 + index)
            original, how = originals[index % len(originals)], chance.choice(OF_BYTES + 2 * OF_PARTS)
            path.write_bytes(damaged(original, how, chance))
            what = f"{index}: {original.name} {how.__name__}"
            if trial.pid is None:
                trial.load(originals[0], networks.card())
            started = time.monotonic()
            try:
                trial.load(path, networks.card(), LIMIT)
                assert np.isfinite(trial.scores(x, LIMIT)).all(), what
                ends["scores"] += 1
            except AttributionError as error:
                sentence = str(error)
                assert sentence.endswith((".", "').")), f"{what}: {sentence}"
                assert "Traceback" not in sentence, f"{what}: {sentence}"
                assert len(sentence) < 1500, f"{what}: {sentence}"
                ends[type(error).__name__] += 1
                if isinstance(error, TrialError):
                    crashes.append(f"{what}: {sentence}")
            seconds.append(time.monotonic() - started)
            # To open and to score have their limit each; what is over it is stopped by starting anew.
            assert seconds[-1] < 4 * LIMIT, what
    record_property("ends", dict(ends))
    print(dict(ends), f"slowest {max(seconds):.2f} s", *crashes, sep="\n")
    assert np.percentile(seconds, 99) < AT_MOST
    assert ends["scores"] < COUNT // 2  # the damage is damage
    assert len(crashes) < COUNT // 100, crashes  # in the child, and said; but what can be recognised early should be


EXPECTED = {
    "LaurentMazare+tch-rs__tests_foo.pt": r"wants 2 inputs \(x, y\)",
    "LaurentMazare+tch-rs__tests_foo2.pt": r"wants 2 inputs \(x, y\)",
    "LaurentMazare+tch-rs__tests_foo5.pt": r"wants a List\[str\] for input",
    "LaurentMazare+tch-rs__tests_foo7.pt": "no 'forward'",
    "bioimageio_multi_tensor_unet.pt": "wants 2 inputs",
    "bioimageio_statedict_NOT_torchscript_MUSTFAIL.pt": "state dict or a whole model",
    "bioimageio_unet2d_nuclei_broad.pt": "cannot take an input of",
    "dotnet+TorchSharp__test_TorchSharpTest_l1000_100_10.script.dat": "cannot take an input of",
    "dotnet+TorchSharp__test_TorchSharpTest_scripted.script.dat": "cannot take an input of",
}


@needs_shared
def test_real_files_that_are_no_classifiers_of_wells(tmp_path):
    paths = sorted((SHARED / "torchscript").iterdir())
    assert {path.name for path in paths} == set(EXPECTED)
    with Trial() as trial:
        trial.load(networks.save(networks.make("gap"), tmp_path / "net.pt"), networks.card())
        for path in paths:
            started = time.monotonic()
            with pytest.raises(ClassifierError, match=EXPECTED[path.name]):
                trial.load(path, networks.card(), AT_MOST)
            assert time.monotonic() - started < AT_MOST, path.name
