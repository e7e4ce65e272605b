"""ClassifierCard: what a classifier file does not say of itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from napari_attribution.errors import CardError

Mode = Literal["resize", "whole", "tiles", "cells"]
"""How a well becomes an input: the whole field resized, as it is, in tiles, or as crops around cells."""

Normalisation = Literal["fixed", "per-image", "percentiles"]
"""How pixels become what the network reads: by the mean and std of the training wells, by the image's own, or by two of
its percentiles, of which the lower becomes 0 and the upper 1."""

Limits = tuple[float | None, float | None]
"""What lies below the first or above the second becomes it; None for no limit on that side."""


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
    overlap: float = Field(
        default=0.25, ge=0, le=0.9, description="The part of their length that neighbouring tiles share at least"
    )
    normalisation: Normalisation = Field(
        default="fixed", description="By a fixed mean and std, by each image's own (per-image), or by two percentiles"
    )
    mean: tuple[float, ...] | None = Field(
        default=None, description="Per stain, in detector units: subtracted from the pixels first"
    )
    std: tuple[float, ...] | None = Field(
        default=None, description="Per stain, in detector units: what the pixels are then divided by"
    )
    percentiles: tuple[float, float] | None = Field(
        default=None, description="In percent: the one that becomes 0 and the one that becomes 1"
    )
    eps: float = Field(default=1e-6, gt=0, le=0.1, description="Added to an image's own std or range before dividing")
    over: Literal["input", "well"] = Field(
        default="input",
        description="What is normalised: each input by itself, or the whole well before it is resized or cut",
    )
    together: bool = Field(
        default=False, description="Whether an image's own numbers are those of all stains together, not of each stain"
    )
    clip_before: Limits | None = Field(
        default=None, description="In detector units: limits that the pixels are clipped to before normalisation"
    )
    clip_after: Limits | None = Field(default=None, description="Limits that the normalised pixels are clipped to")
    background: tuple[float, ...] | None = Field(
        default=None,
        description="Per stain, in detector units: the value that means 'nothing there'; None to take it from the well",
    )
    pixel_size: float | None = Field(
        default=None, gt=0, description="Size of a pixel in um of the wells that the classifier was trained on"
    )
    field_size: tuple[float, float] | None = Field(
        default=None,
        description="Height and width in um of the fields that it was trained on: says, where whole fields are resized, "
        "that cells look as large as in training even if the fields were binned",
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
        self._check_normalisation()
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"an input of {self.size[0]} x {self.size[1]} pixels is no input")
        if self.size is None and self.mode != "whole":
            raise ValueError(f"the mode '{self.mode}' needs an input size (height, width)")
        return self

    def _check_normalisation(self) -> None:
        needed = {"fixed": ("mean", "std"), "per-image": (), "percentiles": ("percentiles",)}
        for kind, names in needed.items():
            missing = [f"'{name}' is missing ({_said_of(name)})" for name in names if getattr(self, name) is None]
            if kind == self.normalisation and missing:
                others = " or ".join(f"'{other}'" for other in needed if other != kind)
                raise ValueError(
                    f"{'; '.join(missing)}. If the classifier was trained otherwise, say so: normalisation {others}"
                )
            given = [name for name in names if getattr(self, name) is not None]
            if kind != self.normalisation and given:
                raise ValueError(
                    f"it gives '{given[0]}', which the normalisation '{self.normalisation}' does not use: leave it out, or "
                    f"choose the normalisation '{kind}'"
                )
        if self.std is not None and min(self.std) <= 0:
            raise ValueError("every 'std' must be above zero")
        if self.percentiles is not None and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise ValueError("the 'percentiles' must rise from one to the other between 0 and 100")
        if self.percentiles is not None and self.percentiles[1] <= 1:
            raise ValueError("the 'percentiles' are in percent (1, 99), not parts of one (0.01, 0.99)")
        if self.together and self.normalisation == "fixed":
            raise ValueError(
                "'together' has no meaning for the normalisation 'fixed', which has numbers for each stain"
            )
        for name in ("clip_before", "clip_after"):
            low, high = getattr(self, name) or (0.0, None)
            if (low is None and high is None) or (low is not None and high is not None and low >= high):
                raise ValueError(f"'{name}' must be a lower and a higher limit, or one of the two")


def _said_of(field: str) -> str:
    return str(ClassifierCard.model_fields[field].description)


def _in_words(error: ValidationError) -> str:
    """The findings of pydantic as one line that a person can act on."""
    findings = []
    for finding in error.errors(include_url=False):
        where = ".".join(str(part) for part in finding["loc"])
        if finding["type"] == "missing" and where in ClassifierCard.model_fields:
            findings.append(f"'{where}' is missing ({_said_of(where)})")
        else:
            message = finding["msg"].removeprefix("Value error, ")
            findings.append(f"'{where}': {message}" if where else message)
    return "; ".join(findings) + "."
