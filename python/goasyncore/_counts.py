"""Counts of what the loop over a map has done in portable passes; the engine has its own.

What is known of a map is kept under its id, and must not keep it alive: with it would live its channels.
But a plain dict cannot be referenced weakly. So the channels that stood in it last are, and while one of
them still does, it is the same map.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

__all__ = ["Counts", "counts_of", "keep"]

_WITNESSES = 4
_MANY = 64  # maps that are known at once


class Counts:
    """Of one map."""

    __slots__ = ("asked", "changes", "events", "passes", "wakes", "whose", "witnesses")

    def __init__(self) -> None:
        self.passes = self.events = self.asked = self.changes = self.wakes = 0
        self.whose: Callable[[], object] | None = None  # gives the map, where that can be
        self.witnesses: list[tuple[int, ref[Any]]] = []  # number and channel

    def belongs_to(self, map: MutableMapping[Any, Any]) -> bool:
        if self.whose is not None:
            return self.whose() is map
        if not map or not self.witnesses:
            return not map and not self.witnesses
        for key, reference in self.witnesses:
            channel = reference()
            if channel is not None and map.get(key) is channel:
                return True
        return False


_table: dict[int, Counts] = {}


def counts_of(map: MutableMapping[Any, Any]) -> Counts:
    """What was counted of the map until now."""
    found = _table.get(id(map))
    return found if found is not None and found.belongs_to(map) else Counts()


def keep(map: MutableMapping[Any, Any], counts: Counts) -> None:
    """Remember the counts of a map that loops no longer."""
    import asyncore

    if map is getattr(asyncore, "socket_map", None):
        counts.whose = lambda: map  # it lives as long as the module
    elif type(map) is dict:
        counts.witnesses = []
        for key, channel in islice(list(map.items()), _WITNESSES):
            with suppress(TypeError):  # some objects take no weak references
                if type(key) is int:
                    counts.witnesses.append((key, ref(channel)))
    else:
        try:
            counts.whose = ref(map)
        except TypeError:
            return
    _table.pop(id(map), None)
    _table[id(map)] = counts
    while len(_table) > _MANY:
        del _table[next(iter(_table))]
