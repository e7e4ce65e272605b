"""What a developer wants to know of an error that was not foreseen."""

from qtpy.QtWidgets import QPlainTextEdit, QWidget

from napari_attribution.desktop.explain.state import State
from napari_attribution.desktop.widgets.section import Section


class ReportView(Section):
    """The details of the last failure, to be copied; there only where there are any."""

    def __init__(self, parent: QWidget | None = None) -> None:
        details = QPlainTextEdit()
        details.setObjectName("details")
        details.setReadOnly(True)
        details.setMaximumHeight(160)
        details.setToolTip("Technical details, to be copied into a report")
        super().__init__("report", "Details for a report", details, "What to send to the developers", parent=parent)
        self.details = details

    def render_state(self, state: State) -> None:
        """Show the details of what failed last."""
        failures = (state.run_error, state.check_error, state.classifier_error)
        details = next((failure.details for failure in failures if failure and failure.details), "")
        self.setVisible(bool(details))
        if self.details.toPlainText() != details:
            self.details.setPlainText(details)
