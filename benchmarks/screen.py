"""What a screen costs beyond its explanations, how it grows with workers, and whether memory grows with the plate.

    python benchmarks/screen.py --out benchmarks/results [--only overhead,workers,memory,many]

overhead  fields a second of a run (reads, explains, asks how far to trust, measures, writes maps and table), against the bare loop
          of `Field.read` and `explain(faithfulness=True)` in the same process, round by round in turns; the sample wells and
          their classifier.
workers   fields a second of two processes against one, one torch thread each, from the first chunk that is committed to
          the last; the same wells.
memory    peak memory of a run of 24, 384 and 3,456 fields of 256 x 256 pixels in three stains, each in a process of its own.
many      10,000 and 100,000 fields of 8 x 8 pixels that are made when they are read, each in a process of its own: seconds, memory
          after each tenth, and the peak with what comes last, when the plate is judged and the table written.

Each section is kept with its own date; one that is not asked for stays as it was.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_attribution import ClassifierCard, explain, load_classifier
from napari_attribution.classifiers.cards.io import write_card
from napari_attribution.screens.run.screen import run_screen
from napari_attribution.wells import Field, Plate, Well
from napari_attribution.wells.plate import Fields

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
STAINS = ("DNA", "ER", "RNA", "AGP", "Mito")
SIZES = (24, 384, 3456)
MANY = 100_000
BARE = {"pixel-ablation-cam": {"channels": "none"}}


class Small(torch.nn.Module):
    """Two convolutions, a mean, a linear layer."""

    def __init__(self, stains: int) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(stains, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 8, 3, 2, 1), torch.nn.ReLU()
        )
        self.head = torch.nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean(dim=(2, 3)))


def small_classifier(folder: Path, stains: int, size: int) -> Path:
    """A network with random weights, with its card beside it."""
    torch.manual_seed(0)
    path = folder / "small.pt"
    torch.jit.script(Small(stains).eval()).save(str(path))
    scale = {"mean": [2000.0] * stains, "std": [1000.0] * stains, "background": [80.0] * stains}
    card = ClassifierCard(stains=STAINS[:stains], classes=("a", "b"), size=(size, size), mode="resize", **scale)
    write_card(card, path)
    return path


@dataclass(frozen=True)
class Drawn(Field):
    """A field that is drawn when it is read: `reading` has its side, its stains and its seed."""

    def read(self) -> Well:
        side, stains = self.reading["side"], self.reading["stains"]
        noise = np.random.default_rng(self.reading["seed"]).integers(80, 4000, (stains, side, side), dtype=np.uint16)
        return Well(noise, STAINS[:stains], position=self.position, field=self.number)


def _drawn(position: str, first: int, side: int, stains: int, number: int) -> Field:
    return Drawn(position, number, {"side": side, "stains": stains, "seed": first + number})


def drawn_plate(count: int, side: int, stains: int) -> Plate:
    """So many fields, made on demand, over a plate of 1536 wells at most."""
    wells = min(1536, max(1, count // 9))
    fields, first = {}, 0
    for well in range(wells):
        of = count // wells + (well < count % wells)
        row, column = divmod(well, 48)
        letters = chr(ord("A") + row) if row < 26 else "A" + chr(ord("A") + row - 26)
        position = f"{letters}{column + 1:02}"
        fields[position] = Fields(tuple(range(1, of + 1)), partial(_drawn, position, first, side, stains))
        first += of
    return Plate("drawn", "drawn", "drawn", (32, 48), STAINS[:stains], fields)


def sample_plate(count: int) -> Plate:
    """The sample wells, again and again."""
    files = sorted((SAMPLE / "wells").glob("*.ome.tiff"))
    names = [f"{chr(ord('A') + number // 24)}{number % 24 + 1:02}" for number in range(count)]
    fields = {name: (Field(name, 1, {"path": str(files[number % len(files)])}),) for number, name in enumerate(names)}
    return Plate("sample wells", str(SAMPLE), "repeated", (16, 24), STAINS, fields)


def resident(most: bool = False) -> int:
    """MiB of memory that this process holds, or has held at most."""
    # Not getrusage: its maximum begins with that of the process by which this one was started.
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return round(int(lines["VmHWM" if most else "VmRSS"].split()[0]) / 1024)


def overhead(count: int, rounds: int) -> dict[str, Any]:
    """The run against the bare loop, in turns."""
    classifier, plate = load_classifier(SAMPLE / "phenotypes.pt"), sample_plate(count)
    seconds: dict[str, list[float]] = {"bare": [], "run": []}
    processor: dict[str, list[float]] = {"bare": [], "run": []}
    with tempfile.TemporaryDirectory() as folder:
        run_screen(sample_plate(2), classifier, Path(folder, "warm"))
        for number in range(rounds):
            started, worked = time.perf_counter(), time.process_time()
            for field in plate:
                explain(classifier, field.read(), accept_flaws=True, faithfulness=True)
            seconds["bare"].append(time.perf_counter() - started)
            processor["bare"].append(time.process_time() - worked)
            started, worked = time.perf_counter(), time.process_time()
            results = run_screen(plate, classifier, Path(folder, str(number)))
            seconds["run"].append(time.perf_counter() - started)
            processor["run"].append(time.process_time() - worked)
            assert (results.table["error"] == "").all()
    ratios = [run / bare for run, bare in zip(seconds["run"], seconds["bare"], strict=True)]
    return {
        "fields": count,
        "threads": torch.get_num_threads(),
        "fields a second, bare loop": round(count / statistics.median(seconds["bare"]), 3),
        "fields a second, run": round(count / statistics.median(seconds["run"]), 3),
        "processor seconds a field, bare loop": round(statistics.median(processor["bare"]) / count, 3),
        "processor seconds a field, run": round(statistics.median(processor["run"]) / count, 3),
        "overhead of each round": [round(ratio - 1, 3) for ratio in ratios],
        "overhead": round(statistics.median(ratios) - 1, 3),
    }


def workers(count: int) -> dict[str, Any]:
    """Two processes against one."""
    speeds, whole = {}, {}
    torch.set_num_threads(1)
    for number in (1, 2):
        heard: list[tuple[float, int]] = []

        def listen(done: int, total: int, heard: list[tuple[float, int]] = heard) -> None:
            if done and (not heard or heard[-1][1] != done):
                heard.append((time.perf_counter(), done))

        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            run_screen(
                sample_plate(count), SAMPLE / "phenotypes.pt", Path(folder, "out"), workers=number, progress=listen
            )
            whole[number] = round(count / (time.perf_counter() - started), 3)
        (first, some), (last, all_of_them) = heard[0], heard[-1]
        speeds[number] = (all_of_them - some) / (last - first)
    return {
        "fields": count,
        "fields a second": {str(number): round(speed, 3) for number, speed in speeds.items()},
        "fields a second with starting and ending": {str(number): speed for number, speed in whole.items()},
        "two against one": round(speeds[2] / speeds[1], 2),
    }


def peak(count: int) -> dict[str, Any]:
    """Peak memory of one run, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        classifier = small_classifier(Path(folder), stains=3, size=64)
        started = time.perf_counter()
        run_screen(drawn_plate(count, 256, 3), classifier, Path(folder, "out"))
        seconds = time.perf_counter() - started
    return {"MiB": resident(most=True), "seconds": round(seconds, 1)}


