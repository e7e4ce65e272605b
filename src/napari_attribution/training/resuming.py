"""Resuming: a folder in which a training keeps what is done, so that the same training goes on there, and no other.

Which networks are asked for, by the seeds and by whether there is to be something to compare with, is no part of what the training
is: another time there may be more, and those that are there are not trained again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_attribution.errors import OutputError
from napari_attribution.keeping.files import check_folder, stem_of, written_whole
from napari_attribution.training.fields.pixels import Pixels
from napari_attribution.training.recipe import WHICH, Recipe
from napari_attribution.wells.readers import names

PLAN = "training-plan.json"


def plan_of(pixels: Pixels, recipe: Recipe) -> dict[str, Any]:
    """What makes a training the one that it is, as plain data."""
    told = np.stack([pixels.mean, pixels.std])
    return {
        "recipe": recipe.model_dump(mode="json", exclude=set(WHICH)),
        "stains": list(pixels.found.stains),
        "labels": {well.name: well.label for well in pixels.found.wells},
        "fields": [int((pixels.wells == number).sum()) for number in range(len(pixels.found.wells))],
        "pixels": hashlib.sha256(np.ascontiguousarray(told).data).hexdigest(),
    }


def claim(folder: Path, plan: Mapping[str, Any]) -> None:
    """See that the folder is free for this training, or is this training's.

    Raises
    ------
    OutputError
        For a folder of another training, which says what differs, and one that cannot be written to.
    """
    path = check_folder(folder) / PLAN
    if not path.exists():
        with written_whole(path) as place:
            place.write_text(json.dumps(plan, indent=1), "utf-8")
        return
    try:
        former = json.loads(path.read_text("utf-8"))
        differing = _differing(former, plan)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise OutputError(f"{path} cannot be read as the plan of a training. Choose another folder.") from None
    if differing:
        raise OutputError(
            f"The training that {folder} is of was another: {'; '.join(differing)}. Ask as before to go on with it, or choose "
            "another folder."
        )


def checkpoint_path(folder: Path | None, seed: int, number: int, network: str) -> Path | None:
    """Where a network's checkpoint is kept; its number keeps stains apart whose names are alike as names of files."""
    if folder is None:
        return None
    return check_folder(folder / f"seed-{seed}") / f"{number}-{stem_of(network)}.checkpoint"


def _differing(former: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """What is not the same, in words."""
    was, now = former["recipe"], plan["recipe"]
    said = [
        f"{name} was {was.get(name)}, not {now.get(name)}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]
    if former["stains"] != plan["stains"]:
        said.append(f"its stains were {', '.join(former['stains'])}")
    before, after = former["labels"], plan["labels"]
    others = [well for well in {**before, **after} if before.get(well) != after.get(well)]
    if others:
        said.append(f"the label was another, or missing, in {len(others)} wells ({names.listed(others)})")
    elif former["fields"] != plan["fields"]:
        said.append("some wells had another number of fields")
    elif former["pixels"] != plan["pixels"] and not said:
        said.append("the pixels of the fields were others")
    return said
