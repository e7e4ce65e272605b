"""What can go wrong, by name.

Every message is written for the person at the microscope: what was found, what was expected, what to do. Errors are
raised where the fact is known and shown once, at the edge: a status card in the dock, one sentence and exit code 2 on
the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AttributionError(Exception):
    """Anything that a user can put right; its text is a sentence to show as it is."""


class WellError(AttributionError):
    """A well image that cannot be read, or whose pixels cannot be explained."""


class StainError(WellError):
    """The well's stains are not the ones that the classifier wants."""


class PixelError(WellError):
    """Pixels that are not numbers, of one stain.

    Parameters
    ----------
    stain : str
        As far as it is known where this is found: a file that holds one stain may not say which.
    channel, channels : int
        Its place among the stains that were looked at, from 0, and how many those were.
    count : int
        How many pixels.
    file : str, optional
        The name of the file that they are in.
    """

    def __init__(self, stain: str, channel: int, channels: int, count: int, file: str = "") -> None:
        what = "1 pixel that is not a number" if count == 1 else f"{count:,} pixels that are not numbers"
        super().__init__(
            f"{file and f'{file}: '}The stain {stain} holds {what} (NaN or infinity). Replace {'it' if count == 1 else 'them'} "
            "first, for instance by the background."
        )
        self.stain, self.channel, self.channels, self.count, self.file = stain, channel, channels, count, file

    def of(
        self, stain: str, channel: int | None = None, channels: int | None = None, file: str | None = None
    ) -> PixelError:
        """The same, with more that is known."""
        return PixelError(
            stain,
            self.channel if channel is None else channel,
            self.channels if channels is None else channels,
            self.count,
            self.file if file is None else file,
        )


class CardError(AttributionError):
    """A classifier card that is missing, incomplete or contradicts itself."""


class NormalisationMissing(CardError):  # noqa: N818 - it says what is missing
    """A description that says nothing about normalisation, which is asked for and never guessed.

    Parameters
    ----------
    sentence : str
    known : mapping
        What the description does say, as fields of a `ClassifierCard`.
    """

    def __init__(self, sentence: str, known: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.known = dict(known or {})


class ClassifierError(AttributionError):
    """A classifier file that is not one, or a classifier that does not do what its card says."""


class TrialError(ClassifierError):
    """A classifier that took too long, or crashed, while it was tried out in a process of its own."""


class LayerError(ClassifierError):
    """A network that cannot be cut, or not at the place asked for."""


class DeviceError(AttributionError):
    """A device that is not there, or has no room."""


class RequestError(AttributionError):
    """A question that cannot be asked: an unknown class, method, score or parameter."""


class LabelError(AttributionError):
    """Labels that a classifier cannot be trained on: one class, a class with too few wells, contradictions."""


class TrainingError(AttributionError):
    """A training that came to nothing."""


class RecordError(AttributionError):
    """A record that cannot be read, or a run that cannot be repeated from it."""


class OutputError(AttributionError):
    """A result that cannot be written."""


class Cancelled(AttributionError):  # noqa: N818 - it is not an error to have been stopped
    """The user stopped the work; nothing has changed."""
