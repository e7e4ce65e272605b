"""Which networks can be opened and cut in two, by which technique, and whether the halves are exactly the whole.

    python benchmarks/classifiers.py --out benchmarks/results
    python benchmarks/classifiers.py --only "HF swin" --how traced

Every architecture of `tests/architectures` is saved scripted, traced and exported, opened from the disk, and then asked
at *every* layer that the plugin offers:

- are head(features(x)) the scores of the eager network, for one input and for three, and its gradient to the input?
- does the head, given three changed activations of one input, answer as it does to each by itself?
- where a module of the eager network makes that very activation: does the eager network, with that output replaced by
  the changed one, answer the same? (This twin knows nothing of graphs.)

A layer that is used and fails one of these is a *silent wrong answer*. A layer that the plugin refuses when it is asked
for is counted as *dead* where the scores do not depend on it (the other tokens behind the last attention), else as
refused. Each pair is a process of its own, so that a
crash or a network that never ends costs no more than its own row.
"""

import argparse
import gc
import importlib
import json
import multiprocessing
import multiprocessing.connection
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from architectures import ARCHITECTURES, NEEDS, Architecture
from architectures.checking import check
from architectures.saving import HOW, save

from napari_attribution.classifiers.answers import reason, sole_scores
from napari_attribution.classifiers.classifier import Classifier
from napari_attribution.classifiers.files.exported import open_exported
from napari_attribution.classifiers.files.loading import load_classifier
from napari_attribution.classifiers.files.torchscript import open_torchscript
from napari_attribution.classifiers.splitting.halves import Halves
from napari_attribution.errors import AttributionError

VERSIONS = ("torch", "monai", "transformers", "numpy")
# ------------------------------------------------------------------------------------------------------------ one pair


def measure(architecture: Architecture, how: str, folder: Path) -> dict[str, Any]:
    """The row of one pair."""
    row: dict[str, Any] = {"architecture": architecture.name, "source": architecture.source, "how": how}
    network = architecture.build()
    saved = save(architecture, network, how, folder)
    if saved.path is None:
        return row | {"status": "not saved", "reason": saved.note}
    row["file"] = saved.note
    started = time.perf_counter()
    try:
        classifier = load_classifier(saved.path, device="cpu", card=architecture.card, time_limit=None)
    except AttributionError as error:
        return row | {"status": "not loaded", "reason": str(error)}
    row["load_ms"] = round(1000 * (time.perf_counter() - started))
    row["cutting_ms"] = round(1000 * classifier.cutting_seconds, 1)
    row["technique"] = classifier.technique or None
    row["notes"] = list(classifier.notes)
    row["gradients"] = classifier.gradients
    row["one_by_one"] = classifier.one_by_one
    row["cuts"] = len(classifier.layers)
    row["default"] = default_layer(classifier, architecture)

    verdict = check(classifier, network, architecture)
    row |= asdict(verdict) | {"exact": len(verdict.exact), "confirmed": len(verdict.confirmed)}
    row["moved"] = moved(saved.path, how, classifier, architecture)
    row["status"] = (
        "wrong" if verdict.wrong or not (verdict.file_is_the_network or architecture.data_decides)
        else "no cut" if classifier.default_layer is None
        else "some refused" if verdict.refused
        else "exact"
    )  # fmt: skip
    return row


def default_layer(classifier: Classifier, architecture: Architecture) -> dict[str, Any] | None:
    """The default layer, and whether it is as the catalogue expects."""
    if classifier.default_layer is None:
        return None
    layer, behind = classifier.layer(), classifier.head_cost()
    expected = architecture.default is None or architecture.default.fits(layer.shape, behind)
    return {"name": layer.name, "shape": list(layer.shape), "behind": round(behind, 3), "as_expected": expected}


def moved(path: Path, how: str, classifier: Classifier, architecture: Architecture) -> str:
    """Whether the halves, made on another device, run there: "cuda", or "meta", which computes shapes only."""
    if classifier.default_layer is None:
        return ""
    device = torch.device("cuda" if torch.cuda.is_available() else "meta")
    k = len(architecture.card.classes)
    try:
        if how == "exported":
            network = open_exported(path, device)
        else:
            # torch.jit.load compares constants, which cannot be done on meta: the graph alone is moved there.
            network = open_torchscript(path, torch.device("cpu") if device.type == "meta" else device)
        x = architecture.inputs(1 if classifier.one_by_one else 2).to(device, network.dtype)
        technique = next(each for each in network.techniques(x[:1]) if each.name == classifier.technique)
        cut = classifier._splitter._cuts[classifier.default_layer]
        halves = Halves(technique.part(cut), cut)
        with torch.no_grad(), torch.jit.optimized_execution(False):
            maps, carried = halves.features(x)
            scores = sole_scores(halves.head(maps, carried), k)
    except Exception as error:
        return f"fails: {type(error).__name__}: {reason(error)}"[:300]
    right = scores.device.type == device.type and tuple(scores.shape) == (len(x), k)
    return device.type if right else f"fails: {tuple(scores.shape)} on {scores.device}"


