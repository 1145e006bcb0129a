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
from ._genuine import clock, own_poll
from ._portable_waker import left_of, sure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_waker import Waker
    from ._stats import Counts

    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["EVERY", "IN", "LONGEST", "OUT", "Registered", "poll", "select_by_poll"]

# To look costs half as much as a wait that finds something at once. So a loop looks before it waits
# if that was enough in its last pass; otherwise only in one of 16 passes, to find out.
EVERY = 15

IN, PRI, OUT = 1, 2, 4  # poll(2)'s, everywhere
_ERR, _HUP, _NVAL = 8, 16, 32

# poll(2) reports a hang-up to a channel that waits only for room to write; select does not. Such a
# channel is left out of the wait, and checked again after this time (seconds).
_LOOK_AGAIN = 0.5
LONGEST = 2**31 - 1  # milliseconds that one call of poll(2) can wait
_TOO_LONG = 2**63 / 1e9  # seconds that select.select refuses
_INSTANT = 1e-6  # seconds: select(2) counts in microseconds


# If a scheduler had replaced it before the import, the first pass finds the scheduler's.
_poll: Any = own_poll or getattr(select, "poll", None)


class Registered:
    """A poll object, and what is registered in it: a pass only registers changes."""

    __slots__ = ("in_order", "keys", "pollster", "told", "waker")

    def __init__(self) -> None:
        self.waker = -1
        self.begin({})

    def begin(self, wanted: dict[Any, int]) -> None:
        """Begin with a new poll object, and register these in their order."""
        self.told: dict[Any, int] = {}  # from key to what it waits for; 0: nothing
        self.keys: dict[int, Any] = {}  # by the number, of keys that are not numbers themselves
        self.in_order = True  # of the poll object: that of `told`
        self.pollster = _poll()
        if self.waker >= 0:
            self.pollster.register(self.waker, IN)  # first, so that it is reported first
        register, told = self.pollster.register, self.told
        for key, want in wanted.items():
            if want and type(key) is int:  # as tell() does it, in a third of the time
                register(key, want)
                told[key] = want
            else:
                self.tell(key, want)

    def tell(self, key: Any, want: int) -> None:
        """Register what the channel under a key waits for."""
        before = self.told.get(key)
        if want:
            if before == 0:
                self.in_order = False
            self.pollster.register(key, want)
            if type(key) is not int:
                self.keys[key if isinstance(key, int) else key.fileno()] = key
        elif before:
            self.pollster.unregister(key)
        self.told[key] = want

    def forget(self, channels: dict[Any, Any]) -> None:
        """Remove all registrations except these."""
        for key in self.told.keys() - channels.keys():
            if self.told.pop(key):
                self.pollster.unregister(key)

    def has_order(self, channels: dict[Any, Any]) -> bool:
        """Return whether events are reported in the order of the channels."""
        return self.in_order and list(self.told) == list(channels)

    def sort(self, events: list[tuple[int, int]], channels: dict[Any, Any]) -> None:
        """Sort the events into the order of the channels, and register the channels in it."""
        places = {key: place for place, key in enumerate(channels)}
        events.sort(key=lambda event: places.get(self.keys.get(event[0], event[0]), -1))
        if not self.keys:
            self.begin({key: self.told[key] for key in channels})

    def restore(self, muted: dict[Any, int]) -> None:
        """Register again what was left out."""
        for key, want in muted.items():
            self.tell(key, want)
        muted.clear()

    def wait_for(self, waker: Waker | None) -> None:
        """Make this the waker that is waited for."""
        number = -1 if waker is None else waker.number
        if number != self.waker:
            self.waker = number
            self.begin(self.told)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(math.ceil(seconds * 1000 - 1e-3), LONGEST)


def poll(
    there: Registered, channels: dict[Any, Any], timeout: int | None, map: Map, counts: Counts
) -> list[tuple[int, int]]:
    """Return select.poll's result, whatever is scheduled and whoever uses this thread's waker."""
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    waker = sure(channels)
    if waker is not None:
        waker.map = map
    try:
        began = clock.now()
        limit = _milliseconds(_timers.shortened(seconds, map)) if _timers.agendas else timeout
        while True:
            there.wait_for(waker)
            events: list[tuple[int, int]] = there.pollster.poll(limit)
            if waker is None or not events or events[0][0] != there.waker:
                return events
            del events[0]
            if waker.woken(counts) or events:
                return events
            limit = _milliseconds(_timers.shortened(left_of(seconds, began), map))
    finally:
        if waker is not None:
            waker.map = None


def select_by_poll(
    channels: dict[Any, Any], lists: Ready, timeout: Any, map: Map, counts: Counts
) -> Ready:
    """Return select.select's result for these lists, or raise its errors."""
    if timeout is not None and not (type(timeout) in (int, float) and 0 <= timeout < _TOO_LONG):
        select.select([], [], [], timeout)  # raises what select raises for it, or waits
        timeout = 0
    wants = dict.fromkeys(channels, 0)
    for keys, want in zip(lists, (IN, OUT, PRI), strict=True):
        for key in keys:
            wants[key] |= want
    there = counts.registered.pop() if counts.registered else Registered()
    for key, want in wants.items():
        if there.told.get(key) != want:
            there.tell(key, want)
    there.forget(channels)
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
                over = waker is not None and waker.woken(counts)
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
    if not there.keys:  # an object may have another number in the next pass
        counts.registered.append(there)
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
    if len(events) > 1 and not there.has_order(channels):
        there.sort(events, channels)
    reads: list[Any] = []
    writes: list[Any] = []
    others: list[Any] = []
    for number, flags in events:
        key = there.keys.get(number, number) if there.keys else number
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
                there.tell(key, 0)
        if flags & IN:
            reads.append(key)
        if flags & OUT:
            writes.append(key)
    return reads, writes, others
