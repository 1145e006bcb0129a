"""Native passes: chooses the backend, and loads the engine at the first pass that needs it.

The engine contains a Go runtime, which has threads and so does not survive a fork. Because it is
loaded late, a program may import asyncore, fork, and then loop natively in the child. A process
that is forked later makes portable passes.

If the files of the engine cannot be read any more at the first pass, all passes are portable.
"""

from __future__ import annotations

import os
import select
import sys
import warnings
from _thread import allocate_lock, get_ident
from collections import deque

from . import _first_pass, _genuine, _portable, _portable_waker, _slow_handler, _stats, _timers
from ._turns import in_turn as in_turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType
    from typing import Any

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

_CHOICES = ("auto", "native", "portable")

_FINISHED = -1  # run(): the map is empty, or as many passes were made as asked for
_LONGEST = 2e6  # seconds that both select and poll accept

_lock = allocate_lock()
_decider = 0  # the thread that holds it to decide
_binding: ModuleType | None = None  # the extension, once it is loaded and until a fork
_chat_is_set_up = False
_reason: str | None = None  # why the backend is what it is; None: not decided yet


class _Aftermath:
    """Takes the place of a channel whose handler has raised an exception.

    `read()` and the like in asyncore decide which exceptions go where. So that the C code need not
    decide it too, it calls them with one of these. `fail` raises the exception again, without an
    additional frame in the traceback.
    """

    __slots__ = ("_told", "handle_expt_event", "handle_read_event", "handle_write_event")

    def __init__(self, obj: Any, fail: Callable[[], None]) -> None:
        self._told = obj if _slow_handler.limit is None else _slow_handler.Watched(obj)
        self.handle_read_event = self.handle_write_event = self.handle_expt_event = fail

    def __getattr__(self, name: str) -> Any:  # handle_close and handle_error
        return getattr(self._told, name)


def _decide() -> None:
    """Load the engine, or decide on portable passes; once per process. `_lock` is held."""
    global _binding, _reason
    wanted = os.environ.get("GOASYNCORE_BACKEND") or "auto"
    if wanted not in _CHOICES:
        raise ValueError(f"GOASYNCORE_BACKEND is {wanted!r}; it can be {', '.join(_CHOICES)}")
    _slow_handler.ask_environment()
    try:
        from . import _installed
    except (ImportError, OSError):
        pass  # our files cannot be reached, nor can others
    else:
        _installed.warn_if_mixed()
    if wanted == "portable":
        _reason = "GOASYNCORE_BACKEND is portable"
        _all_portable()
        return
    obstacle: str | None
    ending = None
    try:
        # In this form the error names the module that was not found.
        import goasyncore._obstacles as _obstacles

        obstacle, ending = _obstacles.obstacle(), _obstacles.ENDING
        if obstacle is None:
            _binding = _load()
            _reason = f"the engine is loaded, GOASYNCORE_BACKEND is {wanted}"
            return
    except OSError as why:  # such as EMFILE
        obstacle = f"the engine cannot be read: {why}"
    except Exception as why:
        obstacle = f"the engine does not load: {type(why).__name__}: {why}"
        if isinstance(why, ImportError) and str(why.name).startswith(f"{__package__}."):
            obstacle = "the engine is not part of this installation, or cannot be read any more"
        elif wanted == "auto":
            warnings.warn(f"asyncore is slower than it could be: {obstacle}", RuntimeWarning, 5)
    if wanted == "native" and obstacle != ending:
        raise ImportError(f"GOASYNCORE_BACKEND is native, but {obstacle}")
    _reason = obstacle
    _all_portable()


def _load() -> ModuleType:
    # The extension itself, because the module that gopy writes around it changes the directory.
    import asyncore

    # What portable passes do not need. It is imported first, because Go starts with the extension.
    import goasyncore._predicates as _predicates
    import goasyncore._probe_watchers as _probe_watchers

    import goasyncore._binding as binding  # type: ignore[import-not-found] # isort: skip

    tools = (
        *(_predicates.rules_of, _Aftermath, intact, _timers.run, deque, asyncore._Backlog),
        (*asyncore._own_methods, _genuine.own_socket),
        binding,
    )
    _predicates.chat_seen = _set_up_chat
    binding.pybind_Setup(id(tools), False)
    _genuine.at_exit(binding.end)
    binding.trust(_probe_watchers.trusted_level(binding))
    _timers.engine_loaded(binding.due)
    _slow_handler.engine_loaded(binding.watch)
    return binding  # type: ignore[no-any-return]


def _set_up_chat(asynchat: dict[str, Any]) -> None:
    """Set up asynchat's native calls, when the first of its channels is seen."""
    global _chat_is_set_up
    if not _chat_is_set_up and _binding is not None:
        _chat_is_set_up = True
        _binding.set_up_chat(asynchat["_own_methods"])


