"""What the dock "Screen" costs on a plate of 1536 wells: to open it, to colour it by another column, to see a well.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/screen_dock.py --out benchmarks/results

The plate is made up: a table as a run writes it, with random numbers; every well's pixels are those of one of the 24 wells of
the sample plate, read from its OME-Zarr, and its map is a smooth random one in the plate of maps. Clicks are real events on the
dock of a real window. A well is there when the canvas has been drawn with all of its layers.
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
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401 - before Qt: imported after it, torch can fail on Windows

LAYOUT = (32, 48)
CLASSES = ("control", "mito fragmented", "actin fibres", "RNA granules")
METHOD = "pixel-ablation-cam"
PATIENCE = 60.0
BARS = {"opened": 2000, "coloured": 200, "a well": 500}
"""Milliseconds that each may take."""


def make_results(folder: Path) -> list[str]:
    """Write results of 1536 wells, with their maps; returns the wells."""
    from napari_attribution.desktop import sample
    from napari_attribution.screens.results.plate_file import write_plate
    from napari_attribution.screens.run.maps import write_maps
    from napari_attribution.screens.run.screen import RECORD_VERSION
    from napari_attribution.wells import Field, read_plate

    drawn = np.random.default_rng(0)
    plate = read_plate(sample.plate())
    sources = [field for field in plate if field.reading]
    names = [position(row, column) for row in range(LAYOUT[0]) for column in range(LAYOUT[1])]
    fields = [Field(name, 0, sources[at % len(sources)].reading, (), plate.pixel_size) for at, name in enumerate(names)]
    (folder / "parts").mkdir(parents=True)
    write_plate(folder, fields)
    shape = sources[0].read().shape
    for field in fields:
        coarse = drawn.normal(size=(8, 8)).astype(np.float32)
        values = np.kron(coarse, np.ones((-(-shape[0] // 8), -(-shape[1] // 8)), np.float32))[: shape[0], : shape[1]]
        write_maps(folder, field, {METHOD: np.ascontiguousarray(values)}, plate.pixel_size)
    write_table(folder / "fields.parquet", fields, plate.stains, drawn)
    told = {
        "name": "made up",
        "source": "",
        "format": "",
        "layout": LAYOUT,
        "pixel_size": plate.pixel_size,
        "empty": [],
    }
    plan = {"plate": told, "stain_map": {}, "methods": [{"name": METHOD, "parameters": {}}], "target": None,
            "score": "logit", "against": None, "card": {}, "accept_flaws": True, "faithfulness": True}  # fmt: skip
    record = {
        "record_version": RECORD_VERSION,
        "plan": plan,
        "classifier": {"file": None, "sha256": ""},
        "stains": plate.stains,
        "classes": CLASSES,
        "methods": [METHOD],
        "layout": LAYOUT,
        "runs": [],
    }
    (folder / "record.json").write_text(json.dumps(record), "utf-8")
    return names


def write_table(path: Path, fields: list[Any], stains: tuple[str, ...], drawn: np.random.Generator) -> None:
    """A row a field, with the columns of a run of one method, judged as a run is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from napari_attribution.screens.quality.judging import judge
    from napari_attribution.screens.quality.measures import field_columns
    from napari_attribution.wells.plate import row_and_column

    count = len(fields)
    places = [row_and_column(field.position) for field in fields]
    logits = drawn.normal(0, 2, (count, len(CLASSES)))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = [CLASSES[at] for at in logits.argmax(axis=1)]
    columns: dict[str, Any] = {
        "plate": ["made up"] * count,
        "well": [field.position for field in fields],
        "row": np.array([place[0] for place in places], np.int16),
        "column": np.array([place[1] for place in places], np.int16),
        "field": np.zeros(count, np.int32),
        "condition.compound": [f"compound {at % 60}" for at in range(count)],
        "condition.concentration": drawn.choice([0.1, 1.0, 10.0], count),
        "predicted": said,
        "target": said,
    }
    columns |= {f"probability.{name}": shares[:, at] for at, name in enumerate(CLASSES)}
    columns |= {f"logit.{name}": logits[:, at] for at, name in enumerate(CLASSES)}
    columns["margin"] = np.diff(np.sort(logits, axis=1)[:, -2:], axis=1)[:, 0]
    columns |= {f"importance.{METHOD}.{stain}": drawn.normal(0.2, 0.1, count) for stain in stains}
    columns |= {f"spread.{METHOD}.{stain}": np.full(count, np.nan) for stain in stains}
    columns |= {f"faithfulness.{METHOD}.keep 20": drawn.uniform(0, 1, count)}
    columns |= {name: drawn.beta(2, 8, count) for name in field_columns(stains, [METHOD])}
    columns |= {"seconds": np.full(count, 0.1), "error": [""] * count}
    pq.write_table(judge(pa.table(columns)), path)


def position(row: int, column: int) -> str:
    """31, 47 as "AF48"."""
    return f"{chr(65 + row) if row < 26 else 'A' + chr(65 + row - 26)}{column + 1:02d}"


