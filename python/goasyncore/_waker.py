"""What ends the wait of a portable pass: a descriptor in it, one for each thread that waits."""

from __future__ import annotations

import os
from _thread import _local

__all__ = ["Waker", "mine"]

# A number of the map whose descriptor is closed must not come to stand for this one.
_LOWEST = 960

_generation = 0  # of processes: what a parent has made is its own


class Waker:
    """A descriptor that `wake()` makes readable. Raises `OSError` when none is left."""

    __slots__ = ("_read", "_write", "generation")

    def __init__(self) -> None:
        self.generation = _generation
        self._read = self._write = -1
        if hasattr(os, "eventfd"):
            self._read = self._write = _aside(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
            return
        self._read, self._write = (_aside(fd) for fd in os.pipe())
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        return self._read

    def wake(self) -> None:
        """May be called from any thread, and from a signal handler."""
        try:  # noqa: SIM105 - contextlib would be most of what the first pass has to import
            os.write(self._write, b"\1\0\0\0\0\0\0\0")
        except BlockingIOError:
            pass  # it is readable already

    def drain(self) -> None:
        try:  # noqa: SIM105
            os.read(self._read, 4096)
        except BlockingIOError:
            pass  # nothing had come

    def __del__(self) -> None:
        for fd in {self._read, self._write} - {-1}:
            os.close(fd)


def _aside(fd: int) -> int:
    """The same descriptor under a large number, if there is one."""
    import fcntl

    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOWEST)
    except OSError:
        return fd  # the limit is lower
    os.close(fd)
    return moved


_of_thread = _local()


def mine() -> Waker | None:
    """This thread's waker; `None` when there is none to be had."""
    waker: Waker | None = getattr(_of_thread, "waker", None)
    if waker is None or waker.generation != _generation:
        try:
            waker = Waker()
        except (OSError, ImportError):
            waker = None
        _of_thread.waker = waker
    return waker


def _after_fork_in_child() -> None:
    global _generation
    _generation += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
