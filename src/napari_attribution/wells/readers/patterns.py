"""File names of one-file-a-stain series, as data: a new microscope is a new line here.

Named groups: `stain` (a word) or `channel` (a number), `well` or `row` and `column` (letter or number), `field`, `z`
(the focal plane), `time`. Any other group tells series apart that lie in one folder. The whole name without its
suffix must match; the first line that matches wins. "_C01" is read as the well C01, never as channel 1: to take three
wells for the three stains of one would be a silent disaster. Where a name is silent about its focal plane or time point,
ImageXpress's folders (TimePoint_1/ZStep_2) say it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from napari_attribution.errors import WellError
from napari_attribution.wells.readers import names

_WELL = r"(?P<well>(?:[A-Z]|A[A-F])\d{1,2})"


@dataclass(frozen=True)
class NamePattern:
    """How one family of programs names its files.

    `cautious` marks a pattern that other files might match by chance: it finds the siblings of one file only among
    names that are plainly stains. `anywhere` marks one that may match a part of the name.
    """

    family: str
    regex: re.Pattern[str]
    example: str
    cautious: bool = False
    anywhere: bool = False

    def match(self, file: Path) -> re.Match[str] | None:
        """Hold a file's name against the pattern."""
        if self.anywhere:
            return self.regex.search(file.stem) or self.regex.search(file.name)
        return self.regex.fullmatch(file.stem)


def _pattern(family: str, regex: str, example: str, cautious: bool = False) -> NamePattern:
    return NamePattern(family, re.compile(regex, re.IGNORECASE), example, cautious)


PATTERNS = (
    _pattern("BBBC013", r"Channel(?P<channel>\d+)-\d+-(?P<row>[A-Z]{1,2})-(?P<column>\d{1,2})", "Channel1-01-A-01.tif"),
    _pattern(
        "Phenix / Operetta",
        r"r(?P<row>\d{1,2})c(?P<column>\d{1,2})f(?P<field>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)"
        r"(?:(?:sk|t)(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?",
        "r01c01f01p01-ch2sk1fk1fl1.tiff",
    ),
    _pattern(
        "Cytation / Cell Painting",
        _WELL + r"_(?P<read>-?\d+)_(?P<channel>\d+)_(?P<field>\d+)_(?P<stain>[A-Z][A-Z0-9 +.-]*)_(?P<time>\d+)",
        "D7_01_3_1_RFP_001.tif",
    ),
    _pattern(
        "ImageXpress",
        r"(?P<plate>.+)_(?P<well>[A-Z]\d\d)(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+?)"
        r"(?:[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?)?",
        "9987_B02_s1_w1.TIF",
    ),
    _pattern("ImageJ, split channels", r"C(?P<channel>\d+)-(?P<stem>.+)", "C1-field.tif"),
    _pattern("numbered channels", r"(?P<stem>.+)[_-](?:C(?=\d$)|(?:ch|channel|w)_?)(?P<channel>\d+)", "field_C1.tif"),
    _pattern(
        "named stains",
        r"(?P<stem>.+)_(?!(?:[A-Z]|A[A-F]|site|field|fov|pos(?:ition)?|well|time|slice|plane|im(?:g|age)|copy)\d*$)"
        r"(?P<stain>[^\W\d_][^_]*)",
        "field_DAPI.tif",
        cautious=True,
    ),
)

