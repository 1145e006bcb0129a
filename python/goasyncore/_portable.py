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

from . import _agenda, _slow, _waker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._counts import Counts

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

# poll(2) reports a hang-up to a channel that waits for room to write only; select does not. Such a
# channel is left out of the wait, and looked at again this often (seconds).
_LOOK_AGAIN = 0.5
_LONGEST = 1e6  # seconds that one call of poll(2) can wait
_TOO_LONG = 2**63 / 1e9  # seconds that select.select refuses
_TOO_MANY = 2**31 - 1  # milliseconds above which select.poll refuses

_GENUINE = [
    (module, name, getattr(module, name))
    for module, name in ((select, "select"), (select, "poll"), (time, "sleep"))
    if hasattr(module, name)
]


def genuine(namespace: Namespace) -> bool:
    """Whether the asyncore module waits with CPython's own functions."""
    if namespace.get("select") is not select or namespace.get("time") is not time:
        return False
    for module, name, function in _GENUINE:
        # A scheduler may have replaced them before this module was imported.
        if getattr(module, name, None) is not function or type(function) is not BuiltinFunctionType:
            return False
    return True


def _name(namespace: Namespace, name: str) -> Any:
    """The asyncore module's global of that name; a program may have deleted it."""
    try:
        return namespace[name]
    except KeyError:
        raise NameError(f"name {name!r} is not defined", name=name) from None


def one_pass(namespace: Namespace, timeout: Any, use_poll: bool, map: Map, counts: Counts) -> None:
    """Make one pass with poll's or select's meaning of ready; `timeout` as in `asyncore.poll`."""
    if use_poll:
        _poll_pass(namespace, timeout, map, counts)
    else:
        _select_pass(namespace, timeout, map, counts)
    call_due(map)


def call_due(map: Map) -> None:
    """Call what was put off until now."""
    if _agenda.due(map) <= monotonic():
        _agenda.run(map)


def ask(map: Map, counts: Counts) -> list[tuple[Any, Any, bool, bool, bool]]:
    """Ask every channel: (key, channel, waits to read, waits to write, waits for anything)."""
    answers = []
    for key, obj in list(map.items()):
        counts.asked += 2
        readable = obj.readable()
        writable = obj.writable()
        read = bool(readable)
        any_ = bool(writable)
        write = any_ and not obj.accepting
        if read or any_:
            answers.append((key, obj, read, write, read or any_))
    counts.changes += len(answers)  # the kernel is told anew in each pass
    return answers


def _tell(namespace: Namespace, name: str, obj: Any, counts: Counts, *flags: int) -> None:
    counts.events += 1
    tell = _name(namespace, name)
    if _slow.limit is not None and namespace.get("_own_tells", {}).get(name) is tell:
        obj = _slow.Watched(obj)
    tell(obj, *flags)


def _select_pass(namespace: Namespace, timeout: Any, map: Map, counts: Counts) -> None:
    waiting = ask(map, counts)
    by_poll = genuine(namespace) and hasattr(select, "poll")
    if not waiting and not (by_poll and type(timeout) in (int, float) and 0 < timeout < _LONGEST):
        _name(namespace, "time").sleep(_shortened(timeout, map))
        counts.passes += 1
        return
    if by_poll:
        ready = _select_by_poll(waiting, timeout, map, counts)
    else:
        readers = [key for key, _, read, _, _ in waiting if read]
        writers = [key for key, _, _, write, _ in waiting if write]
        everybody = [key for key, *_ in waiting]
        ready = _name(namespace, "select").select(
            readers, writers, everybody, _shortened(timeout, map)
        )
    counts.passes += 1
    channels = {key: obj for key, obj, *_ in waiting}
    for keys, tell in zip(ready, ("read", "write", "_exception"), strict=True):
        for key in keys:
            obj = channels.get(key)
            if obj is not None and map.get(key) is obj:
                _tell(namespace, tell, obj, counts)


