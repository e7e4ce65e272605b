"""Going round: the picks that there are, shown again one after the other, by other methods, and back to the whole well."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel

from napari_attribution.desktop.explain.controller import Controller
from napari_attribution.desktop.explain.offering import on_offer
from napari_attribution.desktop.layers.picks import picks_layer, select_pick
from napari_attribution.desktop.picks.spots import Spot
from napari_attribution.desktop.picks.state import PickState
from napari_attribution.desktop.picks.table import spot_of
from napari_attribution.desktop.wells_from_layers import OpenWell


class GoingRound:
    """What `Picks` can do with the picks that are in its table."""

    controller: Controller
    viewer: ViewerModel
    state: PickState
    closed: bool
    _selecting: bool
    _serial: int

    if TYPE_CHECKING:  # what `Picks` brings

        def say(self, sentence: str) -> None: ...

        def missing(self) -> str: ...

        def _begin(
            self, make: Callable[[OpenWell], Spot], target: str | None = None, index: int | None = None
        ) -> None: ...

    def _row(self, index: int) -> dict[str, Any]:
        layer = picks_layer(self.viewer)
        assert layer is not None
        return layer.features.iloc[index].to_dict()

    def _select(self, index: int) -> None:
        self._selecting = True
        select_pick(self.viewer, index)
        self._selecting = False

    def _watch_selection(self) -> None:
        layer = picks_layer(self.viewer)
        if layer is not None:
            # Once, however often it is asked for.
            layer.selected_data.events.items_changed.connect(self._selected, unique=True)

    def _selected(self, _event: object = None) -> None:
        """A point that the user selects is shown again."""
        layer = picks_layer(self.viewer)
        if layer is not None and not self._selecting and not self.closed and len(layer.selected_data) == 1:
            self.show(next(iter(layer.selected_data)))

    def show(self, index: int) -> None:
        """Show a pick again: the same cell, the same class."""
        row = self._row(index)
        spot, well = spot_of(row), self.controller.state.well
        if spot is None:
            self.say("This point was not picked: the table does not say which place it stands for.")
            return
        if well is not None and row["well"] != well.name:
            self.say(f"Pick {row['pick']} lies in the well {row['well']}. Choose that well above to see it again.")
            return
        classifier = self.controller.state.classifier
        target = str(row["class"])
        if classifier is not None and target not in classifier.classes:
            self.say(f"Pick {row['pick']} is about {target}, which this classifier does not know.")
            return
        self._begin(lambda _well: spot, target, index)

    @property
    def count(self) -> int:
        """How many picks there are."""
        layer = picks_layer(self.viewer)
        return 0 if layer is None else len(layer.data)

    def step(self, by: int) -> None:
        """Show the next pick, or the one before; round and round."""
        layer = picks_layer(self.viewer)
        rows = [] if layer is None else [i for i, row in enumerate(layer.features.to_dict("records")) if spot_of(row)]
        if not rows:
            self.say("Nothing was picked yet. Shift+click on a cell.")
            return
        numbers = [int(self._row(index)["pick"]) for index in rows]
        if self.state.shown in numbers:
            following = (numbers.index(self.state.shown) + by) % len(rows)
        else:
            following = 0 if by > 0 else len(rows) - 1
        self._select(rows[following])
        self.show(rows[following])

    def next_method(self) -> None:
        """Choose the next method on offer; a pick that is shown is explained by it."""
        state = self.controller.state
        names = [one.method.name for one in on_offer(state) if one.possible]
        if not names:
            return
        following = names[(names.index(state.method) + 1) % len(names)] if state.method in names else names[0]
        self.controller.set(method=following)
        layer = picks_layer(self.viewer)
        if self.state.shown is None or layer is None:
            return
        numbers = list(layer.features["pick"])
        if self.state.shown in numbers:
            self.show(numbers.index(self.state.shown))

    @property
    def away(self) -> bool:
        """Whether something else than the whole well is shown."""
        answer = self.controller.state.answer
        return answer is not None and answer.place is not None

    def back(self) -> None:
        """To the whole well: its last answer where there is one, else a new one."""
        state = self.controller.state
        self._serial += 1
        self.controller.cancel()
        known, well = state.whole, state.well
        if known is not None and well is not None and not self.missing():
            found, question = known
            plain = self.controller.question()
            same = question.classifier is plain.classifier and question.target == plain.target
            same = same and all(a is b for a, b in zip(question.well.planes, plain.well.planes, strict=False))
            if same and len(question.well.planes) == len(plain.well.planes):
                self.controller.show(found, question, well.layers)
                return
        self.controller.explain()
