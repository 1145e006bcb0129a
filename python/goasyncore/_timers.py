"""Scheduled calls: timers, and calls from other threads, for the loop over a map.

Each map for which calls are pending has an agenda. The loop gets the time of the next call from it
before a wait, and runs the agenda at the end of each pass (one iteration of the loop).
The functions of this module may be called from any thread and from signal handlers.
"""

from __future__ import annotations

import sys
from _thread import RLock
from collections import deque
from itertools import count

from . import _slow_handler
from ._genuine import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = [
    "Handle",
    "agendas",
    "due",
    "engine_loaded",
    "forked",
    "nudge",
    "run",
    "schedule",
    "shortened",
    "used",
]

_NEVER = float("inf")
_AT_ONCE = float("-inf")
_MANY_CANCELLED = 64  # timers; with fewer cancelled ones it is not worth removing them

# Tells the engine when the loop over a map has something to call; None: no engine is loaded.
_tell_engine: Callable[[dict[Any, Any], float], None] | None = None

# Ends the portable passes' waits for a map. Set by _portable_waker.
wake_portable: Callable[[Map], None] | None = None

# Told when an agenda has become due sooner: by id of the map. Set by _attach.
observers: dict[int, Callable[[], None]] = {}


class Handle:
    """A scheduled call. Its methods may be called from any thread."""

    __slots__ = ("__weakref__", "_agenda", "_args", "_cancelled", "_function", "_when")

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...], when: float) -> None:
        self._function: Callable[..., object] | None = function
        self._args = args
        self._when = when
        self._cancelled = False
        self._agenda: _Agenda | None = None

    def cancel(self) -> None:
        """Forget the call and release its objects; does nothing after the call or a second time."""
        if self._function is not None:
            self._cancelled = True
            self._function, self._args = None, ()
            agenda, self._agenda = self._agenda, None
            if agenda is not None:
                _exclusively(_forget, agenda)

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
            import logging

            logging.getLogger("goasyncore").exception("exception in callback %r", function)
        finally:
            if _slow_handler.limit is not None:
                _slow_handler.took(function, None, clock.now() - began)


def _leaving() -> tuple[type[BaseException], ...]:
    """Return the exceptions that leave the loop: those that asyncore raises from handlers."""
    asyncore = sys.modules.get("asyncore")
    return getattr(asyncore, "_reraised_exceptions", (KeyboardInterrupt, SystemExit))


class _Agenda:
    __slots__ = ("cancelled", "map", "nudged", "soon", "timers")

    def __init__(self, map: Map) -> None:
        self.map = map  # referenced while there is something to call
        self.timers: list[tuple[float, int, Handle]] = []
        self.soon: deque[Handle] = deque()
        self.nudged = False  # the present wait, or else the next one, ends at once
        self.cancelled = 0  # of the timers

    def due(self) -> float:
        if self.nudged or self.soon:
            return _AT_ONCE
        try:
            return self.timers[0][0]
        except IndexError:  # another thread has just removed it
            return _NEVER

    def idle(self) -> bool:
        return not (self.timers or self.soon or self.nudged)


def _heap() -> ModuleType:
    # Loaded by the first timer: asyncore's import does without it, and so do loops without timers.
    import _heapq

    return _heapq


agendas: dict[int, _Agenda] = {}
used = False  # whether this process has ever scheduled anything
_numbers = count()

# -- one at a time --------------------------------------------------------------------------------
#
# A signal handler can run in the main thread in the middle of one of these operations, so a lock
# alone is not enough: the operation that the handler calls is made when the other one has ended.

_lock = RLock()
_inside = False
_late: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()


def _exclusively(operation: Callable[..., object], *args: Any) -> None:
    global _inside
    with _lock:
        if _inside:
            _late.append((operation, args))
            return
        _inside = True
        try:
            operation(*args)
        finally:
            _inside = False
        while _late:
            try:
                operation, args = _late.popleft()
            except IndexError:  # a signal handler has just done it
                break
            _exclusively(operation, *args)


def engine_loaded(tell: Callable[[dict[Any, Any], float], None]) -> None:
    """Tell the engine what is scheduled, and each change from now on."""
    global _tell_engine
    _tell_engine = tell
    for agenda in list(agendas.values()):
        _exclusively(_settle, agenda.map)


