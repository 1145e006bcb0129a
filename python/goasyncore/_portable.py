"""One pass over a map in pure Python: it asks every channel, waits, and tells those that are ready.

Serves where the engine does not: see `_native`. The functions take the namespace of the asyncore
module that called, because programs replace `select`, `read`, `write` and `readwrite` in it, and
schedulers execute its source a second time with another `select`.
"""

from __future__ import annotations

import math
import select
import time
from errno import EBADF
from os import strerror
from time import monotonic
from types import BuiltinFunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

# poll(2) reports a hang-up to a channel that waits for room to write only; select does not. Such a
# channel is left out of the wait, and looked at again this often (seconds).
_LOOK_AGAIN = 0.5
_LONGEST = 1e6  # seconds that one call of poll(2) can wait
_TOO_LONG = 2**63 / 1e9  # seconds that select.select refuses

_GENUINE = [
    (module, name, getattr(module, name))
    for module, name in ((select, "select"), (select, "poll"), (time, "sleep"))
    if hasattr(module, name)
]


def genuine(namespace: dict[str, Any]) -> bool:
    """Whether the asyncore module waits with CPython's own functions."""
    if namespace.get("select") is not select or namespace.get("time") is not time:
        return False
    for module, name, function in _GENUINE:
        # A scheduler may have replaced them before this module was imported.
        if getattr(module, name, None) is not function or type(function) is not BuiltinFunctionType:
            return False
    return True


def _name(namespace: dict[str, Any], name: str) -> Any:
    """The asyncore module's global of that name; a program may have deleted it."""
    try:
        return namespace[name]
    except KeyError:
        raise NameError(f"name {name!r} is not defined", name=name) from None


def one_pass(
    namespace: dict[str, Any],
    timeout: Any,
    use_poll: bool,
    map: MutableMapping[Any, Any],
) -> None:
    """Make one pass with poll's or select's meaning of ready; `timeout` as in `asyncore.poll`."""
    if use_poll:
        _poll_pass(namespace, timeout, map)
    else:
        _select_pass(namespace, timeout, map)


def _ask(map: MutableMapping[Any, Any]) -> list[tuple[Any, Any, bool, bool, bool]]:
    """Ask every channel: (key, channel, waits to read, waits to write, waits for anything)."""
    answers = []
    for key, obj in list(map.items()):
        readable = obj.readable()
        writable = obj.writable()
        read = bool(readable)
        any_ = bool(writable)
        write = any_ and not obj.accepting
        if read or any_:
            answers.append((key, obj, read, write, read or any_))
    return answers


def _select_pass(namespace: dict[str, Any], timeout: Any, map: MutableMapping[Any, Any]) -> None:
    waiting = _ask(map)
    if not waiting:
        _name(namespace, "time").sleep(timeout)
        return
    if genuine(namespace) and hasattr(select, "poll"):
        ready = _select_by_poll(waiting, timeout)
    else:
        readers = [key for key, _, read, _, _ in waiting if read]
        writers = [key for key, _, _, write, _ in waiting if write]
        everybody = [key for key, *_ in waiting]
        ready = _name(namespace, "select").select(readers, writers, everybody, timeout)
    channels = {key: obj for key, obj, *_ in waiting}
    for keys, tell in zip(ready, ("read", "write", "_exception"), strict=True):
        for key in keys:
            obj = channels.get(key)
            if obj is not None and map.get(key) is obj:
                _name(namespace, tell)(obj)


def _select_by_poll(
    waiting: list[tuple[Any, Any, bool, bool, bool]], timeout: Any
) -> tuple[list[Any], list[Any], list[Any]]:
    """select.select's answer and errors, without its limit to descriptors below 1024."""
    if timeout is not None and not isinstance(timeout, (int, float)):
        select.select([], [], [], timeout)  # raises what select raises for it, or waits
        timeout = 0
    if timeout is not None and not 0 <= timeout < _TOO_LONG:
        select.select([], [], [], timeout)  # raises ValueError or OverflowError
    pollster = select.poll()
    rows = {}
    for key, _, *wants in waiting:
        pollster.register(key, _interest(*wants))
        rows[key if isinstance(key, int) else key.fileno()] = key, *wants
    end = None if timeout is None else monotonic() + timeout
    muted: list[int] = []
    while True:
        left = _LONGEST if end is None else min(max(0.0, end - monotonic()), _LONGEST)
        events = pollster.poll(math.ceil(min(left, _LOOK_AGAIN if muted else left) * 1000))
        by_fd = dict(events)
        if select.POLLNVAL in by_fd.values():  # it is told alone
            raise OSError(EBADF, strerror(EBADF))
        ready: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for fd, (key, read, write, _) in rows.items():
            flags = by_fd.get(fd, 0)
            if read and flags & (select.POLLIN | select.POLLHUP | select.POLLERR):
                ready[0].append(key)
            if write and flags & (select.POLLOUT | select.POLLERR):
                ready[1].append(key)
            if flags & select.POLLPRI:
                ready[2].append(key)
        if any(ready) or (end is not None and monotonic() >= end):
            return ready
        for fd in muted:
            pollster.register(fd, _interest(*rows[fd][1:]))
        muted = [fd for fd, _ in events]
        for fd in muted:
            pollster.unregister(fd)


def _interest(read: bool, write: bool, any_: bool) -> int:
    return (
        (select.POLLIN if read else 0)
        | (select.POLLOUT if write else 0)
        | (select.POLLPRI if any_ else 0)
    )


def _poll_pass(namespace: dict[str, Any], timeout: Any, map: MutableMapping[Any, Any]) -> None:
    module = _name(namespace, "select")
    if timeout is not None:
        timeout = int(timeout * 1000)
    pollster = module.poll()
    channels = {}
    for key, obj, read, write, _ in _ask(map):
        flags = (module.POLLIN | module.POLLPRI if read else 0) | (module.POLLOUT if write else 0)
        if flags:
            pollster.register(key, flags)
            channels[key if isinstance(key, int) else key.fileno()] = key, obj
    for fd, flags in pollster.poll(timeout):
        key, obj = channels[fd]
        if map.get(key) is obj:
            _name(namespace, "readwrite")(obj, flags)
