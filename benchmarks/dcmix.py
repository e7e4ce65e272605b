"""Whether the mixing weights of DCMIX name the stain that matters, where it is known which one does; and what they cost.

    python benchmarks/dcmix.py --out benchmarks/results [--only graded,planted,bbbc013,decoys,cost] [--bbbc013 FOLDER]

graded    six channels of digits (scikit-learn's, enlarged to 32 x 32), each of which shows a digit of the example's class with a
          probability of its own: 0.95, 0.80, ... 0.20 (0.1 is chance). Spearman between the importance and that order, beside it
          what else could be asked: single-channel networks, four ways to ask the network on all channels, attention on its
          input. Then with two channels of noise, and with one channel there twice.
planted   drawn cells (`sample_data/fields.py`) in which one stain is changed, one of two, or two at once; controls show the
          same cells. The stain that was changed must come first; accuracy beside the same network on all stains.
bbbc013   BBBC013, rows A-D, dose rank 7 and more against 0: `train_dcmix` as it comes, with its comparisons. GFP must lead.
decoys    graded digits in five channels, and a sixth ten times brighter, whose digits are drawn at random: it must come last.
          The same without standardisation of the channels, beside it.
cost      a training step with the mixing layer against the same backbone fed with the blended channel, in turns.

The recipe's defaults were chosen on seeds from 100 on, and scenes of their own; what is told here is of the seeds 0 to 4. The
seeds of a section run in two processes of one torch thread each; bbbc013 in this one, with as many threads as there are.
Digits are neither turned nor cropped (a 6 is a 9 upside down); apart from that, and for 32 of them to a step and 10 epochs,
the recipe is the default one. Each section is kept with its own date; one that is not asked for stays as it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dcmix_rivals as rivals
import numpy as np
import torch
from dcmix_truths import CHANCE, GRADES, PHENOTYPES, STAINS, Task, changed, digits, drawn, planted
from torch.nn.functional import cross_entropy

from napari_attribution.training.backbones import MixedNetwork, make_network
from napari_attribution.training.fitting import Fitted, fit
from napari_attribution.training.optimiser import Optimiser
from napari_attribution.training.recipe import Recipe

SEEDS = 5
DIGITS = Recipe(size=32, crop=1, turns=False, batch=32, epochs=10)
CELLS = Recipe()
SINGLE = "single-channel accuracy"
ATTENTION = "attention on the input"
NOISE, COPIED = 2, 1
DECOY = 10.0
FIRST_SCENE = 50_000
TWO = ("mito fragmented", "actin fibres")
PLANTED = (*PHENOTYPES, f"either: {', '.join(TWO)}", f"both: {', '.join(TWO)}", "each")


def train(task: Task, recipe: Recipe, seed: int, how: str | int, standardised: bool = True) -> tuple[Fitted, float]:
    """A network ("dcmix", "all", "attention", or that of one channel by its number), and its accuracy on what is held out."""
    training, validation, held_out = task.sides(how if isinstance(how, int) else None, standardised)
    channels, classes = training.inputs.shape[1], int(training.classes.max()) + 1
    network = make_network(recipe, channels, classes, how == "dcmix", seed=seed)
    if how == "attention":
        torch.manual_seed(seed)
        network = rivals.WithAttention(channels, network)
    fitted = fit(network, training, validation, recipe, seed=seed)
    return fitted, rivals.accuracy(fitted.network, held_out)


def shares(fitted: Fitted) -> list[float]:
    """The importances, rounded."""
    assert fitted.importance is not None
    return [round(float(share), 3) for share in fitted.importance]


# ---------------------------------------------------------------------------------------------------------------- graded


def graded_seed(seed: int) -> dict[str, Any]:
    """One seed of the graded channels, with all that stands beside DCMIX, and of the two variants."""
    torch.set_num_threads(1)
    task, truth = digits(seed), np.array(GRADES)
    mixed, right = train(task, DIGITS, seed, "dcmix")
    whole, whole_right = train(task, DIGITS, seed, "all")
    attention, attention_right = train(task, DIGITS, seed, "attention")
    singles = [train(task, DIGITS, seed, channel)[1] for channel in range(len(GRADES))]
    held_out = task.sides()[2]
    values = rivals.asked(whole.network, held_out, count=60)
    values |= {SINGLE: np.array(singles), ATTENTION: rivals.gates(attention.network, held_out)}  # type: ignore[arg-type]
    noisy, noisy_right = train(digits(seed, (*GRADES, *[0.0] * NOISE)), DIGITS, seed, "dcmix")
    copy = len(GRADES)
    doubled, doubled_right = train(
        digits(seed, (*GRADES, GRADES[COPIED]), same=[(COPIED, copy)]), DIGITS, seed, "dcmix"
    )
    of_doubled = np.array(shares(doubled))
    together = of_doubled[:copy].copy()
    together[COPIED] += of_doubled[copy]
    return {
        "importance": shares(mixed),
        "rho": {"DCMIX": rivals.rho(mixed.importance, truth)}  # type: ignore[arg-type]
        | {name: rivals.rho(found, truth) for name, found in values.items()},
        "accuracy": {"DCMIX": right, "all channels": whole_right, "attention": attention_right, "singles": singles},
        "noise": {
            "importance": shares(noisy),
            "rho of the six": rivals.rho(np.array(shares(noisy))[: len(GRADES)], truth),
            "noise last": bool(min(shares(noisy)[: len(GRADES)]) > max(shares(noisy)[len(GRADES) :])),
            "accuracy": noisy_right,
        },
        "doubled": {
            "importance": shares(doubled),
            "rho, copies added up": rivals.rho(together, truth),
            "rho, one copy": rivals.rho(of_doubled[:copy], truth),
            "accuracy": doubled_right,
        },
    }


def graded(processes: int) -> dict[str, Any]:
    """All seeds."""
    found = in_turn(graded_seed, range(SEEDS), processes)
    rhos = {name: [round(one["rho"][name], 3) for one in found] for name in found[0]["rho"]}
    return {
        "agreement of the channels": list(GRADES),
        "importance": mean_of([one["importance"] for one in found]),
        "importance of each seed": [one["importance"] for one in found],
        "Spearman with the known order, mean": {name: round(float(np.nanmean(each)), 3) for name, each in rhos.items()},
        "Spearman of each seed": rhos,
        "accuracy": {
            name: mean_of([one["accuracy"][name] for one in found])
            for name in ("DCMIX", "all channels", "attention", "singles")
        },
        "with two channels of noise": {
            "importance": mean_of([one["noise"]["importance"] for one in found]),
            "Spearman of the six": [round(one["noise"]["rho of the six"], 3) for one in found],
            "mean Spearman": mean_of([one["noise"]["rho of the six"] for one in found]),
            "noise below all others": f"{sum(one['noise']['noise last'] for one in found)} of {SEEDS}",
            "accuracy": mean_of([one["noise"]["accuracy"] for one in found]),
        },
        f"with channel {COPIED + 1} there twice": {
            "importance, the copy last": mean_of([one["doubled"]["importance"] for one in found]),
            "mean Spearman, copies added up": mean_of([one["doubled"]["rho, copies added up"] for one in found]),
            "mean Spearman, without the copy": mean_of([one["doubled"]["rho, one copy"] for one in found]),
            "accuracy": mean_of([one["doubled"]["accuracy"] for one in found]),
        },
    }


# --------------------------------------------------------------------------------------------------------------- planted

_scenes = np.empty(0)


def _share(file: str) -> None:
    """In a process of its own: the scenes that all its tasks are made of."""
    global _scenes
    _scenes = np.load(file, mmap_mode="r")
    torch.set_num_threads(1)


def planted_seed(asked: tuple[str, int]) -> dict[str, Any]:
    """One task of one seed: DCMIX and the same network on all stains; with two stains, two mixers as well."""
    name, seed = asked
    task = planted(_scenes, name, seed)
    mixed, right = train(task, CELLS, seed, "dcmix")
    whole_right = train(task, CELLS, seed, "all")[1]
    found = {"task": name, "importance": shares(mixed), "DCMIX": right, "all stains": whole_right}
    if len(changed(name)) > 1:
        several, several_right = train(task, CELLS.model_copy(update={"mixers": 3}), seed, "dcmix")
        found |= {"three mixers": several_right, "importance of three": shares(several)}
    return found


def planted_all(processes: int, scenes: int) -> dict[str, Any]:
    """All tasks and seeds."""
    wanted, found = [(task, seed) for task in PLANTED for seed in range(SEEDS)], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scenes.npy")
        np.save(file, drawn(range(FIRST_SCENE, FIRST_SCENE + scenes), processes))
        with ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_share, initargs=(str(file),)
        ) as pool:
            for one in pool.map(planted_seed, wanted):
                found.append(one)
                print(one, flush=True)
    return {"scenes": scenes, "stains": list(STAINS), **of_tasks(found)}


def of_tasks(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What each task came to, of those that are over."""
    told: dict[str, Any] = {}
    for task in dict.fromkeys(one["task"] for one in found):
        of_task, stains = [one for one in found if one["task"] == task], changed(task)
        first = [{STAINS[c] for c in np.argsort(one["importance"])[::-1][: len(stains)]} for one in of_task]
        told[task] = {
            "changed": sorted(stains),
            "first": f"{sum(one == stains for one in first)} of {len(of_task)}",
            "importance": mean_of([one["importance"] for one in of_task]),
            "accuracy": {
                name: mean_of([one[name] for one in of_task])
                for name in ("DCMIX", "all stains", "three mixers")
                if name in of_task[0]
            },
            "importance of three mixers": mean_of([one["importance of three"] for one in of_task])
            if "three mixers" in of_task[0]
            else "not measured",
        }
    return told


