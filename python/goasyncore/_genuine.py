"""CPython's own functions that a pass waits with, and whether an asyncore module uses them.

Schedulers replace them, and execute asyncore's source again with another `select`. So a pass looks
them up in the namespace of the asyncore module that was called.
"""

from __future__ import annotations

import collections as collections  # since 3.14, socket does not import it and math, which a
import math as math  # first pass needs that may find no files
import select
import socket
import time
from types import BuiltinFunctionType

try:
    # For portable passes. An exception that a signal handler raises in the middle of an import can
    # leave the locks of imports locked, so a pass should import nothing.
    import fcntl as fcntl
except ImportError:  # as on Windows
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    type Namespace = dict[str, Any]

__all__ = [
    "clock",
    "genuine",
    "genuine_time",
    "missing",
    "name_in",
    "own_poll",
    "own_select",
    "own_sleep",
    "own_socket",
]

_GENUINE = [
    (module, name, getattr(module, name))
    for module, name in ((select, "select"), (select, "poll"), (time, "sleep"))
    if hasattr(module, name)
]


def genuine(namespace: Namespace) -> bool:
    """Return whether the asyncore module waits with CPython's own functions."""
    if namespace.get("select") is not select or namespace.get("time") is not time:
        return False
    for module, name, function in _GENUINE:
        # A scheduler may have replaced them before this module was imported.
        if getattr(module, name, None) is not function or type(function) is not BuiltinFunctionType:
            return False
    return True


def _own(module: Any, name: str) -> Any:
    """Return CPython's function; None if a scheduler had replaced it before this import."""
    function = getattr(module, name, None)
    return function if type(function) is BuiltinFunctionType else None


own_socket = socket.socket
own_select, own_poll, own_sleep = (
    _own(select, "select"),
    _own(select, "poll"),
    _own(time, "sleep"),
)


def _genuine_now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class clock:
    """`now()` is `time.monotonic()`, in seconds, even if a program replaces that function.

    freezegun replaces it by a clock that stands still, in every module that has the function under
    a name. It does not look into classes.
    """

    # It may already stand still when this is imported.
    now = staticmethod(
        time.monotonic if type(time.monotonic) is BuiltinFunctionType else _genuine_now
    )


def genuine_time(when: float) -> float:
    """Convert a time of the program's `time.monotonic()` to a time of this clock."""
    if time.monotonic is clock.now:
        return when
    now: float = clock.now()
    return now + (when - time.monotonic())


def missing(name: str) -> NameError:
    """Return the error for a global of the asyncore module that the program has deleted."""
    return NameError(f"name {name!r} is not defined", name=name)


def name_in(namespace: Namespace, name: str) -> Any:
    try:
        return namespace[name]
    except KeyError:
        raise missing(name) from None
