"""The plan of a run: all that determines its results. A run that was stopped goes on only where the plan is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.classifiers.preparation.stains import match_stains
from napari_attribution.errors import CardError, RequestError, WellError
from napari_attribution.methods.choice.choosing import check_parameters, find_method
from napari_attribution.screens.results.plate_file import sha256_of_fields
from napari_attribution.wells.plate import Condition, Plate

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedPlate(_Frozen):
    """The plate, without its fields; these are told by their number and their hash.

    Parameters
    ----------
    name, source, format, layout, stains, named, pixel_size
        As the `Plate` has them.
    conditions : mapping of name to "number" or "text"
    told : mapping of position to the values of the conditions there
    wells, fields : int
        How many are to be explained.
    empty : tuple of str
        Wells that the plate speaks of and that have no images.
    sha256_of_fields : str
        Of how they are read.
    """

    name: str
    source: str
    format: str
    layout: tuple[int, int]
    stains: tuple[str, ...]
    named: bool
    pixel_size: tuple[float, float] | None
    conditions: dict[str, Literal["number", "text"]]
    told: dict[str, dict[str, Condition]]
    wells: int
    fields: int
    empty: tuple[str, ...]
    sha256_of_fields: str


class PlannedMethod(_Frozen):
    """A method and all of its parameters."""

    name: str
    parameters: dict[str, Any]


class Plan(_Frozen):
    """All that determines the results.

    Parameters
    ----------
    plate : PlannedPlate
    sha256 : str
        Of the classifier's file.
    card : ClassifierCard
    stain_map : mapping of the card's stain to the plate's, in the order of the card
    methods : tuple of PlannedMethod
        In the order asked for.
    target, score, against
        What is explained, as `explain` takes it.
    faithfulness, maps, accept_flaws : bool
    batch_bytes : int
        What the fields in hand may take; how the fields are cut into chunks follows from it.
    """

    plate: PlannedPlate
    sha256: str
    card: ClassifierCard
    stain_map: dict[str, str]
    methods: tuple[PlannedMethod, ...]
    target: str | None = None
    score: str = "logit"
    against: str | None = None
    faithfulness: bool = True
    maps: bool = True
    accept_flaws: bool = True
    batch_bytes: int = 512 * 2**20

    @property
    def stains(self) -> tuple[str, ...]:
        """The plate's names of the stains, in the order that the classifier wants."""
        return tuple(self.stain_map.values())

    @property
    def classes(self) -> tuple[str, ...]:
        return self.card.classes

    @property
    def hash(self) -> str:
        """The same for the same plan."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def make_plan(
    plate: Plate,
    classifier: Classifier,
    methods: Sequence[str],
    parameters: Mapping[str, Mapping[str, Any]],
    stain_map: Mapping[str, str] | None,
    **asked: Any,
) -> Plan:
    """The plan for a plate, with everything checked that can be without a look at its pixels.

    Parameters
    ----------
    plate : Plate
    classifier : Classifier
    methods : sequence of str
    parameters : mapping of method to its parameters
    stain_map : mapping of the card's stain to the plate's, for those whose names differ
    **asked
        `target`, `score`, `against`, `faithfulness`, `maps`, `accept_flaws`, `batch_bytes`.

    Raises
    ------
    WellError
        For a plate without fields.
    StainError, CardError
        For a classifier that does not fit the plate.
    RequestError, LayerError
        For a method, class, score or parameter that does not exist, or that the classifier does not allow.
    """
    import torch

    from napari_attribution.methods.choice.offers import offer
    from napari_attribution.methods.question.score import choose_score

    if not len(plate):
        raise WellError(
            f"The plate {plate.name} has no fields that could be explained "
            f"({len(plate.fields)} wells, format {plate.format}). Check its path, and the wells asked for."
        )
    if classifier.card.mode == "cells":
        raise CardError(
            f"{classifier.name} looks at single cells, and a screen does not know where they are. Use a classifier of whole "
            "fields or of tiles."
        )
    matched = match_stains(classifier.card.stains, plate.stains, stain_map)
    if len(set(methods)) != len(methods) or not methods:
        raise RequestError("Name at least one method, and each only once.")
    for name in parameters:
        if name not in methods:
            raise RequestError(
                f"Parameters were given for {name}, which is not among the methods: {', '.join(methods)}."
            )
    chosen = []
    for name in methods:
        method = find_method(name)
        settings = check_parameters(method, parameters.get(name, {}))
        found = offer(classifier, method, settings)
        if not found.possible:
            raise found.error(found.why)
        chosen.append(PlannedMethod(name=name, parameters=settings.model_dump(mode="json")))
    plan = Plan(
        plate=_planned(plate),
        sha256=classifier.sha256,
        card=classifier.card,
        stain_map=matched,
        methods=tuple(chosen),
        **asked,
    )
    choose_score(plan.score, plan.target, plan.against, plan.classes, torch.arange(len(plan.classes)).float())
    return plan


def chosen_wells(plate: Plate, wells: Sequence[str] | None) -> Plate:
    """The plate with only those wells of which one of these says the whole name; a dot stands for any letter ("B..").

    Raises
    ------
    RequestError
        Where one of them names no well of the plate.
    """
    import re

    if wells is None:
        return plate
    found: set[str] = set()
    for pattern in wells:
        try:
            some = {position for position in plate.fields if re.fullmatch(pattern, position, re.IGNORECASE)}
        except re.error:
            some = set()
        if not some:
            raise RequestError(
                f"The plate {plate.name} has no well {pattern!r}; it has {', '.join(list(plate.fields)[:6])}"
                f"{', ...' if len(plate.fields) > 6 else ''}. Give names such as B03, or B.. for a whole row."
            )
        found |= some
    return replace(plate, fields={position: fields for position, fields in plate.fields.items() if position in found})


def _planned(plate: Plate) -> PlannedPlate:
    told = {position: dict(plate.conditions[position]) for position in plate.fields if position in plate.conditions}
    return PlannedPlate(
        name=plate.name,
        source=plate.source,
        format=plate.format,
        layout=plate.layout,
        stains=plate.stains,
        named=plate.named,
        pixel_size=plate.pixel_size,
        conditions={name: _kind(told, name) for name in plate.columns},
        told=told,
        wells=sum(bool(fields) for fields in plate.fields.values()),
        fields=len(plate),
        empty=plate.empty,
        sha256_of_fields=sha256_of_fields(plate),
    )


def _kind(told: Mapping[str, Mapping[str, Condition]], name: str) -> Literal["number", "text"]:
    """Numbers only where there is nothing else."""
    values = [values.get(name) for values in told.values()]
    return "text" if any(isinstance(value, str) for value in values) else "number"
