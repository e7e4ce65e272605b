"""Recipe: all that is chosen about a training. It draws the form, checks the values, and goes into the record."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

WHICH = frozenset({"seeds", "first_seed", "compare"})
"""What says which networks are trained, and nothing of how any of them is: with another choice of these, those that there are
stay what they are."""


class Recipe(BaseModel):
    """How a classifier with a mixing layer is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: Literal["compact-resnet", "monai-resnet18", "monai-densenet121", "monai-efficientnet-b0"] = Field(
        default="compact-resnet", description="The network behind the mixing layer: compact-resnet, or one of MONAI's"
    )
    mixers: int = Field(
        default=1, ge=1, le=16, description="Blended channels that the mixing layer makes of the stains"
    )
    nonnegative: Literal["projection", "softplus"] = Field(
        default="projection", description="How the mixing weights are kept from falling below zero"
    )
    size: int = Field(
        default=256, ge=32, le=2048, description="Height and width in pixels of an input; fields are resized to it"
    )
    seeds: int = Field(default=3, ge=1, le=50, description="Trainings, each with a split and a start of its own")
    first_seed: int = Field(default=0, ge=0, description="The seed of the first of them")
    epochs: int = Field(default=30, ge=1, le=1000, description="Epochs at most")
    patience: int = Field(
        default=8, ge=1, le=1000, description="Epochs without a lower validation loss after which training stops"
    )
    batch: int = Field(default=16, ge=2, le=4096, description="Fields in a training step")
    least_steps: int = Field(
        default=10, ge=1, le=10_000, description="Steps of an epoch at least: few fields are seen several times in each"
    )
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="Largest step size of the backbone's weights")
    weight_decay: float = Field(
        default=1e-2, ge=0, le=1, description="Decay of the backbone's weights; none of the mixing's"
    )
    smoothing: float = Field(default=0.05, ge=0, lt=1, description="Label smoothing")
    mixing_rate: float = Field(default=0.05, gt=0, le=1, description="Largest step size of the mixing weights")
    sparsity: float = Field(
        default=0.1, ge=0, le=1, description="Pull of the mixing weights towards zero, as a share of their step size"
    )
    crop: float = Field(
        default=0.5,
        gt=0.1,
        le=1,
        description="Side of the piece of a field that a step sees, as a share of the field's",
    )
    turns: bool = Field(default=True, description="Turn by quarters and mirror the fields, all stains alike")
    brightness: float = Field(
        default=0.1, ge=0, le=1, description="Standard deviation by which a stain's contrast is varied in training"
    )
    split_by: Literal["well", "plate"] = Field(
        default="well", description="What is never parted between training and held-out fields"
    )
    held_out: float = Field(default=0.25, gt=0, lt=0.9, description="Share of the wells that accuracy is measured on")
    validation: float = Field(
        default=0.2, gt=0, lt=0.9, description="Share of the other wells that decide when training stops"
    )
    compare: bool = Field(
        default=True, description="Train the same network on all stains, and on each stain alone, beside it"
    )
