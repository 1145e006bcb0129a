"""Portable passes, and those with poll's meaning.

They are pure Python: they ask every channel, wait, and tell those that are ready. To ask is to call
`readable()` and `writable()`, to tell is to call a handler. These passes are used where the engine
cannot be, see `_native`. The functions get the namespace of the asyncore module that was called,
because programs replace `select`, `read`, `write` and `readwrite` in it, and schedulers execute its
source a second time with another `select`.
"""

from __future__ import annotations

import math

from . import _slow_handler, _stats, _timers
from ._genuine import missing, own_poll
from ._portable_poll import EVERY, IN, LONGEST, OUT, Registered, poll
from ._portable_select import select_passes
from ._portable_waker import call_due, of_thread, prepared
from ._stats import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

__all__ = ["passes", "poll_passes", "select_passes"]


def passes(
    namespace: Namespace,
    timeout: Any,
    use_poll: bool,
    map: Map,
    count: int | None,
    why: str | None = None,
) -> None:
    """Make passes until the map is empty, at most `count`; see `asyncore.loop`.

    `why` is the reason why they are portable, if other passes over the map are not.
    """
    if why is not None:
        if use_poll and timeout is not None:
            int(timeout * 1000)  # a wrong timeout is reported before a wrong map
        _stats.running(map).why = why
    make = poll_passes if use_poll else select_passes
    if count is None:
        make(namespace, timeout, map, -1)
    elif count > 0:
        make(namespace, timeout, map, count)


def poll_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with poll's meaning of ready; at most `count` if it is not negative."""
    if timeout is not None:
        timeout = int(timeout * 1000)
    counts = running(map)
    try:  # two threads may loop over one map
        there = counts.registered.pop()
    except IndexError:
        there = Registered()
    if waits := timeout != 0:
        waker = prepared(namespace, map)
        busy = False
        looks = 0 if timeout is None or -1 <= timeout < LONGEST else -1
    while map and count:
        count -= 1
        channels = {**map} if type(map) is dict else dict(map.items())
        told = there.told
        for key, obj in channels.items():
            want = 3 if obj.readable() else 0
            if obj.writable() and not obj.accepting:
                want |= 4
            try:
                if told[key] == want:
                    continue
            except KeyError:
                pass
            counts.changes += 1
            there.tell(key, want)
        many = len(channels)
        if len(told) != many:
            there.forget(channels)
        counts.asked += many + many
        try:
            module = namespace["select"]
        except KeyError:
            raise missing("select") from None
        own = there.waker
        if module.poll is not own_poll:
            events = _foreign_poll(module, there, timeout, map)
        elif own < 0 and not waits:
            events = there.pollster.poll(0)
        else:
            events = None
            if own not in channels:
                if waits and (busy or counts.passes & EVERY == looks):
                    events = there.pollster.poll(0)
                    if not (busy := bool(events)):
                        events = None
                if (
                    events is None
                    and waits
                    and waker is not None
                    and waker.number == own
                    and waker.map is None
                ):
                    waker.map = map
                    try:
                        if not _timers.used:
                            events = there.pollster.poll(timeout)
                    finally:
                        waker.map = None
                if events and events[0][0] == own:
                    events = None
            if events is None:
                events = poll(there, channels, timeout, map, counts)
                waker = of_thread.waker
        counts.passes += 1
        if events:
            if len(events) > 1 and not there.has_order(channels):
                there.sort(events, channels)
            keys = there.keys
            for number, flags in events:
                key = keys.get(number, number) if keys else number
                obj = channels[key]
                if map.get(key) is obj:
                    counts.events += 1
                    try:
                        tell = namespace["readwrite"]
                    except KeyError:
                        raise missing("readwrite") from None
                    if _slow_handler.limit is not None:
                        obj = _slow_handler.watched(namespace, "readwrite", tell, obj)
                    tell(obj, flags)
            if len(map) != many and not counts.fits(map):
                _stats.keep(map, counts)
        if there.keys:  # an object may have another number in the next pass
            there.begin({})
        if _timers.agendas:
            call_due(map)
    counts.registered.append(there)


def _foreign_poll(
    module: Any, there: Registered, timeout: int | None, map: Map
) -> list[tuple[int, int]]:
    """As `poll`, with a scheduler's function: only that function can end the wait."""
    pollster = module.poll()
    for key, want in there.told.items():
        if want:
            flags = module.POLLIN | module.POLLPRI if want & IN else 0
            pollster.register(key, flags | module.POLLOUT if want & OUT else flags)
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    sooner = _timers.shortened(seconds, map)
    return pollster.poll(timeout if sooner is seconds else math.ceil(sooner * 1000))  # type: ignore[no-any-return]
