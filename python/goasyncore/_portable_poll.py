"""Waiting with poll(2), for portable passes.

It serves poll's meaning of ready, and select's where there are numbers that select refuses. poll(2)
gets the numbers in each call, so the kernel keeps none of them: a number means what it means during
that call, whatever was closed or opened before.
"""

from __future__ import annotations

import math
import select
from errno import EBADF
from os import strerror

from . import _timers
from ._genuine import clock
from ._portable_registered import IN, OUT, PRI, Registered
from ._portable_waker import left_of, sure
from ._timers import agendas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["EVERY", "LONGEST", "NEVER", "SELDOM", "poll", "select_by_poll"]

# To look costs half as much as a wait that finds something at once. So a loop looks before it waits
# if that was enough in its last pass. Otherwise it tries again after so many passes, and if that
# fails, after twice as many. It does so where the number of passes that are left, negative if they
# are not limited, reaches another.
EVERY, SELDOM, NEVER = 15, 240, -(2**62)

_ERR, _HUP, _NVAL = 8, 16, 32

# poll(2) reports a hang-up to a channel that waits only for room to write; select does not. Such a
# channel is left out of the wait, and checked again after this time (seconds).
_LOOK_AGAIN = 0.5
LONGEST = 2**31 - 1  # milliseconds that one call of poll(2) can wait
_TOO_LONG = 2**63 / 1e9  # seconds that select.select refuses
_INSTANT = 1e-6  # seconds: select(2) counts in microseconds


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(math.ceil(seconds * 1000 - 1e-3), LONGEST)


def poll(
    there: Registered, channels: dict[Any, Any], timeout: int | None, map: Map
) -> list[tuple[int, int]]:
    """Return select.poll's result, whatever is scheduled and whoever uses this thread's waker."""
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    waker = sure(channels)
    if waker is not None:
        waker.map = map
    try:
        began = clock.now()
        limit = _milliseconds(_timers.shortened(seconds, map)) if agendas else timeout
        while True:
            there.wait_for(waker)
            events: list[tuple[int, int]] = there.pollster.poll(limit)
            if waker is None or not events or events[0][0] != there.waker:
                return events
            del events[0]
            if waker.woken(there.counts) or events:
                return events
            limit = _milliseconds(_timers.shortened(left_of(seconds, began), map))
    finally:
        if waker is not None:
            waker.map = None


def select_by_poll(
    there: Registered, channels: dict[Any, Any], lists: Ready, timeout: Any, map: Map
) -> Ready:
    """Return select.select's result for these lists, or raise its errors."""
    if timeout is not None and not (type(timeout) in (int, float) and 0 <= timeout < _TOO_LONG):
        select.select([], [], [], timeout)  # raises what select raises for it, or waits
        timeout = 0
    wants = dict.fromkeys(channels, 0)
    for keys, want in zip(lists, (IN, OUT, PRI), strict=True):
        for key in keys:
            wants[key] |= want
    there.change(channels, [*wants.values()], map)
    waker = None if timeout == 0 else sure(channels)
    if waker is not None:
        waker.map = map
    try:
        there.wait_for(waker)
        events = there.pollster.poll(0)  # only what is not open now is an error
        first = True
        left = timeout
        step = 0.0
        muted: dict[Any, int] = {}  # left out: select does not know what was reported for these
        while True:
            over = False
            if events and events[0][0] == there.waker:
                del events[0]
                over = waker is not None and waker.woken(there.counts)
            ready = _as_select(there, events, channels, muted, first)
            first = False
            if left is not None:
                left -= step
            due = _timers.shortened(left, map)
            if over or any(ready) or (due is not None and due < _INSTANT):
                break
            milliseconds, step = _step(due, bool(muted))
            there.wait_for(waker)
            began = clock.now()
            events = there.pollster.poll(milliseconds)
            if events:
                step = clock.now() - began
            else:  # then the whole time has passed, according to the kernel
                there.restore(muted)
    finally:
        if waker is not None:
            waker.map = None
    there.restore(muted)
    return ready


def _step(seconds: float | None, again: bool) -> tuple[int | None, float]:
    """Return how long to wait now: milliseconds for poll(2), and the same in seconds.

    Less than a millisecond is slept here, because select counts in microseconds.
    """
    if again:
        seconds = _LOOK_AGAIN if seconds is None else min(seconds, _LOOK_AGAIN)
    if seconds is None:
        return None, 0.0
    if seconds < 0.001:
        select.select([], [], [], seconds)
        return 0, seconds
    milliseconds = min(int(seconds * 1000), LONGEST)
    return milliseconds, milliseconds / 1000


def _as_select(
    there: Registered,
    events: list[tuple[int, int]],
    channels: dict[Any, Any],
    muted: dict[Any, int],
    first: bool,
) -> Ready:
    """Return what select would report. What it would not report is left out of the wait."""
    if not there.in_order:
        events = there.sorted(events, channels)
    reads: list[Any] = []
    writes: list[Any] = []
    others: list[Any] = []
    for key, flags in events:
        if flags & ~(IN | OUT):
            if flags == _NVAL and first:  # it is reported alone
                raise OSError(EBADF, strerror(EBADF))
            want = there.told[key]
            if flags & (_ERR | _HUP):
                flags |= want & (IN | OUT if flags & _ERR else IN)
            if flags & PRI:
                others.append(key)
            elif not flags & (IN | OUT):
                muted[key] = want
                there.wants = None
                there.tell(key, 0)
        if flags & IN:
            reads.append(key)
        if flags & OUT:
            writes.append(key)
    return reads, writes, others
