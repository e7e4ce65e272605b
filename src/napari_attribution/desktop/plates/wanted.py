"""Which plate is meant, and how it is to be read: plain data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass
class WantedPlate:
    """Which plate is meant, and how it is to be read.

    Parameters
    ----------
    plate : str
        Folder or URL; empty where none is chosen.
    pattern, stains, project, conditions : str
        How files are named, what the stains are called (with commas between them), how focal planes become one, and the table
        of what was done to the wells; empty for what the plate itself says.
    """

    plate: str = ""
    pattern: str = ""
    stains: str = ""
    project: str = ""
    conditions: str = ""

    @property
    def reading(self) -> dict[str, Any]:
        """What `read_plate` is asked."""
        named = [name.strip() for name in self.stains.split(",") if name.strip()]
        return {
            "pattern": self.pattern or None,
            "stains": named or None,
            "project": self.project or None,
            "conditions": self.conditions or None,
        }


READING = tuple(field.name for field in fields(WantedPlate))
"""What, once it is another, makes a plate to be read anew."""
