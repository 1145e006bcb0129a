"""Waiting with select(2), for portable passes."""

from __future__ import annotations

from . import _timers
from ._genuine import clock, name_in, own_select, own_sleep
from ._portable_waker import left_of, number, sure
from ._timers import agendas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_waker import Waker
    from ._stats import Counts

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["NOBODY", "NOTHING", "beyond", "lists", "select", "wait"]

_FD_SETSIZE = 1024  # select.select accepts numbers below this
NOBODY: list[Any] = []
NOTHING: Ready = NOBODY, NOBODY, NOBODY


def lists(channels: dict[Any, Any], wants: list[int]) -> Ready:
    """Return who waits for data, who waits for room, and everybody who waits, by their keys."""
    if wants.count(3) == len(wants):  # most often, they all wait for data
        return (everybody := [*channels]), [], everybody
    pairs = [*zip(channels, wants, strict=True)]
    return (
        [key for key, want in pairs if want & 1],
        [key for key, want in pairs if want & 4],
        [key for key, want in pairs if want],
    )


def wait(keys: Ready, timeout: Any, waker: Waker, map: Map) -> Ready | None:
    """Wait as select does; `None` if that is not all, because something may be scheduled."""
    number = waker.number
    if number < 0 or waker.map is not None:  # a signal handler runs a loop during that wait
        return None
    readers, writers, everybody = keys
    waker.map = map
    try:
        if _timers.used:
            return None
        ready: Ready = own_select([*readers, number], writers, everybody, timeout)
    except OSError:
        if waker.intact():
            raise
        return None
    finally:
        waker.map = None
    return None if ready[0] and ready[0][-1] == number else ready


def beyond(keys: list[Any]) -> bool:
    """Return whether select.select has refused a number as too large, perhaps the waker's."""
    numbers = [key if isinstance(key, int) else key.fileno() for key in keys]
    return min([0, *numbers]) >= 0 and max([number(), *numbers]) >= _FD_SETSIZE


def select(
    namespace: Namespace,
    by_select: Any,
    channels: dict[Any, Any],
    keys: Ready,
    timeout: Any,
    map: Map,
    counts: Counts,
) -> Ready:
    """Call select.select for a wait that takes time. It can be ended, unless it is replaced."""
    readers, writers, everybody = keys
    waker = None
    if by_select is own_select and (everybody or _sleeps(namespace, timeout)):
        waker = sure(channels)
    ready: Ready
    if waker is None:
        limit = _timers.shortened(timeout, map)
        if not everybody:
            name_in(namespace, "time").sleep(limit)
            return NOTHING
        reads, writes, others = by_select(readers, writers, everybody, limit)
        known = channels.__contains__  # a scheduler's select may return anything
        return list(filter(known, reads)), list(filter(known, writes)), list(filter(known, others))
    waker.map = map
    try:
        began = clock.now()
        left = timeout
        while True:
            number = waker.number
            also = [number] if number >= 0 else []
            limit = _timers.shortened(left, map) if agendas else left
            try:
                ready = by_select(readers + also, writers, everybody, limit)
            except OSError:
                if number < 0 or waker.intact():
                    raise
                ready = [], [], []
            else:
                if not ready[0] or ready[0][-1] != number:
                    return ready
                ready[0].pop()
            if waker.woken(counts) or any(ready):
                return ready
            left = left_of(timeout, began)
    finally:
        waker.map = None


def _sleeps(namespace: Namespace, timeout: Any) -> bool:
    """Return whether a wait without channels is a sleep that a waker need not end."""
    return (
        name_in(namespace, "time").sleep is own_sleep
        and type(timeout) in (int, float)
        and timeout > 0
    )
