"""Waiting with poll(2): in poll's meaning, and in select's for numbers that select does not take.

poll(2) is given the numbers in each call, so nothing stays in the kernel: a number is what it is in
that call, whatever was closed or opened before.
"""

from __future__ import annotations

import math
import select
from errno import EBADF
from os import strerror

from . import _agenda, _waker
from ._clock import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._counts import Counts
    from ._waker import Waker

    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

__all__ = ["IN", "OUT", "PRI", "Registered", "poll", "select_by_poll"]

IN, PRI, OUT = 1, 2, 4  # poll(2)'s, everywhere
_ERR, _HUP, _NVAL = 8, 16, 32

# poll(2) reports a hang-up to a channel that waits for room to write only; select does not. Such a
# channel is left out of the wait, and looked at again this often (seconds).
_LOOK_AGAIN = 0.5
_LONGEST = 2**31 - 1  # milliseconds that one call of poll(2) can wait
_TOO_LONG = 2**63 / 1e9  # seconds that select.select refuses
_NOTHING = 1e-6  # seconds: select(2) counts in microseconds


class Registered:
    """A poll object, and what it was told: a pass tells it only what is new."""

    __slots__ = ("keys", "numbers", "pollster", "waker", "wants")

    def __init__(self, keys: list[Any], wants: list[int], waker: int) -> None:
        self.keys = keys
        self.wants = wants
        self.waker = waker
        self.numbers: dict[int, Any] = {}  # of the keys that are not numbers themselves
        self.pollster = select.poll()
        register = self.pollster.register
        if waker >= 0:
            register(waker, IN)  # first, so that it is told first
        for key, want in zip(keys, wants, strict=True):
            if want:
                register(key, want)
                if type(key) is not int:
                    self.numbers[key if isinstance(key, int) else key.fileno()] = key

    def tell(self, wants: list[int]) -> int:
        """Tell what is new of the same keys. Returns of how many; -1 if a new poll object is due."""
        told = 0
        for key, want, before in zip(self.keys, wants, self.wants, strict=True):
            if want != before:
                if not (want and before):  # it would be out of the order of the map
                    return -1
                self.pollster.modify(key, want)
                told += 1
        self.wants = wants
        return told


def _registered(counts: Counts, keys: list[Any], wants: list[int], waker: Waker | None) -> Registered:
    """The poll object for one wait; to be given back to the counts, for the next.

    It is taken from there because two threads may loop over one map.
    """
    number = -1 if waker is None else waker.number
    try:
        there = counts.registered.pop()
    except IndexError:
        pass
    else:
        if there.keys == keys and there.waker == number and not there.numbers:
            told = 0 if there.wants == wants else there.tell(wants)
            if told >= 0:
                counts.changes += told
                return there
    counts.changes += sum(map(bool, wants))
    return Registered(keys, wants, number)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(math.ceil(seconds * 1000 - 1e-3), _LONGEST)


def poll(
    channels: dict[Any, Any], wants: list[int], timeout: int | None, map: Map, counts: Counts
) -> tuple[list[tuple[int, int]], dict[int, Any]]:
    """select.poll's result, and the keys of those numbers that are not keys themselves."""
    keys = list(channels)
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    waker = None if timeout == 0 else _waker.begin(channels, seconds, map)
    try:
        limit = _milliseconds(_agenda.shortened(seconds, map)) if _agenda.agendas else timeout
        while True:
            there = _registered(counts, keys, wants, waker)
            events = there.pollster.poll(limit)
            counts.registered.append(there)
            if waker is None or not events or events[0][0] != there.waker:
                return events, there.numbers
            del events[0]
            if waker.woken(counts) or events:
                return events, there.numbers
            limit = _milliseconds(_agenda.shortened(waker.left, map))
    finally:
        if waker is not None:
            waker.end()


def select_by_poll(
    channels: dict[Any, Any], wants: list[int], timeout: Any, map: Map, counts: Counts
) -> Ready:
    """select.select's result and errors."""
    if timeout is not None and not (type(timeout) in (int, float) and 0 <= timeout < _TOO_LONG):
        select.select([], [], [], timeout)  # raises what select raises for it, or waits
        timeout = 0
    keys = list(channels)
    waker = None if timeout == 0 else _waker.begin(channels, timeout, map)
    muted: set[Any] = set()  # what was reported of these means nothing to select
    left = due = timeout
    first = True  # a look: only what is not open when the wait begins is an error
    try:
        while True:
            milliseconds, step = (0, 0.0) if first else _step(due, bool(muted))
            heard = [0 if key in muted else want for key, want in zip(keys, wants, strict=True)]
            there = _registered(counts, keys, heard if muted else wants, waker)
            began = clock.now()
            events = there.pollster.poll(milliseconds)
            counts.registered.append(there)
            if waker is not None and events and events[0][0] == there.waker:
                over = waker.woken(counts)
                del events[0]
            elif events:
                over = False
            else:
                began = clock.now() - step  # by the kernel's word, whatever a clock says
                muted.clear()
                over = timeout == 0
            if first and _NVAL in dict(events).values():  # it is told alone
                raise OSError(EBADF, strerror(EBADF))
            ready = _as_select(there, events, muted)
            if left is not None:
                left -= clock.now() - began
            due = _agenda.shortened(left, map)
            if over or any(ready) or (due is not None and due < _NOTHING):
                return ready
            first = False
    finally:
        if waker is not None:
            waker.end()


def _step(seconds: float | None, again: bool) -> tuple[int | None, float]:
    """How long to wait now: the milliseconds that poll(2) shall wait, and how many seconds that is.

    It sleeps here for less than a millisecond, because select counts in microseconds.
    """
    if again:
        seconds = _LOOK_AGAIN if seconds is None else min(seconds, _LOOK_AGAIN)
    if seconds is None:
        return None, 0.0
    if seconds < 0.001:
        select.select([], [], [], seconds)
        return 0, seconds
    milliseconds = min(int(seconds * 1000), _LONGEST)
    return milliseconds, milliseconds / 1000


def _as_select(there: Registered, events: list[tuple[int, int]], muted: set[Any]) -> Ready:
    """What select would have reported. Adds to `muted` what it would not have."""
    ready: Ready = ([], [], [])
    for number, flags in events:
        key = there.numbers.get(number, number)
        asked = IN | OUT
        if flags & (_ERR | _HUP):
            asked = there.wants[there.keys.index(key)]
        before = sum(map(len, ready))
        if flags & (IN | _ERR | _HUP) and asked & IN:
            ready[0].append(key)
        if flags & (OUT | _ERR) and asked & OUT:
            ready[1].append(key)
        if flags & PRI:
            ready[2].append(key)
        if sum(map(len, ready)) == before:
            muted.add(key)
    return ready
