"""Whether the mixing weights of DCMIX name the stain that matters, where it is known which one does; and what they cost.

    python benchmarks/dcmix.py --out benchmarks/results [--only graded,planted,bbbc013,decoys,cost] [--bbbc013 FOLDER]
        [--work FOLDER]

graded    six channels of digits (scikit-learn's, enlarged to 32 x 32), each of which shows a digit of the example's class with a
          probability of its own: 0.95, 0.80, ... 0.20 (0.1 is chance). Spearman between the importance and that order, beside it
          what else could be asked: single-channel networks, four ways to ask the network on all channels, attention on its
          input. Then with two channels of noise, and with one channel there twice.
planted   drawn cells (`sample_data/fields.py`) in which one stain is changed, one of two, or two at once; controls show the
          same cells. The stain that was changed must come first; accuracy beside the same network on all stains. What else could
          be asked is asked of the changed fields that are held out; networks for that purpose alone are trained for the
          tasks of one stain and three seeds.
bbbc013   BBBC013, rows A-D, dose rank 7 and more against 0: `train_dcmix` as it comes, with its comparisons. GFP must lead. Its
          time is that of `train_dcmix` alone; what else could be asked comes after it.
decoys    graded digits in five channels, and a sixth ten times brighter, whose digits are drawn at random: it must come last.
          The same without standardisation of the channels, and what else could be asked, beside it.
cost      a training step with the mixing layer against the same backbone fed with the blended channel, in turns.

The recipe's defaults were chosen on seeds from 100 on, and scenes of their own; what is told here is of the seeds 0 to 4. The
seeds of a section run in two processes of one torch thread each; bbbc013 in this one, with as many threads as there are.
Digits are neither turned nor cropped (a 6 is a 9 upside down); apart from that, and for 32 of them to a step and 10 epochs,
the recipe is the default one. Each section is kept with its own date; one that is not asked for stays as it was. With --work,
what is over is kept in that folder, and a run that was stopped goes on there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dcmix_rivals as rivals
import numpy as np
import torch
from dcmix_jobs import beside, in_turn, mean_of, shares, train
from dcmix_page import page, plot
from dcmix_truths import (
    CHANCE,
    GRADES,
    PHENOTYPES,
    STAINS,
    TRANSLOCATION,
    changed,
    digits,
    drawn,
    of_wells,
    planted,
    translocation,
)
from torch.nn.functional import cross_entropy

from napari_attribution.training.backbones import MixedNetwork, make_network
from napari_attribution.training.network.optimiser import Optimiser
from napari_attribution.training.recipe import Recipe

SEEDS = 5
DIGITS = Recipe(size=32, crop=1, turns=False, batch=32, epochs=10)
CELLS = Recipe()
NOISE, COPIED = 2, 1
DECOY = 10.0
FIRST_SCENE = 50_000
TRAINED_BESIDE = 3
"""Seeds of the planted tasks of one stain, and of the decoys, for which rivals that are trained stand beside."""
TWO = ("mito fragmented", "actin fibres")
PLANTED = (*PHENOTYPES, f"either: {', '.join(TWO)}", f"both: {', '.join(TWO)}", "each")


# ---------------------------------------------------------------------------------------------------------------- graded


def graded_seed(seed: int) -> dict[str, Any]:
    """One seed of the graded channels, with all that stands beside DCMIX, and of the two variants."""
    task, truth = digits(seed), np.array(GRADES)
    mixed, right = train(task, DIGITS, seed, "dcmix")
    others = beside(task, DIGITS, seed, count=60)
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
        | {name: rivals.rho(np.array(found), truth) for name, found in others["values"].items()},
        "accuracy": {"DCMIX": right, **others["accuracy"]},
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


def graded(processes: int, kept: Path | None) -> dict[str, Any]:
    """All seeds."""
    found = in_turn(graded_seed, [(seed,) for seed in range(SEEDS)], processes, kept)
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


def planted_seed(name: str, seed: int) -> dict[str, Any]:
    """One task of one seed: DCMIX, and what else could be asked; with several stains changed, three mixers as well."""
    task, several = planted(_scenes, name, seed), len(changed(name)) > 1
    mixed, right = train(task, CELLS, seed, "dcmix")
    trained = not several and seed < TRAINED_BESIDE
    others = beside(task, CELLS, seed, count=12, hits=True, trained=trained)
    found = {
        "task": name,
        "importance": shares(mixed),
        "DCMIX": right,
        "all stains": others["accuracy"].pop("all channels"),
        **others,
    }
    if several:
        three, three_right = train(task, CELLS.model_copy(update={"mixers": 3}), seed, "dcmix")
        found |= {"three mixers": three_right, "importance of three": shares(three)}
    return found


def planted_all(processes: int, scenes: int, kept: Path | None) -> dict[str, Any]:
    """All tasks and seeds."""
    with tempfile.TemporaryDirectory() as folder:
        file = (kept or Path(folder)) / f"scenes-{FIRST_SCENE}-{scenes}.npy"
        if not file.exists():
            np.save(file, drawn(range(FIRST_SCENE, FIRST_SCENE + scenes), processes))
        wanted = [(task, seed) for task in PLANTED for seed in range(SEEDS)]
        found = in_turn(planted_seed, wanted, processes, kept, (_share, (str(file),)))
    return {"scenes": scenes, "stains": list(STAINS), **of_tasks(found)}


def of_tasks(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What each task came to."""
    told: dict[str, Any] = {}
    for task in dict.fromkeys(one["task"] for one in found):
        of_task, stains = [one for one in found if one["task"] == task], changed(task)
        ways: dict[str, list[bool]] = {}
        for one in of_task:
            for way, values in {"DCMIX": one["importance"], **one["values"]}.items():
                first = {STAINS[c] for c in np.argsort(values)[::-1][: len(stains)]}
                ways.setdefault(way, []).append(first == stains)
        right, tops = ways.pop("DCMIX"), [STAINS[int(np.argmax(one["importance"]))] for one in of_task]
        singles = [one["accuracy"]["singles"] for one in of_task if "singles" in one["accuracy"]]
        told[task] = {
            "changed": sorted(stains),
            "top stain is a changed one": f"{sum(top in stains for top in tops)} of {len(tops)}",
            "all changed ones before the others": f"{sum(right)} of {len(right)}",
            "importance": mean_of([one["importance"] for one in of_task]),
            "accuracy": {
                name: mean_of([one[name] for one in of_task])
                for name in ("DCMIX", "all stains", "three mixers")
                if name in of_task[0]
            }
            | ({"each stain alone": mean_of(singles)} if singles else {}),
            "the same by other ways": {way: f"{sum(each)} of {len(each)}" for way, each in ways.items()},
        }
        if "importance of three" in of_task[0]:
            told[task]["importance of three mixers"] = mean_of([one["importance of three"] for one in of_task])
    return told


