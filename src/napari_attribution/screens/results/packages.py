"""The packages of the extra "screens"."""

from __future__ import annotations

from importlib.util import find_spec

from napari_attribution.errors import OutputError

HOW = 'pip install "napari-attribution[screens]"'


def check_packages(*names: str) -> None:
    """See that the packages are there, before any work is done.

    Raises
    ------
    OutputError
        Where one is not installed.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        them = " and ".join(missing)
        raise OutputError(f"For screens, {them} must be installed: {HOW}")
