"""Names of stains and of places on a plate, as files give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_PLACEHOLDER = re.compile(r"(?:(?:channel|chan|ch|c|wavelength|w|slice|image|layer|z|t)?[ :_#-]*\d+)+", re.IGNORECASE)
_COUNTER = re.compile(r"^(?:[czt]:\d+/\d+[ ,]*)+(?:- *)?", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.(?:tiff?|stk|nd2?|czi|lif|lsm|png|jpe?g|oi[bf]|ics|ids|dv|flex|bmp)\b", re.IGNORECASE)
_LONGEST = 40


def placeholders(numbers: Sequence[int]) -> tuple[str, ...]:
    """What to call channels whose stains nobody named."""
    return tuple(f"channel {number}" for number in numbers)


def stain_names(found: Sequence[str | None], count: int) -> tuple[tuple[str, ...], bool]:
    """The names that a file gives its `count` channels, and whether they are names.

    They are where each channel has one of its own that says more than a number ("Channel 0", "c:1/3") and is no file
    name; else the channels are "channel 1", "channel 2", ... and False.
    """
    names = tuple(_COUNTER.sub("", name or "").strip() for name in found)
    named = (
        len(names) == count
        and len({name.casefold() for name in names}) == count
        and all(_says_something(name) for name in names)
    )
    return (names, True) if named else (placeholders(range(1, count + 1)), False)


def _says_something(name: str) -> bool:
    return (
        0 < len(name) <= _LONGEST
        and any(letter.isalpha() for letter in name)
        and not _PLACEHOLDER.fullmatch(name)
        and not _FILE_NAME.search(name)
    )


def position(row: str | int, column: str | int) -> str:
    """A place on a plate as letter and two digits: ("b", "3") and (2, 3) are "B03", (27, 1) is "AA01"."""
    if str(row).isdigit():
        upper, lower = divmod(int(row) - 1, 26)
        row = (chr(ord("A") + upper - 1) if upper else "") + chr(ord("A") + lower)
    return f"{str(row).upper()}{int(column):02d}"


def listed(things: Sequence[object], most: int = 6) -> str:
    """Things as a line: all of them, or the first few and how many more."""
    words = [thing.name if isinstance(thing, Path) else str(thing) for thing in things]
    shown = ", ".join(words[:most])
    return shown + (f" and {len(words) - most:,} more" if len(words) > most else "")
