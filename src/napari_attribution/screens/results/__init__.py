"""What a run leaves: a table of the fields, their maps, the record; and how they are read."""

from napari_attribution.screens.results.results import Results, open_results

__all__ = ["Results", "open_results"]