# ------------------------------------------------------------------------------------------------------------ all pairs


def _in_child(name: str, how: str, sender: multiprocessing.connection.Connection) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            row = measure(ARCHITECTURES[name], how, Path(folder))
        except Exception as error:
            import traceback

            where = traceback.extract_tb(error.__traceback__)[-1]
            row = {"architecture": name, "source": ARCHITECTURES[name].source, "how": how, "status": "failed",
                   "reason": f"{type(error).__name__} in {where.name}: {reason(error)}"}  # fmt: skip
    sender.send(row)
    sender.close()


def run(pairs: list[tuple[str, str]], jobs: int, seconds: float) -> list[dict[str, Any]]:
    """Every pair in a process of its own, `jobs` at a time."""
    for library in {library for name, _ in pairs for library in NEEDS[ARCHITECTURES[name].source]}:
        # Imported once here, for all the children that are forked from this process.
        importlib.import_module("monai.networks.nets" if library == "monai" else library)
    if any(ARCHITECTURES[name].source == "transformers" for name, _ in pairs):
        importlib.import_module("transformers.modeling_utils")
    gc.freeze()  # else the children spend their time looking through what the libraries have left here
    start_as = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    waiting, rows = list(enumerate(pairs)), {}
    running: dict[Any, tuple[int, Any, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index, (name, how) = waiting.pop(0)
            receiver, sender = start_as.Pipe(duplex=False)
            process = start_as.Process(target=_in_child, args=(name, how, sender))
            process.start()
            sender.close()
            running[receiver] = (index, process, time.monotonic())
        ready = multiprocessing.connection.wait(list(running), timeout=0.5)
        for receiver, (index, process, since) in list(running.items()):
            name, how = pairs[index]
            late = time.monotonic() - since > seconds
            if receiver not in ready and not late:
                continue
            try:
                row = receiver.recv() if receiver in ready else None
            except EOFError:
                row = None
            if row is None:
                process.kill()
                process.join()
                why = f"took longer than {seconds:g} s" if late else f"the process died ({process.exitcode})"
                source = ARCHITECTURES[name].source
                row = {"architecture": name, "source": source, "how": how, "status": "failed", "reason": why}
            process.join()
            row["seconds"] = round(time.monotonic() - since, 1)
            rows[index] = row
            del running[receiver]
            print(line(row), flush=True)
    return [rows[index] for index in sorted(rows)]


# ------------------------------------------------------------------------------------------------------------ reporting


def line(row: dict[str, Any]) -> str:
    """One pair for the terminal."""
    head = f"{row['architecture']:<34} {row['how']:<9} {row['status']:<12}"
    if "cuts" not in row:
        return f"{head} {row.get('reason', '')[:160]}"
    told = [f"{row['technique']}, {row['exact']}/{row['cuts']} exact, {row['confirmed']} confirmed"]
    told += [f"{len(row['dead'])} dead"] if row["dead"] else []
    if row["default"]:
        shape = " x ".join(map(str, row["default"]["shape"]))
        told.append(
            f"default {row['default']['name']} {shape}" + ("" if row["default"]["as_expected"] else " (NOT EXPECTED)")
        )
    told += ["one by one"] * row["one_by_one"] + ["no gradients"] * (not row["gradients"])
    told += ["" if row["file_is_the_network"] else "FILE IS ANOTHER NETWORK"]
    told += [f"moved: {row['moved']}"] if row["moved"] else []
    told += [f"cut in {row['cutting_ms']:.0f} ms, loaded in {row['load_ms']} ms"]
    if row["wrong"]:
        told.append(f"WRONG at {len(row['wrong'])}: {_some(row['wrong'], 2)}")
    told += [f"refused {len(row['refused'])}: {next(iter(row['refused'].values()))}"] if row["refused"] else []
    if row["status"] == "no cut":
        told += [note for note in row["notes"] if "cut" in note]
    return f"{head} {', '.join(part for part in told if part)}"


def _some(problems: dict[str, str], count: int) -> str:
    return "; ".join(f"{layer}: {problem}" for layer, problem in list(problems.items())[:count])


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per way of saving: pairs, what became of them, and the shares that are asked for."""
    found: dict[str, Any] = {}
    for how in HOW:
        of_how = [row for row in rows if row["how"] == how]
        saved = [row for row in of_how if row["status"] != "not saved"]
        measured = [row for row in saved if "cuts" in row]
        counted: dict[str, Any] = {"pairs": len(of_how), "saved": len(saved), "loaded": len(measured)}
        for status in ("exact", "some refused", "no cut", "wrong", "not loaded", "failed"):
            counted[status] = sum(row["status"] == status for row in saved)
        counted["cuts"] = sum(row["cuts"] for row in measured)
        counted["exact cuts"] = sum(row["exact"] for row in measured)
        counted["dead cuts"] = sum(len(row["dead"]) for row in measured)
        counted["refused cuts"] = sum(len(row["refused"]) for row in measured)
        counted["silently wrong cuts"] = sum(len(row["wrong"]) for row in measured)
        counted["cuts confirmed by the eager twin"] = sum(row["confirmed"] for row in measured)
        counted["default layer as expected"] = sum(
            bool(row["default"] and row["default"]["as_expected"]) for row in measured
        )
        counted["moved to another device"] = sum(row["moved"] in ("cuda", "meta") for row in measured)
        counted["exact share"] = round(counted["exact"] / len(saved), 3) if saved else None
        times = sorted(row["cutting_ms"] for row in measured)
        if times:
            counted["cutting ms, median"], counted["cutting ms, most"] = times[len(times) // 2], times[-1]
        found[how] = counted
    return found


def table(rows: list[dict[str, Any]], facts: dict[str, Any]) -> str:
    """All pairs as a page to read."""
    text = [
        "# Networks that can be opened and cut",
        "",
        f"{facts['date']}, {facts['machine']}; " + ", ".join(f"{k} {v}" for k, v in facts["versions"].items()) + ".",
        "Made by `python benchmarks/classifiers.py --out benchmarks/results`, which says what is checked at every cut.",
        "",
        "A cell: technique, exact cuts of those offered, the default layer's shape, milliseconds of cutting.",
        "",
        "| | " + " | ".join(HOW) + " |",
        "|---|" + "---|" * len(HOW),
    ]
    counted = totals(rows)
    for key in dict.fromkeys(key for how in HOW for key in counted[how]):
        text.append(f"| {key} | " + " | ".join(str(counted[how].get(key, "")) for how in HOW) + " |")
    text += ["", "| architecture | " + " | ".join(HOW) + " |", "|---|" + "---|" * len(HOW)]
    by_pair = {(row["architecture"], row["how"]): row for row in rows}
    for name in dict.fromkeys(row["architecture"] for row in rows):
        text.append(f"| {name} | " + " | ".join(cell(by_pair.get((name, how))) for how in HOW) + " |")
    text += ["", "## Why not", ""]
    for row in rows:
        why = row.get("reason") or _some(row.get("wrong") or row.get("refused") or {}, 3)
        if not why and row["status"] == "no cut":
            why = " ".join(row["notes"])
        if row["status"] not in ("exact",) and why != "not for this kind of file":
            text.append(f"- {row['architecture']}, {row['how']}: {row['status']}. {' '.join(why.split())}")
    return "\n".join(text) + "\n"


def cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if "cuts" not in row:
        return "-" if row["status"] == "not saved" else row["status"]
    if row["status"] == "no cut":
        return "no cut"
    shape = "x".join(map(str, row["default"]["shape"])) if row["default"] else "no default"
    wrong = f", **{len(row['wrong'])} WRONG**" if row["wrong"] else ""
    return f"{row['technique']} {row['exact']}/{row['cuts'] - len(row['dead'])}, {shape}, {row['cutting_ms']:.0f} ms{wrong}"


def facts() -> dict[str, Any]:
    versions = {}
    for library in VERSIONS:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {gpu}, Python {platform.python_version()}"
    )
    return {"date": date.today().isoformat(), "machine": machine, "versions": versions}


def main() -> None:
    """Choose, run, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="architectures whose name has this in it")
    parser.add_argument("--how", nargs="+", choices=HOW, default=HOW)
    parser.add_argument("--seconds", type=float, default=90, help="that a pair may take")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="pairs at a time")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    wanted = [word.casefold() for word in options.only]
    names = [name for name in ARCHITECTURES if not wanted or any(word in name.casefold() for word in wanted)]
    absent = sorted({ARCHITECTURES[name].missing for name in names} - {""})
    if absent:
        print(f"without {', '.join(absent)}: their networks are left out")
    started = time.monotonic()
    pairs = [(name, how) for name in names if not ARCHITECTURES[name].missing for how in options.how]
    rows = run(pairs, options.jobs, options.seconds)
    for how, counted in totals(rows).items():
        if counted["pairs"]:
            print(f"{how}: " + ", ".join(f"{key} {value}" for key, value in counted.items()))
    print(f"{len(rows)} pairs in {time.monotonic() - started:.0f} s")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        told = facts()
        kept = told | {"totals": totals(rows), "rows": rows}
        (options.out / "classifiers.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        (options.out / "classifiers.md").write_text(table(rows, told), "utf-8")


if __name__ == "__main__":
    main()
