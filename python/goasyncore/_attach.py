"""`attach()` and `detach()`: an asyncio loop serves the channels of a map, in one thread.

The engine has a descriptor that is readable when a channel is ready or when something has changed
in the loop's own thread. The asyncio loop waits for that descriptor; on the portable backend, for a
selector in which each channel is registered, see `_attach_portable`. The next pass sees what other
threads have changed, as in `asyncore.loop()`.
"""

from __future__ import annotations

import asyncio
import asyncore
import contextlib
import os
import traceback
from errno import EBADF

from . import _native, _stats, _timers
from ._attach_portable import READ, WRITE, ChannelSelector
from ._genuine import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["attach", "detach"]

# Seconds after which the program's own predicates are called although nothing has happened, as the
# timeout of asyncore.loop() does: they may depend on the time, or on what we cannot watch.
_AT_THE_LATEST = 30.0
_NEXT_TRY = 0.1  # seconds after which a pass is made if the loop cannot wait for the descriptor
_LONGEST = 86400.0  # seconds: the longest wait of asyncio itself


def attach(map: Map, loop: asyncio.AbstractEventLoop | None = None) -> None:
    """As `goasyncore.attach`."""
    if loop is None:
        loop = asyncio.get_running_loop()
    if loop.is_closed():
        raise RuntimeError("the asyncio loop is closed")
    there = _attachments.get(id(map))
    if there is not None and not there.loop.is_closed():
        if there.loop is not loop:
            raise RuntimeError("another asyncio loop serves this map; detach() it first")
        return
    if there is not None:
        there.end()
    _Attachment(map, loop).begin()


def detach(map: Map) -> None:
    """As `goasyncore.detach`."""
    there = _attachments.get(id(map))
    if there is not None:
        there.end()


