"""One pass over a map in pure Python: it asks every channel, waits, and tells those that are ready.

Serves where the engine does not: see `_native`. The functions take the namespace of the asyncore
module that called, because programs replace `select`, `read`, `write` and `readwrite` in it, and
schedulers execute its source a second time with another `select`.
"""

from __future__ import annotations

import math
import select
import time
from types import BuiltinFunctionType

from . import _agenda, _counts, _slow, _waker
from ._by_poll import IN, OUT, PRI, poll, select_by_poll
from ._clock import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._counts import Counts
    from ._waker import Waker

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

_FD_SETSIZE = 1024  # the numbers that select.select takes are below

_GENUINE = [
    (module, name, getattr(module, name))
    for module, name in ((select, "select"), (select, "poll"), (time, "sleep"))
    if hasattr(module, name)
]


def _own(module: Any, name: str) -> Any:
    """CPython's function; None where a scheduler had replaced it before this module was imported."""
    function = getattr(module, name, None)
    return function if type(function) is BuiltinFunctionType else None


_own_select, _own_poll, _own_sleep = _own(select, "select"), _own(select, "poll"), _own(time, "sleep")


def genuine(namespace: Namespace) -> bool:
    """Whether the asyncore module waits with CPython's own functions."""
    if namespace.get("select") is not select or namespace.get("time") is not time:
        return False
    for module, name, function in _GENUINE:
        # A scheduler may have replaced them before this module was imported.
        if getattr(module, name, None) is not function or type(function) is not BuiltinFunctionType:
            return False
    return True


def _name(namespace: Namespace, name: str) -> Any:
    """The asyncore module's global of that name; a program may have deleted it."""
    try:
        return namespace[name]
    except KeyError:
        raise NameError(f"name {name!r} is not defined", name=name) from None


def passes(
    namespace: Namespace, timeout: Any, use_poll: bool, map: Map, count: int, why: str = ""
) -> None:
    """Make passes with poll's or select's meaning of ready, until the map is empty.

    At most `count` of them, if that is not negative. `timeout` as in `asyncore.poll`; `why` says
    why they are portable ones.
    """
    counts = _counts.running(map)
    counts.why = why
    one_pass = _poll_pass if use_poll else _select_pass
    try:
        while map and count:
            one_pass(namespace, timeout, map, counts)
            if _agenda.agendas:
                call_due(map)
            if count > 0:
                count -= 1
    finally:
        if not counts.fits(map):
            _counts.keep(map, counts)


def call_due(map: Map) -> None:
    """Call what was scheduled for now."""
    if _agenda.due(map) <= clock.now():
        _agenda.run(map)


# -- asking ---------------------------------------------------------------------------------------


def snapshot(map: Map) -> dict[Any, Any]:
    """The channels as they stand in the map now, in its order."""
    return dict(map) if type(map) is dict else dict(map.items())


def ask(channels: dict[Any, Any], counts: Counts) -> list[int]:
    """Ask every channel; return what poll(2) has to look for so that select's meaning comes out."""
    counts.asked += 2 * len(channels)
    wants = []
    for obj in channels.values():
        read = obj.readable()
        write = obj.writable()
        if read:
            wants.append(IN | PRI | OUT if write and not obj.accepting else IN | PRI)
        elif write:
            wants.append(PRI if obj.accepting else PRI | OUT)
        else:
            wants.append(0)
    return wants


# -- telling --------------------------------------------------------------------------------------


def _watched(namespace: Namespace, name: str, tell: Any, obj: Any) -> Any:
    """What to tell in place of the channel while `slow_handler` watches."""
    return _slow.Watched(obj) if namespace.get("_own_tells", {}).get(name) is tell else obj


# -- select's meaning -----------------------------------------------------------------------------