# --------------------------------------------------------------------------------------------------------------- bbbc013


def bbbc013(folder: Path) -> dict[str, Any]:
    """`train_dcmix` on the real wells."""
    import csv

    from napari_attribution import read_well
    from napari_attribution.training.train import train_dcmix

    with (folder / "1049_Metadata.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Row"] in "ABCD"]
    wells, labels = [], []
    for row in rows:
        dose = int(float(row["SBS_Doses"]))
        if dose == 0 or dose >= 7:
            first = next(folder.glob(f"Channel1-*-{row['Row']}-{int(row['Column']):02d}.tif"))
            wells.append(read_well(first, stains=("GFP", "DNA")))
            labels.append("translocated" if dose else "untreated")
    recipe = Recipe(seeds=SEEDS)
    started, begun = time.perf_counter(), dict[int, float]()

    def tell(moment: Any) -> None:
        if moment.phase == "training":
            begun.setdefault(moment.seed, time.perf_counter() - started)

    answer = train_dcmix(wells, labels, recipe=recipe, device="cpu", tell=tell)
    total = time.perf_counter() - started
    return {
        "wells": len(wells),
        "threads": torch.get_num_threads(),
        "seconds, all networks of five seeds": round(total),
        "seconds until the fourth seed began": round(begun[3]),
        "networks": SEEDS * 4,
        "GFP leads": f"{int((answer.importances[:, 0] > answer.importances[:, 1]).sum())} of {SEEDS}",
        "importance of GFP and DNA, each seed": answer.importances.round(3).tolist(),
        "held-out accuracy by well": {
            name: [round(float(a), 3) for a in each] for name, each in answer.accuracy.items()
        },
        "Shapley": answer.shapley.round(3).tolist(),
        "permutation": answer.permutation.round(3).tolist(),
        "warnings": list(answer.warnings),
    }


