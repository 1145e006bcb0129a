"""Portable passes with select's meaning."""

from __future__ import annotations

import select

from . import _slow_handler, _stats, _timers
from ._genuine import clock, missing, name_in, own_poll, own_select, own_sleep
from ._portable_poll import IN, NOTHING, OUT, PRI, Registered, looked, select_by_poll
from ._portable_waker import call_due, left_of, number, of_thread, prepare, sure
from ._stats import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_waker import Waker
    from ._stats import Counts

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["select_passes"]

# Channels; with more, translating poll(2)'s result costs more than poll(2) saves.
_FEW = 16
_FD_SETSIZE = 1024  # select.select accepts numbers below this


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with select's meaning of ready, at most `count` if that is not negative."""
    try:
        counts = table[id(map)]
        if counts.held is not map and (
            type(map) is not dict or map[counts.key] is not counts.witness()
        ):
            counts = _stats.running(map)
    except KeyError:
        counts = _stats.running(map)
    if timeout != 0 and of_thread.waker is None:
        prepare(namespace, map)
    while map and count:
        count -= 1
        channels = {**map} if type(map) is dict else dict(map.items())
        try:
            by_select = namespace["select"].select
        except KeyError:
            raise missing("select") from None
        many = len(channels)
        counts.asked += many + many
        # poll(2) takes half of select(2)'s time if it does not have to wait.
        if (
            by_select is own_select
            and ((many <= _FEW and timeout == 0) or many >= _FD_SETSIZE)
            and _sleeps_itself(namespace)
        ):
            try:  # two threads may loop over one map
                there = counts.registered.pop()
            except IndexError:
                there = Registered()
            told = there.told
            for key, obj in channels.items():
                read = obj.readable()
                write = obj.writable()
                if read:
                    want = 7 if write and not obj.accepting else 3
                elif write:
                    want = 2 if obj.accepting else 6
                else:
                    want = 0
                try:
                    if told[key] == want:
                        continue
                except KeyError:
                    pass
                counts.changes += 1
                there.tell(key, want)
            if len(told) != many:
                there.forget(channels)
            if timeout != 0 or there.waker >= 0:
                ready = select_by_poll(there, channels, timeout, map, counts)
            else:
                events = there.pollster.poll(0)
                if not events:
                    ready = NOTHING
                elif len(events) == 1 and events[0][1] == IN and not there.keys:
                    ready = [events[0][0]], [], []
                else:
                    ready = looked(there, events, channels)
                if not there.stale and not there.keys:
                    counts.registered.append(there)
        else:
            ready = _ask_and_select(namespace, by_select, channels, timeout, map, counts)
        counts.passes += 1
        reads, writes, others = ready
        if reads:
            _tell(namespace, "read", reads, channels, map, counts)
        if writes:
            _tell(namespace, "write", writes, channels, map, counts)
        if others:
            _tell(namespace, "_exception", others, channels, map, counts)
        if _timers.agendas:
            call_due(map)


def _ask_and_select(
    namespace: Namespace,
    by_select: Any,
    channels: dict[Any, Any],
    timeout: Any,
    map: Map,
    counts: Counts,
) -> Ready:
    own = by_select is own_select
    readers: list[Any] = []
    writers: list[Any] = []
    everybody: list[Any] = []
    for key, obj in channels.items():
        read = obj.readable()
        write = obj.writable()
        if read:
            readers.append(key)
            everybody.append(key)
            if write and not obj.accepting:
                writers.append(key)
        elif write:
            everybody.append(key)
            if not obj.accepting:
                writers.append(key)
    counts.changes += len(everybody)  # the kernel gets them in each pass
    lists = readers, writers, everybody
    try:
        if own and everybody:
            if timeout == 0:
                ready: Ready = by_select(readers, writers, everybody, timeout)
                return ready
            waker = of_thread.waker
            if waker is not None:
                found = _quick_select(waker, lists, channels, timeout, map)
                if found is not None:
                    return found
        return _select(namespace, by_select, channels, lists, timeout, map, counts)
    except ValueError:
        if not (own and own_poll and _beyond(everybody)):
            raise
        wants = dict.fromkeys(channels, 0)
        for keys, want in ((readers, IN), (writers, OUT), (everybody, PRI)):
            for key in keys:
                if key in wants:  # not the waker
                    wants[key] |= want
        there = Registered()
        for key, want in wants.items():
            there.tell(key, want)
        counts.changes += len(wants)
        return select_by_poll(there, channels, timeout, map, counts)


def _sleeps_itself(namespace: Namespace) -> bool:
    """Return whether poll(2) may replace select: no scheduler has replaced a function."""
    try:
        return own_poll is not None and namespace["time"].sleep is own_sleep
    except (KeyError, AttributeError):
        return False


def _tell(
    namespace: Namespace,
    name: str,
    keys: list[Any],
    channels: dict[Any, Any],
    map: Map,
    counts: Counts,
) -> None:
    told = 0
    try:
        for key in keys:
            obj = channels[key]
            if map.get(key) is obj:
                told += 1
                try:
                    tell = namespace[name]
                except KeyError:
                    raise missing(name) from None
                tell(
                    obj
                    if _slow_handler.limit is None
                    else _slow_handler.watched(namespace, name, tell, obj)
                )
    finally:
        counts.events += told
    if len(map) != len(channels) and not counts.fits(map):
        _stats.keep(map, counts)


def _beyond(keys: list[Any]) -> bool:
    """Return whether select.select has refused a number as too large, perhaps the waker's."""
    numbers = [key if isinstance(key, int) else key.fileno() for key in keys]
    largest = max([number(), *numbers])
    return min([0, *numbers]) >= 0 and largest >= _FD_SETSIZE


def _quick_select(
    waker: Waker, lists: Ready, channels: dict[Any, Any], timeout: Any, map: Map
) -> Ready | None:
    """Call select.select if nothing was ever scheduled; `None` if that is not enough."""
    readers, writers, everybody = lists
    number = waker.number
    if waker.map is not None or number < 0 or number in channels:
        return None
    waker.map = map
    readers.append(number)
    try:
        if _timers.used:
            return None
        ready: Ready = select.select(readers, writers, everybody, timeout)
    except OSError:
        if waker.intact():
            raise
        return None
    finally:
        readers.pop()
        waker.map = None
    if ready[0] and ready[0][-1] == number:
        ready[0].pop()
        return ready if any(ready) else None
    return ready


def _select(
    namespace: Namespace,
    by_select: Any,
    channels: dict[Any, Any],
    lists: Ready,
    timeout: Any,
    map: Map,
    counts: Counts,
) -> Ready:
    """Call select.select for a wait that takes time. It can be ended, unless it is replaced."""
    readers, writers, everybody = lists
    waker = None
    if by_select is own_select and (everybody or _sleeps(namespace, timeout)):
        waker = of_thread.waker
        # Only programs that schedule calls need this check each time: it costs a microsecond.
        if (
            waker is None
            or waker.map is not None
            or waker.number < 0
            or waker.number in channels
            or _timers.used
        ):
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
        # The clock is not read if nothing was ever scheduled. If that happens during the wait,
        # the timeout begins again, once.
        began = clock.now() if _timers.used else 0.0
        left = timeout
        while True:
            number = waker.number
            if number >= 0:
                readers.append(number)
            limit = _timers.shortened(left, map) if _timers.agendas else left
            try:
                ready = by_select(readers, writers, everybody, limit)
            except OSError:
                if number < 0 or waker.intact():
                    raise
                ready = [], [], []
            else:
                if not ready[0] or ready[0][-1] != number:
                    return ready
                ready[0].pop()
            readers.pop()
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
