"""Try a classifier file out in another process, so that one that loops, swells or crashes harms nothing here.

Loading runs a file's code: `__setstate__` of its modules, then the network itself, several times. TorchScript and .pt2
have no files to open and no machines to call (see `files.archive` and `files.pt2`), but they can loop for ever, ask for
all memory, or run into a flaw of torch. So a child process does all of it first, with a limit of time and of memory, and
without a GPU; only what came through there is loaded here.

What this is: protection of the session against files that are damaged or badly made, and against simple malice.
What it is not: a sandbox. The child runs as the same user, and whoever finds a flaw in torch's native code can do there
what the user can do.

The two speak in lines of JSON over pipes; arrays follow as raw bytes. `trial` asks, `process` keeps the time, `child` answers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_attribution.classifiers.files.trial import remembered
from napari_attribution.classifiers.files.trial.limits import is_wanted
from napari_attribution.classifiers.files.trial.trial import Trial
from napari_attribution.errors import AttributionError, Cancelled, ClassifierError, TrialError

if TYPE_CHECKING:
    from napari_attribution.classifiers.cards.card import ClassifierCard


def try_out(
    path: Path,
    card: ClassifierCard,
    seconds: float | None,
    cancelled: Callable[[], bool] | None = None,
    device: str = "cpu",
) -> None:
    """Try a file out in a child process, unless that was done before, is not wanted, or `seconds` is None.

    For a device other than the CPU, a refusal is left to that device: some networks run only there.

    Raises
    ------
    AttributionError
        What loading the file raised there, or that it took too long or crashed.
    Cancelled
        Where `cancelled` said so.
    """
    if seconds is None or not is_wanted():
        return
    try:
        key = remembered.key(path, card, device)
    except OSError as error:
        raise ClassifierError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    if remembered.is_remembered(key):
        return
    with Trial() as trial:
        try:
            trial.load(path, card, seconds, cancelled)
        except (Cancelled, TrialError):
            raise
        except AttributionError:
            if device == "cpu":
                raise
            return
    with suppress(OSError):
        if remembered.key(path, card, device) == key:  # the file is still the one that passed
            remembered.remember(key)
