"""What a classifier file does not say, asked once: the card, which can be saved beside the file."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.explain.form import shrinkable
from napari_attribution.errors import CardError

_MODES = {
    "resize": "whole field, resized to the input size",
    "whole": "whole field, as it is",
    "tiles": "tiles of the input size",
    "cells": "crops around single cells",
}


class CardForm(QWidget):
    """Stains, classes, size, mode, mean and std of a classifier without a card."""

    given = Signal(object, bool)
    """A card, and whether to save it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card_form")
        self.stains = _line(
            "card_stains", "DNA, ER, RNA", "The stains, comma-separated, in the order of the input channels"
        )
        self.classes = _line("card_classes", "control, hit", "The classes, comma-separated, in the order of the scores")
        self.mode = shrinkable(QComboBox())
        self.mode.setObjectName("card_mode")
        self.mode.setToolTip("How a well becomes an input of the classifier")
        for mode, title in _MODES.items():
            self.mode.addItem(title, mode)
        self.size = _line(
            "card_size", "256 x 256", "Height and width of an input in pixels; empty where any size will do"
        )
        self.mean = _line(
            "card_mean",
            "one number, or one a stain",
            "Subtracted from the pixels, in detector units: one number for all stains, or one a stain, comma-separated",
        )
        self.std = _line(
            "card_std",
            "one number, or one a stain",
            "What the pixels are then divided by: one number for all stains, or one a stain, comma-separated",
        )
        self.pixel_size = _line(
            "card_pixel_size", "not known", "Size of a pixel in um of the training images, if known"
        )
        self.save = QCheckBox("Save it beside the classifier")
        self.save.setObjectName("card_save")
        self.save.setToolTip("Write a bioimage.io description next to the file, so that nobody is asked again")
        self.save.setChecked(True)
        self.use = QPushButton("Use this card")
        self.use.setObjectName("card_use")
        self.use.setToolTip("Load the classifier with what is written above")
        self.error = QLabel()
        self.error.setObjectName("card_error")
        self.error.setProperty("level", "wrong")
        self.error.setWordWrap(True)
        self.error.hide()

        fields = QFormLayout()
        fields.setContentsMargins(0, 0, 0, 0)
        fields.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, field in (
            ("stains", self.stains),
            ("classes", self.classes),
            ("input", self.mode),
            ("size (px)", self.size),
            ("mean", self.mean),
            ("std", self.std),
            ("pixel (um)", self.pixel_size),
        ):
            fields.addRow(title, field)
            fields.labelForField(field).setToolTip(field.toolTip())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(fields)
        layout.addWidget(self.save)
        layout.addWidget(self.error)
        layout.addWidget(self.use)
        self.use.clicked.connect(self._give)

    def suggest(self, stains: Sequence[str]) -> None:
        """Offer the open well's stains as a start, where nothing is written yet."""
        if not self.stains.text().strip() and stains:
            self.stains.setText(", ".join(stains))

    def card(self) -> ClassifierCard:
        """What is written in the form.

        Raises
        ------
        CardError
            Where something is missing or no number.
        """
        stains = _names(self.stains.text())
        if not stains:
            raise CardError("Name the stains that the classifier wants, in the order of its input channels.")
        classes = _names(self.classes.text())
        if not classes:
            raise CardError("Name the classes, in the order of the classifier's scores.")
        pixel = _numbers("pixel size", self.pixel_size.text())
        return ClassifierCard(
            stains=stains,
            classes=classes,
            size=_size(self.size.text()),
            mode=self.mode.currentData(),
            mean=_per_stain("mean", self.mean.text(), len(stains)),
            std=_per_stain("std", self.std.text(), len(stains)),
            pixel_size=pixel[0] if pixel else None,
        )

    def _give(self) -> None:
        try:
            card = self.card()
        except CardError as error:
            self.error.setText(str(error))
            self.error.show()
            return
        self.error.hide()
        self.given.emit(card, self.save.isChecked())


def _line(name: str, example: str, tip: str) -> QLineEdit:
    line = QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(example)
    line.setToolTip(tip)
    return line


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _numbers(what: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise CardError(
            f"The {what} must be numbers with a decimal point, separated by commas; found {text!r}."
        ) from None


def _per_stain(what: str, text: str, stains: int) -> tuple[float, ...]:
    values = _numbers(what, text)
    if not values:
        raise CardError(f"Give the {what} that the pixels are normalised with (one number, or one a stain).")
    return values * stains if len(values) == 1 else values


def _size(text: str) -> tuple[int, int] | None:
    parts = [part for part in text.lower().replace("×", "x").replace(",", "x").split("x") if part.strip()]
    if not parts:
        return None
    try:
        sides = [int(part) for part in parts]
    except ValueError:
        sides = []
    if len(sides) == 1:
        sides *= 2
    if len(sides) != 2:
        raise CardError(f"The size must be height x width in pixels, such as 256 x 256; found {text!r}.")
    return sides[0], sides[1]
