"""Lengths as files write them, in um."""

from __future__ import annotations

import math

_UM = {
    "um": 1.0,
    "µm": 1.0,  # micro sign
    "μm": 1.0,  # Greek mu
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometers": 1.0,
    "micrometre": 1.0,
    "micrometres": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometers": 1e-3,
    "pm": 1e-6,
    "å": 1e-4,
    "mm": 1e3,
    "millimeter": 1e3,
    "millimeters": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "centimeters": 1e4,
    "m": 1e6,
    "inch": 25_400.0,
    "inches": 25_400.0,
    "in": 25_400.0,
}


def in_um(length: float, unit: str) -> float | None:
    """A length in um; None for a unit that is no length ("pixel") or a length that is none (0, infinite)."""
    name = unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("Â", "").strip().casefold()
    factor = next((um for known, um in _UM.items() if known.casefold() == name), None)
    if factor is None or not math.isfinite(length) or length <= 0:
        return None
    return length * factor


def pixel_size(height: float | None, width: float | None) -> tuple[float, float] | None:
    """Height and width of a pixel in um where both are known, else None."""
    return None if height is None or width is None else (height, width)
