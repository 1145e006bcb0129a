"""Portable passes with select's meaning."""

from __future__ import annotations

from _operator import length_hint
from _thread import _count as other_threads
from errno import EINVAL

from . import _slow_handler, _timers
from ._genuine import missing, name_in, own_poll, own_select
from ._portable_poll import EVERY, LONGEST, NEVER, SELDOM, select_by_poll
from ._portable_registered import IN, OUT, recent, registered
from ._portable_select_wait import NOBODY, NOTHING, beyond, lists, select, wait
from ._portable_waker import call_due, of_thread, prepared
from ._timers import agendas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_registered import Registered

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["select_passes"]

_FEW = 16  # channels; with more, it costs more to look at poll(2)'s result than poll(2) saves
_SECONDS = int, float


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with select's meaning of ready, at most `count` if that is not negative.

    For few channels, poll(2) takes half of select(2)'s time. But it counts in milliseconds, and it
    reports what another thread closed during the wait, which select does not.
    """
    plain = type(map) is dict
    waker = limit = None
    by_poll = own_poll is not None
    look_at, pause = count - 1, EVERY  # at which count to look before waiting, see EVERY
    last: Any = None  # what the channels of the last pass with select(2) waited for
    if waits := timeout != 0:
        waker = prepared(namespace, map)
        if timeout is not None:
            limit = _milliseconds(timeout)
            by_poll = by_poll and limit is not None
            if not (type(timeout) in _SECONDS and 0 <= timeout < LONGEST):
                look_at = NEVER
    elif type(timeout) not in _SECONDS:
        by_poll, look_at = False, NEVER
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
            ready: Ready | None = None
            polled = (
                by_poll and by_select is own_select and len(wants) <= _FEW and not other_threads()
            )
            if polled and (wants != there.wants or [*channels] != there.order):
                if waits and last != (now := (wants, [*channels])):
                    last, polled = now, False  # what always changes costs less with select(2)
                else:
                    there.change(channels, wants, map)
            if polled:
                own = there.waker
                if own in channels:
                    there.wait_for(None)
                    own = -1
                events = None
                try:
                    if count <= look_at and there.told:
                        events = there.pollster.poll(0)
                        if events or not waits:
                            look_at, pause = count - 1, EVERY
                        else:
                            events, look_at, pause = None, count - pause, min(2 * pause, SELDOM)
                    if events is None and waker is not None and waker.map is None and there.told:
                        if waker.number != own:
                            there.wait_for(None if waker.number in channels else waker)
                            own = there.waker
                        if own >= 0:
                            waker.map = map
                            try:
                                if not _timers.used:
                                    events = there.pollster.poll(limit)
                            finally:
                                waker.map = None
                except OSError as why:
                    if why.errno != EINVAL:
                        raise
                    by_poll = False  # the program must not open as many files as there are channels
                if events:
                    first, flags = events[0]
                    if first == own:
                        pass  # something may be scheduled
                    elif flags == IN and len(events) == 1 and there.in_order:  # most often
                        ready = [first], NOBODY, NOBODY
                    elif not any([flags & ~(IN | OUT) for _, flags in events]):
                        if not there.in_order:
                            events = there.sorted(events, channels)
                        reads = [key for key, flags in events if flags & IN]
                        ready = reads, [key for key, flags in events if flags & OUT], NOBODY
                    else:
                        keys = lists(channels, wants)
                        ready = select_by_poll(there, channels, keys, timeout, map)
                elif events is not None:
                    ready = NOTHING
            if ready is None:
                keys = lists(channels, wants)
                if not polled:
                    there.note_select(map, len(wants), len(keys[2]))
                try:
                    if not polled and by_select is own_select and keys[2]:
                        if count <= look_at:
                            ready = own_select(*keys, 0)
                            if any(ready) or not waits:
                                look_at, pause = count - 1, EVERY
                            else:
                                ready, look_at, pause = None, count - pause, min(2 * pause, SELDOM)
                        if ready is None and waker is not None and waker.number not in channels:
                            ready = wait(keys, timeout, waker, map)
                    if ready is None:
                        ready = select(namespace, by_select, channels, keys, timeout, map, counts)
                        waker = of_thread.waker
                except ValueError:
                    if not (by_select is own_select and own_poll and beyond(keys[2])):
                        raise
                    ready = select_by_poll(there, channels, keys, timeout, map)
            reads, writes, others = ready
            there.passes += 1
            if reads:
                _tell(namespace, "read", reads, channels, map, there)
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


def _milliseconds(seconds: Any) -> int | None:
    """Return the same in milliseconds; `None` if they are not whole, or if only select can tell."""
    if type(seconds) not in _SECONDS or not 0 <= seconds < LONGEST / 1000:
        return None
    milliseconds = round(seconds * 1000)
    return milliseconds if abs(milliseconds - seconds * 1000) < 1e-6 else None


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
