"""Import in a worker what napari imports late, in the window's thread, with the first layer.

The first image layer brings scipy.ndimage (0.6 s of a window that does not answer), the first shapes layer with features
pandas (0.7 s). Both are needed anyway; here nobody waits for them.
"""

from napari_attribution.desktop.torch_import import collector_waits


def warm_up() -> None:
    """To be called in a worker, once the dock stands."""
    with collector_waits():
        import pandas  # noqa: F401
        import scipy.ndimage  # noqa: F401
