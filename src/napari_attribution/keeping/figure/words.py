"""What a figure says in words. Pure functions."""

from __future__ import annotations

import math
from typing import Any

from napari_attribution.methods.attribution import Attribution
from napari_attribution.methods.choice.catalogue import ALL
from napari_attribution.wells import Well


def method_title(attribution: Attribution) -> str:
    """As it is read."""
    return ALL[attribution.method].title if attribution.method in ALL else attribution.method


def well_title(well: Well) -> str:
    """The well, with its file where the name does not say it."""
    file = well.source[0].replace("\\", "/").rsplit("/", 1)[-1] if well.source else ""
    name = bounded(well.name)
    return f"{name} ({bounded(file)})" if file and not file.startswith(well.name) else name


def bounded(name: str, length: int = 70) -> str:
    """A name of a length that a sentence bears: what is in the middle of a longer one gives way."""
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-(length // 2 - 1) :]}"


def key_parameters(attribution: Attribution) -> str:
    """The fill, where the network was cut, and the parameters that are not the method's defaults."""
    given = dict(attribution.record.get("parameters") or {})
    model = ALL[attribution.method].parameters.model_fields if attribution.method in ALL else {}
    told = [f"fill: {given.pop('fill')}"] if "fill" in given else []
    found = attribution.record.get("found")
    layer = given.pop("layer", None) or (found.get("layer") if isinstance(found, dict) else None)
    if isinstance(layer, str):
        told.append(f"layer: {layer}")
    told += [f"{name.replace('_', ' ')}: {_value(value)}" for name, value in given.items()
             if name not in model or value != model[name].default]  # fmt: skip
    return ", ".join(told)


def caption(well: Well, attribution: Attribution, close_up: bool) -> str:
    """The caption of the whole figure."""
    a = attribution
    where = f", around {a.place.name} (outlined; in the corner, the whole field)" if a.place and close_up else (
        f", {a.place.name} outlined" if a.place else ""
    )  # fmt: skip
    sentences = [f"(a) {well_title(well)}{where}."]
    if a.pixel_size is None:
        sentences.append("The size of a pixel is not known: no scale bar.")
    parameters = key_parameters(a)
    sentences.append(f"(b) Why {_asked(a)}: {method_title(a)}{f' ({parameters})' if parameters else ''}.")
    if any(a.channel_importance.values()):
        spread = ", ± one standard deviation" if a.channel_spread else ""
        sentences.append(f"(c) Shares of: {a.importance_meaning}{spread}.")
    sentences.append(_said(a))
    if a.part is not None and a.place is not None:
        falls = "falls" if a.part.loses >= 0 else "rises"
        sentences.append(
            f"Without {a.place.name}, the well's {a.score_name} {falls} from {number(a.part.whole)} to {number(a.part.without)}."
        )
    sentences += [*a.trust, _made(a)]
    return " ".join(sentences)


def number(value: float) -> str:
    """Three digits, with a minus sign that is one."""
    return f"{value:.3g}".replace("-", "−") if math.isfinite(value) else "unknown"


def share(value: float, spread: float | None) -> str:
    """ "71 % ± 3"."""
    whole = f"{100 * value:.0f}".replace("-", "−") if math.isfinite(value) else "?"
    whole = "0" if whole == "−0" else whole
    return f"{whole} %" + (f" ± {100 * spread:.0f}" if spread is not None and math.isfinite(spread) else "")


def _asked(a: Attribution) -> str:
    against = a.score_name.removeprefix("contrast with ")
    return f"{a.target} rather than {against}" if against != a.score_name else a.target


def _said(a: Attribution) -> str:
    file = (a.record.get("classifier") or {}).get("file")
    name = bounded(str(file).replace("\\", "/").rsplit("/", 1)[-1]) if file else "The classifier"
    what = "this place alone" if a.place is not None and a.part is not None else "it"
    sentence = f"{name} calls {what} {a.predicted} (probability {a.probabilities[a.predicted]:.2f})"
    if a.target != a.predicted:
        sentence += f", {a.target} with probability {a.probabilities[a.target]:.2f}"
    return f"{sentence}; explained is the {a.score_name}, {number(a.score)}."


def _made(a: Attribution) -> str:
    version = (a.record.get("versions") or {}).get("napari-attribution", "")
    return f"Made with napari-attribution {version}".rstrip() + "."


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
