"""What a person noted of the wells, and which of them are left out, and why: one small JSON beside the results.

{"B03": {"note": "a bubble", "excluded": null}, "C11": {"note": "", "excluded": "out of focus"}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from napari_attribution.errors import OutputError, RecordError
from napari_attribution.keeping.files import written_whole

NAME = "notes.json"


class Note(TypedDict):
    """Of one well: free words, and the reason for which it is left out (None where it is not)."""

    note: str
    excluded: str | None


NOTHING = Note(note="", excluded=None)


def read_notes(folder: Path) -> dict[str, Note]:
    """The notes of results, by well; empty where there are none.

    Raises
    ------
    RecordError
        Where there is a file of notes that cannot be read.
    """
    path = folder / NAME
    try:
        found = json.loads(path.read_text("utf-8"))
        return {str(well): _note(told) for well, told in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RecordError(
            f"The notes of these results cannot be read ({path}: {error}). Put the file right, or move it away; a new one is "
            "then begun."
        ) from None


def write_notes(folder: Path, changes: Mapping[str, Note]) -> dict[str, Note]:
    """Note something of these wells; the notes of the others stay, those of another window among them.

    Parameters
    ----------
    folder : Path
        Of the results.
    changes : mapping of well to Note
        A note without words that excludes nothing takes the well's away.

    Returns
    -------
    mapping of well to Note
        All that is noted now.

    Raises
    ------
    OutputError
        Where a well is left out without a reason, or the notes cannot be written.
    RecordError
        Where the notes that are there cannot be read.
    """
    notes = read_notes(folder)
    for well, told in changes.items():
        note = Note(note=told["note"].strip(), excluded=told["excluded"])
        if note["excluded"] is not None:
            note["excluded"] = note["excluded"].strip()
            if not note["excluded"]:
                raise OutputError(f"{well} is to be left out: say why, in a few words.")
        if note == NOTHING:
            notes.pop(well, None)
        else:
            notes[well] = note
    with written_whole(folder / NAME) as temporary:
        temporary.write_text(json.dumps(notes, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    return notes


def _note(told: Mapping[str, object]) -> Note:
    excluded = told.get("excluded")
    return Note(note=str(told.get("note") or ""), excluded=None if excluded is None else str(excluded))
