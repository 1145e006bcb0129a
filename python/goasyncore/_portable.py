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

from . import _agenda, _counts, _slow
from ._by_poll import IN, NOTHING, OUT, PRI, Registered, looked, poll, quick_poll, select_by_poll
from ._clock import clock
from ._counts import table
from ._waker import left_of, number, of_thread, sure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from ._counts import Counts
    from ._waker import Waker

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]
    type Ready = tuple[list[Any], list[Any], list[Any]]

_FEW = (
    16  # channels; with more, what poll(2) saves is less than making select's meaning of it takes
)
_FD_SETSIZE = 1024  # the numbers that select.select takes are below

_GENUINE = [
    (module, name, getattr(module, name))
    for module, name in ((select, "select"), (select, "poll"), (time, "sleep"))
    if hasattr(module, name)
]


def _own(module: Any, name: str) -> Any:
    """CPython's function; None where a scheduler had replaced it before this import."""
    function = getattr(module, name, None)
    return function if type(function) is BuiltinFunctionType else None


_own_select, _own_poll, _own_sleep = (
    _own(select, "select"),
    _own(select, "poll"),
    _own(time, "sleep"),
)


def genuine(namespace: Namespace) -> bool:
    """Whether the asyncore module waits with CPython's own functions."""
    if namespace.get("select") is not select or namespace.get("time") is not time:
        return False
    for module, name, function in _GENUINE:
        # A scheduler may have replaced them before this module was imported.
        if getattr(module, name, None) is not function or type(function) is not BuiltinFunctionType:
            return False
    return True


def _missing(name: str) -> NameError:
    """What a global of the asyncore module is when a program has deleted it."""
    return NameError(f"name {name!r} is not defined", name=name)


def _name(namespace: Namespace, name: str) -> Any:
    try:
        return namespace[name]
    except KeyError:
        raise _missing(name) from None


def passes(
    namespace: Namespace,
    timeout: Any,
    use_poll: bool,
    map: Map,
    count: int | None,
    why: str | None = None,
) -> None:
    """Make passes until the map is empty, at most `count`; see `asyncore.loop`.

    `why` says why they are portable ones, where others over the map are not.
    """
    if why is not None:
        if use_poll and timeout is not None:
            int(timeout * 1000)  # a wrong timeout is refused before a wrong map
        _counts.running(map).why = why
    make = poll_passes if use_poll else select_passes
    if count is None:
        make(namespace, timeout, map, -1)
    elif count > 0:
        make(namespace, timeout, map, count)


def call_due(map: Map) -> None:
    """Call what was scheduled for now."""
    if _agenda.due(map) <= clock.now():
        _agenda.run(map)


# -- asking ---------------------------------------------------------------------------------------


def snapshot(map: Map) -> dict[Any, Any]:
    """The channels as they stand in the map now, in its order."""
    return dict(map) if type(map) is dict else dict(map.items())


def ask(channels: dict[Any, Any], told: dict[Any, int]) -> list[tuple[Any, int]]:
    """Ask every channel. Returns the keys that wait for something else than `told`, and for what.

    That is what poll(2) has to look for so that select's meaning comes out.
    """
    news = []
    for key, obj in channels.items():
        read = obj.readable()
        write = obj.writable()
        if read:
            want = 7 if write and not obj.accepting else 3
        elif write:
            want = 2 if obj.accepting else 6
        else:
            want = 0
        try:
            if told[key] == want:
                continue
        except KeyError:
            pass
        news.append((key, want))
    return news


# -- telling --------------------------------------------------------------------------------------


def _watched(namespace: Namespace, name: str, tell: Any, obj: Any) -> Any:
    """What to tell in place of the channel while `slow_handler` watches."""
    return _slow.Watched(obj) if namespace.get("_own_tells", {}).get(name) is tell else obj


