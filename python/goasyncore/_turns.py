"""Turns of threads that send through the same channel, so that nothing is sent twice.

A channel stores data, sends it, and then removes what was sent. Sending releases the GIL: another
thread that sends in between sends the same data once more, as in 3.11.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident

from ._genuine import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["in_turn"]

_MOST = 8  # sends of one turn, if other threads ask for more each time


class _Turn:
    __slots__ = ("again", "held", "thread")

    def __init__(self) -> None:
        self.thread = get_ident()
        self.held = allocate_lock()
        self.again = False  # another thread has stored data


_turns: dict[int, _Turn] = {}  # by id of the channel
if hasattr(system, "register_at_fork"):  # other threads' turns never end in the child
    system.register_at_fork(after_in_child=_turns.clear)


def in_turn(channel: Any, send: Callable[[Any], None]) -> None:
    """Call `send(channel)`. If another thread is doing so, it calls that again, and not this one.

    Nothing waits here, because `send` may call methods of the program, which may wait for locks.
    """
    turn = _Turn()
    sends = 0
    # An exception of a signal handler can come at any point. Only the end of a `with` statement for
    # an object of C is certain, so a turn lasts as long as its lock is held.
    with turn.held:
        while True:
            other = _turns.setdefault(id(channel), turn)
            if other is turn:
                try:
                    turn.again = False
                    send(channel)
                finally:
                    _turns.pop(id(channel), None)
                sends += 1
                if not turn.again or not channel.out_buffer or sends == _MOST:
                    return
            elif other.thread == turn.thread:
                send(channel)  # called within `send`
                return
            elif other.held.locked():
                other.again = True
                if _turns.get(id(channel)) is other:
                    return  # otherwise it may have ended without seeing that
            else:
                _turns.pop(id(channel), None)
