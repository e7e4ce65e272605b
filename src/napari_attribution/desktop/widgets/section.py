"""A part of the dock that closes with a tick when it is right, and opens itself, in red, when it is not."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_attribution.desktop.explain.status import Section as Standing

MARKS = {"ok": "✓", "warn": "!", "wrong": "✗", "busy": "…", "todo": ""}


def paint(widget: QWidget, level: str) -> None:
    """Colour a widget by its level (see `style`)."""
    if widget.property("level") != level:
        widget.setProperty("level", level)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class Elided(QLabel):
    """A line of text that ends in "..." where the dock is narrow, with the whole text as its tooltip."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = text
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_whole(self, text: str) -> None:
        """Show a text; it becomes the tooltip as well, until another is set."""
        self._whole = text
        self.setToolTip(text)
        self._elide()

    def resizeEvent(self, event):  # noqa: N802
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(0, self.width() - 4)
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, room))


class Section(QWidget):
    """A heading with a mark, over a body that can be closed.

    Parameters
    ----------
    name : str
        Its object name; the heading's is `<name>_heading`.
    title : str
    body : QWidget
    tip : str
        Tooltip of the heading.
    indent : int
        Pixels by which the body stands farther in.
    """

    def __init__(
        self, name: str, title: str, body: QWidget, tip: str, indent: int = 14, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._title = title
        self._level = "ok"
        self.heading = QToolButton()
        self.heading.setObjectName(f"{name}_heading")
        self.heading.setProperty("heading", True)
        self.heading.setToolTip(tip)
        self.heading.setCheckable(True)
        self.heading.toggled.connect(self._toggle)
        self.summary = Elided()
        self.summary.setObjectName(f"{name}_summary")
        self.summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.mark = QLabel()
        self.mark.setObjectName(f"{name}_mark")
        self.mark.setFixedWidth(18)
        self.mark.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence = QLabel()
        self.sentence.setObjectName(f"{name}_sentence")
        self.sentence.setWordWrap(True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.sentence.hide()
        self.body = body
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(2)
        top.addWidget(self.heading)
        top.addWidget(self.summary, 1)
        top.addWidget(self.mark)
        self._inside = QWidget()
        inside = QVBoxLayout(self._inside)
        inside.setContentsMargins(indent, 0, 0, 4)
        inside.setSpacing(4)
        inside.addWidget(self.sentence)
        inside.addWidget(body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(top)
        layout.addWidget(self._inside)
        self._toggle(False)

    def show_standing(self, standing: Standing) -> None:
        """Take over how this part stands; opens when it goes wrong, closes when it is right again."""
        self.summary.set_whole(standing.summary)
        self.mark.setText(MARKS[standing.level])
        self.sentence.setText(standing.sentence)
        self.sentence.setVisible(bool(standing.sentence))
        for widget in (self.mark, self.summary, self.sentence):
            paint(widget, standing.level)
        blocks = standing.level in ("wrong", "todo")
        blocked = self._level in ("wrong", "todo")
        if blocks and not blocked:
            self.heading.setChecked(True)
        elif blocked and standing.level in ("ok", "warn"):
            self.heading.setChecked(False)
        if standing.level != "busy":
            self._level = standing.level

    def _toggle(self, opened: bool) -> None:
        self._inside.setVisible(opened)
        self.heading.setText(f"{'▾' if opened else '▸'} {self._title}")
