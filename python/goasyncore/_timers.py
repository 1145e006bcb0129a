"""Scheduled calls: timers, and calls from other threads, for the loop over a map.

Each map for which calls are pending has an agenda. The loop gets the time of the next call from it
before a wait, and runs the agenda at the end of each pass (one iteration of the loop).
The functions of this module may be called from any thread and from signal handlers.
"""

from __future__ import annotations

from _thread import RLock
from collections import deque
from itertools import count

from ._genuine import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._callbacks import Handle

    type Map = MutableMapping[Any, Any]

__all__ = [
    "agendas",
    "cancel",
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


def _heap() -> Any:
    """Return `_heapq`, loaded by the first timer: imports and loops without timers do without."""
    try:
        import _heapq
    except (ImportError, OSError):  # it is a library that the process can no longer reach
        return _Sorted
    return _heapq


class _Sorted:
    """Takes the place of `_heapq`, and is slower: a sorted list is a heap too."""

    heapify = list.sort

    @staticmethod
    def heappush(timers: list[Any], timer: Any) -> None:
        timers.append(timer)
        timers.sort()

    @staticmethod
    def heappop(timers: list[Any]) -> Any:
        return timers.pop(0)


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


def _cancel(agenda: _Agenda) -> None:
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


def cancel(agenda: _Agenda) -> None:
    """Note that one of the agenda's timers was cancelled."""
    _exclusively(_cancel, agenda)


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