# --------------------------------------------------------------------------------------------------------------- bbbc013


def bbbc013_seed(folder: str, seed: int) -> dict[str, Any]:
    """What else could be asked of one seed's split."""
    wells, labels = translocation(Path(folder))
    return beside(of_wells(wells, labels, seed, CELLS.size), CELLS, seed, count=6, hits=True)


def bbbc013(folder: Path, processes: int) -> dict[str, Any]:
    """`train_dcmix` on the real wells."""
    from napari_attribution.training.train import train_dcmix

    wells, labels = translocation(folder)
    recipe = Recipe(seeds=SEEDS)
    started, begun = time.perf_counter(), dict[int, float]()

    def tell(moment: Any) -> None:
        if moment.phase == "training":
            begun.setdefault(moment.seed, time.perf_counter() - started)

    answer = train_dcmix(wells, labels, recipe=recipe, device="cpu", tell=tell)
    total = time.perf_counter() - started
    others = in_turn(bbbc013_seed, [(str(folder), seed) for seed in range(SEEDS)], processes, None)
    first = {way: sum(one["values"][way][0] > one["values"][way][1] for one in others) for way in others[0]["values"]}
    return {
        "wells": len(wells),
        "threads": torch.get_num_threads(),
        "seconds of train_dcmix, all networks of five seeds": round(total),
        "seconds until the fourth seed began": round(begun[3]),
        "networks": SEEDS * 4,
        "GFP leads": f"{int((answer.importances[:, 0] > answer.importances[:, 1]).sum())} of {SEEDS}",
        "GFP leads by other ways": {way: f"{count} of {SEEDS}" for way, count in first.items()},
        f"importance of {' and '.join(TRANSLOCATION)}, each seed": answer.importances.round(3).tolist(),
        "held-out accuracy by well": {
            name: [round(float(a), 3) for a in each] for name, each in answer.accuracy.items()
        },
        "Shapley": answer.shapley.round(3).tolist(),
        "permutation": answer.permutation.round(3).tolist(),
        "warnings": list(answer.warnings),
    }


# ---------------------------------------------------------------------------------------------------------------- decoys


def decoy_seed(seed: int) -> dict[str, Any]:
    """Five graded channels and a bright one that tells nothing, standardised and not; beside them what else could be asked."""
    task = digits(seed, (*GRADES[:-1], CHANCE), brighter={len(GRADES) - 1: DECOY})
    found: dict[str, Any] = {}
    for name, standardised in (("standardised", True), ("not standardised", False)):
        fitted, right = train(task, DIGITS, seed, "dcmix", standardised)
        found[name] = {"importance": shares(fitted), "accuracy": right}
    return found | beside(task, DIGITS, seed, count=60, trained=seed < TRAINED_BESIDE)


def decoys(processes: int, kept: Path | None) -> dict[str, Any]:
    """All seeds."""
    found = in_turn(decoy_seed, [(seed,) for seed in range(SEEDS)], processes, kept)
    decoy, truth = len(GRADES) - 1, np.array([*GRADES[:-1], CHANCE])
    told: dict[str, Any] = {"agreement of the channels, the decoy last": truth.tolist(), "times brighter": DECOY}
    for name in ("standardised", "not standardised"):
        each = [one[name]["importance"] for one in found]
        told[name] = {
            "decoy last": f"{sum(int(np.argmin(one)) == decoy for one in each)} of {SEEDS}",
            "Spearman of each seed": [round(rivals.rho(np.array(one), truth), 3) for one in each],
            "importance": mean_of(each),
            "accuracy": mean_of([one[name]["accuracy"] for one in found]),
        }
    last: dict[str, list[bool]] = {}
    for one in found:
        for way, values in one["values"].items():
            last.setdefault(way, []).append(int(np.argmin(values)) == decoy)
    told["decoy last by other ways, standardised"] = {way: f"{sum(each)} of {len(each)}" for way, each in last.items()}
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
    parser.add_argument("--work", type=Path, help="folder in which what is over is kept, and not done again")
    options = parser.parse_args()
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    processes, work = options.processes, options.work
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "graded": lambda: graded(processes, work),
        "planted": lambda: planted_all(processes, options.scenes, work),
        "bbbc013": lambda: bbbc013(options.bbbc013, processes),
        "decoys": lambda: decoys(processes, work),
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
            file.with_suffix(".md").write_text(page(kept), "utf-8")
            plot(kept, STAINS, PLANTED, file.with_suffix(".png"))


if __name__ == "__main__":
    main()
