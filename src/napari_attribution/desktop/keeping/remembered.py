"""What is found again after a restart: the last classifier, device, method and folders; one small JSON file a user."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_attribution.errors import AttributionError, OutputError
from napari_attribution.keeping.files import written_whole
from napari_attribution.methods.choice.catalogue import METHODS
from napari_attribution.methods.choice.choosing import check_parameters

log = logging.getLogger("napari_attribution")

SWITCH = "NAPARI_ATTRIBUTION_SETTINGS"
"""Environment variable: the file to use instead of the user's own; 0 to remember nothing."""

LARGEST = 2**20
"""Bytes: what is larger is none of ours."""


class Remembered(BaseModel):
    """What is remembered.

    Parameters
    ----------
    classifier : str
        The last one's file; empty where there was none.
    device, method : str
    parameters : mapping of method to its parameters
    folder, export_folder : str
        Where the last file was opened, and the last answer was kept.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    napari_attribution: int = Field(ge=1, le=1)
    """Version of this form; a file without it is none of ours."""
    classifier: str = ""
    device: str = "auto"
    method: str = ""
    parameters: dict[str, dict[str, Any]] = {}
    folder: str = ""
    export_folder: str = ""


NOTHING = Remembered(napari_attribution=1)


def where() -> Path | None:
    """The file; None where nothing is to be remembered."""
    given = os.environ.get(SWITCH, "").strip()
    if given.lower() in ("0", "no", "off", "false"):
        return None
    if given:
        return Path(given)
    from platformdirs import user_config_path

    return user_config_path("napari-attribution", appauthor=False) / "dock.json"


def recall() -> tuple[Remembered, str]:
    """What is remembered, and a note where a file is there that cannot be used; to be called in a worker."""
    path = where()
    if path is None or not path.is_file():
        return NOTHING, ""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("it is too large")
        found = Remembered.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = "it is none of ours, or damaged" if isinstance(error, ValidationError) else str(error)
        log.info("%s is not used: %s", path, error)
        return NOTHING, f"What was remembered of last time is not used ({path.name}: {why:.120})."
    return found.model_copy(update={"parameters": _usable(found.parameters)}), ""


def remember(what: Remembered) -> None:
    """Write it down; to be called in a worker. Where that is not possible, nothing is lost but the memory."""
    path = where()
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_text(what.model_dump_json(indent=2), "utf-8")
    except (OSError, OutputError) as error:
        log.info("nothing was remembered: %s", error)


def _usable(parameters: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those that this version's methods still take."""
    usable = {}
    for name, values in parameters.items():
        if name in METHODS:
            try:
                usable[name] = check_parameters(METHODS[name], values).model_dump(mode="json")
            except (AttributionError, TypeError):
                continue
    return usable
