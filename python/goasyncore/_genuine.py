"""CPython's own functions that a pass waits with, and whether an asyncore module uses them.

Schedulers replace them, and execute asyncore's source again with another `select`. So a pass looks
them up in the namespace of the asyncore module that was called.
"""

from __future__ import annotations

import collections as collections  # since 3.14, socket does not import it and math, which a
import math as math  # first pass needs that may find no files
import os
import select
import socket
import sys
import time
from atexit import register as at_exit
from types import BuiltinFunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    type Namespace = dict[str, Any]

__all__ = [
    "accept",
    "at_exit",
    "clock",
    "genuine",
    "genuine_time",
    "missing",
    "name_in",
    "own",
    "own_epoll",
    "own_poll",
    "own_select",
    "own_sleep",
    "own_socket",
    "system",
]


# The names in the code of socket.socket.accept, as accept() below imitates it.
_ACCEPT_USES = {"_accept", "socket", "family", "type", "proto", "getdefaulttimeout"}
_ACCEPT_USES |= {"gettimeout", "setblocking"}


def own(module: Any, name: str) -> Any:
    """Return CPython's function; None if a scheduler had replaced it before this import."""
    function = getattr(module, name, None)
    return function if type(function) is BuiltinFunctionType else None


own_socket = socket.socket
_own_accept: Any = getattr(own_socket, "accept", None)
_own_code = getattr(_own_accept, "__code__", None)
_own_init = own_socket.__init__
if getattr(_own_accept, "__globals__", None) is not vars(socket) or (
    {*_own_accept.__code__.co_names} != _ACCEPT_USES
):
    _own_accept = None  # a scheduler's, or a newer CPython's
own_select, own_poll = own(select, "select"), own(select, "poll")
own_sleep = own(time, "sleep")
own_epoll = getattr(select, "epoll", None)
system: Any = sys.modules.get("posix", os)  # a test may replace functions of `os`


def genuine(namespace: Namespace) -> bool:
    """Return whether the asyncore module waits with CPython's own functions."""
    return (
        namespace.get("select") is select
        and namespace.get("time") is time
        and getattr(select, "select", None) is own_select
        and getattr(select, "poll", None) is own_poll
        and getattr(time, "sleep", None) is own_sleep
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


def accept(listening: Any) -> tuple[Any, Any] | None:
    """Do what `listening.accept()` does, or return `None` if that has to be called.

    For a socket of CPython's, this saves the enumerations that are made of its family and type: a
    sixth of the time. Where it fails, `accept()` fails again, with its own frame in the traceback.
    """
    if (
        type(listening) is own_socket is socket.socket
        and own_socket.accept is _own_accept
        and _own_accept.__code__ is _own_code
        and own_socket.__init__ is _own_init
        and not listening.gettimeout()
    ):
        try:
            number, addr = listening._accept()  # type: ignore[attr-defined]
        except OSError:
            return None
        plain: Any = super(own_socket, listening)
        return own_socket(plain.family, plain.type, listening.proto, number), addr
    return None
