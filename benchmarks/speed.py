"""How fast Pixel Ablation-CAM is, against brute force and against the other methods, in counted forwards and in time.

    python benchmarks/speed.py --out benchmarks/results
    python benchmarks/speed.py --only flatten

Every row is one input explained by `compute`, without the stains' Shapley values and without the forward for the score
itself. *Forwards* are counted (`Classifier.forwards`): a forward with its gradient is 2.2, a run of the rest of the
network behind a layer its share of the arithmetic. *Time* is wall-clock time over that of one forward, both the best of
some. *Rank* is Spearman's correlation with brute force, every location silenced in its turn, *error* the largest
difference from it over the largest drop. *Memory* is the most that torch had allocated at a time beyond what a forward
of the same input allocates.

The networks for the heads and shapes have random weights and settled batch statistics. Those of the hierarchical rows
have learned something: the sample classifier, and small networks trained here on crops of the sample wells.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from napari_attribution import ClassifierCard, load_classifier, read_well
from napari_attribution.classifiers.classifier import Activation, Classifier
from napari_attribution.classifiers.preparation.prepare import prepare
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.methods.choice.parameters import PixelAblationCamParameters
from napari_attribution.methods.explain import explain
from napari_attribution.methods.pixel_ablation.hierarchy import spearman
from napari_attribution.methods.pixel_ablation.silencing import ablate_all
from napari_attribution.methods.pixel_ablation_cam import compute
from napari_attribution.methods.question.problem import Problem
from napari_attribution.methods.question.score import Score

SAMPLE = Path(__file__).parents[1] / "sample_data"
STAINS = ("DNA", "ER", "RNA", "AGP", "Mito")
CLASSES = ("control", "mito fragmented", "actin fibres", "rna granules")
VERSIONS = ("torch", "monai", "numpy", "napari-attribution")

# ------------------------------------------------------------------------------------------------------------ networks


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(
        self, a: int, b: int, stride: int = 1, gate: bool = False, activation: type[nn.Module] = nn.ReLU
    ) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), activation())
        self.second = nn.Sequential(nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b))
        self.gate = Gate(b) if gate else nn.Identity()
        self.around = nn.Identity() if stride == 1 and a == b else nn.Conv2d(a, b, 1, stride, bias=False)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.gate(self.second(self.first(x))) + self.around(x))


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n, n // 4), nn.ReLU(), nn.Linear(n // 4, n), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.layers(x.mean(dim=(2, 3)))[:, :, None, None]


class Mean(nn.Module):
    """Global average pooling."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


