"""`call_later()`, `call_at()`, `call_soon_threadsafe()` and `wake()`. See `_timers`."""

from __future__ import annotations

import time
from math import inf

from . import _timers
from ._genuine import genuine_time
from ._stats import checked
from ._timers import Handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["Handle", "call_at", "call_later", "call_soon_threadsafe", "wake"]


def call_later(
    seconds: float, function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """Schedule a call: the loop over `map` calls `function(*args)` after `seconds`.

    The loop ends its wait in time, and makes the call at the end of that pass; calls are made in
    the order in which they are due. `map` defaults to `asyncore.socket_map`. A pending call does
    not keep the loop running: the loop ends when its map is empty, and the next one makes the call.

    An exception of the call is logged, with its traceback, to the logger `goasyncore`; `ExitNow`,
    `KeyboardInterrupt` and `SystemExit` leave the loop. Raises `TypeError` if `function` cannot be
    called or `seconds` is not a number, and `ValueError` if it is NaN. May be called from any
    thread, and from a signal handler.
    """
    return call_at(time.monotonic() + seconds, function, *args, map=map)


def call_at(
    when: float, function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """Schedule a call as `call_later` does, for a time of the clock `time.monotonic()`."""
    when = float(when + 0.0)  # float() alone would take strings
    if when != when:
        raise ValueError("the time is not a number")
    map = checked(map)
    handle = _handle(function, args, when)
    if when < inf:
        _timers.schedule(map, handle, genuine_time(when))
    return handle


def call_soon_threadsafe(
    function: Callable[..., object], *args: Any, map: Map | None = None
) -> Handle:
    """Schedule a call for the end of the present pass, and end a wait that is in progress.

    Otherwise the same as `call_later`.
    """
    map = checked(map)
    handle = _handle(function, args, time.monotonic())
    _timers.schedule(map, handle, None)
    return handle


def wake(map: Map | None = None) -> None:
    """End the present wait of a loop over `map`, or else the next one.

    The pass ends with no channel ready: `poll()`, `poll2()` and `loop(count=1)` return, and a loop
    asks its channels again. Changes by other threads do not end a wait themselves. May be called
    from any thread, and from a signal handler.
    """
    _timers.nudge(checked(map))


def _handle(function: Callable[..., object], args: tuple[Any, ...], when: float) -> Handle:
    import logging  # noqa: F401 - later there may be no descriptor left to load it with

    if not callable(function):
        raise TypeError(f"a function is needed, not {type(function).__name__}")
    return Handle(function, args, when)
