"""Mouse and keys in the viewer, borrowed for as long as a dock is open."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from typing import Any

from napari.components import ViewerModel

DRAG = 5.0
"""Pixels of the screen from which on a click is a drag."""


class Listener(ABC):
    """Listens in the viewer until it is closed.

    Parameters
    ----------
    viewer : ViewerModel
    keys : mapping of key to callable
        What each key does; one that the user, or another plugin, has already stays theirs.
    """

    def __init__(self, viewer: ViewerModel, keys: Mapping[str, Callable[[], None]]) -> None:
        self.viewer = viewer
        self.bound: dict[str, Callable[[Any], None]] = {}
        viewer.mouse_drag_callbacks.append(self.clicked)
        for key, do in keys.items():
            self._bind(key, do)

    def _bind(self, key: str, do: Callable[[], None]) -> None:
        def pressed(_viewer: ViewerModel) -> None:
            do()

        try:
            self.viewer.bind_key(key, pressed)
        except ValueError:
            return
        self.bound[key] = pressed

    @abstractmethod
    def clicked(self, _viewer: ViewerModel, event: Any) -> Generator[None, None, None]:
        """napari's drag callback: a press, moves, and a release."""

    def close(self) -> None:
        """Give mouse and keys back."""
        if self.clicked in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self.clicked)
        for key, function in self.bound.items():
            if function in self.viewer.keymap.values():
                self.viewer.bind_key(key, None)
        self.bound.clear()
