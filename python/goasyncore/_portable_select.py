"""Portable passes with select's meaning."""

from __future__ import annotations

from . import _slow_handler, _stats, _timers
from ._genuine import clock, missing, name_in, own_poll, own_select, own_sleep
from ._portable_poll import EVERY, IN, LONGEST, OUT, Registered, select_by_poll
from ._portable_waker import call_due, left_of, number, prepared, sure
from ._stats import running

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

_FD_SETSIZE = 1024  # select.select accepts numbers below this
_FEW = 16  # channels; with more, it costs more to look at poll(2)'s result than poll(2) saves
_NOTHING: Ready = ([], [], [])


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with select's meaning of ready, at most `count` if that is not negative."""
    counts = running(map)
    waits = timeout != 0
    busy, few = not waits, 0
    if waits:
        waker = prepared(namespace, map)
        usual = timeout is None or (type(timeout) in (int, float) and 0 <= timeout < LONGEST)
        looks = 0 if usual else -1
    elif own_poll:
        few = _FEW
    while map and count:
        count -= 1
        channels = {**map} if type(map) is dict else dict(map.items())
        many = len(channels)
        try:
            by_select = namespace["select"].select
        except KeyError:
            raise missing("select") from None
        ready: Ready | None = None
        if many <= few and by_select is own_select:
            ready, lists = _look(channels, counts)
        else:
            lists = _ask(channels)
            counts.changes += len(lists[2])  # the kernel gets them in each pass
        if ready is None:
            try:
                if lists[2] and by_select is own_select:
                    if busy or counts.passes & EVERY == looks:
                        ready = own_select(*lists, 0)
                        if waits and not (busy := any(ready)):
                            ready = None
                    if ready is None and waker is not None:
                        ready = _quick_select(waker, lists, channels, timeout, map)
                if ready is None:
                    ready = _select(namespace, by_select, channels, lists, timeout, map, counts)
            except ValueError:
                if not (by_select is own_select and own_poll and _beyond(lists[2])):
                    raise
                ready = select_by_poll(channels, lists, timeout, map, counts)
        counts.asked += many + many
        counts.passes += 1
        reads, writes, others = ready
        if reads or writes or others:
            name, keys = "read", reads
            while True:
                for key in keys:
                    obj = channels[key]
                    if map.get(key) is obj:
                        counts.events += 1
                        try:
                            tell = namespace[name]
                        except KeyError:
                            raise missing(name) from None
                        if _slow_handler.limit is not None:
                            obj = _slow_handler.watched(namespace, name, tell, obj)
                        tell(obj)
                if writes:
                    name, keys, writes = "write", writes, []
                elif others:
                    name, keys, others = "_exception", others, []
                else:
                    break
            if len(map) != many and not counts.fits(map):
                _stats.keep(map, counts)
        if _timers.agendas:
            call_due(map)


def _ask(channels: dict[Any, Any]) -> Ready:
    """Ask the channels. Returns select's lists: readers, writers, and all that want either."""
    readers: list[Any] = []
    writers: list[Any] = []
    neither: list[Any] = []
    for key, obj in channels.items():
        if obj.readable():
            readers.append(key)
            if obj.writable() and not obj.accepting:
                writers.append(key)
        elif obj.writable():
            if not obj.accepting:
                writers.append(key)
        else:
            neither.append(key)
    everybody = list(channels)
    if neither:
        left_out = set(neither)
        everybody = [key for key in everybody if key not in left_out]
    return readers, writers, everybody


def _look(channels: dict[Any, Any], counts: Counts) -> tuple[Ready | None, Ready]:
    """Ask the channels, and return what select would report at once.

    poll(2) takes half of select(2)'s time. If it reports something else than data and room, the
    result is `None` and the lists for select.
    """
    try:  # two threads may loop over one map
        there = counts.registered.pop()
    except IndexError:
        there = Registered()
    told, neither = there.told, 0
    for key, obj in channels.items():
        if obj.readable():
            want = 7 if obj.writable() and not obj.accepting else 3
        elif obj.writable():
            want = 2 if obj.accepting else 6
        else:
            want, neither = 0, neither + 1
        try:
            if told[key] == want:
                continue
        except KeyError:
            pass
        counts.changes += 1
        there.tell(key, want)
    if len(told) != len(channels):
        there.forget(channels)
    if there.waker >= 0:
        there.wait_for(None)
    events = there.pollster.poll(0)
    ready: Ready | None = None
    lists = _NOTHING
    if not events:
        if neither < len(channels):  # otherwise it is a sleep
            ready = _NOTHING
    elif not there.keys and not any([flags & ~(IN | OUT) for _, flags in events]):
        if len(events) > 1 and not there.has_order(channels):
            there.sort(events, channels)
        reads = [number for number, flags in events if flags & IN]
        ready = reads, [number for number, flags in events if flags & OUT], []
    else:
        told = there.told
        lists = (
            [key for key in channels if told[key] & 1],
            [key for key in channels if told[key] & 4],
            [key for key in channels if told[key]],
        )
    if not there.keys:  # an object may have another number in the next pass
        counts.registered.append(there)
    return ready, lists


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
    reads = ready[0]
    if reads and reads[-1] == number:
        reads.pop()
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
        waker = sure(channels)
    ready: Ready
    if waker is None:
        limit = _timers.shortened(timeout, map)
        if not everybody:
            name_in(namespace, "time").sleep(limit)
            return _NOTHING
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
            limit = _timers.shortened(left, map) if _timers.agendas else left
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
