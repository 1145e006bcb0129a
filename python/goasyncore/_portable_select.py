"""Portable passes with select's meaning."""

from __future__ import annotations

from _operator import length_hint

from . import _slow_handler, _timers
from ._genuine import clock, missing, name_in, own_poll, own_select, own_sleep
from ._portable_poll import EVERY, LONGEST, NEVER, SELDOM, select_by_poll
from ._portable_registered import IN, OUT, recent, registered
from ._portable_waker import call_due, left_of, number, prepared, sure
from ._timers import agendas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_registered import Registered
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
    plain = type(map) is dict
    waker = None
    look_at, pause = count - 1, EVERY  # at which count to look before waiting, see EVERY
    if waits := timeout != 0:
        waker = prepared(namespace, map)
        if not (timeout is None or (type(timeout) in (int, float) and 0 <= timeout < LONGEST)):
            look_at = NEVER
    few = 0 if waits or own_poll is None else _FEW
    before: list[int] | None = None  # what the channels of the last pass waited for,
    order: list[Any] = []  # and their numbers
    there = recent.there
    counts = there.counts
    if map.get(counts.key, there) is not counts.witness() or there.busy:
        there = registered(map)
        counts = there.counts
    there.busy = True
    try:
        while map and count:
            count -= 1
            channels = {**map} if plain else dict(map.items())
            wants = [
                (7 if obj.writable() and not obj.accepting else 3)
                if obj.readable()
                else ((2 if obj.accepting else 6) if obj.writable() else 0)
                for obj in channels.values()
            ]
            try:
                by_select = namespace["select"].select
            except KeyError:
                raise missing("select") from None
            if (
                few
                and len(wants) <= few
                and by_select is own_select
                and (ready := _look(there, channels, wants, map))
            ):
                reads, writes, others = ready
            else:
                if wants != before or [*channels] != order:
                    before, order = wants, [*channels]
                    if wants.count(3) == len(wants):  # most often, they all wait for data
                        readers = either = order
                        writers: list[Any] = []
                    else:
                        pairs = [*zip(order, wants, strict=True)]
                        readers = [key for key, want in pairs if want & 1]
                        writers = [key for key, want in pairs if want & 4]
                        either = [key for key, want in pairs if want]
                    number, usable = -1, False
                    counts.check(map)
                    there.settle()
                    there.asked, there.sent = len(order), len(either)
                    there.wants = None  # for poll(2)
                try:
                    reads = None
                    if either and by_select is own_select:
                        if count <= look_at:
                            reads, writes, others = own_select(readers, writers, either, 0)
                            if reads or writes or others:
                                look_at, pause = count - 1, EVERY
                            elif waits:
                                reads, look_at, pause = None, count - pause, min(2 * pause, SELDOM)
                            else:
                                look_at = count - 1
                        if reads is None and waker is not None:
                            if waker.number != number:
                                number = waker.number
                                usable = number not in channels and waker.map is None
                                with_waker = [*readers, number]
                            if usable:
                                waker.map = map
                                try:
                                    if not _timers.used:
                                        reads, writes, others = own_select(
                                            with_waker, writers, either, timeout
                                        )
                                except OSError:
                                    if waker.intact():
                                        raise
                                finally:
                                    waker.map = None
                                if reads and reads[-1] == number:
                                    reads = None
                    if reads is None:
                        lists = readers, writers, either
                        reads, writes, others = _select(
                            namespace, by_select, channels, lists, timeout, map, counts
                        )
                except ValueError:
                    if not (by_select is own_select and own_poll and _beyond(either)):
                        raise
                    lists = readers, writers, either
                    reads, writes, others = select_by_poll(there, channels, lists, timeout, map)
            there.passes += 1
            if reads:
                try:
                    read = namespace["read"]
                except KeyError:
                    raise missing("read") from None
                if _slow_handler.limit is not None:
                    read = _slow_handler.watched(namespace, "read", read)
                left = iter(reads)
                there.events += len(reads)
                try:
                    for key in left:
                        obj = channels[key]
                        if map.get(key) is obj:
                            read(obj)
                        else:
                            there.events -= 1
                except BaseException:
                    there.events -= length_hint(left)
                    raise
            if writes:
                _tell(namespace, "write", writes, channels, map, there)
            if others:
                _tell(namespace, "_exception", others, channels, map, there)
            if agendas:
                call_due(map)
    finally:
        there.release()
    if not map:
        counts.check(map)


def _tell(
    namespace: Namespace,
    name: str,
    keys: list[Any],
    channels: dict[Any, Any],
    map: Map,
    there: Registered,
) -> None:
    """Tell these channels, except those that have left the map, with a function of asyncore."""
    tell = name_in(namespace, name)
    if _slow_handler.limit is not None:
        tell = _slow_handler.watched(namespace, name, tell)
    left = iter(keys)
    there.events += len(keys)
    try:
        for key in left:
            obj = channels[key]
            if map.get(key) is obj:
                tell(obj)
            else:
                there.events -= 1
    except BaseException:
        there.events -= length_hint(left)
        raise


def _look(there: Registered, channels: dict[Any, Any], wants: list[int], map: Map) -> Ready | None:
    """Return what select would report at once; `None` if only select can tell.

    poll(2) takes half of select(2)'s time, but it may report something else than data and room.
    """
    if wants != there.wants or [*channels] != there.order:
        there.change(channels, wants, map)
    if there.waker >= 0:
        there.wait_for(None)
    events = there.pollster.poll(0)
    if not there.in_order:
        events = there.sorted(events, channels)
    if not events:
        return _NOTHING if there.told else None  # without channels it is a sleep
    if any([flags & ~(IN | OUT) for _, flags in events]):
        return None
    reads = [number for number, flags in events if flags & IN]
    return reads, [number for number, flags in events if flags & OUT], []


def _beyond(keys: list[Any]) -> bool:
    """Return whether select.select has refused a number as too large, perhaps the waker's."""
    numbers = [key if isinstance(key, int) else key.fileno() for key in keys]
    largest = max([number(), *numbers])
    return min([0, *numbers]) >= 0 and largest >= _FD_SETSIZE


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
