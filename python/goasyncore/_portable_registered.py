"""The poll objects of portable passes: what is registered stays so until the next pass."""

from __future__ import annotations

import select
import sys
from _thread import allocate_lock

from ._genuine import own_poll
from ._stats import Counts, running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._portable_waker import Waker

    type Map = MutableMapping[Any, Any]
    type Events = list[tuple[Any, int]]

__all__ = ["IN", "OUT", "PARALLEL", "PRI", "Registered", "recent", "registered"]

IN, PRI, OUT = 1, 2, 4  # poll(2)'s, everywhere

_lock = allocate_lock()
# Whether another thread can run at any time. With CPython's GIL, only at calls and jumps back.
PARALLEL = sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: 1)()
# If a scheduler had replaced it before the import, the first pass finds the scheduler's.
_poll: Any = own_poll or getattr(select, "poll", None)


class Registered:
    """A poll object, and what is registered in it: a pass only registers changes."""

    __slots__ = (
        "asked",
        "busy",
        "counts",
        "events",
        "in_order",
        "keys",
        "lasting",
        "order",
        "passes",
        "pollster",
        "told",
        "waker",
        "wants",
    )

    def __init__(self, counts: Counts) -> None:
        self.waker = -1
        self.events = self.passes = 0  # that the counts do not contain yet. In each of the passes
        self.asked = 0  # so many channels were asked
        self.busy = True  # a loop uses it
        self.counts = counts
        self.begin({})

    def take(self) -> bool:
        """Mark it as busy. Returns whether it was not: it serves one loop at a time."""
        if not _lock.acquire(False):  # another thread is here, or this one before a signal
            return False
        try:
            if self.busy:
                return False
            self.busy = True
        finally:
            _lock.release()
        return True

    def release(self) -> None:
        """Undo `take()`."""
        self.busy = False
        if self.counts.there is not self:
            self.settle()  # nobody uses it any more

    def settle(self) -> None:
        """Move the events and passes to the counts."""
        counts, passes = self.counts, self.passes
        counts.events += self.events
        self.events = self.passes = 0
        counts.passes += passes
        counts.asked += passes * self.asked * 2

    def begin(self, wanted: dict[Any, int]) -> None:
        """Begin with a new poll object, and register these in their order."""
        self.wants: list[int] | None = None  # what each channel waited for in the last pass,
        self.order: list[Any] = []  # and its key. None: the rest may be wrong, after an exception
        self.told: dict[Any, int] = {}  # what is registered, in the order of the poll object
        self.keys: dict[int, Any] = {}  # by the number, of keys that are not numbers themselves
        self.in_order = True  # events are reported in the order of the channels
        self.lasting = False  # or else, not only in the first pass after a change
        self.pollster = _poll and _poll()
        if self.waker >= 0:
            self.pollster.register(self.waker, IN)  # first, so that it is reported first
        for key in [*wanted]:  # not items(), see restore()
            self.tell(key, wanted[key])
        self.wants = []

    def change(self, channels: dict[Any, Any], wants: list[int], map: Map) -> None:
        """Register what the channels wait for now."""
        counts = self.counts
        counts.check(map)
        self.settle()
        if self.wants is None or self.keys:  # an object may have another number in this pass
            self.begin({})
        self.wants = None
        self.order = order = [*channels]
        self.asked, self.lasting = len(order), False
        wanted = wants
        told, now = self.told, channels
        if 0 in wants:
            now = {key: want for key, want in zip(order, wants, strict=True) if want}
            order, wants = [*now], [*now.values()]
        for key in [key for key in told if key not in now]:
            self.tell(key, 0)
        same = len(told)
        self.in_order = order[:same] == [*told]
        if not self.in_order or wants[:same] != [*told.values()]:
            same = 0
        for at in range(same, len(order)):
            key, want = order[at], wants[at]
            if told.get(key) != want:
                counts.changes += 1
                self.tell(key, want)
        if self.keys:
            self.in_order = False
            wanted = []  # so that the next pass comes here again
        self.wants = wanted

    def note_select(self, map: Map, asked: int, given: int) -> None:
        """Count a pass that gives its channels to select(2)."""
        counts = self.counts
        counts.check(map)
        counts.changes += given
        if asked != self.asked:
            self.settle()
            self.asked = asked
        if self.wants:
            self.wants = []  # so that the next pass with poll(2) registers what has changed

    def tell(self, key: Any, want: int) -> None:
        """Register what the channel under a key waits for."""
        if want:
            self.pollster.register(key, want)
            self.told[key] = want
            if type(key) is not int:
                self.keys[key if isinstance(key, int) else key.fileno()] = key
        elif key in self.told:
            del self.told[key]
            self.pollster.unregister(key)

    def sorted(self, events: Events, channels: dict[Any, Any]) -> Events:
        """Return the events by keys, in the order of the channels."""
        if not self.keys:
            if len(events) < 2:
                return events
            if self.lasting:
                self.again({key: self.told[key] for key in channels if key in self.told})
                self.in_order = True
            self.lasting = True
        found = {self.keys.get(number, number): flags for number, flags in events}
        return [(key, found[key]) for key in filter(found.__contains__, channels)]

    def restore(self, muted: dict[Any, int]) -> None:
        """Register again what was left out."""
        for key in [*muted]:  # not items(): CPython crashes there if it gets no memory
            self.tell(key, muted[key])
            self.wants = None  # they are the last now
        muted.clear()

    def wait_for(self, waker: Waker | None) -> None:
        """Make this the waker that is waited for."""
        number = -1 if waker is None else waker.number
        if number != self.waker:
            self.waker = number
            self.again(self.told)

    def again(self, wanted: dict[Any, int]) -> None:
        """Register the same in a new poll object, perhaps in another order."""
        same = self.order, self.wants, self.in_order
        self.begin(wanted)
        self.order, self.wants, self.in_order = same


class recent:
    """Has the one that was used last, or one that is always busy.

    A short pass recognises its map by the first channel, because id() costs a twentieth of it. If a
    channel is the first in two maps, the pass is counted for the other one.
    """

    there = none = Registered(Counts())


def registered(map: Map) -> Registered:
    """Return what is registered for a map over which a loop begins, and mark it as busy."""
    counts = running(map)
    there = counts.there
    if there is None:
        there = counts.there = Registered(counts)
    elif not there.take():
        return Registered(counts)
    if not PARALLEL:
        recent.there = there
    return there
