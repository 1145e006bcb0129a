"""The warning about handlers that block the loop for too long."""

from __future__ import annotations

import sys
import time
from collections import deque

from ._genuine import clock
from ._logger import logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["slow_handler", "took", "watch"]

limit: float | None = None  # seconds; None: handlers are not watched
asked_for = False  # whether the program has called slow_handler()
recent: deque[str] = deque(maxlen=10)
"""The latest warnings."""

# Makes the engine call the handlers through watch(), or directly again; None: no engine is loaded.
_tell_engine: Callable[[Callable[..., object] | None], None] | None = None

_EVENTS = ("handle_read_event", "handle_write_event", "handle_expt_event")


def slow_handler(seconds: float | None) -> None:
    """Log a warning when a handler blocks a loop for longer than `seconds`; `None` or 0: never.

    The warning names the channel and the method, and goes to the logger `goasyncore`. Calls that
    `call_later` and the like have scheduled are watched too. By default nothing is watched, which
    costs nothing. Raises `TypeError` if `seconds` is not a number, and `ValueError` if it is
    negative. May be called at any time, from any thread; it applies to all loops of the process.
    """
    global asked_for, limit
    value = None if seconds is None else float(seconds)
    if value is not None and not value >= 0:
        raise ValueError("the limit must be a positive number of seconds")
    logger()  # later there may be no descriptor left to load it with
    asked_for = True
    limit = value or None
    if _tell_engine is not None:
        _tell_engine(None if limit is None else watch)


def ask_environment() -> None:
    """Apply GOASYNCORE_SLOW_HANDLER, unless the program has called slow_handler()."""
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
    """Tell the engine the present setting, and each new one from now on."""
    global _tell_engine
    _tell_engine = tell
    tell(None if limit is None else watch)


def forked() -> None:
    """Forget the engine, in a forked child."""
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
    """Return which handler the event calls where the channel has not overridden its method."""
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
    """Report a handler, or a scheduled function, if it took too long."""
    if limit is None or seconds <= limit:
        return
    try:
        name = repr(what)
    except BaseException:  # as in handle_error(): the channel may be broken, the report must not be
        name = f"<{type(what).__name__} at {id(what):#x}>"
    told = f"{name}{f'.{method}()' if method else ''} blocked the loop for {seconds:.3f} seconds"
    recent.append(f"{time.strftime('%H:%M:%S')} {told}")
    logger().warning("%s", told)


class Watched:
    """Takes the place of a channel in `read()`, `write()`, `readwrite()` and `_exception()`."""

    __slots__ = ("_obj",)

    def __init__(self, obj: Any) -> None:
        self._obj = obj

    def __getattr__(self, event: str) -> Callable[[], None]:
        return lambda: watch(self._obj, event)


def watched(namespace: dict[str, Any], name: str, tell: Any) -> Any:
    """Return what to call in place of asyncore's `read()` and so on while handlers are watched."""
    if namespace.get("_own_tells", {}).get(name) is not tell:
        return tell
    return lambda obj, *flags: tell(obj if limit is None else Watched(obj), *flags)
