"""What an asyncio loop waits for between portable passes: the channels of an attached map.

The channels are registered in a selector, and the asyncio loop waits for the selector's descriptor.
They are not registered with the asyncio loop itself: uvloop's library aborts the process if another
thread closes a descriptor between its registration and the wait.
"""

from __future__ import annotations

import contextlib
import os
import selectors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

__all__ = ["READ", "WRITE", "ChannelSelector"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

# A kernel's selector may report an open file that no number refers to any more, as after dup2(2). A
# new one does not have it. A single wake-up of the loop in which no channel is ready does not prove
# that: another pass can have told the channel in between.
_VAIN_WAKES = 2

# Selectors whose number the program has closed. Another file may have it now, and would be closed
# with the object.
_abandoned: list[Any] = []


class ChannelSelector:
    """The channels for which an asyncio loop waits.

    `ready` is called when one of them is ready. Only `doubt` may be called in another thread than
    the loop's.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Callable[[], object]) -> None:
        self._loop = loop
        self._ready = ready
        self._wanted: dict[int, int] = {}  # by the number: READ, WRITE or both
        self._selector: Any = None
        self._file: tuple[int, int, int] | None = None  # how the selector's file is recognized
        self._vain = 0
        self._doubtful = False  # a number that is registered may be another file's now

    def replace(self, wanted: dict[int, int], in_vain: bool) -> bool:
        """Wait for exactly these. Returns whether that is possible for all of them.

        `in_vain` says that the loop woke up and no channel was ready.
        """
        self._vain = self._vain + 1 if in_vain else 0
        if self._doubtful or self._vain == _VAIN_WAKES or not self._is_intact():
            self.close()
        for number in [n for n in self._wanted if n not in wanted]:
            self.forget(number)
        return all([self._wait_for(number, want) for number, want in wanted.items()])

    def forget(self, number: Any) -> None:
        """Do not wait for this number any more."""
        if self._wanted.pop(number, 0):
            self._selector.unregister(number)

    def doubt(self, number: Any) -> None:
        """Note that another thread has added or removed this number."""
        if number in self._wanted:
            self._doubtful = True

    def close(self) -> None:
        """Stop waiting, for all of them."""
        if self._selector is not None:
            self._close_selector(self._selector)
        self._selector = None
        self._wanted.clear()
        self._vain = 0
        self._doubtful = False

    def _wait_for(self, number: int, want: int) -> bool:
        before = self._wanted.get(number)
        if before == want:
            return True
        if self._selector is None:
            self._open()
        try:
            if before is None:
                self._selector.register(number, want)
            else:
                self._selector.modify(number, want)
        except OSError:  # a regular file, or not open: the next pass finds out
            self._wanted.pop(number, None)
            return False
        self._wanted[number] = want
        return True

    def _open(self) -> None:
        try:
            selector: Any = selectors.DefaultSelector()
        except OSError:  # no descriptor is left
            selector = None
        if hasattr(selector, "fileno"):
            self._file = _file_of(selector.fileno())
            self._loop.add_reader(selector.fileno(), self._ready)
        else:
            selector = _LoopItself(self._loop, self._ready)
        self._selector = selector

    def _is_intact(self) -> bool:
        """Return whether the number of the selector is still that of its file."""
        selector = self._selector
        return not hasattr(selector, "fileno") or _file_of(selector.fileno()) == self._file

    def _close_selector(self, selector: Any) -> None:
        if hasattr(selector, "fileno") and not self._loop.is_closed():
            with contextlib.suppress(OSError):  # the program may have closed it
                self._loop.remove_reader(selector.fileno())
        if self._is_intact():
            selector.close()
        else:
            _abandoned.append(selector)


class _LoopItself:
    """The asyncio loop in the place of a selector.

    It is used where selectors have no descriptor (Windows), and where no descriptor is left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ready: Callable[[], object]) -> None:
        self._loop = loop
        self._ready = ready
        self._numbers: set[int] = set()

    def register(self, number: int, want: int) -> None:
        self._numbers.add(number)
        if want & READ:
            self._loop.add_reader(number, self._ready)
        if want & WRITE:
            self._loop.add_writer(number, self._ready)

    def modify(self, number: int, want: int) -> None:
        self.unregister(number)
        self.register(number, want)

    def unregister(self, number: int) -> None:
        self._numbers.discard(number)
        with contextlib.suppress(OSError):  # it may have been closed
            self._loop.remove_reader(number)
            self._loop.remove_writer(number)

    def close(self) -> None:
        if not self._loop.is_closed():
            for number in list(self._numbers):
                self.unregister(number)


def _file_of(fd: int) -> tuple[int, int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mode
