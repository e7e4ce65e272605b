"""How long the dock takes to appear, and how long the window ever fails to answer, phase by phase.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/dock.py --out benchmarks/results

Each repeat is a process of its own, because torch is imported once. A timer that should ring every 5 ms in the window's
thread says when it did; the longest silence of a phase is what its user feels.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

PHASES = ("open well", "load and check", "compute", "first layers", "compute again", "layers again")


def one_run() -> dict[str, float]:
    """Milliseconds: the dock's appearance and the longest silence of each phase."""
    import napari
    from qtpy.QtCore import Qt, QTimer
    from qtpy.QtWidgets import QApplication

    from napari_attribution.desktop import sample

    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    for _ in range(50):
        QApplication.processEvents()
    started = time.perf_counter()
    _, dock = viewer.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    QApplication.processEvents()
    found = {"dock appears": 1000 * (time.perf_counter() - started)}
    assert "torch" not in sys.modules, "the dock must not wait for torch"
    settle_after = time.monotonic() + 2  # a person takes longer to choose a well
    while time.monotonic() < settle_after:
        QApplication.processEvents()
        time.sleep(0.005)

    silences: dict[str, float] = dict.fromkeys(PHASES, 0.0)
    state = {"phase": PHASES[0], "last": time.perf_counter()}

    def ring() -> None:
        now = time.perf_counter()
        silences[state["phase"]] = max(silences[state["phase"]], 1000 * (now - state["last"]))
        state["last"] = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(ring)
    timer.start(5)

    def wait(until: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not until():
            assert time.monotonic() < end, f"{state['phase']} does not end"
            QApplication.processEvents()
            time.sleep(0.001)

    def settle(seconds: float = 1.0) -> None:
        end = time.monotonic() + seconds
        wait(lambda: time.monotonic() > end)

    controller = dock.controller
    controller.open_well(sample.first_well())
    wait(lambda: controller.state.well is not None and not controller.state.opening)
    settle()
    state["phase"] = "load and check"
    controller.open_classifier(sample.classifier())
    wait(lambda: controller.status.ready)
    settle()
    for compute, layers in (("compute", "first layers"), ("compute again", "layers again")):
        controller.set(method="pcim", parameters={"pcim": {"steps": 40}})
        state["phase"] = compute
        before = controller.state.answer
        count = len(viewer.layers)
        serial = [layer.metadata.get("napari-attribution", {}).get("work") for layer in viewer.layers]
        controller.explain()

        def drawn(count: int = count, serial: list = serial) -> bool:
            now = [layer.metadata.get("napari-attribution", {}).get("work") for layer in viewer.layers]
            return len(viewer.layers) != count or now != serial

        wait(drawn)
        state["phase"] = layers
        wait(lambda before=before: controller.state.answer is not before)
        settle()
    timer.stop()
    viewer.close()
    return found | silences


def main() -> None:
    """Repeat, tell, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder in which to keep the results")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run()))
        return
    runs = []
    for _ in range(options.repeats):
        done = subprocess.run([sys.executable, __file__, "--one"], capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    table = {key: [round(run[key]) for run in runs] for key in runs[0]}
    for key, values in table.items():
        print(f"{key:<16} median {statistics.median(values):6.0f} ms   of {values}")
    if options.out:
        results = {
            "date": date.today().isoformat(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU, Xvfb with software OpenGL",
            "load_average": os.getloadavg()[0],
            "milliseconds": table,
        }
        (options.out / "dock.json").write_text(json.dumps(results, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
