"""What ends the wait of a portable pass from outside: a pipe in it, one for each thread that waits.

The program may close any descriptor behind our back, ours included, and its own file may then have
the number. So each end is compared with what it was before it is read, written or closed: a pipe
has an inode of its own, which an eventfd has not.
"""

from __future__ import annotations

import os
from _thread import _local
from _weakref import ref

from . import _agenda
from ._genuine import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._counts import Counts

    type Map = MutableMapping[Any, Any]

__all__ = ["Waker", "call_due", "left_of", "number", "of_thread", "sure", "wake"]

_POSSIBLE = os.name == "posix"  # elsewhere select takes sockets alone

# A number of the map whose descriptor is closed must not come to stand for ours. Not larger,
# because select(2) allocates memory for numbers above 340: 0.3 us in each call.
_LOWEST = 256

# Of this process. Who waits says so in `map` before it asks what is due, and whoever schedules
# something looks there afterwards: one of the two sees the other.
_wakers: set[ref[Waker]] = set()


def _file_of(fd: int, fstat: Callable[[int], os.stat_result] = os.fstat) -> tuple[int, int] | None:
    try:
        status = fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Waker:
    """A descriptor that `wake()` makes readable, and the wait that it is in."""

    __slots__ = ("__weakref__", "_file", "_reference", "_write", "map", "number")

    def __init__(self) -> None:
        self.number = self._write = -1
        self.map: Map | None = None  # of the wait that is under way
        self._file: tuple[int, int] | None = None
        self._reference = ref(self, _wakers.discard)
        _wakers.add(self._reference)

    def _open(self) -> bool:
        """Open a pipe in the place of one that is lost. Returns whether that was possible."""
        self._close()
        try:
            self.number, self._write = os.pipe()
            self._file = _file_of(self.number)
            self.number, self._write = _aside(self.number), _aside(self._write)
            os.set_blocking(self.number, False)
            os.set_blocking(self._write, False)
        except OSError:
            self._close()
        return self.number >= 0

    # What it calls is given to it, because the last ones go after the module has.
    def _close(
        self,
        close: Callable[[int], None] = os.close,
        file_of: Callable[[int], tuple[int, int] | None] = _file_of,
    ) -> None:
        for fd in (self.number, self._write):
            if self._file is not None and file_of(fd) == self._file:
                close(fd)
        self.number = self._write = -1

    __del__ = _close

    def intact(self) -> bool:
        """Whether the numbers are still those of the pipe."""
        return self._file is not None and _file_of(self.number) == self._file == _file_of(
            self._write
        )

    def wake(self) -> None:
        """May be called from any thread, and from a signal handler."""
        if self.intact():
            try:  # noqa: SIM105 - contextlib would be most of what the first pass has to import
                os.write(self._write, b"\1")
            except BlockingIOError:
                pass  # it is readable already

    def woken(self, counts: Counts) -> bool:
        """The number is readable or not open. Returns whether that was to end the wait."""
        if self.intact():
            counts.wakes += 1
            try:  # noqa: SIM105
                os.read(self.number, 1 << 16)
            except BlockingIOError:
                pass  # nothing had come
        else:
            self._open()
        return self.map is not None and _agenda.due(self.map) <= clock.now()


def left_of(timeout: Any, began: float) -> Any:
    """What is left of a timeout when a wait begins again.

    All of it if `began` is 0: then nobody could wake until now, and no clock was looked at.
    """
    if began and type(timeout) in (int, float) and timeout > 0:
        return max(0.0, timeout - (clock.now() - began))
    return timeout


def _aside(fd: int) -> int:
    """The same descriptor under a large number, if there is one."""
    try:
        import fcntl  # a library to load in many builds, which costs more than our own modules

        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except (OSError, ImportError):
        return fd  # the limit is lower, or the library out of reach
    os.close(fd)
    return moved


class _Local(_local):
    waker: Waker | None = None


of_thread = _Local()


def sure(channels: dict[Any, Any]) -> Waker | None:
    """This thread's waker, or another one in its place; `None` if that cannot be opened."""
    waker = of_thread.waker
    if not _POSSIBLE:
        return None
    if waker is None or waker.map is not None:  # then a signal handler loops during that wait
        waker = of_thread.waker = Waker()
    if not waker.intact():
        return waker if waker._open() else None
    if waker.number in channels:  # then that is closed, and has to show
        waker._close()
        return None
    return waker


def number() -> int:
    """The number of this thread's waker, -1 if it has none."""
    return -1 if of_thread.waker is None else of_thread.waker.number


def wake(map: Map) -> None:
    """End the waits of portable passes over the map. From any thread, and from signal handlers."""
    for reference in list(_wakers):
        waker = reference()
        if waker is not None and waker.map is map:
            waker.wake()


def call_due(map: Map) -> None:
    """Call what was scheduled for now."""
    if _agenda.due(map) <= clock.now():
        _agenda.run(map)


_agenda.wake_portable = wake


def _after_fork_in_child() -> None:
    for reference in list(_wakers):
        waker = reference()
        if waker is not None:
            waker._close()  # the parent goes on using what it has made
            if waker is not of_thread.waker:  # its thread is gone
                waker.map = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
