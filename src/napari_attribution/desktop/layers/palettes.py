"""Pairs of colours for evidence: told apart without telling red from green, clear at zero."""

from __future__ import annotations

from dataclasses import dataclass

from napari_attribution.desktop.preferences import Preferences, preferences
from napari_attribution.keeping.colours import EVIDENCE

RGBA = tuple[float, float, float, float]


@dataclass(frozen=True)
class Palette:
    """One pair.

    Parameters
    ----------
    speaks_for, against : str
        What the colours are called.
    colors : tuple of RGBA
        Evenly from the strongest against to the strongest for.
    """

    speaks_for: str
    against: str
    colors: tuple[RGBA, ...]

    @property
    def name(self) -> str:
        """As it stands among the preferences."""
        return f"{self.speaks_for} / {self.against}"


_ORANGE_BLUE = (
    (0.10, 0.50, 1.00, 1.0),
    (0.35, 0.62, 0.95, 0.5),
    (0.60, 0.65, 0.70, 0.0),
    (0.95, 0.70, 0.40, 0.5),
    (1.00, 0.62, 0.08, 1.0),
)

PALETTES: dict[str, Palette] = {
    palette.name: palette for palette in (Palette("purple", "green", EVIDENCE), Palette("orange", "blue", _ORANGE_BLUE))
}


def palette() -> Palette:
    """The preferred one."""
    return PALETTES.get(preferences().palette, PALETTES[Preferences.palette])
