"""What the user prefers, in napari's own Preferences: declared in napari.yaml, kept by napari, read here when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any
from weakref import WeakMethod

from napari_attribution.methods.choice.catalogue import METHODS

PLUGIN = "napari-attribution"
GROUPS = {"device": "computing", "memory": "computing", "palette": "maps", "percentile": "maps"}
"""The heading in napari.yaml under which each preference stands."""


@dataclass(frozen=True)
class Preferences:
    """What holds where nothing else was chosen.

    Parameters
    ----------
    device : str
        Where classifiers are loaded to begin with.
    memory : int
        MB that batches may take beside the network.
    palette : str
        A name in `napari_attribution.desktop.layers.palettes.PALETTES`.
    percentile : float
        At which of a map's magnitudes the full colour is reached.
    """

    device: str = "auto"
    memory: int = 512
    palette: str = "purple / green"
    percentile: float = 99.5


def preferences() -> Preferences:
    """What the user prefers now; the defaults, where napari does not know the plugin (it may be disabled, or not installed)."""
    settings = _settings()
    found: dict[str, Any] = {}
    for field in fields(Preferences):
        group = getattr(settings, GROUPS[field.name], None)
        found[field.name] = getattr(group, field.name, field.default)
    return Preferences(**found)


def within(memory: int) -> dict[str, Mapping[str, Any]]:
    """The parameters, by method, that keep to this memory; methods that keep to it by their own default are left out."""
    return {
        method.name: {"memory": memory}
        for method in METHODS.values()
        if "memory" in method.parameters.model_fields
        and method.parameters.model_fields["memory"].get_default() != memory
    }


def on_change(tell: Callable[[str], None]) -> Callable[[], None]:
    """Have a method called with the name of a preference for the look of maps that is another now; returns what ends that.

    The preferences outlive every window: they do not keep the method's owner alive.
    """
    maps = getattr(_settings(), "maps", None)
    if maps is None:
        return lambda: None

    seen, teller = preferences(), WeakMethod(tell)

    def changed(_event: object) -> None:
        nonlocal seen
        # napari's dialog sets all of a heading at once, and does not say what is another.
        before, seen = seen, preferences()
        found = teller()
        for name, group in GROUPS.items():
            if found is not None and group == "maps" and getattr(before, name) != getattr(seen, name):
                found(name)

    maps.events.connect(changed)

    def end() -> None:
        with suppress(ValueError):
            maps.events.disconnect(changed)

    return end


def _settings() -> Any:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari before 0.9
        return None
    with suppress(KeyError):
        return get_plugin_settings(PLUGIN)
    return None
