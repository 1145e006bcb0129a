"""What programs put off: `call_later` and its like, for the loop over a map. See `_agenda`."""

from __future__ import annotations

import time
from math import inf

from . import _agenda
from ._agenda import Handle
from ._clock import genuine
from ._maps import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["Handle", "call_at", "call_later", "call_soon_threadsafe", "wake"]


def call_later(
    seconds: float, function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """Have the loop over `map` call `function(*args)` after so many seconds.

    The loop comes back from its wait in time for it, and calls it at the end of that pass; calls
    are made in the order in which they are due. `map` defaults to `asyncore.socket_map`. A call
    that is pending does not keep the loop going: that ends with its map, and the next one makes the
    call.

    What the call raises is logged, with its traceback, to the logger `goasyncore`; `ExitNow`,
    `KeyboardInterrupt` and `SystemExit` leave the loop. Raises `TypeError` for a function that
    cannot be called or seconds that are no number, `ValueError` for not-a-number. May be called
    from any thread, and from a signal handler.
    """
    return call_at(time.monotonic() + seconds, function, *args, map=map)


def call_at(
    when: float, function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """As `call_later`, at a time of the clock `time.monotonic()`."""
    when = float(when + 0.0)  # float() alone would take strings
    if when != when:
        raise ValueError("the time is not a number")
    map = checked(map)
    handle = _handle(function, args, when)
    if when < inf:
        _agenda.schedule(map, handle, genuine(when))
    return handle


def call_soon_threadsafe(
    function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """Have the loop over `map` call `function(*args)` at the end of the pass that it is in.

    A wait that is under way ends at once. Otherwise as `call_later`.
    """
    map = checked(map)
    handle = _handle(function, args, time.monotonic())
    _agenda.schedule(map, handle, None)
    return handle


def wake(map: Map | None = None) -> None:
    """End the wait that a loop over `map` is in, or else the next one.

    The pass is over with nothing ready: `poll()`, `poll2()` and `loop(count=1)` return, and a loop
    asks its channels again. What other threads have changed ends no wait by itself. May be called
    from any thread, and from a signal handler.
    """
    _agenda.nudge(checked(map))


def _handle(function: Callable[..., object], args: tuple[Any, ...], when: float) -> Handle:
    import logging  # noqa: F401 - before there is something to log, and no descriptor to load it by

    if not callable(function):
        raise TypeError(f"a function is needed, not {type(function).__name__}")
    return Handle(function, args, when)
