"""ClassifierCard: what a classifier file does not say of itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from napari_attribution.errors import CardError

Mode = Literal["resize", "whole", "tiles", "cells"]
"""How a well becomes an input: the whole field resized, as it is, in tiles, or as crops around cells."""


def _names(value: Any) -> Any:
    """A comma-separated line or any sequence of names, as a tuple of trimmed names."""
    return tuple(str(name).strip() for name in (value.split(",") if isinstance(value, str) else value))


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class ClassifierCard(BaseModel):
    """What a classifier wants for input and what its scores mean.

    Raises
    ------
    CardError
        Where something is missing or contradicts itself, with all that is wrong in one sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    stains: Names = Field(description="The stains, in the order in which the classifier wants its input channels")
    classes: Names = Field(description="The classes, in the order of the classifier's scores")
    size: tuple[int, int] | None = Field(
        default=None, description="Height and width of an input in pixels; None where any size will do"
    )
    mode: Mode = Field(
        default="resize",
        description="How a well becomes an input: the whole field resized, whole as it is, in tiles, or crops of cells",
    )
    mean: tuple[float, ...] = Field(description="Per stain, in detector units: subtracted from the pixels first")
    std: tuple[float, ...] = Field(description="Per stain, in detector units: what the pixels are then divided by")
    background: tuple[float, ...] | None = Field(
        default=None,
        description="Per stain, in detector units: the value that means 'nothing there'; None to take it from the well",
    )
    pixel_size: float | None = Field(
        default=None, gt=0, description="Size of a pixel in um of the wells that the classifier was trained on"
    )
    name: str = Field(default="classifier", description="What to call the classifier")
    description: str = Field(default="", description="What the classifier was trained for, and on what")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise CardError(f"The classifier card is not usable: {_in_words(error)}") from None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (("stain", self.stains), ("class", self.classes)):
            if not all(names) or len({name.casefold() for name in names}) != len(names):
                raise ValueError(f"each {what} needs a name of its own, found {', '.join(map(repr, names))}")
        if not self.stains:
            raise ValueError("it names no stains")
        if len(self.classes) < 2:
            raise ValueError("a classifier needs at least two classes to choose between")
        for what in ("mean", "std", "background"):
            values = getattr(self, what)
            if values is not None and len(values) != len(self.stains):
                raise ValueError(f"it gives {len(values)} values of '{what}' for {len(self.stains)} stains")
        if min(self.std) <= 0:
            raise ValueError("every 'std' must be above zero")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"an input of {self.size[0]} x {self.size[1]} pixels is no input")
        if self.size is None and self.mode != "whole":
            raise ValueError(f"the mode '{self.mode}' needs an input size (height, width)")
        return self


def _in_words(error: ValidationError) -> str:
    """The findings of pydantic as one line that a person can act on."""
    findings = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"])
        if finding["type"] == "missing":
            findings.append(f"'{where}' is missing ({ClassifierCard.model_fields[where].description})")
        else:
            message = finding["msg"].removeprefix("Value error, ")
            findings.append(f"'{where}': {message}" if where else message)
    return "; ".join(findings) + "."