# ---------------------------------------------------------------------------------------------------------------- decoys


def decoy_seed(seed: int) -> dict[str, Any]:
    """Five graded channels and a bright one that tells nothing, standardised and not."""
    torch.set_num_threads(1)
    task = digits(seed, (*GRADES[:-1], CHANCE), brighter={len(GRADES) - 1: DECOY})
    found: dict[str, Any] = {}
    for name, standardised in (("standardised", True), ("not standardised", False)):
        fitted, right = train(task, DIGITS, seed, "dcmix", standardised)
        found[name] = {"importance": shares(fitted), "accuracy": right}
    return found


def decoys(processes: int) -> dict[str, Any]:
    """All seeds."""
    found = in_turn(decoy_seed, range(SEEDS), processes)
    told: dict[str, Any] = {
        "agreement of the channels, the decoy last": [*GRADES[:-1], CHANCE],
        "times brighter": DECOY,
    }
    for name in ("standardised", "not standardised"):
        each = [one[name]["importance"] for one in found]
        told[name] = {
            "decoy last": f"{sum(int(np.argmin(one)) == len(GRADES) - 1 for one in each)} of {SEEDS}",
            "Spearman of each seed": [
                round(rivals.rho(np.array(one), np.array([*GRADES[:-1], CHANCE])), 3) for one in each
            ],
            "importance": mean_of(each),
            "accuracy": mean_of([one[name]["accuracy"] for one in found]),
        }
    return told


