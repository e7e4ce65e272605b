"""The work on one chunk: its fields are read, asked of the classifier and the methods, measured, and their maps written.

Each process takes up several chunks at once, each in a thread, and lets only one of them compute at a time. So one chunk is
read while another is computed and a third is written.

Where the process is not a worker of its own, it is the thread of the caller that computes. What torch computes on several cores
it computes with a team of threads for each thread that asks, and as soon as there are two teams, they yield to each other at each
barrier: measured with the sample classifier on two cores, an explanation then takes 0.35 s instead of 0.29 s.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field as made
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_attribution.classifiers.heap import keep_memory
from napari_attribution.errors import AttributionError, Cancelled, ClassifierError, DeviceError, OutputError
from napari_attribution.screens.run.columns import Values, values_of
from napari_attribution.screens.run.maps import channels_of, write_maps
from napari_attribution.screens.run.plan import Plan
from napari_attribution.wells import Well
from napari_attribution.wells.plate import Field

if TYPE_CHECKING:
    from napari_attribution.classifiers.classifier import Classifier
    from napari_attribution.methods.answers.explained import Explained
    from napari_attribution.methods.question.ground import Ground

READERS = 4
"""Fields that a chunk reads at once."""

Heed = Callable[[], None]
"""Called often by what takes long; what it raises stops it."""


@dataclass(frozen=True)
class Work:
    """What a process must know to work on a chunk; small, and goes from one process to another.

    Parameters
    ----------
    plan : Plan
    classifier : str
        Its file.
    device : str
    out : str
        The folder of results.
    """

    plan: Plan
    classifier: str
    device: str
    out: str


@dataclass
class _InHand:
    """A field on its way."""

    field: Field
    well: Well | None = None
    ground: Ground | None = None
    explained: list[Explained] = made(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def attempt(self, do: Callable[[], None]) -> None:
        """Do one step; where it fails, say why: the other fields go on."""
        if self.error:
            return
        started = time.perf_counter()
        try:
            do()
        except (Cancelled, DeviceError, OutputError):
            raise  # The next field would fare no better, and the same command goes on.
        except AttributionError as error:
            self.error = str(error)
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self.error = f"Something unexpected went wrong ({what})."
        self.seconds += time.perf_counter() - started


_computing = threading.Lock()
_loading = threading.Lock()
_loaded: dict[tuple[str, str], Classifier] = {}


def keep_loaded(classifier: Classifier, work: Work) -> None:
    """Have a classifier at hand that is loaded already."""
    _loaded.clear()
    _loaded[work.plan.sha256, work.device] = classifier


def forget_loaded() -> None:
    """Let go of the classifier."""
    _loaded.clear()


def _classifier(work: Work) -> Classifier:
    """The classifier, loaded once a process.

    Raises
    ------
    ClassifierError
        Where its file is another than that which the run began with.
    """
    from napari_attribution.classifiers import load_classifier

    with _loading:
        if (work.plan.sha256, work.device) not in _loaded:
            keep_memory()
            # It was tried out where the run began.
            found = load_classifier(work.classifier, work.device, work.plan.card, time_limit=None)
            if found.sha256 != work.plan.sha256:
                raise ClassifierError(
                    f"{work.classifier} is another file here than where the run began. Put the same file on every machine."
                )
            keep_loaded(found, work)
        return _loaded[work.plan.sha256, work.device]


Compute = Callable[[Callable[[Heed], None]], None]
"""Has something computed, by whichever thread does that, and waits for it."""


def _nothing() -> None:
    pass


def _in_turn(compute: Callable[[Heed], None]) -> None:
    """Compute in this thread, once no other does."""
    with _computing:
        compute(_nothing)


def explain_chunk(
    work: Work, fields: Sequence[Field], heed: Heed = _nothing, have_computed: Compute = _in_turn
) -> list[Values]:
    """The values of each field, by the names of the columns; a field that fails has its seconds and its error.

    Parameters
    ----------
    work : Work
    fields : sequence of Field
    heed : callable
        Called often; what it raises stops the work.
    have_computed : callable
        Takes what is to be computed, which takes what it is to heed.

    Raises
    ------
    OutputError
        Where maps cannot be written.
    DeviceError
        Where the device has no room even for one input.
    ClassifierError
        Where the classifier cannot be loaded here.
    """
    hands = [_InHand(field) for field in fields]
    with ThreadPoolExecutor(READERS, thread_name_prefix="reading") as readers:
        list(readers.map(lambda hand: _read(hand, heed), hands))
    have_computed(lambda heed: _compute(work, hands, heed))
    values = []
    for number, hand in enumerate(hands):
        heed()
        values.append(_finish(hand, work))
        hands[number] = _InHand(hand.field)  # Its pixels and maps are not needed any more.
    return values


def explain_packed(packed: bytes) -> list[Values]:
    """The same from pickled arguments: what another process cannot unpickle is then an error of the chunk; dask would ask again
    and again."""
    work, fields = pickle.loads(packed)
    return explain_chunk(work, fields)


def _read(hand: _InHand, heed: Heed) -> None:
    heed()

    def read() -> None:
        hand.well = hand.field.read()

    hand.attempt(read)


def _compute(work: Work, hands: Sequence[_InHand], heed: Heed) -> None:
    """Ask the classifier and the methods."""
    classifier = _classifier(work)
    for hand in hands:
        heed()
        hand.attempt(lambda hand=hand: _prepare(hand, work.plan))  # type: ignore[misc]
    _score_together(classifier, hands)
    for hand in hands:
        hand.attempt(lambda hand=hand: _explain(hand, classifier, work.plan, heed))  # type: ignore[misc]
        hand.ground = None


def _prepare(hand: _InHand, plan: Plan) -> None:
    from napari_attribution.methods.question.ground import Ground

    assert hand.well is not None
    hand.ground = Ground(hand.well, plan.card, plan.stain_map)
    hand.ground.prepared(None, None)


def _score_together(classifier: Classifier, hands: Sequence[_InHand]) -> None:
    """Ask for the class scores of all fields at once: batches as large as the device likes them, across the wells."""
    import torch

    alike: dict[Any, list[_InHand]] = {}
    for hand in hands:
        if hand.ground is not None and not hand.error:
            alike.setdefault(hand.ground.prepared(None, None).inputs.shape[1:], []).append(hand)
    for some in alike.values():
        started = time.perf_counter()
        grounds = [hand.ground for hand in some if hand.ground is not None]
        inputs = [one for ground in grounds for one in ground.prepared(None, None).inputs]

        def make(part: slice, inputs: list[torch.Tensor] = inputs) -> torch.Tensor:
            return torch.stack(inputs[part]).to(classifier.device)

        try:
            scores = classifier.scores_of_many(make, len(inputs)).cpu()
        except (AttributionError, RuntimeError):
            continue  # Each field by itself then says what is wrong with it.
        for ground, own in zip(
            grounds, scores.split([len(g.prepared(None, None).inputs) for g in grounds]), strict=True
        ):
            ground.tell(classifier, own)
        for hand in some:
            hand.seconds += (time.perf_counter() - started) / len(some)


def _explain(hand: _InHand, classifier: Classifier, plan: Plan, heed: Heed) -> None:
    from napari_attribution.faithfulness.explain import explained

    assert hand.well is not None
    for method in plan.methods:
        found = explained(
            classifier,
            hand.well,
            method.name,
            plan.target,
            plan.score,
            against=plan.against,
            stain_map=plan.stain_map,
            accept_flaws=plan.accept_flaws,
            faithfulness=plan.faithfulness,
            ground=hand.ground,
            progress=lambda done, total: heed(),
            **method.parameters,
        )
        hand.explained.append(found)


def _finish(hand: _InHand, work: Work) -> Values:
    """Measure the field and write its maps; its values."""
    from napari_attribution.screens.quality.measures import field_measures

    found: Values = {}

    def finish() -> None:
        assert hand.well is not None
        attributions = [one.attribution for one in hand.explained]
        found.update(values_of(hand.explained, work.plan))
        found.update(field_measures(hand.well, attributions, work.plan.stains))
        if work.plan.maps:
            write_maps(Path(work.out), hand.field, channels_of(attributions, work.plan.stains), hand.well.pixel_size)

    hand.attempt(finish)
    return ({} if hand.error else found) | {"seconds": hand.seconds, "error": hand.error}
