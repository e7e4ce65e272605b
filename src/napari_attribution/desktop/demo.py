"""The main job on the sample data: napari opens with a well that is explained already, and the dock beside it.

`python -m napari_attribution.desktop.demo --out demo` leaves the window open; `--close` takes the screenshots, prints the
answer and ends, which is what happens where there is no display.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch  # noqa: F401 - before Qt: imported after it, torch can fail on Windows

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.window import open_window
from napari_attribution.errors import AttributionError, OutputError
from napari_attribution.methods.attribution import Attribution

PATIENCE = 120.0
"""Seconds to wait for any one step."""


def main() -> int:
    """Explain the sample well in a window; returns the exit code."""
    parser = argparse.ArgumentParser(description="Explain the sample well in napari.")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the screenshots")
    parser.add_argument("--close", action="store_true", help="close the window when the screenshots are taken")
    options = parser.parse_args()
    try:
        return run(options.out, options.close)
    except AttributionError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2


def run(out: Path, close: bool) -> int:
    """Open the window, explain, take screenshots into `out`, and stay open unless `close`.

    Raises
    ------
    OutputError
        Where nothing can be written to `out`, or a step does not end.
    """
    import napari

    from napari_attribution.keeping.files import check_folder

    check_folder(out)
    viewer, dock = open_window()
    controller: Controller = dock.controller
    controller.try_sample()
    _wait(lambda: controller.status.ready or _problem(controller), "opening the sample")
    pictures = []
    for method, name in (
        ("pcim", "pcim.png"),
        ("fused-ablation-cam", "fused.png"),
        ("pixel-ablation-cam", "explained.png"),
    ):
        controller.set(method=method)
        answer = _explained(controller)
        viewer.fit_to_view()
        pictures.append(_picture(viewer, out / name))
    print(_told(answer))
    print("screenshots: " + ", ".join(str(path) for path in pictures))
    if close:
        viewer.close()
    else:
        napari.run()
    return 0


def _explained(controller: Controller) -> Attribution:
    before = controller.state.answer
    controller.explain()
    _wait(lambda: controller.state.answer is not before or _problem(controller), "explaining the sample")
    assert controller.state.answer is not None
    return controller.state.answer


def _problem(controller: Controller) -> bool:
    """Whether something went wrong; raises it as a sentence."""
    state = controller.state
    for failure in (state.classifier_error, state.check_error, state.run_error):
        if failure is not None:
            raise OutputError(failure.sentence)
    if state.open_error:
        raise OutputError(state.open_error)
    return False


def _wait(until: Callable[[], bool], doing: str) -> None:
    """Let the window work until something is true."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > end:
            raise OutputError(f"The demo gave up after {PATIENCE:.0f} s of {doing}.")
        QApplication.processEvents()
        time.sleep(0.01)


def _picture(viewer: object, path: Path) -> Path:
    """A screenshot of the whole window, when it has settled."""
    end = time.monotonic() + 0.8
    _wait(lambda: time.monotonic() > end, "drawing")
    viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    return path


def _told(answer: Attribution) -> str:
    lines = [
        f"predicted class: {answer.predicted}",
        f"probability: {answer.probabilities[answer.predicted]:.3f}",
        f"channel importance ({answer.importance_meaning}, share):",
    ]
    ranked = sorted(answer.channel_importance.items(), key=lambda item: -item[1])
    return "\n".join([*lines, *(f"  {stain:<5} {share:+.3f}" for stain, share in ranked), *answer.trust])


if __name__ == "__main__":
    sys.exit(main())