# ------------------------------------------------------------------------------------------------------------------ cost


def cost(steps: int) -> dict[str, Any]:
    """Steps in turns, on one thread; processor time, which other processes disturb less than the clock's."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {"steps": steps, "input": "16 x C x 128 x 128, float32"}
    for stains in (2, 5, 8):
        recipe, rng = Recipe(), torch.Generator().manual_seed(0)
        mixed = make_network(recipe, stains, 4).train().to(memory_format=torch.channels_last)
        plain = make_network(recipe, 1, 4, mixed=False).train().to(memory_format=torch.channels_last)
        assert isinstance(mixed, MixedNetwork)
        optimisers = [Optimiser(network, recipe, torch.device("cpu")) for network in (mixed, plain)]
        side = int(recipe.size * recipe.crop)
        x = torch.randn(16, stains, side, side, generator=rng).contiguous(memory_format=torch.channels_last)
        blended, classes = mixed.mixing(x).detach(), torch.randint(4, (16,), generator=rng)
        took: tuple[list[float], list[float], list[float]] = ([], [], [])
        for number in range(steps + 3):
            # The plain form stands third: what folding spares.
            for which, (forward, inputs) in enumerate(((mixed.folded, x), (plain, blended), (mixed, x))):
                started = time.process_time()
                optimisers[which % 2].step(cross_entropy(forward(inputs), classes), 0.5)
                mixed.mixing.project()
                if number >= 3:
                    took[which].append(time.process_time() - started)
        parameters = [sum(p.numel() for p in part.parameters()) for part in (mixed.mixing, mixed.backbone)]
        found[f"{stains} stains"] = {
            "parameters of the mixing layer and the backbone": parameters,
            "share of the parameters": f"{100 * parameters[0] / parameters[1]:.4f} %",
            "milliseconds a step, blended before": round(1000 * statistics.median(took[1]), 1),
            "milliseconds a step, with the layer": round(1000 * statistics.median(took[0]), 1),
            "more": f"{100 * (ratio(took[0], took[1]) - 1):+.1f} %",
            "more, weights not folded into the filters": f"{100 * (ratio(took[2], took[1]) - 1):+.1f} %",
        }
    return found


def ratio(one: list[float], other: list[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


# --------------------------------------------------------------------------------------------------------------- telling


def in_turn(work: Callable[[int], dict[str, Any]], seeds: range, processes: int) -> list[dict[str, Any]]:
    """The seeds, in processes of their own."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        found = []
        for seed, one in zip(seeds, pool.map(work, seeds), strict=True):
            found.append(one)
            print(f"seed {seed}: {json.dumps(one)}", flush=True)
    return found


def mean_of(each: list[Any]) -> Any:
    """The mean over seeds of numbers or lists of numbers."""
    mean = np.mean(each, axis=0).round(3)
    return mean.tolist()


