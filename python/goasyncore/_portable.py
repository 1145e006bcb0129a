"""Portable passes, and those with poll's meaning.

They are pure Python: they ask every channel, wait, and tell those that are ready. To ask is to call
`readable()` and `writable()`, to tell is to call a handler. These passes are used where the engine
cannot be, see `_native`. The functions get the namespace of the asyncore module that was called,
because programs replace `select`, `read`, `write` and `readwrite` in it, and schedulers execute its
source a second time with another `select`.
"""

from __future__ import annotations

import math
from _operator import length_hint

from . import _slow_handler, _stats, _timers
from ._genuine import missing, name_in, own_poll
from ._portable_poll import EVERY, LONGEST, NEVER, SELDOM, poll
from ._portable_registered import IN, OUT, PARALLEL, Registered, recent, registered
from ._portable_select import select_passes
from ._portable_waker import call_due, of_thread, prepared
from ._timers import agendas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_registered import Events

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

__all__ = ["passes", "poll_passes", "select_passes"]


ZERO = 0  # the usual timeout of one pass
_COPIED_AT_ONCE = None if PARALLEL else dict


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
        recent.there = recent.none
    if count is None:
        count = -1
    elif count <= 0:
        return
    if use_poll:
        poll_passes(namespace, timeout, map, count)
    else:
        select_passes(namespace, timeout, map, count)


def poll_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with poll's meaning of ready; at most `count` if it is not negative."""
    if timeout is not ZERO:
        if timeout is not None:
            timeout = int(timeout * 1000)
        if timeout != 0:
            _passes(namespace, timeout, map, count)
            return
    if count != 1 or type(map) is not _COPIED_AT_ONCE:
        _passes(namespace, 0, map, count)
        return
    # One pass that does not wait: some programs make nothing else.
    values = map.values()
    keys, objects = [*map], [*values]  # no call in between, so no other thread
    if not keys:
        return
    there = recent.there
    if there.counts.witness() is not objects[0] or there.busy:
        there = registered(map)
        if there is not recent.there:
            _passes(namespace, 0, map, 1, there)
            return
    there.busy = True
    try:
        wants = [
            (7 if obj.writable() and not obj.accepting else 3)
            if obj.readable()
            else (4 if obj.writable() and not obj.accepting else 0)
            for obj in objects
        ]
        if wants != there.wants or keys != there.order:
            there.change(dict.fromkeys(keys), wants, map)
        try:
            module = namespace["select"]
        except KeyError:
            raise missing("select") from None
        if module.poll is own_poll:
            events = there.pollster.poll(0)
        else:
            events = _foreign_poll(module, there, 0, map)
        there.passes += 1
        if events:
            if there.waker >= 0 and module.poll is own_poll:
                there.wait_for(None)
                events = there.pollster.poll(0)
            _tell(namespace, there, events, dict(zip(keys, objects, strict=True)), map)
            if not map:
                there.counts.check(map)
        if agendas:
            call_due(map)
    finally:
        there.busy = False


def _passes(
    namespace: Namespace,
    timeout: int | None,
    map: Map,
    count: int,
    there: Registered | None = None,
) -> None:
    """Make passes with a timeout in milliseconds."""
    plain = type(map) is dict
    waker = None
    look_at, pause = count - 1, EVERY  # at which count to look before waiting, see EVERY
    if waits := timeout != 0:
        waker = prepared(namespace, map)
        if timeout is not None and not -1 <= timeout < LONGEST:
            look_at = NEVER
    there = there or registered(map)
    counts = there.counts
    try:
        while map and count:
            count -= 1
            channels = {**map} if plain else dict(map.items())
            wants = [
                (7 if obj.writable() and not obj.accepting else 3)
                if obj.readable()
                else (4 if obj.writable() and not obj.accepting else 0)
                for obj in channels.values()
            ]
            if wants != there.wants or [*channels] != there.order:
                there.change(channels, wants, map)
            try:
                module = namespace["select"]
            except KeyError:
                raise missing("select") from None
            if module.poll is not own_poll:
                events = _foreign_poll(module, there, timeout, map)
            else:
                events = None
                own = there.waker
                if own not in channels:
                    if count <= look_at:
                        events = there.pollster.poll(0)
                        if events or not waits:
                            look_at, pause = count - 1, EVERY
                        else:
                            events, look_at, pause = None, count - pause, min(2 * pause, SELDOM)
                    if (
                        events is None
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
                if events is None or (events and events[0][0] == own):
                    events = poll(there, channels, timeout, map)
                    waker = of_thread.waker
            there.passes += 1
            if events:
                # As _tell() does: its call would cost an echo 0.6 to 1.6 %.
                if not there.in_order:
                    events = there.sorted(events, channels)
                try:
                    tell = namespace["readwrite"]
                except KeyError:
                    raise missing("readwrite") from None
                if _slow_handler.limit is not None:
                    tell = _slow_handler.watched(namespace, "readwrite", tell)
                left = iter(events)
                there.events += len(events)
                try:
                    for key, flags in left:
                        obj = channels[key]
                        if map.get(key) is obj:
                            tell(obj, flags)
                        else:
                            there.events -= 1
                except BaseException:
                    there.events -= length_hint(left)
                    raise
            if agendas:
                call_due(map)
    finally:
        there.release()
    if not map:
        counts.check(map)


def _tell(
    namespace: Namespace,
    there: Registered,
    events: Events,
    channels: dict[Any, Any],
    map: Map,
) -> None:
    """Tell the channels that are ready, in their order, except those that have left the map."""
    if not there.in_order:
        events = there.sorted(events, channels)
    tell = name_in(namespace, "readwrite")
    if _slow_handler.limit is not None:
        tell = _slow_handler.watched(namespace, "readwrite", tell)
    left = iter(events)
    there.events += len(events)
    try:
        for key, flags in left:
            obj = channels[key]
            if map.get(key) is obj:
                tell(obj, flags)
            else:
                there.events -= 1
    except BaseException:
        there.events -= length_hint(left)
        raise


def _foreign_poll(
    module: Any, there: Registered, timeout: int | None, map: Map
) -> list[tuple[int, int]]:
    """As `poll`, with a scheduler's function: only that function can end the wait."""
    pollster = module.poll()
    for key, want in there.told.items():
        flags = module.POLLIN | module.POLLPRI if want & IN else 0
        pollster.register(key, flags | module.POLLOUT if want & OUT else flags)
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    sooner = _timers.shortened(seconds, map)
    return pollster.poll(timeout if sooner is seconds else math.ceil(sooner * 1000))  # type: ignore[no-any-return]
