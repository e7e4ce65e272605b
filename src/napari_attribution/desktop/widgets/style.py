"""Colours of the dock in napari's dark and light themes; each has a sign beside it, for those who do not see it."""

from __future__ import annotations

from napari.utils.theme import get_theme

_DARK = {
    "wrong": "#ff8a80",
    "warn": "#f2c14e",
    "ok": "#6fcf97",
    "quiet": "#a3a8b0",
    "wrong_field": "#7a2730",
    "text": "#f0f1f2",
}
_LIGHT = {
    "wrong": "#b3261e",
    "warn": "#7a5200",
    "ok": "#1b7a43",
    "quiet": "#5b5f66",
    "wrong_field": "#f3b9b5",
    "text": "#1e1f22",
}


def is_dark(theme: str) -> bool:
    """Whether text on this theme's background is light."""
    red, green, blue = get_theme(theme).background.as_rgb_tuple()[:3]
    return 0.3 * red + 0.59 * green + 0.11 * blue < 128


def paper_and_ink(theme: str) -> tuple[str, str]:
    """What a chart is drawn on and with: the dock's own background and its text, as "#rrggbb"."""
    return get_theme(theme).background.as_hex("long")[:7], (_DARK if is_dark(theme) else _LIGHT)["text"]


def style_sheet(theme: str) -> str:
    """What the dock adds to napari's own style sheet."""
    c = _DARK if is_dark(theme) else _LIGHT
    return f"""
    QLabel[level="wrong"] {{ color: {c["wrong"]}; }}
    QLabel[level="warn"] {{ color: {c["warn"]}; }}
    QLabel[level="ok"] {{ color: {c["ok"]}; }}
    QLabel[level="busy"], QLabel[level="todo"],
    QLabel[level="quiet"] {{ color: {c["quiet"]}; }}
    QLabel[quiet="true"] {{ color: {c["quiet"]}; }}
    QLabel#headline[level="todo"], QLabel#headline[level="busy"] {{ color: {c["text"]}; }}
    QLabel#answer_headline {{ font-size: 13pt; font-weight: bold; }}
    QComboBox[wrong="true"] {{ background-color: {c["wrong_field"]}; }}
    QToolButton[heading="true"] {{ background: transparent; border: none; padding: 2px 0px; font-weight: bold; }}
    QPushButton#explain {{ font-weight: bold; padding: 6px; }}
    QFrame#rule {{ background-color: {c["quiet"]}; max-height: 1px; min-height: 1px; padding: 0px; border: none; }}
    """
