"""Worker processes begun from a window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("__spec__", "__file__")
"""What a new process goes by."""


@contextmanager
def alone() -> Iterator[None]:
    """Let new processes do without the script that this one was begun with.

    A process that is spawned runs that script again, to find in it what it is asked for. The workers of a screen need nothing of
    it, and a script that opens napari would open it in every one of them.
    """
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in NAMES if hasattr(main, name)}
    for name in NAMES:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name in NAMES:
            if name in before:
                setattr(main, name, before[name])
            else:
                delattr(main, name)