_STAIN_WORD = re.compile(
    r"(?:^|[^a-z])(?:dapi|hoechst(?:33342)?|draq\d?|dna|nucle(?:i|us|ar)|[ec]?[gycrb]fp|mcherry|tdtomato|fitc|tritc|"
    r"rhodamine|rhod|texas ?red|cy[2357](?:\.5)?|(?:alexa|af) ?\d{3}|\d{3}(?:nm)?|phalloidin|f?-?actin|(?:alpha|beta)?-?"
    r"tubulin|wga|con ?a|syto\d*|mito(?:tracker|chondria)?|agp|er|rna|golgi|lyso(?:tracker)?|membrane|cytoplasm|"
    r"bright ?field|bf|phase(?: contrast)?|dic|edu|brdu|ki-?67|cellmask)(?![a-z])",
    re.IGNORECASE,
)
_STEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)
_TIME = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_THUMBNAIL = re.compile(r"_thumb", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a file belongs, read off its name; not `certain` where the match may be chance."""

    file: Path
    stain: str | None
    number: int | None
    position: str | None
    field: str | None
    z: str | None
    time: str | None
    series: tuple[str, ...]
    certain: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What all stains of one field have in common."""
        return self.series, self.position, self.field

    @property
    def channel(self) -> str:
        """What tells the stains of one field apart."""
        return (self.stain or "").casefold() if self.stain else str(self.number)

    def __str__(self) -> str:
        place = (self.position or " ".join(self.series) or self.file.name).strip()
        return place + (f" field {self.field}" if self.field else "")


_KNOWN_GROUPS = {"stain", "channel", "well", "row", "col", "column", "field", "z", "time"}


def place(file: Path, pattern: NamePattern) -> Place | None:
    """What a file's name says by one pattern, or None where it does not match or is a thumbnail."""
    match = pattern.match(file)
    if match is None or _THUMBNAIL.search(file.stem):
        return None
    found = {group: text for group, text in match.groupdict().items() if text is not None}
    stain, channel = found.get("stain"), found.get("channel")
    if stain is not None and stain.isdigit():
        stain, channel = None, stain
    return Place(
        file,
        stain.strip() if stain else None,
        int(channel) if channel and channel.isdigit() else None,
        _position(found),
        found.get("field"),
        found.get("z") or _of_folder(file, _STEP),
        found.get("time") or _of_folder(file, _TIME),
        tuple(text for group, text in found.items() if group not in _KNOWN_GROUPS),
        not pattern.cautious or (stain is not None and _STAIN_WORD.search(stain) is not None),
    )


def _of_folder(file: Path, regex: re.Pattern[str]) -> str | None:
    """The number that one of the two folders about a file bears."""
    matches = (regex.fullmatch(folder) for folder in file.parts[-3:-1])
    return next((match[1] for match in matches if match), None)


def _position(found: dict[str, str]) -> str | None:
    row, column, well = found.get("row"), found.get("col", found.get("column")), found.get("well")
    if well is not None:
        parts = re.fullmatch(r"([A-Za-z]{1,2})[-_ ]?(\d{1,2})", well)
        return names.position(*parts.groups()) if parts else well
    if row is None or column is None:
        return None
    plain = (row.isdigit() or row.isalpha()) and column.isdigit()
    return names.position(row, column) if plain else f"{row}{column}"


def users_pattern(regex: str, of_a_plate: bool = False) -> NamePattern:
    """A pattern that the user wrote; it may match any part of a file's name, with or without the suffix.

    Raises
    ------
    WellError
        Where it is no regular expression, or does not name what it must: the stain, or, for the files of a plate, the well.
        A plate's pattern that names no stain is of files that hold all stains.
    """
    try:
        compiled = re.compile(regex)
    except re.error as error:
        raise WellError(f"The pattern {regex!r} is no regular expression: {error}.") from None
    named = set(compiled.groupindex)
    groups = ", ".join(sorted(named)) or "none"
    if of_a_plate and not ("well" in named or ("row" in named and {"col", "column"} & named)):
        raise WellError(
            f"The pattern {regex!r} does not say where the well is (named groups: {groups}). Name a part of it well, or row and "
            r"col, for instance (?P<well>[A-P]\d\d)_(?P<field>\d+)_(?P<stain>\w+)."
        )
    if not of_a_plate and not {"stain", "channel"} & named:
        raise WellError(
            f"The pattern {regex!r} does not say where the stain is (named groups: {groups}). Name a part of it stain, "
            r"for instance (?P<well>[A-P]\d\d)_(?P<field>\d+)_(?P<stain>\w+)."
        )
    return NamePattern("your pattern", compiled, regex, anywhere=True)
