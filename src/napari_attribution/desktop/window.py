"""A napari window with the dock "Explain well" in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer

    from napari_attribution.desktop.explain.widget import ExplainWell

SIZE = (1400, 900)


def open_window() -> tuple[Viewer, ExplainWell]:
    """Open napari and the dock; `napari.run()` then hands the window to its user."""
    import napari

    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    _, dock = viewer.window.add_plugin_dock_widget("napari-attribution", "Explain well")
    return viewer, dock
