"""How the methods' parameters look in a form: a name that says more than one word of code, a unit, steps worth taking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Face:
    """A parameter's looks.

    Parameters
    ----------
    label : str
        Beside the field; the parameter's own name where it is empty.
    unit : str
        Behind the number.
    step : float, optional
        From one number to the next; a tenth of its size where none is named.
    lowest : str
        Shown in place of the lowest number, or of a text that need not be given.
    """

    label: str = ""
    unit: str = ""
    step: float | None = None
    lowest: str = ""

    def title(self, name: str) -> str:
        """What stands beside the field."""
        return self.label or name.replace("_", " ")

    def tip(self, name: str, description: str) -> str:
        """The description, with the name to be typed elsewhere where the label is another."""
        typed = self.title(name) not in (name, name.replace("_", " "))
        return f"{description}. On the command line: --set {name}=..." if typed else description


FACES: dict[str, Face] = {
    "batch": Face("fields in a step"),
    "channels": Face("stain values"),
    "compare": Face("each stain alone, too"),
    "covered": Face("regions covered", lowest="none"),
    "fine": Face("fine place", " px", 1),
    "finest": Face("finest layer", " px", 1),
    "in_hand": Face(unit=" MiB", step=64),
    "memory": Face(unit=" MB", step=64),
    "held_out": Face("held out", step=0.05),
    "region": Face(step=0.05, lowest="none: each place for itself"),
    "scheduler": Face(lowest="none"),
    "shapley": Face("Shapley values"),
    "size": Face("input size", " px", 32),
    "split_by": Face("split by"),
    "stride": Face(unit=" px"),
    "window": Face(unit=" px"),
}
"""By name, the same in every method."""

PLAIN = Face()
