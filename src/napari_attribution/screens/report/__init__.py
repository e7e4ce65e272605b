"""Results for people: columns and scales in words and colours, thumbnails, and the report. Knows no window."""

from napari_attribution.screens.report.writing import write_report

__all__ = ["write_report"]