def alone(section: str, count: int) -> dict[str, Any]:
    """What a function finds in a process of its own."""
    command = [sys.executable, __file__, "--alone", section, str(count)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def memory(sizes: tuple[int, ...]) -> dict[str, Any]:
    """Each size in a process of its own."""
    found = {}
    for count in sizes:
        found[str(count)] = alone("peak", count)
        print(f"{count:,} fields: {found[str(count)]['MiB']} MiB, {found[str(count)]['seconds']} s", flush=True)
    peaks = [one["MiB"] for one in found.values()]
    return {"peak": found, "largest against smallest": round(max(peaks) / min(peaks) - 1, 3)}


def many(count: int) -> dict[str, Any]:
    """So many, and a tenth of them."""
    found = [alone("tiny", size) for size in (count // 10, count)]
    peaks = [one["peak with judging and the table, MiB"] for one in found]
    return {f"{one['fields']:,} fields": one for one in found} | {
        "peak of ten times the fields, more by": round(peaks[1] / peaks[0] - 1, 3)
    }


def tiny(count: int) -> dict[str, Any]:
    """Very many fields that cost next to nothing, in this process."""
    after: list[int] = []
    most: list[int] = []

    def listen(done: int, total: int) -> None:
        most[:] = [resident(most=True)]
        while len(after) < 10 * done // total:
            after.append(resident())
            print(f"{done:,} fields, {after[-1]} MiB, {time.perf_counter() - started:.0f} s", file=sys.stderr)

    with tempfile.TemporaryDirectory() as folder:
        classifier = small_classifier(Path(folder), stains=2, size=8)
        started = time.perf_counter()
        results = run_screen(
            drawn_plate(count, 8, 2), classifier, Path(folder, "out"), faithfulness=False, parameters=BARE, maps=False,
            progress=listen,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        finished = results.record["finished"]
        size = (results.path / "fields.parquet").stat().st_size
    return {
        "fields": finished["fields"],
        "failed": finished["failed"],
        "seconds": round(seconds),
        "milliseconds a field": round(1000 * seconds / count, 1),
        "memory after each tenth, MiB": after,
        "peak until the last field, MiB": most[0],
        "peak with judging and the table, MiB": resident(most=True),
        "size of the table, MiB": round(size / 2**20, 1),
    }


def told(kept: dict[str, Any]) -> str:
    """The results as a page."""
    lines = ["# What a screen costs", "", "Made by `benchmarks/screen.py`, which says how.", ""]
    for name, found in kept.items():
        lines += [
            f"## {name}",
            "",
            f"{found['date']}, {found['machine']}; load average {found['load_average']['before']} before and "
            f"{found['load_average']['after']} after.",
            "",
        ]
        figures = {key: value for key, value in found.items() if key not in ("date", "machine", "load_average")}
        lines += ["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in figures.items()), ""]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_cell(one)}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="overhead,workers,memory,many", help="sections, with commas between them")
    parser.add_argument("--fields", type=int, default=96, help="for overhead and workers")
    parser.add_argument("--rounds", type=int, default=3, help="for overhead")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="for memory")
    parser.add_argument("--many", type=int, default=MANY, help="fields of 8 x 8 pixels")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps({"peak": peak, "tiny": tiny}[options.alone[0]](int(options.alone[1]))))
        return
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "overhead": lambda: overhead(options.fields, options.rounds),
        "workers": lambda: workers(options.fields),
        "memory": lambda: memory(tuple(map(int, options.sizes.split(",")))),
        "many": lambda: many(options.many),
    }
    file = options.out / "screen.json" if options.out else None
    kept = json.loads(file.read_text("utf-8")) if file and file.exists() else {}
    for name in options.only.split(","):
        before = round(os.getloadavg()[0], 1)
        found = sections[name]()
        kept[name] = {
            "date": date.today().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"torch {version('torch')}",
            "load_average": {"before": before, "after": round(os.getloadavg()[0], 1)},
            **found,
        }
        print(json.dumps(kept[name], indent=1), flush=True)
        if file:
            options.out.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
            file.with_suffix(".md").write_text(told(kept), "utf-8")


if __name__ == "__main__":
    main()
