"""Tests whether CPython's watchers notice every way to change an object, when the engine loads.

The engine does not call `readable()` and `writable()` of idle channels: CPython's dict and class
watchers report when a result can have changed. Which stores they notice is internal to CPython, so
each way of storing is tried on test objects. If one is not noticed, every channel is asked in every
pass, which is slower but correct.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

NOTHING, MAPS, EVERYTHING = range(3)  # binding.trust()


class _Object:
    """Similar to a channel: with a class attribute that instances hide, and enough others."""

    connected = False

    def __init__(self) -> None:
        self.socket = None
        self.out_buffer: Any = b""
        self.store(False)

    def store(self, value: Any) -> None:
        self.connected = value


def _replace_dict(o: Any) -> None:
    o.__dict__ = dict(vars(o))


def _warm_store(o: Any, value: Any) -> None:
    for _ in range(64):  # often enough for the bytecode to be specialised
        o.store(value)


_WAYS: list[Callable[[Any], object]] = [
    lambda o: o.store(True),
    lambda o: _warm_store(o, True),
    lambda o: setattr(o, "connected", True),
    lambda o: setattr(o, "new", 1),
    lambda o: delattr(o, "connected"),
    lambda o: object.__setattr__(o, "out_buffer", b"x"),
    lambda o: vars(o).__setitem__("connected", True),
    lambda o: vars(o).update(connected=True),
    lambda o: vars(o).setdefault("new", True),
    lambda o: vars(o).pop("connected"),
    lambda o: vars(o).popitem(),
    lambda o: vars(o).clear(),
    _replace_dict,
]


def trusted_level(binding: ModuleType) -> int:
    """Return which of the watchers work here."""
    for way in _WAYS:
        # Twice: the second object shares its keys with the first, which is a different layout.
        for _ in range(2):
            o = _Object()
            _warm_store(o, False)
            if not binding.probe(o):
                return MAPS
            way(o)
            if binding.probed() == 0:
                return MAPS
    return EVERYTHING