def told(kept: dict[str, Any]) -> str:
    """The results as a page."""
    lines = ["# Which stain matters: DCMIX where it is known", "", "Made by `benchmarks/dcmix.py`, which says how.", ""]
    lines += ["![Importances where the order is known](dcmix.png)", ""]
    for name, found in kept.items():
        lines += [
            f"## {name}",
            "",
            f"{found['date']}, {found['machine']}; {found['seconds']} s; load average {found['load_average']['before']} "
            f"before and {found['load_average']['after']} after.",
            "",
        ]
        figures = {k: v for k, v in found.items() if k not in ("date", "machine", "load_average", "seconds")}
        lines += ["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in figures.items()), ""]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{key}: {_cell(one)}" for key, one in value.items())
    return (
        ", ".join(f"[{_cell(one)}]" if isinstance(one, list) else str(one) for one in value)
        if isinstance(value, list)
        else str(value)
    )


def plot(kept: dict[str, Any], file: Path) -> None:
    """Importance against what is known, and each way's Spearman."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    if "graded" in kept:
        found = kept["graded"]
        grades = found["agreement of the channels"]
        for each in found["importance of each seed"]:
            left.plot(grades, each, "o-", color="#0072b2", alpha=0.45, markersize=4)
        left.set(
            xlabel="share of examples whose digit agrees", ylabel="DCMIX importance", title="Graded channels, 5 seeds"
        )
        rhos = sorted(found["Spearman with the known order, mean"].items(), key=lambda item: item[1])
        colours = ["#0072b2" if name == "DCMIX" else "#999999" for name, _ in rhos]
        middle.barh([name for name, _ in rhos], [value for _, value in rhos], color=colours)
        middle.set(xlabel="Spearman with the known order", title="Ways to ask", xlim=(min(0, *(v for _, v in rhos)), 1))
    if "planted" in kept:
        tasks = [task for task in PLANTED if task in kept["planted"]]
        shown = np.array([kept["planted"][task]["importance"] for task in tasks])
        right.imshow(shown, vmin=0, vmax=1, cmap="Blues")
        right.set_xticks(range(len(STAINS)), STAINS)
        right.set_yticks(range(len(tasks)), [task.replace(": ", ":\n") for task in tasks], fontsize=8)
        for row, of_task in enumerate(shown):
            for column, share in enumerate(of_task):
                mark = "•" if STAINS[column] in kept["planted"][tasks[row]]["changed"] else ""
                right.text(
                    column,
                    row,
                    f"{share:.2f}{mark}",
                    ha="center",
                    va="center",
                    color="w" if share > 0.5 else "k",
                    fontsize=8,
                )
        right.set_title("Drawn cells; • changed")
    else:
        right.axis("off")
    figure.savefig(file, dpi=90)


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", default="graded,planted,bbbc013,decoys,cost", help="sections, with commas between them"
    )
    parser.add_argument("--bbbc013", type=Path, help="folder with BBBC013v1, rows A-D, and 1049_Metadata.csv")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=80, help="for planted: scenes that are drawn")
    parser.add_argument("--steps", type=int, default=60, help="for cost")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "graded": lambda: graded(options.processes),
        "planted": lambda: planted_all(options.processes, options.scenes),
        "bbbc013": lambda: bbbc013(options.bbbc013),
        "decoys": lambda: decoys(options.processes),
        "cost": lambda: cost(options.steps),
    }
    file = options.out / "dcmix.json" if options.out else None
    kept = json.loads(file.read_text("utf-8")) if file and file.exists() else {}
    for name in options.only.split(","):
        if name == "bbbc013" and options.bbbc013 is None:
            print("bbbc013 is left out: no folder was given by --bbbc013.")
            continue
        before, started = round(os.getloadavg()[0], 1), time.perf_counter()
        found = sections[name]()
        kept[name] = {
            "date": date.today().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"torch {version('torch')}",
            "seconds": round(time.perf_counter() - started),
            "load_average": {"before": before, "after": round(os.getloadavg()[0], 1)},
            **found,
        }
        print(json.dumps(kept[name], indent=1), flush=True)
        if file:
            options.out.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
            file.with_suffix(".md").write_text(told(kept), "utf-8")
            plot(kept, file.with_suffix(".png"))


if __name__ == "__main__":
    main()