def resnet(*head: nn.Module) -> nn.Sequential:
    """Like ResNet-18, for five stains."""
    stem = [nn.Conv2d(5, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    body = nn.Sequential(*stem, *(Block(*each) for each in widths), Block(512, 512))
    return nn.Sequential(body, nn.Sequential(*head))


def vgg(*head: nn.Module) -> nn.Sequential:
    """Convolutions and pooling to a quarter of the input's size."""
    layers: list[nn.Module] = []
    for a, b in ((5, 32), (32, 64)):
        layers += [nn.Conv2d(a, b, 3, 1, 1), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(nn.Sequential(*layers, nn.Conv2d(64, 32, 3, 1, 1), nn.ReLU()), nn.Sequential(*head))


def flattened(pool: nn.Module | None, size: int) -> nn.Sequential:
    """VGG's end: the map is flattened into two linear layers."""
    layers = [nn.Linear(32 * size**2, 128), nn.ReLU(), nn.Dropout(), nn.Linear(128, 4)]
    return vgg(*([] if pool is None else [pool]), nn.Flatten(), *layers)


def small(gate: bool, activation: type[nn.Module]) -> nn.Sequential:
    """Four residual blocks, from 128 x 128 to 16 x 16 locations for 256 px."""
    stem = [nn.Conv2d(5, 16, 3, 2, 1), nn.BatchNorm2d(16), activation()]
    widths = [(16, 24, 2), (24, 32, 2), (32, 48, 2)]
    return nn.Sequential(*stem, *(Block(a, b, s, gate, activation) for a, b, s in widths), Mean(), nn.Linear(48, 4))


def pooled() -> nn.Sequential:
    """Convolutions and max pooling, then the map of 4 x 4 parts into two linear layers."""
    layers: list[nn.Module] = []
    for a, b in ((5, 16), (16, 24), (24, 32), (32, 48)):
        layers += [nn.Conv2d(a, b, 3, 1, 1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    end = [nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(768, 64), nn.ReLU(), nn.Linear(64, 4)]
    return nn.Sequential(*layers[:8], nn.Conv2d(24, 24, 3, 1, 1), nn.ReLU(), *layers[8:], *end)


def settled(network: nn.Sequential) -> nn.Sequential:
    """With random batch statistics, as if it were trained."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    network.eval()
    return network


def trained(network: nn.Module, fields: Tensor, steps: int = 120) -> nn.Module:
    """Told the sample wells' classes apart on crops of 96 x 96 px."""
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    wanted = torch.arange(16) % 4
    for _ in range(steps):
        crops = []
        for well in wanted.tolist():
            top, left = torch.randint(0, fields.shape[-1] - 96, (2,), generator=generator).tolist()
            crop = fields[well, :, top : top + 96, left : left + 96]
            crops.append(torch.rot90(crop, int(torch.randint(0, 4, (), generator=generator)), (1, 2)))
        loss = nn.functional.cross_entropy(network(torch.stack(crops)), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def card(size: int | None) -> ClassifierCard:
    nothing = [0.0] * len(STAINS)
    return ClassifierCard(
        stains=STAINS, classes=CLASSES, size=None if size is None else (size, size), mode="whole" if size is None else "resize",
        mean=nothing, std=[1.0] * len(STAINS), background=nothing,
    )  # fmt: skip


def opened(network: nn.Module, size: int, device: str, fixed: bool = True) -> Classifier:
    """Traced, saved, and loaded from the disk, as users have it."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = Path(folder) / "network.pt"
        torch.jit.trace(network, torch.randn(2, len(STAINS), size, size)).save(str(path))
        return load_classifier(path, device, card(size if fixed else None), time_limit=None)


# ------------------------------------------------------------------------------------------------------------ measuring


def seconds(action: Callable[[], Any], times: int = 3) -> float:
    """The best of some."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return best


def peak_bytes(action: Callable[[], Any], device: str) -> int:
    """The most that torch allocates at a time while something runs, beyond what it has already."""
    if device.startswith("cuda"):
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        action()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        action()
    held = most = 0
    results: Any = profile.profiler.kineto_results  # type: ignore[union-attr]
    for event in sorted((e for e in results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def measured(
    name: str,
    problem: Problem,
    layer: str | None = None,
    *,
    bar: float,
    head: nn.Module | None = None,
    unit: str = "forwards",
    **parameters: Any,
) -> dict[str, Any]:
    """A row: Pixel Ablation-CAM at a layer beside brute force, with the eager head in double precision if there is one."""
    classifier = problem.classifier
    at = classifier.layer(layer)
    settings = PixelAblationCamParameters(layer=at.name, channels="none", **parameters)

    def run() -> None:
        compute(problem, settings)

    def forward() -> None:
        with torch.no_grad():
            classifier.scores(problem.x)

    run()  # the halves are made once
    own = peak_bytes(forward, classifier.device)
    extra = peak_bytes(run, classifier.device) - own
    one = seconds(forward)
    classifier.forwards = 0.0
    result = compute(problem, settings)
    counted = classifier.forwards
    took = seconds(run, 2)
    with torch.no_grad():
        activation = classifier.features(problem.x, at.name)
    started = time.perf_counter()
    truth = brute_force(problem, activation, at.name)
    brute = time.perf_counter() - started
    if head is not None:
        truth = in_doubles(problem, activation, head)
    found = result.map.cpu()
    value = counted if unit == "forwards" else float(str(result.extra["head_runs"]))
    row = {
        "name": name,
        "size": problem.x.shape[-1],
        "locations": f"{found.shape[0]} x {found.shape[1]}",
        "way": result.extra["way"],
        "forwards": round(counted, 3),
        "head_runs": result.extra["head_runs"],
        "bar": f"{bar:g} {unit}",
        "met": value <= bar,
        "time": round(took / one, 2),
        "brute_time": round(brute / one, 1),
        "rank": round(spearman(found.flatten(), truth.flatten()), 4),
        "estimated_rank": result.extra["agreement"],
        "error": float((found - truth).abs().max() / truth.abs().max().clamp_min(1e-30)),
        "extra_mb": round(max(0, extra) / 2**20, 1),
    }
    print(line(row), flush=True)
    return row


def brute_force(problem: Problem, activation: Activation, layer: str) -> Tensor:
    """(h', w') drops, every location silenced in its turn; differences that are rounding alone are none."""
    drops = ablate_all(problem, activation, layer).cpu()
    with torch.no_grad():
        scores = problem.classifier.head(activation, layer)
    rounding = 4 * torch.finfo(torch.float32).eps * float(problem.score.of(scores).abs().max())
    return torch.where(drops.abs() > rounding, drops, 0)


def in_doubles(problem: Problem, activation: Activation, head: nn.Module) -> Tensor:
    """(h', w') drops by the eager head: a float32 score cannot tell apart what thousands of locations give to it."""
    values, head = activation.values.cpu().double(), copy.deepcopy(head).double()
    rows, columns = values.shape[2:]
    with torch.no_grad():
        drops = []
        for location in range(rows * columns):
            ablated = values.clone()
            ablated[:, :, location // columns, location % columns] = 0
            drops.append(problem.score.of(head(ablated)))
        return (problem.score.of(head(values)) - torch.cat(drops)).view(rows, columns).float()


def noise(size: int) -> Tensor:
    return torch.randn(1, len(STAINS), size, size, generator=torch.Generator().manual_seed(1))


def problem_of(classifier: Classifier, x: Tensor, kind: str = "logit") -> Problem:
    """The best class's score of some input."""
    x = x.to(classifier.device)
    with torch.no_grad():
        target = int(classifier.scores(x).argmax())
    return Problem(classifier, x, torch.zeros_like(x), Score(kind, target))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------ rows


def last_block(device: str, wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Like ResNet-18, cut at the last block: heads that are affine, and heads that are not."""
    heads: dict[str, Callable[[], list[nn.Module]]] = {
        "average, linear": lambda: [Mean(), nn.Linear(512, 4)],
        "average, two linear": lambda: [Mean(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 4)],
        "squeeze-excitation, average, linear": lambda: [Gate(512), Mean(), nn.Linear(512, 4)],
    }
    rows = []
    for name, make in heads.items():
        title = f"ResNet-18-like: {name}"
        if not wanted(title):
            continue
        torch.manual_seed(0)
        network = settled(resnet(*make()))
        # The card leaves the size open: opened once, at 256 px.
        classifier = opened(network, 256, device, fixed=False)
        at = next(each.name for each in reversed(classifier.layers) if each.kind == "relu" and each.shape[0] == 512)
        for kind in ("logit", "probability") if name == "average, linear" else ("logit",):
            affine = (name, kind) == ("average, linear", "logit")
            for size in (256, 1080):
                problem = problem_of(classifier, noise(size), kind)
                bar = 1.15 if affine else 1.2 if size == 256 else 1.5
                rows.append(measured(f"{title}; {kind}", problem, at, bar=bar, head=network[1]))
    return rows


def flat(device: str, wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    """VGG-like: 2,304 locations flattened into linear layers."""
    pools = {"none": None, "average": nn.AvgPool2d(2), "adaptive": nn.AdaptiveAvgPool2d(7)}
    rows = []
    for name, pool in pools.items():
        title = f"VGG-like: flatten, two linear; pooling before: {name}"
        if wanted(title):
            torch.manual_seed(0)
            size = {"none": 48, "average": 24, "adaptive": 7}[name]
            network = settled(flattened(pool, size))
            classifier = opened(network, 192, device)
            at = next(layer.name for layer in reversed(classifier.layers) if layer.kind == "relu")
            rows.append(measured(title, problem_of(classifier, noise(192)), at, bar=5, head=network[1]))
    return rows


def early(device: str, wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    """4,096 locations with convolutions behind them, of networks that have learned something."""
    sample = load_classifier(SAMPLE / "phenotypes.pt", device)
    wells = [read_well(path) for path in sorted((SAMPLE / "wells").glob("*.ome.tiff"))]
    fields = torch.cat([prepare(well, sample.card).inputs for well in wells])
    makers: dict[str, Callable[[], nn.Module] | None] = {
        "sample classifier": None,
        "residual, gates, SiLU": lambda: small(True, nn.SiLU),
        "residual, ReLU": lambda: small(False, nn.ReLU),
        "max pooling, two linear": pooled,
    }
    rows = []
    for name, make in makers.items():
        title = f"hierarchical: {name}"
        if not wanted(title):
            continue
        torch.manual_seed(0)
        classifier = sample if make is None else opened(trained(make(), fields), 256, device)
        at = next(
            layer.name for layer in classifier.layers if layer.shape[1:] == (64, 64) and layer.finished and layer.block
        )
        rows.append(
            measured(title, problem_of(classifier, fields[1:2]), at, bar=300, unit="head runs", search="hierarchical")
        )
    return rows


PEERS: dict[str, dict[str, Any]] = {
    "pixel-ablation-cam": {},
    "grad-cam": {},
    "grad-cam++": {},
    "ablation-cam": {},
    "ablation-cam++": {},
    "recipro-cam": {},
    "input-x-gradient": {},
    "integrated-gradients": {},
    "occlusion": {},
    "rise": {"masks": 500},
    "pcim": {},
    "dcmix": {},
}


def peers(device: str) -> list[dict[str, Any]]:
    """Every method on the sample classifier and a sample well, as `explain` runs it."""
    classifier = load_classifier(SAMPLE / "phenotypes.pt", device)
    well = read_well(SAMPLE / "wells" / "B03_mito-fragmented.ome.tiff")
    x = prepare(well, classifier.card).inputs.to(classifier.device)

    def forward() -> None:
        with torch.no_grad():
            classifier.scores(x)

    forward()
    one, own = seconds(forward, 5), peak_bytes(forward, classifier.device)
    rows = []
    for name, parameters in PEERS.items():
        if name not in ALL:
            continue
        # Where a method gives the stains' Shapley values beside its map, they are left out: they cost all the same.
        fields = ALL[name].parameters.model_fields
        settings = parameters | ({"channels": "none"} if "channels" in fields else {})
        started = time.perf_counter()
        found = explain(classifier, well, name, **settings)
        took = time.perf_counter() - started
        if found.forwards < 100:  # the halves of the network were made on the way
            started = time.perf_counter()
            explain(classifier, well, name, **settings)
            took = time.perf_counter() - started
        row = {
            "method": name,
            "forwards": found.forwards,
            "time": round(took / one, 1),
            "ms": round(1000 * took),
        }
        if found.forwards < 100:
            extra = peak_bytes(lambda name=name, settings=settings: explain(classifier, well, name, **settings), device)
            row["extra_mb"] = round(max(0, extra - own) / 2**20, 1)
        print(
            f"{row['method']:<22} {row['forwards']:>9.2f} forwards, {row['time']:>8.1f} x one, {row['ms']} ms",
            flush=True,
        )
        rows.append(row)
    return rows


def on_gpu() -> list[dict[str, Any]]:
    """A network like ResNet-50 for five stains at 224 px, in milliseconds."""
    try:
        from monai.networks.nets import resnet50
    except ImportError:
        return []
    torch.manual_seed(0)
    network = settled(resnet50(spatial_dims=2, n_input_channels=5, num_classes=4))
    classifier = opened(network, 224, "cuda")
    rows = []
    for kind in ("logit", "probability"):
        problem = problem_of(classifier, noise(224), kind)
        layer = classifier.layer().name
        settings = PixelAblationCamParameters(channels="none")

        def forward(problem: Problem = problem) -> None:
            with torch.no_grad():
                classifier.scores(problem.x)

        def every(problem: Problem = problem, layer: str = layer) -> None:
            with torch.no_grad():
                ablate_all(problem, classifier.features(problem.x, layer), layer)

        def fast(problem: Problem = problem, settings: PixelAblationCamParameters = settings) -> None:
            compute(problem, settings)

        for action in (forward, every, fast):
            action()
        rows.append(
            {
                "score": kind,
                "locations": "{} x {}".format(*classifier.layer().shape[1:]),
                "forward_ms": round(1000 * seconds(forward, 10), 2),
                "pixel_ablation_cam_ms": round(1000 * seconds(fast, 10), 2),
                "brute_force_ms": round(1000 * seconds(every, 5), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


# ------------------------------------------------------------------------------------------------------------ report


def line(row: dict[str, Any]) -> str:
    return (
        f"{row['name']} {row['size']} px, {row['locations']}: {row['way']}, {row['forwards']} forwards, "
        f"{row['head_runs']} head runs (bar {row['bar']}: {'met' if row['met'] else 'MISSED'}), {row['time']} x one forward "
        f"(brute force {row['brute_time']}), rank {row['rank']}, error {row['error']:.1e}, {row['extra_mb']} MB"
    )


def table(found: dict[str, Any]) -> str:
    """What a person reads."""
    facts = found["facts"]
    lines = [
        "# How fast Pixel Ablation-CAM is",
        "",
        f"{facts['date']}, {facts['machine']}; " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()) + ".",
        "",
        *[paragraph.replace("\n", " ") for paragraph in (__doc__ or "").split("\n\n")[2:]],
        "",
        "| network and head | input | locations | way | forwards | head runs | bar | time | time of brute force | rank | error "
        "| memory |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} | {row['size']} px | {row['locations']} | {row['way']} | {row['forwards']:.2f} | "
        f"{row['head_runs']:.0f} | {row['bar']}: {'met' if row['met'] else '**missed**'} | {row['time']:.1f} "
        f"| {row['brute_time']:.1f} | {row['rank']:.4f} | {row['error']:.0e} | {row['extra_mb']:.0f} MB |"
        for row in found["pixel_ablation_cam"]
    ]
    lines += [
        "",
        "Every method on the sample classifier (256 px, 32 x 32 locations at its last block), as `explain` runs it: preparing the",
        "well, the score itself and the record included, the stains' Shapley values left out.",
        "",
        "| method | forwards | time | ms | memory |",
        "|---|---|---|---|---|",
        *(
            f"| {row['method']} | {row['forwards']:.1f} | {row['time']:.1f} | {row['ms']} | "
            + (f"{row['extra_mb']:.0f} MB |" if "extra_mb" in row else "not measured |")
            for row in found["peers"]
        ),
    ]
    if found["gpu"]:
        lines += [
            "",
            "On the GPU, like ResNet-50, five stains, 224 px, in milliseconds.",
            "",
            "| score | locations | forward | Pixel Ablation-CAM | brute force |",
            "|---|---|---|---|---|",
            *(
                f"| {row['score']} | {row['locations']} | {row['forward_ms']} | {row['pixel_ablation_cam_ms']} "
                f"| {row['brute_force_ms']} |"
                for row in found["gpu"]
            ),
        ]
    return "\n".join(lines) + "\n"


def facts() -> dict[str, Any]:
    versions = {}
    for name in VERSIONS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    machine = f"{platform.system()} {platform.machine()}, {threads}, {gpu}, Python {platform.python_version()}"
    return {"date": date.today().isoformat(), "machine": machine, "versions": versions}


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="rows whose name has this in it; no peers"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()

    def wanted(name: str) -> bool:
        return not options.only or any(word in name for word in options.only)

    rows = [*last_block(options.device, wanted), *flat(options.device, wanted), *early(options.device, wanted)]
    found: dict[str, Any] = {
        "facts": facts(),
        "pixel_ablation_cam": rows,
        "peers": [] if options.only else peers(options.device),
        "gpu": on_gpu() if options.device.startswith("cuda") and not options.only else [],
    }
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "speed.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        (options.out / "speed.md").write_text(table(found), "utf-8")


if __name__ == "__main__":
    main()