# -- select's meaning -----------------------------------------------------------------------------


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with select's meaning of ready, at most `count` if that is not negative."""
    counts = table.get(id(map))
    if counts is None or (
        counts.held is not map and map.get(counts.key, counts) is not counts.witness()
    ):
        counts = _counts.running(map)
    waker = of_thread.waker
    while map and count:
        count -= 1
        channels = dict(map) if type(map) is dict else dict(map.items())
        try:
            by_select = namespace["select"].select
        except KeyError:
            raise _missing("select") from None
        own = by_select is _own_select
        counts.asked += 2 * len(channels)
        # poll(2) takes half of select(2)'s time where it has only to look.
        if (
            own
            and ((timeout == 0 and len(channels) <= _FEW) or len(channels) >= _FD_SETSIZE)
            and _own_poll
            and getattr(namespace.get("time"), "sleep", None) is _own_sleep
        ):
            ready = _ask_for_poll(channels, timeout, map, counts)
        else:
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
            counts.changes += len(everybody)  # the kernel is told anew in each pass
            try:
                if own and timeout == 0 and everybody:
                    ready = by_select(readers, writers, everybody, timeout)
                else:
                    lists = readers, writers, everybody
                    found = None
                    if own and everybody and waker is not None:
                        found = _quick_select(waker, lists, channels, timeout, map)
                    if found is None:
                        found = _select(namespace, by_select, channels, lists, timeout, map, counts)
                        waker = of_thread.waker
                    ready = found
            except ValueError:
                if not (own and _own_poll and _beyond(everybody)):
                    raise
                wants = dict.fromkeys(channels, 0)
                for keys, want in ((readers, IN), (writers, OUT), (everybody, PRI)):
                    for key in keys:
                        if key in wants:  # not the waker
                            wants[key] |= want
                there = Registered()
                there.tell_all(list(wants.items()), counts)
                ready = select_by_poll(there, channels, timeout, map, counts)
        counts.passes += 1
        reads, writes, others = ready
        if reads:
            _tell(namespace, "read", reads, channels, map, counts)
        if writes:
            _tell(namespace, "write", writes, channels, map, counts)
        if others:
            _tell(namespace, "_exception", others, channels, map, counts)
        if _agenda.agendas:
            call_due(map)


def _ask_for_poll(channels: dict[Any, Any], timeout: Any, map: Map, counts: Counts) -> Ready:
    """Ask, and wait with poll(2) for what select.select would have reported."""
    try:  # two threads may loop over one map
        there = counts.registered.pop()
    except IndexError:
        there = Registered()
    told = there.told
    news = ask(channels, told)
    if news:
        there.tell_all(news, counts)
    if len(told) != len(channels):
        there.forget(channels)
    if timeout == 0 and there.waker < 0:
        events = there.pollster.poll(0)
        ready = looked(there, events, channels) if events else NOTHING
        there.keep(counts)
        return ready
    return select_by_poll(there, channels, timeout, map, counts)


def _tell(
    namespace: Namespace,
    name: str,
    keys: list[Any],
    channels: dict[Any, Any],
    map: Map,
    counts: Counts,
) -> None:
    told = 0
    try:
        for key in keys:
            obj = channels[key]
            if map.get(key) is obj:
                told += 1
                try:
                    tell = namespace[name]
                except KeyError:
                    raise _missing(name) from None
                tell(obj if _slow.limit is None else _watched(namespace, name, tell, obj))
    finally:
        counts.events += told
    if len(map) != len(channels) and not counts.fits(map):
        _counts.keep(map, counts)


def _beyond(keys: list[Any]) -> bool:
    """Whether select.select has refused a number because it is too large, perhaps the waker's."""
    numbers = [key if isinstance(key, int) else key.fileno() for key in keys]
    largest = max([number(), *numbers])
    return min([0, *numbers]) >= 0 and largest >= _FD_SETSIZE


def _quick_select(
    waker: Waker, lists: Ready, channels: dict[Any, Any], timeout: Any, map: Map
) -> Ready | None:
    """select.select where nobody has ever scheduled anything; `None` where it takes more care."""
    readers, writers, everybody = lists
    number = waker.number
    if waker.map is not None or number < 0 or number in channels:
        return None
    waker.map = map
    readers.append(number)
    try:
        if _agenda.used:
            return None
        ready: Ready = select.select(readers, writers, everybody, timeout)
    except OSError:
        if waker.intact():
            raise
        return None
    finally:
        readers.pop()
        waker.map = None
    if ready[0] and ready[0][-1] == number:
        ready[0].pop()
        return ready if any(ready) else None
    return ready