def _select_pass(namespace: Namespace, timeout: Any, map: Map, counts: Counts) -> None:
    channels = snapshot(map)
    by_select = _name(namespace, "select").select
    own = by_select is _own_select
    if len(channels) >= _FD_SETSIZE and own and _own_poll:
        ready = select_by_poll(channels, ask(channels, counts), timeout, map, counts)
    else:
        counts.asked += 2 * len(channels)
        readers: list[Any] = []
        writers: list[Any] = []
        everybody: list[Any] = []
        for key, obj in channels.items():
            read = obj.readable()
            write = obj.writable()
            if read:
                readers.append(key)
                everybody.append(key)
                if write and not obj.accepting:
                    writers.append(key)
            elif write:
                everybody.append(key)
                if not obj.accepting:
                    writers.append(key)
        if not everybody and not _can_be_ended(namespace, own, timeout):
            _name(namespace, "time").sleep(_agenda.shortened(timeout, map))
            counts.passes += 1
            return
        counts.changes += len(everybody)  # the kernel is told anew in each pass
        waker = _waker.begin(channels, timeout, map) if own and timeout != 0 else None
        ready = None
        try:
            if waker is None:
                limit = _agenda.shortened(timeout, map)
                ready = by_select(readers, writers, everybody, limit)
            else:
                ready = _select(waker, readers, writers, everybody, map, counts)
        except ValueError:
            if not (own and _own_poll and _beyond(everybody, waker)):
                raise
        finally:
            if waker is not None:
                waker.end()
        if ready is None:
            wants = dict.fromkeys(everybody, PRI)
            for key in readers:
                wants[key] |= IN
            for key in writers:
                wants[key] |= OUT
            asked = [wants.get(key, 0) for key in channels]
            ready = select_by_poll(channels, asked, timeout, map, counts)
    counts.passes += 1
    for keys, name in zip(ready, ("read", "write", "_exception"), strict=True):
        for key in keys:
            obj = channels.get(key)
            if obj is not None and map.get(key) is obj:
                counts.events += 1
                tell = _name(namespace, name)
                tell(obj if _slow.limit is None else _watched(namespace, name, tell, obj))


def _can_be_ended(namespace: Namespace, own: bool, timeout: Any) -> bool:
    """Whether the wait for nobody can be select.select's with a waker instead of a sleep."""
    return (
        own
        and _waker.POSSIBLE
        and _name(namespace, "time").sleep is _own_sleep
        and type(timeout) in (int, float)
        and timeout > 0
    )


def _beyond(keys: list[Any], waker: Waker | None) -> bool:
    """Whether select.select has refused a number because it is too large."""
    numbers = [key if isinstance(key, int) else key.fileno() for key in keys]
    if waker is not None:
        numbers.append(waker.number)
    return bool(numbers) and min(numbers) >= 0 and max(numbers) >= _FD_SETSIZE


def _select(
    waker: Waker,
    readers: list[Any],
    writers: list[Any],
    everybody: list[Any],
    map: Map,
    counts: Counts,
) -> tuple[list[Any], list[Any], list[Any]]:
    """select.select, which the waker may end."""
    while True:
        limit = _agenda.shortened(waker.left, map) if _agenda.agendas else waker.left
        number = waker.number
        ready: tuple[list[Any], list[Any], list[Any]]
        try:
            ready = select.select(
                readers if number < 0 else [*readers, number], writers, everybody, limit
            )
        except OSError:
            if number < 0 or waker.intact():
                raise
            ready = [], [], []
        else:
            if not ready[0] or ready[0][-1] != number:
                return ready
            ready[0].pop()
        if waker.woken(counts) or any(ready):
            return ready


# -- poll's meaning -------------------------------------------------------------------------------


def _poll_pass(namespace: Namespace, timeout: Any, map: Map, counts: Counts) -> None:
    if timeout is not None:
        timeout = int(timeout * 1000)
    channels = snapshot(map)
    counts.asked += 2 * len(channels)
    wants = []
    for obj in channels.values():
        want = IN | PRI if obj.readable() else 0
        if obj.writable() and not obj.accepting:
            want |= OUT
        wants.append(want)
    module = _name(namespace, "select")
    if module.poll is _own_poll:
        events, keys = poll(channels, wants, timeout, map, counts)
    else:
        events, keys = _foreign_poll(module, channels, wants, timeout, map, counts)
    counts.passes += 1
    for number, flags in events:
        key = keys.get(number, number) if keys else number
        obj = channels[key]
        if map.get(key) is obj:
            counts.events += 1
            tell = _name(namespace, "readwrite")
            tell(obj if _slow.limit is None else _watched(namespace, "readwrite", tell, obj), flags)


def _foreign_poll(
    module: Any,
    channels: dict[Any, Any],
    wants: list[int],
    timeout: int | None,
    map: Map,
    counts: Counts,
) -> tuple[list[tuple[int, int]], dict[int, Any]]:
    """As `poll`, with the function of a scheduler: nothing but that ends the wait."""
    pollster = module.poll()
    keys = {}
    for key, want in zip(channels, wants, strict=True):
        if want:
            flags = module.POLLIN | module.POLLPRI if want & IN else 0
            pollster.register(key, flags | module.POLLOUT if want & OUT else flags)
            keys[key if isinstance(key, int) else key.fileno()] = key
    counts.changes += len(keys)
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    sooner = _agenda.shortened(seconds, map)
    events = pollster.poll(timeout if sooner is seconds else math.ceil(sooner * 1000))
    return events, keys
