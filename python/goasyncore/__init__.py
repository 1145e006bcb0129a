"""The functions that goasyncore adds to the drop-in modules asyncore, asynchat and smtpd."""

from __future__ import annotations

from ._first_pass import load as _load

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, MutableMapping
    from typing import Any, NamedTuple

    from ._callbacks import Handle, call_at, call_later, call_soon_threadsafe, wake
    from ._channels import Channels
    from ._slow_handler import slow_handler

    class Backend(NamedTuple):
        """What serves the passes of `asyncore.loop()` in this process."""

        name: str
        poller: str
        reason: str

    class Stats(NamedTuple):
        """What the loops over a map have done since the first one began."""

        passes: int
        events: int
        predicates_asked: int
        interest_changes: int
        wake_ups: int
        portable_passes: int
        portable_reason: str


__all__ = [
    "Backend",
    "Handle",
    "Stats",
    "attach",
    "backend",
    "call_at",
    "call_later",
    "call_soon_threadsafe",
    "channels",
    "detach",
    "dump_on",
    "slow_handler",
    "stats",
    "wake",
]

__version__ = "0.1.0"


# Made when they are first needed, because making one evaluates a string; no file is read for it.
_NAMED_TUPLES = {
    "Backend": (
        "name poller reason",
        "What serves the passes of `asyncore.loop()` in this process.",
    ),
    "Stats": (
        "passes events predicates_asked interest_changes wake_ups portable_passes portable_reason",
        "What the loops over a map have done since the first one began.",
    ),
}


def __getattr__(name: str) -> Any:
    """Import what is not defined here: asyncore imports this module, so that must be cheap."""
    if name in _NAMED_TUPLES:
        return _named_tuple(name)
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _load()
    from . import _callbacks, _slow_handler

    value = getattr(_slow_handler if name == "slow_handler" else _callbacks, name)
    globals()[name] = value
    return value


def _named_tuple(name: str) -> Any:
    if name not in globals():
        from collections import namedtuple  # already loaded, by asyncore's import of socket

        fields, meaning = _NAMED_TUPLES[name]
        made: Any = namedtuple(name, fields, module=__name__)  # type: ignore[misc]
        made.__doc__ = meaning
        globals().setdefault(name, made)  # only one is kept, whichever thread was first
    return globals()[name]


def backend() -> Backend:
    """Return which backend is in use, with which poller, and why.

    `name` is "native" (the Go engine) or "portable" (pure Python). `poller` is the system call that
    waits ("epoll", "kqueue", "poll", "select"), `reason` a sentence. Loads the engine if that has
    not happened yet. Raises `ValueError` for an unknown `GOASYNCORE_BACKEND`, and `ImportError` if
    that is "native" and the engine does not load. May be called from any thread.
    """
    _load()
    from . import _native

    kind: Callable[..., Backend] = _named_tuple("Backend")
    return kind(*_native.report())


def stats(map: MutableMapping[Any, Any] | None = None) -> Stats:
    """Return what the loops over `map` (by default `asyncore.socket_map`) have done so far.

    A pass is one iteration of the loop. The fields are

    - `passes`: the number of passes;
    - `events`: calls of a `handle_*_event` method, or of `handle_close`, by the loop;
    - `predicates_asked`: calls of `readable()` and `writable()`, which the engine does not call
      where it knows the result;
    - `interest_changes`: registrations that were sent to the kernel because a channel waits for
      something else; a portable pass sends all of them;
    - `wake_ups`: waits that were ended or shortened by `wake()` or by a call scheduled meanwhile;
    - `portable_passes`: passes that the engine did not make;
    - `portable_reason`: why the last of these was portable.

    May be called from any thread, and from a handler.
    """
    _load()
    from . import _native, _stats

    kind: Callable[..., Stats] = _named_tuple("Stats")
    return kind(*_native.stats(_stats.checked(map)))


def channels(map: MutableMapping[Any, Any] | None = None) -> Channels:
    """Return what is in `map` (by default `asyncore.socket_map`): a list that prints as a table.

    The fields of a row are

    - `number`: the key in the map;
    - `kind`: the name of the class;
    - `state`: "listening", "connecting", "connected" or "not connected";
    - `waits_for`: "read", "write", "read write" or ""; "?" if `readable()` or `writable()` raises;
    - `buffered`: the number of bytes that are not sent yet, without those of other producers than
      asynchat's;
    - `peer`: the address;
    - `idle`: the seconds since data was last sent or received, or `None`; the kernel reports it for
      TCP on Linux only.

    Calls `readable()` and `writable()` of each channel, as a pass does. May be called from any
    thread, and from a handler.
    """
    _load()
    from . import _channels, _stats

    return _channels.Channels(_stats.checked(map))


def dump_on(signum: int, map: MutableMapping[Any, Any] | None = None) -> None:
    """Make a signal print `channels(map)`, slow handlers and the stack to standard error.

    It is similar to `faulthandler.register()`, and replaces the signal's handler. Raises
    `ValueError` outside the main thread, as `signal.signal()` does.
    """
    _load()
    from . import _channels, _stats

    _channels.dump_on(signum, _stats.checked(map))


def attach(
    map: MutableMapping[Any, Any] | None = None, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Let the asyncio loop `loop` serve the channels of `map` until `detach()` is called.

    `map` defaults to `asyncore.socket_map`, `loop` to the running loop; it may be uvloop's. No
    `asyncore.loop()` is needed then. A pass, with the meaning of `asyncore.poll()`, is made
    whenever a channel is ready, a scheduled call is due, or the loop's own thread has changed
    something. The service does not end when the map is empty.

    An exception that would leave `asyncore.loop()` detaches the map. `KeyboardInterrupt` and
    `SystemExit` also leave the asyncio loop, `ExitNow` has no other effect, and any other exception
    goes to that loop's exception handler.

    Other code in the loop may create and close channels, and send on them. Call `wake()` after your
    code has modified, in place, an object that your own `readable()` or `writable()` reads; another
    thread has to call it after any change.

    Raises `RuntimeError` if `loop` is not given and no loop is running, if the loop is closed, or
    if another loop serves the map. May be called in the loop's thread, and before the loop runs.
    """
    _load()
    from . import _stats

    checked = _stats.checked(map)
    if not _stats.are_ours():
        return
    from . import _attach

    _attach.attach(checked, loop)


def detach(map: MutableMapping[Any, Any] | None = None) -> None:
    """End what `attach()` began. If no loop serves `map`, do nothing. The channels stay open.

    May be called from any thread, and from a handler.
    """
    import sys

    _load()
    from . import _stats

    checked = _stats.checked(map)
    begun = sys.modules.get(f"{__name__}._attach")  # it imports asyncio
    if begun is not None:
        begun.detach(checked)
