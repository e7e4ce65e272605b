"""Runs in processes that can be killed: one process imports what takes long, and forks a run whenever it is asked for one.

    python tests/killed_runs.py PLATE_FOLDER CLASSIFIER SETTINGS_AS_JSON

takes a folder of results a line, answers with the number of the new process, and, asked by another line, waits for its end and
says how it was: "done", or "ended with 9". Until then the number is that process's, even if it has ended.
It must not start threads itself: a fork keeps only the thread that forks.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def read_again(folder: Path):
    """The plate that `small_screens.make_plate` wrote."""
    from small_screens import STAINS

    from napari_attribution.wells import Field, Plate

    fields: dict[str, list[Field]] = {}
    for file in sorted(folder.glob("*.ome.tiff")):
        name, _, number = file.name.partition(".")[0].partition("-")
        fields.setdefault(name, []).append(Field(name, int(number), {"path": str(file)}))
    return Plate("small", str(folder), "by hand", (4, 6), STAINS, fields)


def main() -> None:
    import distributed  # noqa: F401
    import ngio  # noqa: F401
    import numcodecs  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import skimage  # noqa: F401
    import tifffile  # noqa: F401
    import torch
    import zarr  # noqa: F401

    from napari_attribution import load_classifier
    from napari_attribution.faithfulness import explain  # noqa: F401
    from napari_attribution.screens.run.screen import run_screen

    torch.set_num_threads(1)
    plate, classifier = read_again(Path(sys.argv[1])), load_classifier(sys.argv[2], time_limit=None)
    asked = json.loads(sys.argv[3])
    print("ready", flush=True)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run_screen(plate, classifier, line.strip(), **asked)
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(child, 0)
        print("done" if status == 0 else f"ended with {status}", flush=True)


if __name__ == "__main__":
    main()
