"""What a classifier file does not say, asked once: the card, which can be saved beside the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_attribution.classifiers.cards.card import ClassifierCard
from napari_attribution.desktop.widgets.form import shrinkable
from napari_attribution.errors import CardError

MODES = {
    "resize": "whole field, resized",
    "whole": "whole field, as it is",
    "tiles": "tiles of the input size",
    "cells": "crops around single cells",
}

_NORMALISATIONS = {
    None: "choose …",
    "fixed": "mean and std from training",
    "per-image": "each image's own mean and std",
    "percentiles": "two percentiles of each image",
}

_UNSEEN = ("name", "description", "background", "clip_before", "field_size")
"""Fields of a card that a description may fill, and this form does not show."""

_OVER = {"input": "each input by itself", "well": "the whole well, before it is cut"}


class CardForm(QWidget):
    """Stains, classes, size, mode and normalisation of a classifier without a card."""

    given = Signal(object, bool)
    """A card, and whether to save it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card_form")
        self.stains = _line(
            "card_stains", "DNA, ER, RNA", "The stains, comma-separated, in the order of the input channels"
        )
        self.classes = _line("card_classes", "control, hit", "The classes, comma-separated, in the order of the scores")
        self.mode = _combo("card_mode", MODES, "How a well becomes an input of the classifier")
        self.size = _line(
            "card_size", "256 x 256", "Height and width of an input in pixels; empty where any size will do"
        )
        self.overlap = QSpinBox()
        self.overlap.setObjectName("card_overlap")
        self.overlap.setToolTip("The part of their length that neighbouring tiles share at least")
        self.overlap.setRange(0, 90)
        self.overlap.setSuffix(" %")
        self.overlap.setValue(25)
        self.normalisation = _combo(
            "card_normalisation",
            _NORMALISATIONS,
            "How the training pixels were normalised. It must be the same now, so it is not guessed",
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
        self.percentiles = _line(
            "card_percentiles", "1, 99", "In percent: the percentile that becomes 0, and the one that becomes 1"
        )
        self.over = _combo("card_over", _OVER, "The image whose own mean and std, or percentiles, are meant")
        self.together = QCheckBox("all stains together")
        self.together.setObjectName("card_together")
        self.together.setToolTip(
            "One mean and std, or one pair of percentiles, for all stains; else one for each stain"
        )
        self.pixel_size = _line(
            "card_pixel_size", "not known", "Size of a pixel in um of the training images, if known"
        )
        self.save = QCheckBox()
        self.save.setObjectName("card_save")
        self.use = QPushButton("Use this card")
        self.use.setObjectName("card_use")
        self.use.setToolTip("Load the classifier with what is written above")
        self.error = QLabel()
        self.error.setObjectName("card_error")
        self.error.setProperty("level", "wrong")
        self.error.setWordWrap(True)
        self.error.hide()

        self._kept: dict[str, Any] = {}

        fields = self._fields = QFormLayout()
        fields.setContentsMargins(0, 0, 0, 0)
        fields.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for title, field in (
            ("stains", self.stains),
            ("classes", self.classes),
            ("input", self.mode),
            ("size (px)", self.size),
            ("overlap", self.overlap),
            ("normalised by", self.normalisation),
            ("mean", self.mean),
            ("std", self.std),
            ("percentiles", self.percentiles),
            ("measured on", self.over),
            (" ", self.together),
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
        self.mode.currentIndexChanged.connect(self._show_what_belongs)
        self.normalisation.currentIndexChanged.connect(self._show_what_belongs)
        self.begin({})

    def begin(self, known: Mapping[str, Any], replaces: str = "") -> None:
        """Begin with another file: nothing that was written for the one before is kept.

        Parameters
        ----------
        known : mapping
            What its description says, as fields of a card.
        replaces : str
            Name of the description that saving would replace: then it is not saved unless the user asks for it.
        """
        for line in (self.stains, self.classes, self.size, self.mean, self.std, self.percentiles, self.pixel_size):
            line.clear()
        for combo in (self.mode, self.normalisation, self.over):
            combo.setCurrentIndex(0)
        self.overlap.setValue(25)
        self.together.setChecked(False)
        self.error.hide()
        if replaces:
            self.save.setText(f"Replace {replaces}")
            self.save.setToolTip(
                f"Write {replaces} anew beside the classifier; what else it says (authors, citations, licence) is lost"
            )
        else:
            self.save.setText("Save it beside the classifier")
            self.save.setToolTip("Write a bioimage.io description next to the file, so that nobody is asked again")
        self.save.setChecked(not replaces)
        self.fill(known)
        for line in (self.stains, self.classes):
            line.setCursorPosition(0)
        self._show_what_belongs()

    def suggest(self, stains: Sequence[str]) -> None:
        """Offer the open well's stains as a start, where nothing is written yet."""
        if not self.stains.text().strip() and stains:
            self.stains.setText(", ".join(stains))

    def fill(self, known: Mapping[str, Any]) -> None:
        """Begin with what a description says of the classifier, as fields of a card; the rest stays as it is written.

        What has no field here (name, description, background) goes into the card unseen, until the form is filled again.
        """
        for name, line in (("stains", self.stains), ("classes", self.classes)):
            if known.get(name):
                line.setText(", ".join(map(str, known[name])))
        if known.get("size"):
            self.size.setText(" x ".join(map(str, known["size"])))
        if known.get("pixel_size"):
            self.pixel_size.setText(f"{known['pixel_size']:g}")
        if known.get("overlap") is not None:
            self.overlap.setValue(round(100 * known["overlap"]))
        for name, combo in (("mode", self.mode), ("over", self.over)):
            if known.get(name) is not None:
                combo.setCurrentIndex(max(0, combo.findData(known[name])))
        self._kept = {name: known[name] for name in _UNSEEN if known.get(name) is not None}

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
            overlap=self.overlap.value() / 100,
            **self._normalisation(len(stains)),
            pixel_size=pixel[0] if pixel else None,
            **self._kept,
        )

    def _normalisation(self, stains: int) -> dict[str, Any]:
        """The fields of a card that belong to the normalisation chosen."""
        kind = self.normalisation.currentData()
        if kind is None:
            raise CardError("Choose how the training pixels were normalised: the classifier must get them so again.")
        if kind == "fixed":
            mean, std = _per_stain("mean", self.mean.text(), stains), _per_stain("std", self.std.text(), stains)
            return {"normalisation": kind, "mean": mean, "std": std}
        own = {"normalisation": kind, "over": self.over.currentData(), "together": self.together.isChecked()}
        if kind == "per-image":
            return own
        percentiles = _numbers("percentiles", self.percentiles.text())
        if len(percentiles) != 2:
            raise CardError("Give two percentiles: the one that becomes 0 and the one that becomes 1, such as 1, 99.")
        return own | {"percentiles": percentiles}

    def _show_what_belongs(self) -> None:
        """Only the fields that the mode and the normalisation make use of."""
        kind = self.normalisation.currentData()
        own = kind in ("per-image", "percentiles")
        for field, wanted in (
            (self.overlap, self.mode.currentData() == "tiles"),
            (self.mean, kind == "fixed"),
            (self.std, kind == "fixed"),
            (self.percentiles, kind == "percentiles"),
            (self.over, own),
            (self.together, own),
        ):
            field.setVisible(wanted)
            self._fields.labelForField(field).setVisible(wanted)

    def _give(self) -> None:
        try:
            card = self.card()
        except CardError as error:
            self.error.setText(str(error))
            self.error.show()
            return
        self.error.hide()
        self.given.emit(card, self.save.isChecked())


def _combo(name: str, choices: Mapping[Any, str], tip: str) -> QComboBox:
    combo = shrinkable(QComboBox())
    combo.setObjectName(name)
    combo.setToolTip(tip)
    for value, title in choices.items():
        combo.addItem(title, value)
    return combo


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
