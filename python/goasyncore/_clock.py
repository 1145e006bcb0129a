"""The clock that waits go by: `time.monotonic()`, whatever a program puts in its place.

freezegun puts one there that stands still, and puts it in the place of the function in every module
that has it under a name of its own. So it is kept where that does not look: in a class.
"""

from __future__ import annotations

import time
from types import BuiltinFunctionType

__all__ = ["clock"]


def _genuine_now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class clock:
    """`now()` is in seconds."""

    # It may stand still already when the first pass imports this.
    now = staticmethod(
        time.monotonic if type(time.monotonic) is BuiltinFunctionType else _genuine_now
    )


def genuine(when: float) -> float:
    """What a time of the program's `time.monotonic()` is by this clock."""
    if time.monotonic is clock.now:
        return when
    now: float = clock.now()
    return now + (when - time.monotonic())
