"""What a click on a cell costs: time to the first map and to the last, silences of the window, memory and layers.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/desktop.py --out benchmarks/results

Clicks are real events on the canvas of a real window with the sample well and its classifier. The first map is there when the
canvas has been drawn with it. A timer that should ring every 5 ms in the window's thread says when it did. After warming up,
500 picks at different places show whether memory and layers grow.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401 - before Qt: imported after it, torch can fail on Windows

PATIENCE = 120.0
WARM = 100
"""Picks after which memory should have settled."""


class Window:
    """The dock with the sample, and what happens in it."""

    def __init__(self) -> None:
        from qtpy.QtCore import Qt, QTimer
        from qtpy.QtWidgets import QApplication

        from napari_attribution.desktop.window import open_window

        self.process = QApplication.processEvents
        self.viewer, self.dock = open_window()
        self.controller, self.picks = self.dock.controller, self.dock.picks.picks
        self.phase, self.silences = "", {}
        self._last = time.perf_counter()
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._ring)
        self.drawn = 0.0
        self.canvas = self.viewer.window._qt_viewer.canvas
        self.canvas._scene_canvas.events.draw.connect(self._note_drawing, position="last")

    def begin(self) -> None:
        """Listen for silences from now on."""
        self._last = time.perf_counter()
        self.timer.start(5)

    def _ring(self) -> None:
        now = time.perf_counter()
        self.silences.setdefault(self.phase, []).append(1000 * (now - self._last))
        self._last = now

    def _note_drawing(self, _event: object) -> None:
        self.drawn = time.perf_counter()

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end, f"{self.phase} does not end"
            self.process()
            time.sleep(0.001)

    def settle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def click(self, world: np.ndarray) -> float:
        """Shift+click at a point of the world; returns when."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        native, camera = self.canvas.native, self.viewer.scene.camera
        middle = np.array([native.height(), native.width()]) / 2
        row, column = middle + (np.asarray(world)[-2:] - np.asarray(camera.center)[-2:]) * camera.zoom
        started = time.perf_counter()
        QTest.mouseClick(
            native,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.ShiftModifier,
            QPoint(round(column), round(row)),
        )
        return started

    def first_map(self, world: np.ndarray) -> tuple[float, float]:
        """Click, and wait until the map is drawn; returns when it was clicked, and the milliseconds."""
        before = self.controller.state.answer
        started = self.click(world)
        self.wait(lambda: self.controller.state.answer is not before)
        there = time.perf_counter()
        self.wait(lambda: self.drawn > there)
        return started, 1000 * (self.drawn - started)

    def has_values(self) -> bool:
        return any(self.controller.state.answer.channel_importance.values())

    def refined(self) -> bool:
        state = self.controller.state
        return not state.answer.record["pick"]["coarse"] and not state.explaining


def resident() -> float:
    """MiB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def places(window: Window, count: int) -> list[np.ndarray]:
    """Points of the world, spread over the well."""
    layer = window.viewer.layers["Mito"]
    drawn = np.random.default_rng(0).uniform(8, np.array(layer.data.shape) - 8, size=(count, 2))
    return [np.asarray(layer.data_to_world(point)) for point in drawn]


def measure(picks: int, many: int) -> dict[str, Any]:
    """All figures of one run."""
    window = Window()
    window.controller.try_sample()
    window.wait(lambda: window.controller.status.ready and window.picks.state.cells is not None)
    window.settle(2)
    for world in places(window, 3):
        window.first_map(world)
        window.wait(window.refined)
    cells = window.viewer.layers["cells"]
    middles = [cells.data_to_world(np.argwhere(cells.data == n).mean(axis=0)) for n in range(1, cells.data.max() + 1)]
    window.begin()
    found: dict[str, list[float]] = {"first map": [], "bars": [], "final map": []}
    window.phase = "pick and refine"
    for number in range(picks):
        started, first = window.first_map(middles[number % len(middles)])
        window.wait(window.has_values)
        found["bars"].append(1000 * (time.perf_counter() - started))
        window.wait(window.refined)
        found["first map"].append(first)
        found["final map"].append(1000 * (time.perf_counter() - started))
        window.settle(0.05)
    window.phase = "explain the well"
    before = window.controller.state.answer
    window.controller.explain()
    window.wait(lambda: window.controller.state.answer is not before and not window.controller.state.explaining)
    window.settle(0.5)

    window.phase = "many picks"
    memory, layers = [], []
    for number, world in enumerate(places(window, many)):
        window.first_map(world)
        window.wait(window.has_values)
        if (number + 1) % (many // 10) == 0:
            memory.append(round(resident()))
            layers.append(len(window.viewer.layers))
    window.timer.stop()
    rows = len(window.viewer.layers["picks"].data)
    window.viewer.close()
    return {
        "milliseconds": {
            name: {"median": round(statistics.median(ms)), "p95": round(float(np.percentile(ms, 95))), "of": len(ms)}
            for name, ms in found.items()
        },
        "longest silence of the window, ms": {
            name: {"longest": round(max(gaps)), "p99.9": round(float(np.percentile(gaps, 99.9)))}
            for name, gaps in window.silences.items()
        },
        "memory after each tenth of the picks, MiB": memory,
        "layers after each tenth of the picks": layers,
        "picks": {"made": many, "points": rows},
    }


def told(results: dict[str, Any]) -> str:
    """The results as a page."""
    lines = [
        "# What a click on a cell costs",
        "",
        f"Measured {results['date']} on {results['machine']}; load average {results['load_average']['before']} before and "
        f"{results['load_average']['after']} after. Made by `benchmarks/desktop.py`.",
        "",
        "| from the click to | median, ms | 95th percentile, ms |",
        "|---|---|---|",
    ]
    lines += [f"| the {name} | {ms['median']} | {ms['p95']} |" for name, ms in results["milliseconds"].items()]
    lines += ["", "| the window is silent for at most, while | ms | 99.9 % of its turns, ms |", "|---|---|---|"]
    for name, gap in results["longest silence of the window, ms"].items():
        lines.append(f"| {name} | {gap['longest']} | {gap['p99.9']} |")
    memory, layers = (
        results[f"{what} after each tenth of the picks{unit}"] for what, unit in (("memory", ", MiB"), ("layers", ""))
    )
    warm = memory[min(9, max(0, round(10 * WARM / results["picks"]["made"]) - 1))]
    lines += [
        "",
        f"{results['picks']['made']} picks: {results['picks']['points']} points in one layer, {layers[0]} layers at first and "
        f"{layers[-1]} in the end; {warm} MiB once warm and {memory[-1]} MiB in the end ({memory[-1] / warm - 1:+.1%}).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picks", type=int, default=50, help="picks that are timed")
    parser.add_argument("--many", type=int, default=500, help="picks for memory and layers")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    before = round(os.getloadavg()[0], 1)
    figures = measure(options.picks, options.many)
    results = {
        "date": date.today().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU, Xvfb with software OpenGL",
        "load_average": {"before": before, "after": round(os.getloadavg()[0], 1)},
        **figures,
    }
    page = told(results)
    print(page)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "desktop.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        (options.out / "desktop.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
