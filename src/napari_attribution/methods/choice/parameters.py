"""The parameters of each method: one frozen pydantic model draws the form, checks the values and goes into the record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Parameters(BaseModel):
    """What every method's parameters share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fill: Literal["mean", "background", "blur"] = Field(
        default="mean",
        description="What stands in for what is taken away: the stain's mean in the training wells, its background, or a blur",
    )


Estimate = Annotated[
    Literal["auto", "gradient", "masks"],
    Field(
        description="gradient: by the network's gradients; masks: from the scores of masks drawn at random, which any network "
        "gives; auto: by gradients where there are any"
    ),
]

Masks = Annotated[
    int,
    Field(
        ge=32,
        le=4000,
        description="Masks drawn at random where gradients are not used: one forward each, and half of them the others' opposites",
    ),
]

StainValues = Annotated[
    Literal["shapley", "leave-one-out", "keep-one", "permutation", "none"],
    Field(
        description="The stains' importance beside the map: Shapley values (one forward for each subset of stains); what the "
        "score loses without the stain, or gains by it alone, or loses when its pixels are shuffled (a few forwards a stain); "
        "or none"
    ),
]


class PixelAblationCamParameters(Parameters):
    """Parameters of Pixel Ablation-CAM."""

    layer: str | None = Field(
        default=None, description="Where to cut the network; the last block's output if none is named"
    )
    reading: Literal["importance", "activation-weighted"] = Field(
        default="importance",
        description="The map is each location's drop of the score (importance), or that drop times its summed activation",
    )
    search: Literal["auto", "every location", "hierarchical"] = Field(
        default="auto",
        description="Where the drops cannot all be had at once: silence every location in its turn, or only the most telling ones "
        "and estimate the others from gradients (hierarchical); auto: every location as long as that costs at most 20 forwards, "
        "or there are no more of them than head runs, or the network gives no gradients",
    )
    head_runs: int = Field(
        default=300,
        ge=10,
        le=100_000,
        description="What a hierarchical search may cost, in runs of the rest of the network behind the layer",
    )
    memory: int = Field(
        default=512, ge=16, le=65_536, description="Memory that the batches may take beside the network, in MB"
    )
    channels: StainValues = "shapley"


Region = Annotated[
    float,
    Field(
        ge=0,
        le=0.5,
        description="Size of the regions by which evidence is weighed (standard deviation, as a share of the input's longer side): "
        "0.1 for what one part of the image shows; with 0, every place, and every cell, stands for itself",
    ),
]


class FusedAblationCamParameters(Parameters):
    """Parameters of fused Pixel Ablation-CAM."""

    finest: float = Field(
        default=4.0,
        ge=1,
        le=64,
        description="Stride, in pixels of the input, of the finest layer that has a part in the map",
    )
    region: Region = 0.0
    channels: StainValues = "shapley"


class PcimParameters(Parameters):
    """Parameters of PCIM."""

    form: Literal["coarse-to-fine", "smooth", "literal"] = Field(
        default="coarse-to-fine",
        description="coarse-to-fine: what fine places and the regions around them agree on; smooth: mixing weights on a grid; "
        "literal: one free weight per pixel, as published",
    )
    per_stain: bool = Field(
        default=True, description="One mixing weight per location and stain, instead of one shared by the stains"
    )
    steps: int = Field(default=5, ge=1, le=1000, description="Number of steps in which the mixing weights are trained")
    fine: float = Field(
        default=4.0,
        ge=0,
        le=64,
        description="Coarse-to-fine form: standard deviation of a fine place, in pixels of the input",
    )
    region: Region = 0.1
    covered: int = Field(
        default=6,
        ge=0,
        le=64,
        description="Coarse-to-fine form: regions along the longer side of the input that are covered in turn, to see what the "
        "score loses without each; 0 to judge regions by their evidence alone",
    )
    grid: int = Field(
        default=32, ge=2, le=512, description="Mixing weights along the longer side of the input (smooth form)"
    )
    step_size: float = Field(default=0.1, gt=0, le=1, description="Largest change of a mixing weight in one step")
    estimate: Estimate = "auto"
    masks: Masks = 500


class DcmixParameters(Parameters):
    """Parameters of post-hoc DCMIX."""

    mixing: Literal["tossed", "blended"] = Field(
        default="tossed",
        description="What a channel weight is: the chance that its stain is mixed in, wholly or not at all (tossed), or how much "
        "of its stain is (blended), which asks the network of images half as bright",
    )
    steps: int = Field(default=8, ge=1, le=1000, description="Number of steps in which the channel weights are trained")
    shapley: bool = Field(
        default=True, description="Compute the exact Shapley value of every stain beside it (up to 8 stains)"
    )
    estimate: Estimate = "auto"
    masks: Masks = 500


class OcclusionParameters(Parameters):
    """Parameters of occlusion."""

    window: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Side of the window, in pixels of the input; an eighth of it if none is named",
    )
    stride: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="From one window to the next, in pixels of the input; half a window if none is named",
    )
    per_stain: bool = Field(
        default=False, description="Cover one stain at a time: a map for each stain, for as many times the work"
    )
    channels: StainValues = "shapley"

    def geometry(self, size: tuple[int, int]) -> tuple[int, int]:
        """Side and stride of the window for an input of (h, w) pixels; no gaps between windows."""
        window = min(self.window or max(1, round(max(size) / 8)), *size)
        return window, min(self.stride or max(1, window // 2), window)


def from_masks(parameters: PcimParameters | DcmixParameters, gradients: bool) -> bool:
    """Whether masks are drawn, for a network that gives gradients or gives none."""
    return parameters.estimate == "masks" or (parameters.estimate == "auto" and not gradients)