class _Attachment:
    def __init__(self, map: Map, loop: asyncio.AbstractEventLoop) -> None:
        self.map = map
        self.loop = loop
        self._engine = -1  # the engine's descriptor, if the loop waits for that
        self._renewed = 0  # rises when that number refers to another file
        self._channels = ChannelSelector(
            loop, self._on_ready
        )  # empty if the loop waits for the engine
        self._woken = False  # a channel was ready before the last pass
        self._planned = False
        self._ended = False
        self._due = 0.0  # when to make a pass at the latest, by the clock
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def begin(self) -> None:
        _attachments[id(self.map)] = self
        asyncore._attended[id(self.map)] = self._changed
        asyncore._ordinary = False
        _timers.observers[id(self.map)] = self._due_sooner
        self._plan()

    def end(self) -> None:
        """End the service."""
        self._ended = True
        _attachments.pop(id(self.map), None)
        asyncore._attended.pop(id(self.map), None)
        _timers.observers.pop(id(self.map), None)
        _native.unsettle(self.map)
        if self._in_loop() or not self.loop.is_running():
            self._let_go()
        else:
            self.loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wait_for_engine(-1)
        self._channels.close()

    def _in_loop(self) -> bool:
        return asyncio._get_running_loop() is self.loop

    # -- what brings the next pass ------------------------------------------------------------

    def _changed(self, number: Any) -> None:
        """Note a change outside a pass, in any thread; `number` was added or removed."""
        if self._engine >= 0:
            _native.touch(self.map)
            return
        if self._in_loop():
            self._channels.forget(number)
            self._plan()
        else:
            self._channels.doubt(number)

    def _due_sooner(self) -> None:
        """Note that the next call is due earlier than before. May be called from any thread."""
        seconds = _timers.due(self.map) - clock.now()
        if seconds <= 0:
            self._plan()
        else:
            self._have_loop_call(self._no_later, seconds)

    def _plan(self) -> None:
        """Make a pass soon. May be called from any thread."""
        if not self._planned:
            self._planned = True
            self._have_loop_call(self._pass)

    def _have_loop_call(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # it was closed
            self.end()

    def _set_timer(self, seconds: float) -> None:
        """Make a pass after so many seconds, if none is made before."""
        seconds = min(seconds, _LONGEST)
        self._due = clock.now() + seconds
        if self._timer is None or self._timer_at > self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = self._due
            self._timer = self.loop.call_later(seconds, self._on_timer)

    def _no_later(self, seconds: float) -> None:
        """Make a pass after so many seconds at the latest."""
        if self._timer is None or clock.now() + seconds < self._due:
            self._set_timer(seconds)

    def _on_timer(self) -> None:
        self._timer = None
        left = self._due - clock.now()
        if left > 0.001:  # passes have postponed it
            self._set_timer(left)
        else:
            self._pass()

    # -- a pass -------------------------------------------------------------------------------

    def _pass(self) -> None:
        self._planned = False
        if self._ended:
            return
        try:
            events = _stats.counts_of(self.map).events
            engine, renewed, again, own = _native.settle(vars(asyncore), self.map)
            if self._ended:  # detached by a handler
                _native.unsettle(self.map)
                return
            if renewed != self._renewed:
                self._renewed = renewed
                self._wait_for_engine(-1)  # a selector knows the file that had the number before
            if engine >= 0:
                self._channels.close()
                if not self._wait_for_engine(engine):
                    again = _NEXT_TRY
            else:
                self._wait_for_engine(-1)
                in_vain = self._woken and _stats.counts_of(self.map).events == events
                again = self._wait_for_channels(in_vain)
            self._woken = False
        except (KeyboardInterrupt, SystemExit):
            self.end()
            raise
        except asyncore.ExitNow:
            self.end()
            return
        except BaseException as why:
            if self._has_passed(why):
                self._plan()
                return
            self.end()
            message = "asyncore's channels are no longer served"
            self.loop.call_exception_handler({"message": message, "exception": why})
            return
        if again == 0:
            self._plan()
            return
        seconds = _timers.due(self.map) - clock.now()
        if again > 0:
            seconds = min(seconds, again)
        if own:
            seconds = min(seconds, _AT_THE_LATEST)
        self._set_timer(max(0.0, seconds))

    def _has_passed(self, why: BaseException) -> bool:
        """Return whether the next pass can go on.

        It can if another thread closed a channel while the pass was asking the others.
        """
        if not isinstance(why, OSError) or why.errno != EBADF:
            return False
        *_, (frame, _line) = traceback.walk_tb(why.__traceback__)
        if frame.f_globals.get("__package__") != __package__:
            return False  # the program raised it
        # It removes a channel from the map before it closes it, and may do so during this check.
        return all(
            _is_open(key) or self.map.get(key) is not obj or _is_open(key)
            for key, obj in list(self.map.items())
        )

    def _on_ready(self) -> None:
        self._woken = True
        self._plan()

    def _wait_for_channels(self, in_vain: bool) -> float:
        """Wait for each channel. Returns 0 if that is impossible for one of them, else -1."""
        channels = dict(self.map.items())
        _stats.counts_of(self.map).asked += 2 * len(channels)
        wanted = {}
        for key, obj in channels.items():
            want = READ if obj.readable() else 0
            if obj.writable() and not obj.accepting:
                want |= WRITE
            if want:
                wanted[key if isinstance(key, int) else key.fileno()] = want
        return -1.0 if self._channels.replace(wanted, in_vain) else 0.0

    def _wait_for_engine(self, number: int) -> bool:
        """Wait for the engine's descriptor; not any more if it is -1. Returns whether it can."""
        if self._engine == number or self.loop.is_closed():
            return True
        before, self._engine = self._engine, -1
        if before >= 0:
            with contextlib.suppress(OSError):  # it may have been closed
                self.loop.remove_reader(before)
        if number >= 0:
            try:
                self.loop.add_reader(number, self._pass)
            except OSError:  # closed at this moment, or no memory
                return False
        self._engine = number
        return True


def _is_open(key: Any) -> bool:
    try:
        os.fstat(key)
    except (OSError, TypeError):
        return False
    return True


_attachments: dict[int, _Attachment] = {}
