"""The parameters of each method: one frozen pydantic model draws the form, checks the values and goes into the record."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Parameters(BaseModel):
    """What every method's parameters share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fill: Literal["mean", "background", "blur"] = Field(
        default="mean",
        description="What stands in for what is taken away: the stain's mean in the training wells, its background, or a blur",
    )


class PixelAblationCamParameters(Parameters):
    """Parameters of Pixel Ablation-CAM."""

    layer: str | None = Field(
        default=None, description="Where to cut the network; the last block's output if none is named"
    )
    reading: Literal["importance", "activation-weighted"] = Field(
        default="importance",
        description="The map is each location's drop of the score (importance), or that drop times its summed activation",
    )
    channels: Literal["shapley", "none"] = Field(
        default="shapley",
        description="The stains' importance beside the map: Shapley values (one forward for each subset of stains), or none",
    )


class PcimParameters(Parameters):
    """Parameters of PCIM."""

    form: Literal["smooth", "literal"] = Field(
        default="smooth",
        description="smooth: mixing weights on a coarse grid, keep and remove games; literal: one free weight per pixel",
    )
    per_stain: bool = Field(
        default=True, description="One mixing weight per location and stain, instead of one shared by the stains"
    )
    steps: int = Field(default=5, ge=1, le=1000, description="Number of steps in which the mixing weights are trained")
    grid: int = Field(
        default=32, ge=2, le=512, description="Mixing weights along the longer side of the input (smooth form)"
    )
    step_size: float = Field(default=0.1, gt=0, le=1, description="Largest change of a mixing weight in one step")


class DcmixParameters(Parameters):
    """Parameters of post-hoc DCMIX."""

    steps: int = Field(default=8, ge=1, le=1000, description="Number of steps in which the channel weights are trained")
    shapley: bool = Field(
        default=True, description="Compute the exact Shapley value of every stain beside it (up to 8 stains)"
    )