class Window:
    """The dock in a real window."""

    def __init__(self) -> None:
        import napari
        from qtpy.QtCore import Qt
        from qtpy.QtWidgets import QApplication

        self.process = QApplication.processEvents
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1400, 900)
        docked, self.dock = self.viewer.window.add_plugin_dock_widget("napari-attribution", "Screen")
        self.viewer.window._qt_window.resizeDocks([docked], [440], Qt.Orientation.Horizontal)
        self.state = self.dock.screening.state
        self.drawn = 0.0
        canvas = self.viewer.window._qt_viewer.canvas
        canvas._scene_canvas.events.draw.connect(self._note_drawing, position="last")
        self.settle(1.0)

    def _note_drawing(self, _event: object) -> None:
        self.drawn = time.perf_counter()

    def wait(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end, "it does not end"
            self.process()
            time.sleep(0.001)

    def settle(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def open(self, folder: Path) -> float:
        """Milliseconds until the plate is drawn."""
        before, started = self.state.results, time.perf_counter()
        self.dock.open_folder(folder)
        self.wait(lambda: self.state.results is not before)
        self.process()
        return 1000 * (time.perf_counter() - started)

    def colour(self, column: str) -> float:
        """Milliseconds until the plate, the histogram and the table are drawn by another column."""
        started = time.perf_counter()
        self.dock.screening.choose_column(column)
        self.dock.overview.plate.repaint()
        self.process()
        return 1000 * (time.perf_counter() - started)

    def click(self, well: str) -> float:
        """Click a well; milliseconds until the canvas is drawn with all of its layers."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        wells = self.state.wells
        row, column = wells.places[wells.index[well]]
        spot = self.dock.overview.plate.rect_of((int(row), int(column))).center()
        started = time.perf_counter()
        QTest.mouseClick(self.dock.overview.plate, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, spot)
        return self.see(well, started)

    def see(self, well: str, started: float | None = None) -> float:
        """Milliseconds until the canvas is drawn with all of a well's layers."""
        started = time.perf_counter() if started is None else started
        self.wait(lambda: self.state.current == well and not self.state.loading)
        assert not self.state.trouble, self.state.trouble
        there = time.perf_counter()
        self.wait(lambda: self.drawn > there)
        return 1000 * (self.drawn - started)


def measure(clicks: int) -> dict[str, Any]:
    """All figures of one run."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        # In another process: what it imports must not be there already when the dock opens them.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            wells = other.submit(make_results, results).result()
        wells = [str(well) for well in np.random.default_rng(1).choice(wells, clicks, replace=False)]
        window = Window()
        first = window.open(results)
        shown = first + window.see(window.state.current)
        window.settle(0.5)
        opened = [window.open(results) for _ in range(5)]
        window.settle(0.5)
        coloured = [window.colour(column) for column in window.state.wells.offered]
        window.settle(2.0)
        cold = window.click(wells[0])
        window.settle(1.0)
        layers = len(window.viewer.layers)
        clicked = []
        for well in wells[1:]:
            clicked.append(window.click(well))
            window.settle(0.05)
        found = {
            "milliseconds": {
                "opened": summary(opened) | {"first": round(first), "first with the well it shows": round(shown)},
                "coloured": summary(coloured),
                "a well": summary(clicked) | {"first": round(cold)},
            },
            "columns of a well": len(window.state.wells.frame.columns),
            "layers": {"after the first click": layers, "after the last": len(window.viewer.layers)},
        }
        window.viewer.close()
    return found


def summary(milliseconds: list[float]) -> dict[str, int]:
    return {
        "median": round(statistics.median(milliseconds)),
        "p95": round(float(np.percentile(milliseconds, 95))),
        "of": len(milliseconds),
    }


def told(results: dict[str, Any]) -> str:
    """The results as a page."""
    lines = [
        "# What the dock Screen costs on 1536 wells",
        "",
        f"Measured {results['date']} on {results['machine']}; load average {results['load_average']['before']} before and "
        f"{results['load_average']['after']} after. Made by `benchmarks/screen_dock.py`.",
        "",
        "| until the plate is, or the well there | median, ms | 95th percentile, ms | the first time, ms | at most, ms |",
        "|---|---|---|---|---|",
    ]
    for name, ms in results["milliseconds"].items():
        lines.append(f"| {name} | {ms['median']} | {ms['p95']} | {ms.get('first', '')} | {BARS[name]} |")
    layers, with_well = results["layers"], results["milliseconds"]["opened"]["first with the well it shows"]
    clicks = results["milliseconds"]["a well"]["of"] + 1
    lines += [
        "",
        f"{results['columns of a well']} columns. The first time, libraries are loaded. Opening shows the first "
        f"well, and so makes the layers; it is there after {with_well} ms. After {clicks} wells there are "
        f"{layers['after the last']} layers, after the first "
        f"{layers['after the first click']}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=50, help="wells that are clicked")
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    options = parser.parse_args()
    before = round(os.getloadavg()[0], 1)
    figures = measure(options.clicks)
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
        (options.out / "screen_dock.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        (options.out / "screen_dock.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
