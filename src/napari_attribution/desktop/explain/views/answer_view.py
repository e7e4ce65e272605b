"""The answer in words, under the button that asked for it."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_attribution.desktop.explain import words
from napari_attribution.desktop.layers.palettes import palette
from napari_attribution.desktop.picks import words as words_of_places
from napari_attribution.desktop.widgets import parts
from napari_attribution.methods.attribution import Attribution

TRUST_TIP = (
    "How far to trust the map: how much of the score its strongest fifth carries. 100 % is the score of the well as it is, 0 % "
    "that of the fill alone. A map that shows what the classifier uses keeps much more than the same shape laid elsewhere, and "
    "little is left once its top is removed."
)


class AnswerView(QWidget):
    """Who decides, what the classifier says, how far to trust the map, what to be careful about, what it took."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("answer_view")
        self.headline = parts.text("answer_headline", "Which stain decides")
        self.said = parts.text("answer", "What the classifier says")
        self.trust = parts.text("trust", TRUST_TIP)
        self.warnings = parts.text("warnings", "What the reader of the map should know")
        self.footnote = parts.text(
            "footnote", "The map's colours and numbers, the score explained, and what it took", quiet=True
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(7)
        for label in (self.headline, self.said, self.trust, self.warnings, self.footnote):
            layout.addWidget(label)

    def render_answer(self, answer: Attribution | None) -> None:
        """Show it; nothing takes no room."""
        self.setVisible(answer is not None)
        if answer is None:
            return
        of = words if answer.place is None else words_of_places
        parts.say(self.headline, of.headline(answer))
        parts.say(self.said, of.details(answer))
        parts.say(self.trust, " ".join(answer.trust))
        parts.say(self.warnings, "\n".join(f"! {warning}" for warning in answer.warnings), "warn")
        colours = palette()
        legend = words.legend(answer, (colours.speaks_for, colours.against))
        parts.say(self.footnote, f"{legend}\n{words.footnote(answer)}")
