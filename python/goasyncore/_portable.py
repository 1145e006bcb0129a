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
from ._portable_poll import IN, OUT, Registered, poll, quick_poll
from ._portable_select import select_passes
from ._portable_waker import call_due, of_thread, prepare
from ._stats import table

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
        many = len(channels)
        counts.asked += many + many
        try:  # two threads may loop over one map
            there = counts.registered.pop()
        except IndexError:
            there = Registered()
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
        if len(told) != many:
            there.forget(channels)
        try:
            module = namespace["select"]
        except KeyError:
            raise missing("select") from None
        events = None
        if module.poll is not own_poll:
            events = _foreign_poll(module, there, timeout, map)
        elif timeout == 0:
            if there.waker < 0:
                events = there.pollster.poll(0)
        elif not _timers.used:
            waker = of_thread.waker
            if waker is not None:
                events = quick_poll(there, waker, channels, timeout, map)
        if events is None:
            events = poll(there, channels, timeout, map, counts)
        else:
            if len(events) > 1:
                there.sort(events, channels)
            if not there.stale and not there.keys:
                counts.registered.append(there)
        counts.passes += 1
        if events:
            keys, done = there.keys, 0
            try:
                for number, flags in events:
                    key = keys.get(number, number) if keys else number
                    obj = channels[key]
                    if map.get(key) is obj:
                        done += 1
                        try:
                            tell = namespace["readwrite"]
                        except KeyError:
                            raise missing("readwrite") from None
                        if _slow_handler.limit is not None:
                            obj = _slow_handler.watched(namespace, "readwrite", tell, obj)
                        tell(obj, flags)
            finally:
                counts.events += done
            if len(map) != many and not counts.fits(map):
                _stats.keep(map, counts)
        if _timers.agendas:
            call_due(map)


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
