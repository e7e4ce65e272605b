"""The parameters of the references, as `napari_attribution.methods.choice.parameters` holds those of the plugin's own methods."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_attribution.methods.choice.parameters import OcclusionParameters, Parameters, StainValues

Relu = Annotated[
    bool,
    Field(description="Keep only what speaks for the class, as published; else the map keeps its sign"),
]

Smooth = Annotated[
    float,
    Field(
        ge=0,
        le=512,
        description="Blur the map by a Gaussian of this many input pixels (one standard deviation); 0 leaves it as published",
    ),
]

Seed = Annotated[int, Field(ge=0, le=2**31 - 1, description="Of the random numbers: the same seed draws the same ones")]


class CamParameters(Parameters):
    """Parameters of every method that weighs the channels or the places of one feature map."""

    layer: str | None = Field(
        default=None, description="Where to cut the network; the last block's output if none is named"
    )
    channels: StainValues = "none"


class WeightedCamParameters(CamParameters):
    """Parameters of the methods whose map is a weighted sum of channels: Grad-CAM, Ablation-CAM."""

    relu: Relu = False


class AblationCamPlusPlusParameters(WeightedCamParameters):
    """Parameters of Ablation-CAM++."""

    groups: int = Field(default=16, ge=1, le=4096, description="Groups of alike channels to begin with")
    threshold: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="A group is split while its drop is more than this share of all the first groups' drops together",
    )
    most: float = Field(
        default=0.45, gt=0, le=2, description="Most groups that are ablated, as a share of the channels of the layer"
    )


class ReciproCamParameters(CamParameters):
    """Parameters of Recipro-CAM."""

    gaussian: bool = Field(
        default=True, description="Keep the 3 x 3 neighbourhood of each location too, weighted by a Gaussian"
    )


class InputXGradientParameters(Parameters):
    """Parameters of Input x Gradient."""

    smooth: Smooth = 0.0


class IntegratedGradientsParameters(InputXGradientParameters):
    """Parameters of Integrated Gradients, ours and captum's."""

    steps: int = Field(
        default=50, ge=1, le=1000, description="Points between the fill and the input at which the gradient is taken"
    )


class CaptumOcclusionParameters(OcclusionParameters):
    """Parameters of captum's occlusion: those of ours."""

    channels: StainValues = "none"


class RiseParameters(Parameters):
    """Parameters of RISE."""

    masks: int = Field(default=4000, ge=1, le=100_000, description="Masks drawn at random: one forward each")
    grid: int = Field(default=7, ge=1, le=256, description="Cells of a mask along the longer side of the input")
    keep: float = Field(default=0.5, gt=0, lt=1, description="How probable it is that a cell is kept")
    centred: bool = Field(
        default=True,
        description="Measure the scores of the masks from their mean, so that zero says nothing; else as published",
    )
    seed: Seed = 0


class RandomMapParameters(Parameters):
    """Parameters of the random map."""

    grid: int = Field(default=8, ge=1, le=4096, description="Random numbers along the longer side of the input")
    seed: Seed = 0


class CentredBlobParameters(Parameters):
    """Parameters of the centred blob."""

    width: float = Field(
        default=0.25, gt=0, le=10, description="Standard deviation of the blob, as a share of each side of the input"
    )
