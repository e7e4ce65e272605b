"""Choosing: a method by its name, and its parameters from plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from napari_attribution.errors import RequestError
from napari_attribution.methods.choice.catalogue import ALL, Method
from napari_attribution.methods.choice.parameters import Parameters


def find_method(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    RequestError
        Where there is none; names those that there are.
    """
    if name not in ALL:
        raise RequestError(f"There is no method {name!r}. Choose one of: {', '.join(ALL)}.")
    return ALL[name]


def check_parameters(method: Method, values: Mapping[str, Any]) -> Parameters:
    """The method's parameters from plain values.

    Raises
    ------
    RequestError
        For a parameter that the method does not have, or a value that it cannot take.
    """
    try:
        return method.parameters(**values)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in found["loc"])
        if found["type"] == "extra_forbidden":
            have = ", ".join(method.parameters.model_fields)
            raise RequestError(f"{method.title} has no parameter {name!r}. It has: {have}.") from None
        raise RequestError(f"{method.title} cannot take {name} = {found['input']!r}: {found['msg']}.") from None
