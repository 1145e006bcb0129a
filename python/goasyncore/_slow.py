"""The watch on handlers that keep the loop too long."""

from __future__ import annotations

import sys
import time
from collections import deque

from ._clock import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["slow_handler", "took", "watch"]

limit: float | None = None  # seconds; None: nobody watches
asked_for = False  # by the program
recent: deque[str] = deque(maxlen=10)
"""What was reported last."""

# Has the engine call the handlers through watch(), or no longer; None: no engine is loaded.
_tell_engine: Callable[[Callable[..., object] | None], None] | None = None

_EVENTS = ("handle_read_event", "handle_write_event", "handle_expt_event")


def slow_handler(seconds: float | None) -> None:
    """Log a warning when a handler keeps a loop longer than so many seconds; `None` or 0: never.

    The warning names the channel and the method, and goes to the logger `goasyncore`; calls that
    `call_later` and the like put off are watched too. Off from the start, and free then. Raises
    `TypeError` for what is no number, `ValueError` for a negative one. May be called at any time,
    from any thread; it holds for all loops of the process.
    """
    global asked_for, limit
    value = None if seconds is None else float(seconds)
    if value is not None and not value >= 0:
        raise ValueError("the limit must be a positive number of seconds")
    import logging  # noqa: F401 - as in _agenda

    asked_for = True
    limit = value or None
    if _tell_engine is not None:
        _tell_engine(None if limit is None else watch)


def ask_environment() -> None:
    """Do what GOASYNCORE_SLOW_HANDLER says, where the program has not said something else."""
    import os

    value = os.environ.get("GOASYNCORE_SLOW_HANDLER")
    if not value or asked_for:
        return
    try:
        slow_handler(float(value))
    except ValueError:
        import warnings

        warnings.warn(
            f"GOASYNCORE_SLOW_HANDLER is {value!r}; it must be a positive number of seconds",
            RuntimeWarning,
            stacklevel=2,
        )


def engine_loaded(tell: Callable[[Callable[..., object] | None], None]) -> None:
    """Have the engine told from now on, and of what holds already."""
    global _tell_engine
    _tell_engine = tell
    tell(None if limit is None else watch)


def forked() -> None:
    """In a forked child, which has no engine."""
    global _tell_engine
    _tell_engine = None


def watch(obj: Any, event: str) -> None:
    """Call a handler as the loop would, and report it if it was slow."""
    method = _method(obj, event)
    began = clock.now()
    try:
        getattr(obj, event)()
    finally:
        took(obj, method, clock.now() - began)


def _method(obj: Any, event: str) -> str:
    """What the event will call, as far as the channel leaves that to asyncore's own methods."""
    dispatcher = getattr(sys.modules.get("asyncore"), "dispatcher", None)
    if event not in _EVENTS or dispatcher is None:
        return event
    own = getattr(dispatcher, event, None)
    if getattr(type(obj), event, None) is not own or event in getattr(obj, "__dict__", ()):
        return event
    kind = event.removesuffix("_event")
    if getattr(obj, "accepting", False):
        return "handle_accept" if kind == "handle_read" else event
    if kind != "handle_expt" and not obj.connected and obj.connecting:
        return f"handle_connect and {kind}"
    return kind


def took(what: Any, method: str | None, seconds: float) -> None:
    """Report a handler, or a function that was put off, if it took too long."""
    if limit is None or seconds <= limit:
        return
    import logging

    try:
        name = repr(what)
    except BaseException:  # as in handle_error(): the channel may be broken, the report must not be
        name = f"<{type(what).__name__} at {id(what):#x}>"
    told = f"{name}{f'.{method}()' if method else ''} kept the loop for {seconds:.3f} seconds"
    recent.append(f"{time.strftime('%H:%M:%S')} {told}")
    logging.getLogger("goasyncore").warning("%s", told)


class Watched:
    """Stands for a channel in asyncore's own `read()`, `write()`, `readwrite()`, `_exception()`."""

    __slots__ = ("_obj",)

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def handle_read_event(self) -> None:
        watch(self._obj, "handle_read_event")

    def handle_write_event(self) -> None:
        watch(self._obj, "handle_write_event")

    def handle_expt_event(self) -> None:
        watch(self._obj, "handle_expt_event")

    def handle_close(self) -> None:
        watch(self._obj, "handle_close")

    def handle_error(self) -> None:
        watch(self._obj, "handle_error")