def intact(namespace: Namespace) -> bool:
    """Return whether the engine can make a pass for this asyncore module."""
    own: dict[str, Any] = namespace.get("_own_tells", {"_own_tells": ...})
    # No generator here and in genuine(): CPython 3.12 crashes if there is no memory to make one.
    for name, function in own.items():
        if namespace.get(name) is not function:
            return False
    return _genuine.genuine(namespace)


def _choose() -> None:
    """Decide on the backend; in the middle of that, a signal handler makes portable passes."""
    global _decider
    if _decider == get_ident():
        return
    with _lock:
        if _reason is None:
            _decider = get_ident()
            try:
                _decide()
            finally:
                _decider = 0


def report() -> tuple[str, str, str]:
    """Return the backend's name, poller and reason."""
    _choose()
    if _binding is not None:
        return "native", _binding.pybind_PollerName(), str(_reason)
    why = _reason or "this thread is still loading the engine"
    return "portable", "poll" if hasattr(select, "poll") else "select", why


def serve(namespace: Namespace, timeout: Any, use_poll: bool, map: Map, count: int | None) -> None:
    """Make passes over `map` until it is empty, at most `count`; see `asyncore.loop`.

    `namespace` is that of the asyncore module that was called.
    """
    if _reason is None:
        _choose()
    left = -1 if count is None else min(max(count, 0), sys.maxsize)
    while map and left:
        if _binding is None:
            _portable.passes(namespace, timeout, use_poll, map, None if left < 0 else left)
            return
        done = _binding.run(namespace, timeout, use_poll, map, left, False)
        if done == _FINISHED:
            return
        if left > 0:
            left -= done
        if map and left:
            why = _why_portable(namespace, timeout, map)
            _portable.passes(namespace, timeout, use_poll, map, 1, why)
            left -= left > 0


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """As `serve`, with the meaning of `asyncore.poll`."""
    serve(namespace, timeout, False, map, count)


def poll_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """As `serve`, with the meaning of `asyncore.poll2`."""
    serve(namespace, timeout, True, map, count)


def _all_portable() -> None:
    """Make every pass of this process portable from now on, without further checks."""
    _first_pass.use(_portable.passes, _portable.select_passes, _portable.poll_passes)


def settle(namespace: Namespace, map: Map) -> tuple[int, int, float, int]:
    """Make one pass that does not wait, for an asyncio loop that waits instead.

    Returns the descriptor that becomes readable when the next pass has something to do, a number
    that rises when this descriptor is another file, the seconds after which to make the pass in any
    case (negative: never), and the number of channels whose own predicates are called in each pass.
    The descriptor is -1 if the pass was portable.
    """
    _choose()
    binding = _binding  # a handler may fork
    if binding is not None and type(map) is dict and intact(namespace):
        binding.run(namespace, 0.0, False, map, 1, True)
        outlook: tuple[int, int, float, int] | None = binding.outlook(map)
        if outlook is not None:
            return outlook
    if map:
        _portable.passes(namespace, 0, False, map, 1, _why_portable(namespace, 0, map))
    else:
        _portable_waker.call_due(map)
    return -1, 0, -1.0, len(map)


def unsettle(map: Map) -> None:
    """End what `settle` began: the asyncio loop does not wait any more."""
    if _binding is not None:
        _binding.unsettle(map)


def touch(map: Map) -> None:
    """Make the asyncio loop of this thread, which waits for the map, make a pass."""
    if _binding is not None:
        _binding.touch(map)


def _why_portable(namespace: Namespace, timeout: Any, map: Map) -> str:
    """Return why the engine, although it is loaded, makes no passes over the map now."""
    if type(map) is not dict:
        return f"the map is a {type(map).__name__}, not exactly a dict"
    for name, function in namespace.get("_own_tells", {}).items():
        if namespace.get(name) is not function:
            return f"asyncore.{name} has been replaced"
    if not intact(namespace):
        return "asyncore's select or time, or a function of theirs, has been replaced"
    if timeout is not None:
        if type(timeout) not in (int, float):
            return f"the timeout is a {type(timeout).__name__}"
        if not 0 <= timeout < _LONGEST:
            return f"the timeout is {timeout}"
    for key in list(map):
        if type(key) is not int:
            return f"a key of the map is a {type(key).__name__}, not an int"
    return "a loop over the map is under way, or one in this thread while greenlet is loaded"


def stats(map: Map) -> tuple[Any, ...]:
    """Return the fields of `goasyncore.stats()`."""
    counts = _stats.counts_of(map)
    made = counts.made()
    engine = None if _binding is None else _binding.stats(map)
    both = made if engine is None else [sum(pair) for pair in zip(made, engine, strict=True)]
    all_are = _binding is None and made[0]
    return (*both, made[0], str(_reason) if all_are else counts.why)


def _after_fork_in_child() -> None:
    global _binding, _decider, _lock, _reason
    _lock, _decider = allocate_lock(), 0  # another thread may have held it
    _timers.forked()
    _slow_handler.forked()
    if _binding is not None:
        _binding = None
        _reason = "the process was forked after the engine had started"
        _all_portable()


_genuine.system.register_at_fork(after_in_child=_after_fork_in_child)
