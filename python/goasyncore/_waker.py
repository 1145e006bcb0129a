"""What ends the wait of a portable pass from outside: a pipe in it, one for each thread that waits.

The program may close any descriptor behind our back, ours included, and its own file may then have
the number. So each end is compared with what it was before it is read, written or closed: a pipe
has an inode of its own, which an eventfd has not.
"""

from __future__ import annotations

import os
from _thread import _local

from . import _agenda
from ._clock import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    from ._counts import Counts

    type Map = MutableMapping[Any, Any]

__all__ = ["POSSIBLE", "Waker", "begin"]

POSSIBLE = os.name == "posix"  # elsewhere select takes sockets alone

# A number of the map whose descriptor is closed must not come to stand for ours. Not larger, because
# select(2) allocates memory for numbers above 340: 0.3 us in each call.
_LOWEST = 256

_generation = 0  # of processes: a parent goes on using what it has made

# Who waits, and for which map. An entry is made before the wait asks what is due, and whoever
# schedules something looks here afterwards: one of the two sees the other.
_waiting: dict[Waker, Map] = {}


def _file_of(fd: int, fstat: Callable[[int], os.stat_result] = os.fstat) -> tuple[int, int] | None:
    try:
        status = fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Waker:
    """A descriptor that `wake()` makes readable, and the wait that it is in."""

    __slots__ = ("_began", "_file", "_generation", "_write", "left", "number")

    left: Any  # of the timeout that the wait began with

    def __init__(self) -> None:
        self.number = self._write = -1
        self._file: tuple[int, int] | None = None
        self._generation = _generation

    def _open(self) -> bool:
        """Open a pipe in the place of one that is lost. Returns whether that was possible."""
        self._close()
        self._generation = _generation
        try:
            self.number, self._write = os.pipe()
            self._file = _file_of(self.number)
            self.number, self._write = _aside(self.number), _aside(self._write)
            os.set_blocking(self.number, False)
            os.set_blocking(self._write, False)
        except (OSError, ImportError):
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
        """Whether the numbers are still those of the pipe, and this process has made it."""
        return (
            self._generation == _generation
            and self._file is not None
            and _file_of(self.number) == self._file == _file_of(self._write)
        )

    def wake(self) -> None:
        """May be called from any thread, and from a signal handler."""
        if self.intact():
            try:  # noqa: SIM105 - contextlib would be most of what the first pass has to import
                os.write(self._write, b"\1")
            except BlockingIOError:
                pass  # it is readable already

    def begin(self, channels: dict[Any, Any], timeout: Any, map: Map) -> bool:
        """Begin a wait. Returns false when there is no descriptor to end it with."""
        taken = self.number in channels
        if taken and self.intact():  # the channel's is closed, and that has to show
            self._close()
            return False
        # Only programs that schedule something need to be sure each time: it takes a microsecond.
        unsure = taken or _agenda.used or self._generation != _generation
        if (self.number < 0 or (unsure and not self.intact())) and not self._open():
            return False
        _waiting[self] = map
        self.left = timeout
        # Without a clock where nothing was ever scheduled: should that happen now, the timeout
        # begins again, once.
        self._began = clock.now() if _agenda.used else 0.0
        return True

    def woken(self, counts: Counts) -> bool:
        """The number is readable or not open. Returns whether that was to end the wait."""
        map = _waiting.get(self)
        if self.intact():
            counts.wakes += 1
            try:  # noqa: SIM105
                os.read(self.number, 1 << 16)
            except BlockingIOError:
                pass  # nothing had come
        else:
            self._open()
        if map is not None and _agenda.due(map) <= clock.now():
            return True
        if self._began and type(self.left) in (int, float) and self.left > 0:
            now = clock.now()
            self.left = max(0.0, self.left - (now - self._began))
            self._began = now
        return False

    def end(self) -> None:
        """End the wait."""
        _waiting.pop(self, None)


def _aside(fd: int) -> int:
    """The same descriptor under a large number, if there is one."""
    import fcntl

    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:
        return fd  # the limit is lower
    os.close(fd)
    return moved


class _Local(_local):
    waker: Waker | None = None


_of_thread = _Local()


def begin(channels: dict[Any, Any], timeout: Any, map: Map) -> Waker | None:
    """Begin a wait of this thread; `None` for one that cannot be ended from outside."""
    waker = _of_thread.waker
    if waker is None or waker in _waiting:  # then a signal handler loops during that wait
        if not POSSIBLE:
            return None
        waker = _of_thread.waker = Waker()
    return waker if waker.begin(channels, timeout, map) else None


def wake(map: Map) -> None:
    """End the waits of portable passes over the map. From any thread, and from signal handlers."""
    for waker, waits_for in list(_waiting.items()):
        if waits_for is map:
            waker.wake()


_agenda.wake_portable = wake


def _after_fork_in_child() -> None:
    global _generation
    _generation += 1
    for waker in list(_waiting):
        if waker is not _of_thread.waker:  # its thread is gone
            del _waiting[waker]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
