"""Which methods there are: what the dock, the command line and Python choose from. Knows nothing of torch."""

from __future__ import annotations

from dataclasses import dataclass

from napari_attribution.methods.choice.parameters import (
    DcmixParameters,
    FusedAblationCamParameters,
    OcclusionParameters,
    Parameters,
    PcimParameters,
    PixelAblationCamParameters,
)
from napari_attribution.methods.references.parameters import (
    AblationCamPlusPlusParameters,
    CaptumOcclusionParameters,
    CentredBlobParameters,
    InputXGradientParameters,
    IntegratedGradientsParameters,
    RandomMapParameters,
    ReciproCamParameters,
    RiseParameters,
    WeightedCamParameters,
)


@dataclass(frozen=True)
class Method:
    """One way to explain.

    Parameters
    ----------
    name : str
        As it is typed: "pixel-ablation-cam".
    title : str
        As it is read: "Pixel Ablation-CAM".
    summary : str
        One sentence: what the map shows.
    parameters : type of Parameters
        The pydantic model of its parameters.
    module : str
        The module of `napari_attribution.methods` whose `compute` does the work, and whose `forwards` says what it costs
        (`napari_attribution.methods.choice.cost`).
    looks_inside : bool
        Whether it needs a network that can be cut.
    needs_gradients : bool
        Whether it needs a network that gives gradients.
    needs_captum : bool
        Whether it needs the package captum, which comes with the extra "references".
    """

    name: str
    title: str
    summary: str
    parameters: type[Parameters]
    module: str
    looks_inside: bool = False
    needs_gradients: bool = False
    needs_captum: bool = False

    @property
    def reference(self) -> bool:
        """Whether it is there to be compared with: a published method of others, or a control."""
        return self.name in REFERENCES


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "pixel-ablation-cam",
            "Pixel Ablation-CAM",
            "How much the score drops when one place of a feature map is silenced.",
            PixelAblationCamParameters,
            "pixel_ablation_cam",
            looks_inside=True,
        ),
        Method(
            "fused-ablation-cam",
            "Fused Ablation-CAM",
            "What the stages of the network agree on: the drop of the score, place by place, at the scale of a cell's parts.",
            FusedAblationCamParameters,
            "fused_ablation_cam",
            looks_inside=True,
            needs_gradients=True,
        ),
        Method(
            "pcim",
            "PCIM",
            "Which region, and which stain there, makes the class when it is mixed in, and unmakes it when it is taken out.",
            PcimParameters,
            "pcim",
        ),
        Method(
            "dcmix",
            "DCMIX (post-hoc)",
            "One mixing weight a stain, trained in front of the frozen classifier, with exact Shapley values beside it.",
            DcmixParameters,
            "dcmix",
        ),
        Method(
            "occlusion",
            "Occlusion",
            "How much the score drops when a window that slides over the input is filled.",
            OcclusionParameters,
            "occlusion",
        ),
    )
}
"""The plugin's own: what the dock offers."""

REFERENCES: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "grad-cam",
            "Grad-CAM",
            "The channels of a feature map, weighted by the score's mean gradient.",
            WeightedCamParameters,
            "references.grad_cam",
            looks_inside=True,
            needs_gradients=True,
        ),
        Method(
            "grad-cam++",
            "Grad-CAM++",
            "The channels of a feature map, weighted by the score's gradient, place by place.",
            WeightedCamParameters,
            "references.grad_cam_plus_plus",
            looks_inside=True,
            needs_gradients=True,
        ),
        Method(
            "ablation-cam",
            "Ablation-CAM",
            "The channels of a feature map, weighted by how much the score drops without each.",
            WeightedCamParameters,
            "references.ablation_cam",
            looks_inside=True,
        ),
        Method(
            "ablation-cam++",
            "Ablation-CAM++",
            "Ablation-CAM for less than half of its forwards, by groups of alike channels.",
            AblationCamPlusPlusParameters,
            "references.ablation_cam_plus_plus",
            looks_inside=True,
        ),
        Method(
            "recipro-cam",
            "Recipro-CAM",
            "What the score is with one place of a feature map alone.",
            ReciproCamParameters,
            "references.recipro_cam",
            looks_inside=True,
        ),
        Method(
            "integrated-gradients",
            "Integrated Gradients",
            "The score's gradient along the way from the fill to the input, times that way.",
            IntegratedGradientsParameters,
            "references.integrated_gradients",
            needs_gradients=True,
        ),
        Method(
            "input-x-gradient",
            "Input x Gradient",
            "What the score would lose with every pixel, were the network a line.",
            InputXGradientParameters,
            "references.input_x_gradient",
            needs_gradients=True,
        ),
        Method(
            "rise",
            "RISE",
            "The mean of random masks, each weighted by the score of what it keeps.",
            RiseParameters,
            "references.rise",
        ),
        Method(
            "captum-integrated-gradients",
            "Integrated Gradients (captum)",
            "Integrated Gradients as captum computes it.",
            IntegratedGradientsParameters,
            "references.captum_integrated_gradients",
            needs_gradients=True,
            needs_captum=True,
        ),
        Method(
            "captum-occlusion",
            "Occlusion (captum)",
            "Occlusion as captum computes it.",
            CaptumOcclusionParameters,
            "references.captum_occlusion",
            needs_captum=True,
        ),
        Method(
            "random",
            "Random map",
            "Random numbers: what any map must beat.",
            RandomMapParameters,
            "references.random_map",
        ),
        Method(
            "centred-blob",
            "Centred blob",
            "A blob in the middle: what any map must beat where the object stands there.",
            CentredBlobParameters,
            "references.centred_blob",
        ),
    )
}
"""What they are measured against: published methods of others, and controls."""

ALL: dict[str, Method] = METHODS | REFERENCES
