"""A form drawn from a pydantic model: the model's types choose the fields, its descriptions are the tooltips."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from napari_attribution.desktop.widgets.faces import FACES, PLAIN, Face

Choices = Sequence[tuple[str, Any]]


class Form(QWidget):
    """The fields of a pydantic model.

    Parameters
    ----------
    model : type of BaseModel
    choices : mapping of field name to (title, value) pairs, optional
        For fields whose values are known only now, such as the layers of a network.
    names : sequence of str, optional
        Of the fields to draw; all of them where it is not given.
    """

    changed = Signal()

    def __init__(
        self,
        model: type[BaseModel],
        choices: Mapping[str, Choices] | None = None,
        names: Sequence[str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.model = model
        self.fields: dict[str, QWidget] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        infos = {name: info for name, info in model.model_fields.items() if names is None or name in names}
        for name, info in infos.items():
            face = FACES.get(name, PLAIN)
            field = _draw(info, (choices or {}).get(name), face)
            field.setObjectName(f"parameter_{name}")
            field.setToolTip(face.tip(name, info.description or ""))
            _signal(field).connect(self.changed)
            self.fields[name] = field
            layout.addRow(info.title or face.title(name), field)
            label = layout.labelForField(field)
            label.setToolTip(field.toolTip())
            label.setBuddy(field)
        self.set_values({name: info.get_default(call_default_factory=True) for name, info in infos.items()})

    def values(self) -> dict[str, Any]:
        """The fields' values, as plain data; they pass the model's checks."""
        values = {name: _get(field) for name, field in self.fields.items()}
        checked = self.model(**values)
        return {name: getattr(checked, name) for name in values}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Fill in fields; those not named stay as they are."""
        for name, value in values.items():
            _set(self.fields[name], value)

    def reset(self) -> None:
        """Back to the model's defaults."""
        self.set_values({name: self.model.model_fields[name].get_default() for name in self.fields})


def _draw(info: FieldInfo, choices: Choices | None, face: Face = PLAIN) -> QWidget:
    kind, optional = _unwrapped(info.annotation)
    if choices is not None:
        return _combo(choices)
    if get_origin(kind) is Literal:
        options = [(str(value), value) for value in get_args(kind)]
        return _combo([("automatic", None), *options] if optional else options)
    if kind is bool:
        return QCheckBox()
    if kind in (int, float):
        return _spin(kind, info, optional, face)
    line = QLineEdit()
    line.setProperty("optional", optional)
    line.setPlaceholderText((face.lowest or "automatic") if optional else "")
    return line


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """The type without its "or None", and whether it had one."""
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        if len(kinds) == 1 and len(kinds) < len(get_args(annotation)):
            return kinds[0], True
    return annotation, False


def shrinkable(combo: QComboBox) -> QComboBox:
    """A combo whose longest entry does not widen the dock."""
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo


def _combo(choices: Choices) -> QComboBox:
    combo = shrinkable(QComboBox())
    for title, value in choices:
        combo.addItem(title, value)
    return combo


class Decimal(QDoubleSpinBox):
    """Four decimals, of which none are written that are zero."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(4)
        self.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        text = super().textFromValue(value)
        point = self.locale().decimalPoint()
        return text.rstrip("0").removesuffix(point) if point in text else text


def _spin(kind: type, info: FieldInfo, optional: bool, face: Face) -> QWidget:
    low, high = _bounds(info, kind)
    spin: QSpinBox | QDoubleSpinBox = QSpinBox() if kind is int else Decimal()
    spin.setRange(low, high)
    spin.setSuffix(face.unit)
    spin.setSpecialValueText(face.lowest)
    if face.step is not None:
        spin.setStepType(type(spin).StepType.DefaultStepType)
        spin.setSingleStep(kind(face.step))
    if optional:
        # The place below the lowest value stands for None.
        spin.setMinimum(low - (1 if kind is int else 10.0 ** -spin.decimals()))
        spin.setSpecialValueText("automatic")
        spin.setProperty("optional", True)
    return spin


def _bounds(info: FieldInfo, kind: type) -> tuple[Any, Any]:
    low, high = (-(2**31) + 1, 2**31 - 1) if kind is int else (-1e9, 1e9)
    step = 1 if kind is int else 1e-4
    for bound in info.metadata:
        if isinstance(bound, Ge):
            low = bound.ge
        elif isinstance(bound, Gt):
            low = bound.gt + step
        elif isinstance(bound, Le):
            high = bound.le
        elif isinstance(bound, Lt):
            high = bound.lt - step
    return low, high


def _signal(field: QWidget) -> Any:
    if isinstance(field, QComboBox):
        return field.currentIndexChanged
    if isinstance(field, QCheckBox):
        return field.toggled
    if isinstance(field, QSpinBox | QDoubleSpinBox):
        return field.valueChanged
    return field.textChanged


def _get(field: QWidget) -> Any:
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QSpinBox | QDoubleSpinBox):
        return None if field.property("optional") and field.value() == field.minimum() else field.value()
    return (field.text().strip() or None) if field.property("optional") else field.text()


def _set(field: QWidget, value: Any) -> None:
    if isinstance(field, QComboBox):
        index = next((i for i in range(field.count()) if field.itemData(i) == value), -1)
        if index >= 0:
            field.setCurrentIndex(index)
    elif isinstance(field, QCheckBox):
        field.setChecked(bool(value))
    elif isinstance(field, QSpinBox | QDoubleSpinBox):
        field.setValue(field.minimum() if value is None else value)
    else:
        field.setText("" if value is None else str(value))
