"""The command line: napari-attribution explain, check, card. Wrong input ends with a sentence and exit code 2."""

from napari_attribution.cli.main import main

__all__ = ["main"]
