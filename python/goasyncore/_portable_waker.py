"""Ends the waits of portable passes.

Each thread that waits has a pipe, which other threads and signal handlers make readable. The
program may close any descriptor, including ours, and its next file may get the number. So before an
end of the pipe is read, written or closed, its inode is checked. Each pipe has its own inode; an
eventfd does not.
"""

from __future__ import annotations

import os
import sys
from _thread import _local
from _weakref import ref

from . import _timers
from ._genuine import clock, genuine, own, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._stats import Counts

    type Map = MutableMapping[Any, Any]

__all__ = ["Waker", "call_due", "left_of", "number", "of_thread", "prepared", "sure", "wake"]

_fcntl: Any = sys.modules.get("fcntl")  # see _first_pass
_duplicate = own(_fcntl, "fcntl")
_POSSIBLE = os.name == "posix"  # elsewhere select accepts only sockets

# Large, so that a number in the map whose descriptor was closed hardly becomes ours. Not larger,
# because select(2) looks at all numbers up to the largest, 64 at a time.
_LOWEST = 48

# The wakers of this process. A thread sets `map` before it looks for calls that are due, and a
# thread that schedules a call reads `map` afterwards: so one of the two notices the other.
_wakers: set[ref[Waker]] = set()


def _file_of(fd: int, fstat: Callable[[int], Any] = system.fstat) -> tuple[int, int] | None:
    try:
        status = fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Waker:
    """A descriptor that `wake()` makes readable, and the wait that includes it."""

    __slots__ = ("__weakref__", "_file", "_reference", "_write", "map", "number")

    def __init__(self) -> None:
        self.number = self._write = -1
        self.map: Map | None = None  # of the present wait
        self._file: tuple[int, int] | None = None
        self._reference = ref(self, _wakers.discard)
        _wakers.add(self._reference)

    def _open(self) -> bool:
        """Open a pipe in place of one that is lost. Returns whether that was possible."""
        self._close()
        try:
            self.number, self._write = system.pipe()
            self._file = _file_of(self.number)
            self.number, self._write = _aside(self.number), _aside(self._write)
            system.set_blocking(self.number, False)
            system.set_blocking(self._write, False)
        except OSError:
            self._close()
        return self.number >= 0

    # Its functions are parameters, because the last wakers are deleted after the module.
    def _close(
        self,
        close: Callable[[int], None] = system.close,
        file_of: Callable[[int], tuple[int, int] | None] = _file_of,
    ) -> None:
        for fd in (self.number, self._write):
            if self._file is not None and file_of(fd) == self._file:
                close(fd)
        self.number = self._write = -1

    __del__ = _close

    def intact(self) -> bool:
        """Return whether the numbers are still those of the pipe."""
        return self._file is not None and _file_of(self.number) == self._file == _file_of(
            self._write
        )

    def wake(self) -> None:
        """End the wait. May be called from any thread, and from a signal handler."""
        if self.intact():
            try:  # noqa: SIM105 - contextlib would be most of what the first pass has to import
                system.write(self._write, b"\1")
            except BlockingIOError:
                pass  # it is already readable

    def woken(self, counts: Counts) -> bool:
        """Handle that the number is readable or not open. Returns whether the wait must end."""
        if self.intact():
            counts.wakes += 1
            try:  # noqa: SIM105
                system.read(self.number, 1 << 16)
            except BlockingIOError:
                pass  # nothing had arrived
        else:
            self._open()
        return self.map is not None and _timers.due(self.map) <= clock.now()


def left_of(timeout: Any, began: float) -> Any:
    """Return what is left of a timeout when a wait begins again."""
    if type(timeout) in (int, float) and timeout > 0:
        return max(0.0, timeout - (clock.now() - began))
    return timeout


def _aside(fd: int) -> int:
    """Move the descriptor to a large number, if possible. Returns its number."""
    if _duplicate is None:
        return fd  # the library cannot be reached
    try:
        moved: int = _duplicate(fd, _fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:
        return fd  # the limit is lower
    system.close(fd)
    return moved


class _Local(_local):
    waker: Waker | None = None


of_thread = _Local()


def sure(channels: Map) -> Waker | None:
    """Return this thread's waker, or a new one; `None` if that cannot be opened."""
    waker = of_thread.waker
    if not _POSSIBLE:
        return None
    if waker is None or waker.map is not None:  # then a signal handler runs a loop during that wait
        waker = of_thread.waker = Waker()
    if not waker.intact():
        return waker if waker._open() else None
    if waker.number in channels:  # then a channel's descriptor is closed, which must be noticed
        waker._close()
        return None
    return waker


def prepared(namespace: dict[str, Any], map: Map) -> Waker | None:
    """Return this thread's waker; open its first one before a pass asks anybody.

    Opening takes milliseconds, in which another thread could close a channel that has been asked.
    """
    waker = of_thread.waker
    if waker is None and map and genuine(namespace):
        waker = sure(map)
    return waker


def number() -> int:
    """Return the number of this thread's waker, -1 if it has none."""
    return -1 if of_thread.waker is None else of_thread.waker.number


def wake(map: Map) -> None:
    """End portable waits for the map. May be called from any thread and from signal handlers."""
    for reference in list(_wakers):
        waker = reference()
        if waker is not None and waker.map is map:
            waker.wake()


def call_due(map: Map) -> None:
    """Call what was scheduled for now."""
    if _timers.due(map) <= clock.now():
        _timers.run(map)


_timers.wake_portable = wake


def _after_fork_in_child() -> None:
    for reference in list(_wakers):
        waker = reference()
        if waker is not None:
            waker._close()  # the parent still uses them
            if waker is not of_thread.waker:  # its thread is gone
                waker.map = None


if hasattr(system, "register_at_fork"):
    system.register_at_fork(after_in_child=_after_fork_in_child)
