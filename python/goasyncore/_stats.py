"""What portable passes have done; checks of a function's map.

The engine has its own counts. The counts of a map are kept under its id. They must not keep the map
alive, because that would keep its channels alive, but a plain dict cannot be referenced weakly. So
the channels that were last in it are referenced weakly: while one of them is still in it, it is the
same map. An empty map keeps no channel alive, so it is referenced itself.
"""

from __future__ import annotations

import os
import sys
from _weakref import ref  # weakref itself takes longer to import than all of this package
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._portable_registered import Registered

    type Map = MutableMapping[Any, Any]

__all__ = ["Counts", "are_ours", "checked", "counts_of", "keep", "running", "table"]

_WITNESSES = 4
_MANY = 64  # maps that are remembered

_OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_warned = False


def _gone() -> None:
    """A weak reference whose object is gone."""


class Counts:
    """The counts of one map, and what its next pass can reuse from the last one."""

    __slots__ = (
        "asked",
        "changes",
        "empty",
        "events",
        "held",
        "key",
        "passes",
        "reference",
        "there",
        "wakes",
        "why",
        "witness",
        "witnesses",
    )

    def __init__(self) -> None:
        self.passes = self.events = self.asked = self.changes = self.wakes = 0
        self.why = ""  # the passes are portable
        self.there: Registered | None = None  # it may have counted passes itself
        # One of these four identifies the map.
        self.held: Map | None = None  # asyncore's own
        self.empty: Map | None = None
        self.reference: ref[Any] | None = None
        self.witnesses: list[tuple[int, ref[Any]]] = []  # number and channel
        # The first of them, for a quick check in a plain dict: `map[key] is witness()`.
        self.key: int | None = None
        self.witness: Callable[[], Any] = _gone

    def remember(self, map: Map) -> None:
        self.held = self.empty = self.reference = None
        self.witnesses = []
        self.key, self.witness = None, _gone
        if map is getattr(sys.modules.get("asyncore"), "socket_map", None):
            self.held = map
        elif type(map) is not dict:
            self.reference = _weakly(map)
        elif not map:
            self.empty = map
        if type(map) is dict:
            for key, channel in islice(list(map.items()), _WITNESSES):
                reference = _weakly(channel)
                if reference is not None and type(key) is int:
                    self.witnesses.append((key, reference))
            if self.witnesses:
                self.key, self.witness = self.witnesses[0]

    def made(self) -> list[int]:
        """Return the passes, events, calls of predicates, changes and ends of waits."""
        there = self.there
        more = 0 if there is None else there.passes
        events = self.events + (there.events if there else 0)
        asked = self.asked + (there.asked * more * 2 if there else 0)
        return [self.passes + more, events, asked, self.changes, self.wakes]

    def check(self, map: Map) -> None:
        """Identify the map anew if its channels have changed."""
        if map.get(self.key, self) is self.witness() or self.fits(map):
            return
        if table.get(id(map)) is self:
            keep(map, self)

    def fits(self, map: Map) -> bool:
        """Return whether these are the map's counts, and can still be identified later."""
        if self.empty is map or (self.held is map and not map):
            return not map
        if self.reference is not None:
            return self.reference() is map
        return map.get(self.key, self) is self.witness()

    def belongs_to(self, map: Map) -> bool:
        if self.held is not None or self.empty is not None:
            return self.held is map or self.empty is map
        if self.reference is not None:
            return self.reference() is map
        for key, reference in self.witnesses:
            channel = reference()
            if channel is not None and map.get(key) is channel:
                return True
        return False


table: dict[int, Counts] = {}


def _weakly(thing: Any) -> ref[Any] | None:
    try:
        return ref(thing)
    except TypeError:  # some objects do not support weak references
        return None


def counts_of(map: Map) -> Counts:
    """Return the counts of the map until now."""
    found = table.get(id(map))
    return found if found is not None and found.belongs_to(map) else Counts()


def running(map: Map) -> Counts:
    """Return the counts of a map over which a loop begins."""
    counts = table.get(id(map))
    if counts is None or (
        counts.held is not map and map.get(counts.key, counts) is not counts.witness()
    ):
        if counts is not None and counts.fits(map):
            return counts
        counts = counts_of(map)
        keep(map, counts)
    return counts


def keep(map: Map, counts: Counts) -> None:
    """Identify a map anew, because its channels may have changed."""
    if counts.fits(map) and table.get(id(map)) is counts:
        return
    for other in list(table.values()):
        if other.empty:
            other.remember(other.empty)
    counts.remember(map)
    table.pop(id(map), None)
    table[id(map)] = counts
    while len(table) > _MANY:
        del table[next(iter(table))]


def checked(map: Map | None) -> Map:
    """Return the map, or `asyncore.socket_map`. Raises `TypeError` if it is not a mapping.

    Warns, once per process, if the loops are another package's and ignore these functions.
    """
    are_ours()
    if map is None:
        import asyncore

        return asyncore.socket_map
    kind = type(map)
    # As much as asyncore itself requires.
    if not all(hasattr(kind, name) for name in ("items", "__setitem__", "__delitem__")):
        raise TypeError(f"a map of channels is needed, not {kind.__name__}")
    return map


def are_ours() -> bool:
    """Return whether the imported asyncore is ours."""
    global _warned
    import asyncore

    if hasattr(asyncore, "_own_tells"):
        return True
    if not _warned:
        _warned = True
        import warnings

        from . import _installed

        warnings.warn(
            f"{asyncore.__file__} is not goasyncore's: its loop does nothing that goasyncore is "
            f"asked for; `{_installed.python()} -m goasyncore` reports how to restore ours",
            RuntimeWarning,
            skip_file_prefixes=(_OURS,),
        )
    return False