def _shortened(timeout: Any, map: Map) -> Any:
    """The timeout of a wait that cannot be woken, or how long until something is due."""
    due = _agenda.due(map)
    if due == math.inf or (timeout is not None and type(timeout) not in (int, float)):
        return timeout
    left = max(0.0, due - monotonic())
    return left if timeout is None or left < timeout else timeout


def _select_by_poll(
    waiting: list[tuple[Any, Any, bool, bool, bool]], timeout: Any, map: Map, counts: Counts
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
    muted: list[int] = []
    with _Wait(pollster, rows, timeout, map, counts) as wait:
        while True:
            events = wait.poll(_LOOK_AGAIN if muted else _LONGEST)
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
            if any(ready) or wait.over():
                return ready
            for fd in muted:
                pollster.register(fd, _interest(*rows[fd][1:]))
            muted = [fd for fd, _ in events]
            for fd in muted:
                pollster.unregister(fd)


class _Wait:
    """A wait that ends when its time is up, when a call put off is due, and when it is woken."""

    def __init__(
        self,
        pollster: select.poll,
        numbers: dict[int, Any],
        timeout: float | None,
        map: Map,
        counts: Counts,
    ) -> None:
        self._pollster = pollster
        self._end = math.inf if timeout is None or timeout < 0 else monotonic() + timeout
        self._map = map
        self._counts = counts
        waker = None if timeout == 0 else _waker.mine()
        # A number in the map that is closed elsewhere may be the waker's by now.
        self._waker = None if waker is None or waker.fileno() in numbers else waker
        self._waiting = None if self._waker is None else _agenda.waiting(map, self._waker)

    def __enter__(self) -> _Wait:
        if self._waker is not None and self._waiting is not None:
            self._pollster.register(self._waker, select.POLLIN)
            self._waiting.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._waiting is not None:
            self._waiting.__exit__(*exc)

    def poll(self, longest: float) -> list[tuple[int, int]]:
        """What is ready, after so many seconds at most."""
        end = min(self._end, _agenda.due(self._map))
        left = min(max(0.0, end - monotonic()), longest)
        events = self._pollster.poll(math.ceil(left * 1000))
        if self._waker is not None and events:
            own = self._waker.fileno()
            others = [event for event in events if event[0] != own]
            if len(others) < len(events):
                self._waker.drain()
                self._counts.wakes += 1
            return others
        return events

    def over(self) -> bool:
        return monotonic() >= min(self._end, _agenda.due(self._map))


def _interest(read: bool, write: bool, any_: bool) -> int:
    return (
        (select.POLLIN if read else 0)
        | (select.POLLOUT if write else 0)
        | (select.POLLPRI if any_ else 0)
    )


def _poll_pass(namespace: Namespace, timeout: Any, map: Map, counts: Counts) -> None:
    module = _name(namespace, "select")
    if timeout is not None:
        timeout = int(timeout * 1000)
    pollster = module.poll()
    channels = {}
    for key, obj, read, write, _ in ask(map, counts):
        flags = (module.POLLIN | module.POLLPRI if read else 0) | (module.POLLOUT if write else 0)
        if flags:
            pollster.register(key, flags)
            channels[key if isinstance(key, int) else key.fileno()] = key, obj
    if genuine(namespace) and (timeout is None or abs(timeout) <= _TOO_MANY):
        seconds = None if timeout is None else timeout / 1000
        with _Wait(pollster, channels, seconds, map, counts) as wait:
            while not (events := wait.poll(_LONGEST)) and not wait.over():
                pass
    else:
        seconds = None if timeout is None or timeout < 0 else timeout / 1000
        sooner = _shortened(seconds, map)
        events = pollster.poll(timeout if sooner is seconds else math.ceil(sooner * 1000))
    counts.passes += 1
    for fd, flags in events:
        key, obj = channels[fd]
        if map.get(key) is obj:
            _tell(namespace, "readwrite", obj, counts, flags)
