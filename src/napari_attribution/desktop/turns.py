"""Turns: calls that are made one at a time on the thread of the window, so that it can answer in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from napari_attribution.desktop.jobs import Post


def take_turns(post: Post, calls: Sequence[Callable[[], Any]], given_up: Callable[[], bool]) -> None:
    """Make the calls, one at a time.

    Parameters
    ----------
    post : callable
        Runs a call on the thread of the window, soon.
    calls : sequence of callables
    given_up : callable
        Asked before each; once it says True no more are made.
    """
    # Qt lets go of a call some time after it was made: what is done by then must not live on in it.
    left = deque(calls)

    def take() -> None:
        if given_up() or not left:
            return
        left.popleft()()
        if left:
            post(take)

    post(take)
