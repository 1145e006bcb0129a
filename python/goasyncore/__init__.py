"""What goasyncore has beside the drop-in modules `asyncore` and `asynchat`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import MutableMapping
    from typing import Any, NamedTuple

    from ._callbacks import Handle, call_at, call_later, call_soon_threadsafe, wake
    from ._channels import Channels
    from ._slow import slow_handler

    class Backend(NamedTuple):
        """What serves the passes of `asyncore.loop()` in this process."""

        name: str
        poller: str
        reason: str

    class Stats(NamedTuple):
        """What the loops over a map have done since the first of them."""

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


# asyncore imports this module: its import costs little, and evaluates no string, as making a named
# tuple does.
_LATE = {
    "Backend": "_answers",
    "Handle": "_callbacks",
    "Stats": "_answers",
    "call_at": "_callbacks",
    "call_later": "_callbacks",
    "call_soon_threadsafe": "_callbacks",
    "slow_handler": "_slow",
    "wake": "_callbacks",
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = getattr(__import__(f"{__name__}.{_LATE[name]}"), _LATE[name])
    value = globals()[name] = getattr(module, name)
    return value


def backend() -> Backend:
    """Return which backend serves, with which poller, and why.

    `name` is "native" or "portable", `poller` the readiness call underneath ("epoll", "kqueue",
    "poll", "select"), `reason` a sentence. Loads the engine if that has not happened yet. Raises
    `ValueError` for an unknown `GOASYNCORE_BACKEND`, and `ImportError` when that is "native" and
    the engine does not load. May be called from any thread.
    """
    from . import _answers, _native

    return _answers.Backend(*_native.report())


def stats(map: MutableMapping[Any, Any] | None = None) -> Stats:
    """Return what the loops over `map` (by default `asyncore.socket_map`) have done so far.

    `passes` were made; `events` were told to channels, each a call of a `handle_*_event` method or
    of `handle_close`; `predicates_asked` counts the calls of `readable()` and `writable()`: those
    that the engine knows the answers of are not called; `interest_changes` is how often the kernel
    was told that a channel waits for something else, which a portable pass does for each channel;
    `wake_ups` is how often `wake()`, or a call that was scheduled meanwhile, ended or shortened a
    wait; `portable_passes` is how many of the passes the engine did not make, and `portable_reason`
    why it did not make the last of these. May be called from any thread, and from a handler.
    """
    from . import _answers, _maps, _native

    return _answers.Stats(*_native.stats(_maps.checked(map)))


def channels(map: MutableMapping[Any, Any] | None = None) -> Channels:
    """Return what is in `map` (by default `asyncore.socket_map`): a list that prints as a table.

    A row has `number`, the key in the map; `kind`, the name of the class; `state` ("listening",
    "connecting", "connected", "not connected"); `waits_for` ("read", "write", "read write", or
    nothing; "?" where a predicate raises); `buffered`, the bytes that are not sent yet (of
    producers that cannot be counted: none); `peer`, the address; and `idle`, the seconds since data
    last came or went, where the kernel knows (of TCP, on Linux), or else `None`.

    Calls `readable()` and `writable()` of each channel, as a pass does. May be called from any
    thread, and from a handler.
    """
    from . import _channels, _maps

    return _channels.Channels(_maps.checked(map))


def dump_on(signum: int, map: MutableMapping[Any, Any] | None = None) -> None:
    """Have the signal print `channels(map)`, slow handlers and the stack to standard error.

    As `faulthandler.register()` does for stacks; it takes the place of the signal's handler. Raises
    `ValueError` outside the main thread, as `signal.signal()` does.
    """
    from . import _channels, _maps

    _channels.dump_on(signum, _maps.checked(map))


def attach(
    map: MutableMapping[Any, Any] | None = None, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Have the asyncio loop `loop` serve the channels of `map` from now on, until `detach()`.

    `map` defaults to `asyncore.socket_map`, `loop` to the running one; uvloop's will do. No
    `asyncore.loop()` is needed then: passes are made, with the meaning of `asyncore.poll()`,
    whenever a channel is ready, a call put off is due or the loop's own thread has changed
    something. An empty map ends nothing.

    What would leave `asyncore.loop()` ends the service: the map is detached; `KeyboardInterrupt`
    and `SystemExit` leave the asyncio loop too, `ExitNow` does no more, and anything else goes to
    that loop's exception handler.

    Channels may be made, closed and sent to from the loop's other code. Code of yours that changes
    in place what its own `readable()` or `writable()` looks at calls `wake()` then, and so does
    another thread after any change.

    Raises `RuntimeError` when there is no running loop to default to, when the loop is closed, and
    when another one serves the map. May be called in the loop's thread, and before it runs.
    """
    from . import _maps

    checked = _maps.checked(map)
    if not _maps.are_ours():
        return
    from . import _attach

    _attach.attach(checked, loop)


def detach(map: MutableMapping[Any, Any] | None = None) -> None:
    """End what `attach()` began; where nothing serves `map`, do nothing. The channels stay open.

    May be called from any thread, and from a handler.
    """
    import sys

    from . import _maps

    checked = _maps.checked(map)
    begun = sys.modules.get(f"{__name__}._attach")  # it imports asyncio
    if begun is not None:
        begun.detach(checked)