def forked() -> None:
    """Start afresh in a forked child: other threads of the parent may have held the lock."""
    global _inside, _lock, _tell_engine
    _lock = RLock()
    _inside = False
    _tell_engine = None
    for agenda in list(agendas.values()):
        _settle(agenda.map)


def _agenda_of(map: Map) -> _Agenda:
    agenda = agendas.get(id(map))
    if agenda is None:
        agenda = agendas[id(map)] = _Agenda(map)
    return agenda


def _settle(map: Map) -> None:
    """Tell the engine when the next call is due, and drop an agenda without calls."""
    agenda = agendas.get(id(map))
    if agenda is not None:
        while agenda.timers and agenda.timers[0][2]._cancelled:
            _heap().heappop(agenda.timers)
            agenda.cancelled -= 1
        if agenda.idle():
            del agendas[id(map)]
    if _tell_engine is not None and type(map) is dict:
        _tell_engine(map, due(map))


def _schedule(map: Map, handle: Handle, when: float | None) -> None:
    agenda = _agenda_of(map)
    before = agenda.due()
    if when is not None:
        handle._agenda = agenda
        _heap().heappush(agenda.timers, (when, next(_numbers), handle))
    else:
        agenda.soon.append(handle)
    _advance(agenda, before)


def _nudge(map: Map) -> None:
    agenda = _agenda_of(map)
    before = agenda.due()
    agenda.nudged = True
    _advance(agenda, before)


def _advance(agenda: _Agenda, before: float) -> None:
    """Settle an agenda after an addition, and end waits that would be too long now."""
    _settle(agenda.map)
    if agenda.due() < before:
        if wake_portable is not None:
            wake_portable(agenda.map)
        observer = observers.get(id(agenda.map))
        if observer is not None:
            observer()


def _forget(agenda: _Agenda) -> None:
    agenda.cancelled += 1
    if agenda.cancelled > _MANY_CANCELLED and agenda.cancelled * 2 > len(agenda.timers):
        agenda.timers = [timer for timer in agenda.timers if not timer[2]._cancelled]
        _heap().heapify(agenda.timers)
        agenda.cancelled = 0
    _settle(agenda.map)


# -- for programs ---------------------------------------------------------------------------------


def schedule(map: Map, handle: Handle, when: float | None) -> None:
    """Add a call to the map's agenda, for a time of the clock or, if None, the end of the pass."""
    global used
    used = True
    _exclusively(_schedule, map, handle, when)


def nudge(map: Map) -> None:
    """End the present wait of a loop over the map, or else the next one."""
    global used
    used = True
    _exclusively(_nudge, map)


# -- for the loops --------------------------------------------------------------------------------


def due(map: Map) -> float:
    """Return when the next call for the map is due, in seconds of `time.monotonic()`.

    Returns infinity if there is none, and minus infinity for a call that is due at once.
    """
    agenda = agendas.get(id(map))
    return _NEVER if agenda is None else agenda.due()


def shortened(timeout: Any, map: Map) -> Any:
    """Return the timeout of a wait, or the time until the next call if that is shorter."""
    if not agendas:
        return timeout
    when = due(map)
    if when == _NEVER or (timeout is not None and type(timeout) not in (int, float)):
        return timeout
    left = max(0.0, when - clock.now())
    return left if timeout is None or left < timeout else timeout


def run(map: Map) -> None:
    """Make the calls that are due. Calls that are scheduled meanwhile wait for the next pass.

    Raises the exceptions that leave the loop; the calls after that one wait for the next pass.
    """
    agenda = agendas.get(id(map))
    if agenda is None:
        return
    _exclusively(_take, agenda)
    try:
        for _ in range(len(agenda.soon)):
            try:
                handle = agenda.soon.popleft()
            except IndexError:  # another loop over the map has made it
                break
            handle._call()
    finally:
        _exclusively(_settle, map)


def _take(agenda: _Agenda) -> None:
    agenda.nudged = False
    now = clock.now()
    timers = agenda.timers
    while timers and timers[0][0] <= now:
        handle = _heap().heappop(timers)[2]
        handle._agenda = None
        if handle._cancelled:
            agenda.cancelled -= 1
        else:
            agenda.soon.append(handle)