def _select(
    namespace: Namespace,
    by_select: Any,
    channels: dict[Any, Any],
    lists: Ready,
    timeout: Any,
    map: Map,
    counts: Counts,
) -> Ready:
    """select.select for a wait that takes time, and can be ended if nobody has replaced it."""
    readers, writers, everybody = lists
    waker = None
    if by_select is _own_select and (everybody or _sleeps(namespace, timeout)):
        waker = of_thread.waker
        # Only programs that schedule something need to be sure each time: it takes a microsecond.
        if (
            waker is None
            or waker.map is not None
            or waker.number < 0
            or waker.number in channels
            or _agenda.used
        ):
            waker = sure(channels)
    ready: Ready
    if waker is None:
        limit = _agenda.shortened(timeout, map)
        if not everybody:
            _name(namespace, "time").sleep(limit)
            return NOTHING
        reads, writes, others = by_select(readers, writers, everybody, limit)
        known = channels.__contains__  # whatever a scheduler's may return
        return list(filter(known, reads)), list(filter(known, writes)), list(filter(known, others))
    waker.map = map
    try:
        # No clock where nothing was ever scheduled: should that happen now, the timeout begins
        # again, once.
        began = clock.now() if _agenda.used else 0.0
        left = timeout
        while True:
            number = waker.number
            if number >= 0:
                readers.append(number)
            limit = _agenda.shortened(left, map) if _agenda.agendas else left
            try:
                ready = by_select(readers, writers, everybody, limit)
            except OSError:
                if number < 0 or waker.intact():
                    raise
                ready = [], [], []
            else:
                if not ready[0] or ready[0][-1] != number:
                    return ready
                ready[0].pop()
            readers.pop()
            if waker.woken(counts) or any(ready):
                return ready
            left = left_of(timeout, began)
    finally:
        waker.map = None


def _sleeps(namespace: Namespace, timeout: Any) -> bool:
    """Whether a wait for nobody is a sleep in which a waker makes no difference to see."""
    return (
        _name(namespace, "time").sleep is _own_sleep
        and type(timeout) in (int, float)
        and timeout > 0
    )


# -- poll's meaning -------------------------------------------------------------------------------


def poll_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """Make passes with poll's meaning of ready, at most `count` if that is not negative."""
    if timeout is not None:
        timeout = int(timeout * 1000)
    counts = table.get(id(map))
    if counts is None or (
        counts.held is not map and map.get(counts.key, counts) is not counts.witness()
    ):
        counts = _counts.running(map)
    waker = of_thread.waker
    while map and count:
        count -= 1
        channels = dict(map) if type(map) is dict else dict(map.items())
        counts.asked += 2 * len(channels)
        try:  # two threads may loop over one map
            there = counts.registered.pop()
        except IndexError:
            there = Registered()
        told = there.told
        for key, obj in channels.items():
            want = 3 if obj.readable() else 0
            if obj.writable() and not obj.accepting:
                want |= 4
            try:
                if told[key] == want:
                    continue
            except KeyError:
                pass
            counts.changes += 1
            there.tell(key, want)
        if len(told) != len(channels):
            there.forget(channels)
        try:
            module = namespace["select"]
        except KeyError:
            raise _missing("select") from None
        events = None
        if module.poll is not _own_poll:
            events = _foreign_poll(module, there, timeout, map)
        elif timeout == 0:
            if there.waker < 0:
                events = there.pollster.poll(0)
        elif waker is not None and not _agenda.used:
            events = quick_poll(there, waker, channels, timeout, map)
        if events is None:
            events = poll(there, channels, timeout, map, counts)
            waker = of_thread.waker
        else:
            if len(events) > 1:
                there.sort(events, channels)
            there.keep(counts)
        counts.passes += 1
        if events:
            keys, done = there.keys, 0
            try:
                for number, flags in events:
                    key = keys.get(number, number) if keys else number
                    obj = channels[key]
                    if map.get(key) is obj:
                        done += 1
                        try:
                            tell = namespace["readwrite"]
                        except KeyError:
                            raise _missing("readwrite") from None
                        if _slow.limit is not None:
                            obj = _watched(namespace, "readwrite", tell, obj)
                        tell(obj, flags)
            finally:
                counts.events += done
            if len(map) != len(channels) and not counts.fits(map):
                _counts.keep(map, counts)
        if _agenda.agendas:
            call_due(map)


def _foreign_poll(
    module: Any, there: Registered, timeout: int | None, map: Map
) -> list[tuple[int, int]]:
    """As `poll`, with the function of a scheduler: nothing but that ends the wait."""
    pollster = module.poll()
    for key, want in there.told.items():
        if want:
            flags = module.POLLIN | module.POLLPRI if want & IN else 0
            pollster.register(key, flags | module.POLLOUT if want & OUT else flags)
    seconds = None if timeout is None or timeout < 0 else timeout / 1000
    sooner = _agenda.shortened(seconds, map)
    return pollster.poll(timeout if sooner is seconds else math.ceil(sooner * 1000))  # type: ignore[no-any-return]
