"""Counts of what the loop over a map has done in portable passes; the engine has its own.

What is known of a map is kept under its id, and must not keep it alive: with it would live its
channels. But a plain dict cannot be referenced weakly. So the channels that stood in it last are,
and while one of them still does, it is the same map; an empty one holds nobody, and is held.
"""

from __future__ import annotations

import sys
from _weakref import ref  # weakref itself takes longer to import than all of this package
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._by_poll import Registered

    type Map = MutableMapping[Any, Any]

__all__ = ["Counts", "counts_of", "keep", "running"]

_WITNESSES = 4
_MANY = 64  # maps that are known at once


class Counts:
    """Of one map; and what its next pass can use of the last one."""

    __slots__ = (
        "asked",
        "changes",
        "default",
        "events",
        "held",
        "passes",
        "reference",
        "registered",
        "wakes",
        "why",
        "witnesses",
    )

    def __init__(self) -> None:
        self.passes = self.events = self.asked = self.changes = self.wakes = 0
        self.why = ""  # they are portable ones
        self.registered: list[Registered] = []  # by poll2() and, above select's numbers, by poll()
        # One of the three says which map it is.
        self.held: Map | None = None
        self.reference: ref[Any] | None = None
        self.witnesses: list[tuple[int, ref[Any]]] = []  # number and channel
        self.default = False

    def remember(self, map: Map) -> None:
        self.held, self.reference, self.witnesses = None, None, []
        self.default = map is getattr(sys.modules.get("asyncore"), "socket_map", None)
        if type(map) is not dict:
            self.reference = _weakly(map)
        elif not map or self.default:
            self.held = map
        else:
            for key, channel in islice(list(map.items()), _WITNESSES):
                reference = _weakly(channel)
                if reference is not None and type(key) is int:
                    self.witnesses.append((key, reference))

    def fits(self, map: Map) -> bool:
        """Whether it is the map's, and will still be known to be."""
        if self.held is map:
            return self.default or not map
        for key, reference in self.witnesses:
            channel = reference()
            return channel is not None and map.get(key) is channel
        return self.reference is not None and self.reference() is map

    def belongs_to(self, map: Map) -> bool:
        if self.held is not None:
            return self.held is map
        if self.reference is not None:
            return self.reference() is map
        for key, reference in self.witnesses:
            channel = reference()
            if channel is not None and map.get(key) is channel:
                return True
        return False


_table: dict[int, Counts] = {}


def _weakly(thing: Any) -> ref[Any] | None:
    try:
        return ref(thing)
    except TypeError:  # some objects take no weak references
        return None


def counts_of(map: Map) -> Counts:
    """What was counted of the map until now."""
    found = _table.get(id(map))
    return found if found is not None and found.belongs_to(map) else Counts()


def running(map: Map) -> Counts:
    """The counts of a map that begins to loop."""
    found = _table.get(id(map))
    if found is not None and found.fits(map):
        return found
    counts = counts_of(map)
    keep(map, counts)
    return counts


def keep(map: Map, counts: Counts) -> None:
    """Remember the counts of a map whose channels may be others now."""
    if counts.fits(map) and _table.get(id(map)) is counts:
        return
    for other in list(_table.values()):
        if other.held is not None and not other.fits(other.held):
            other.remember(other.held)
    counts.remember(map)
    _table.pop(id(map), None)
    _table[id(map)] = counts
    while len(_table) > _MANY:
        del _table[next(iter(_table))]
