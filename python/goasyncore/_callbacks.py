"""`call_later()`, `call_at()`, `call_soon_threadsafe()` and `wake()`; see `_timers`."""

from __future__ import annotations

import sys
import time
from math import inf

from . import _slow_handler, _timers
from ._genuine import clock, genuine_time
from ._logger import logger
from ._stats import checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["Handle", "call_at", "call_later", "call_soon_threadsafe", "wake"]


class Handle:
    """A scheduled call. Its methods may be called from any thread."""

    __slots__ = ("__weakref__", "_agenda", "_args", "_cancelled", "_function", "_when")

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...], when: float) -> None:
        self._function: Callable[..., object] | None = function
        self._args = args
        self._when = when
        self._cancelled = False
        self._agenda: _timers._Agenda | None = None

    def cancel(self) -> None:
        """Forget the call and release its objects; does nothing after the call or a second time."""
        if self._function is not None:
            self._cancelled = True
            self._function, self._args = None, ()
            agenda, self._agenda = self._agenda, None
            if agenda is not None:
                _timers.cancel(agenda)

    def cancelled(self) -> bool:
        """Return whether `cancel()` was called before the call was made."""
        return self._cancelled

    def when(self) -> float:
        """Return when the call is due, in seconds of `time.monotonic()`."""
        return self._when

    def __repr__(self) -> str:
        if self._cancelled:
            return f"<{type(self).__name__} cancelled>"
        if self._function is None:
            return f"<{type(self).__name__} called>"
        name = getattr(self._function, "__qualname__", None) or repr(self._function)
        return f"<{type(self).__name__} {name}() at {self._when:.3f}>"

    def _call(self) -> None:
        function, args = self._function, self._args
        if function is None:
            return
        self._function, self._args = None, ()
        began = clock.now()
        try:
            function(*args)
        except _leaving():
            raise
        except BaseException:
            logger().exception("exception in callback %r", function)
        finally:
            if _slow_handler.limit is not None:
                _slow_handler.took(function, None, clock.now() - began)


def _leaving() -> tuple[type[BaseException], ...]:
    """Return the exceptions that leave the loop: those that asyncore raises from handlers."""
    asyncore = sys.modules.get("asyncore")
    return getattr(asyncore, "_reraised_exceptions", (KeyboardInterrupt, SystemExit))


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
    when = float(when + 0.0)  # float() alone would accept strings
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
    logger()  # later there may be no descriptor left to load it with
    if not callable(function):
        raise TypeError(f"a function is needed, not {type(function).__name__}")
    return Handle(function, args, when)
