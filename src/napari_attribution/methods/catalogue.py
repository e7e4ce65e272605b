"""Which methods there are: what the dock, the command line and Python choose from. Knows nothing of torch."""

from __future__ import annotations

from dataclasses import dataclass

from napari_attribution.methods.parameters import (
    DcmixParameters,
    OcclusionParameters,
    Parameters,
    PcimParameters,
    PixelAblationCamParameters,
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
        The module of this package whose `compute` does the work.
    looks_inside : bool
        Whether it needs a network that can be cut.
    """

    name: str
    title: str
    summary: str
    parameters: type[Parameters]
    module: str
    looks_inside: bool = False


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
            "pcim",
            "PCIM",
            "Mixing weights, one a place (and stain), trained so that the mixture keeps, or loses, the class.",
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
