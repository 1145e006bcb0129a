"""Chooses the backend for a pass, and loads the engine at the first pass that needs it.

The engine contains a Go runtime, which has threads and so does not survive a fork. Because it is
loaded late, a program may import asyncore, fork, and then loop natively in the child. A process
that is forked later makes portable passes.

A program may change its root, its path or its modules before the first pass. So what a portable
pass needs is imported with asyncore, and the functions that programs replace are noted then. The
first pass only reads what the engine needs.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import warnings
from _thread import allocate_lock, start_new_thread
from collections import deque
from errno import EMFILE, ENFILE, ENOMEM
from types import BuiltinFunctionType

from . import _genuine, _portable, _portable_waker, _slow_handler, _stats, _timers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType
    from typing import Any

_CHOICES = ("auto", "native", "portable")

_FINISHED = -1  # run(): the map is empty, or as many passes were made as asked for
_RESERVED = 2 << 30  # bytes: 1.6e9 were measured with two processors; each thread needs a stack
_THREADS = 8  # those that Go starts at once, and a few more
_SHORTAGES = (EMFILE, ENFILE, ENOMEM)  # that pass
_LONGEST = 2e6  # seconds that both select and poll accept

_socket_class = socket.socket

_lock = allocate_lock()
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

    def handle_close(self) -> None:
        self._told.handle_close()

    def handle_error(self) -> None:
        self._told.handle_error()


def _wanted() -> str:
    wanted = os.environ.get("GOASYNCORE_BACKEND") or "auto"
    if wanted not in _CHOICES:
        raise ValueError(f"GOASYNCORE_BACKEND is {wanted!r}; it can be {', '.join(_CHOICES)}")
    return wanted


def _cannot_load() -> str | None:
    """Return why the engine must not be loaded here, whether or not it is installed."""
    if sys.implementation.name != "cpython":
        return f"the engine needs CPython, this is {sys.implementation.name}"
    if not _in_main_interpreter():
        return "the engine serves the main interpreter alone, and this is another one"
    if "t" in getattr(sys, "abiflags", ""):  # even with PYTHON_GIL=1
        return "the engine needs the GIL, and this is a free-threaded build of CPython"
    if not _has_address_space():
        return "the engine needs 2 GiB of address space, and RLIMIT_AS is less, or cannot be read"
    if not _has_threads():
        return f"the engine needs {_THREADS} threads, and the system gives no more"
    refusal = _refusal()
    return None if refusal is None else f"the engine cannot wait here: {refusal}"


def _refusal() -> OSError | None:
    """Try the system calls of the engine's wait before Go starts; a sandbox may refuse them."""
    try:
        if hasattr(select, "epoll"):
            select.epoll().close()
        if hasattr(os, "eventfd"):
            os.close(os.eventfd(0))
    except OSError as why:
        if why.errno not in _SHORTAGES:  # with those the engine waits with poll(2) and a pipe
            return why
    try:
        for end in os.pipe():
            os.close(end)
    except OSError as why:
        return why
    return None


def _has_threads() -> bool:
    """Return whether threads can be started; if not, Go would end the process."""
    if type(start_new_thread) is not BuiltinFunctionType:
        return True  # a scheduler's, which starts none
    gate, begun = allocate_lock(), []
    gate.acquire()

    def wait(ended: Any) -> None:
        with gate:
            ended.release()

    try:
        for _ in range(_THREADS):
            ended = allocate_lock()
            ended.acquire()
            start_new_thread(wait, (ended,))
            begun.append(ended)
    except RuntimeError:
        return False
    finally:
        gate.release()
        for ended in begun:
            ended.acquire()
    return True


def _has_address_space() -> bool:
    """Return whether Go can reserve its address space; if not, it would end the process."""
    try:
        import resource

        if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
            return True
        import mmap
    except ImportError:  # no room for these either, or not POSIX
        return os.name != "posix"
    try:
        mmap.mmap(-1, _RESERVED, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    except OSError:
        return False
    return True


def _in_main_interpreter() -> bool:
    # A second interpreter that shares the GIL could load the extension, and share its state.
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        current, main = module.get_current(), module.get_main()
        return bool(current == main)
    return True


def _decide() -> None:
    """Load the engine, or decide on portable passes; once per process. `_lock` is held."""
    global _binding, _reason
    wanted = _wanted()
    _slow_handler.ask_environment()
    _warn_if_mixed()
    if wanted == "portable":
        _reason = "GOASYNCORE_BACKEND asks for it"
        _all_portable()
        return
    obstacle = _cannot_load()
    if obstacle is None:
        try:
            binding = _load()
        except Exception as why:
            obstacle = f"the engine does not load: {type(why).__name__}: {why}"
            if isinstance(why, ImportError) and str(why.name).startswith(f"{__package__}."):
                obstacle = "the engine is not part of this installation, or cannot be read any more"
            elif wanted == "auto":
                warnings.warn(f"asyncore is slower than it could be: {obstacle}", RuntimeWarning, 5)
        else:
            _binding = binding
            _reason = f"the engine is loaded, GOASYNCORE_BACKEND is {wanted}"
            return
    if wanted == "native":
        raise ImportError(f"GOASYNCORE_BACKEND is native, but {obstacle}")
    _reason = obstacle
    _all_portable()


def _warn_if_mixed() -> None:
    try:
        from ._installed import warn_if_mixed
    except (ImportError, OSError):  # our files cannot be reached, nor can others
        return
    warn_if_mixed()


def _load() -> ModuleType:
    # The extension itself, because the module that gopy writes around it changes the directory.
    import asyncore
    import atexit

    # What portable passes do not need. It is imported first, because Go starts with the extension.
    # In this form the error names the module that was not found.
    import goasyncore._predicates as _predicates
    import goasyncore._probe_watchers as _probe_watchers

    import goasyncore._binding as binding  # type: ignore[import-not-found] # isort: skip

    tools = (
        *(_predicates.rules_of, _Aftermath, intact, _timers.run, deque, asyncore._Backlog),
        (*asyncore._own_methods, _socket_class),
        binding,
    )
    _predicates.chat_seen = _set_up_chat
    binding.pybind_Setup(id(tools), False)
    atexit.register(binding.end)
    binding.pybind_Trust(_probe_watchers.trusted_level(binding), False)
    _timers.engine_loaded(binding.due)
    _slow_handler.engine_loaded(binding.watch)
    return binding  # type: ignore[no-any-return]


def _set_up_chat(asynchat: dict[str, Any]) -> None:
    """Set up asynchat's native calls, when the first of its channels is seen."""
    global _chat_is_set_up
    if not _chat_is_set_up and _binding is not None:
        _chat_is_set_up = True
        tools = asynchat["_own_methods"]
        _binding.pybind_SetupChat(id(tools), False)


def intact(namespace: dict[str, Any]) -> bool:
    """Return whether the engine can make a pass for this asyncore module."""
    own: dict[str, Any] = namespace.get("_own_tells", {"_own_tells": ...})
    # No generator here and in genuine(): CPython 3.12 crashes when there is no memory to make one.
    for name, function in own.items():
        if namespace.get(name) is not function:
            return False
    return _genuine.genuine(namespace)


def _choose() -> None:
    with _lock:
        if _reason is None:
            _decide()


def report() -> tuple[str, str, str]:
    """Return the backend's name, poller and reason."""
    _choose()
    if _binding is not None:
        return "native", _binding.pybind_PollerName(), str(_reason)
    return "portable", "poll" if hasattr(select, "poll") else "select", str(_reason)


def serve(
    namespace: dict[str, Any],
    timeout: Any,
    use_poll: bool,
    map: MutableMapping[Any, Any],
    count: int | None,
) -> None:
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


def select_passes(
    namespace: dict[str, Any], timeout: Any, map: MutableMapping[Any, Any], count: int
) -> None:
    """As `serve`, with the meaning of `asyncore.poll`."""
    serve(namespace, timeout, False, map, count)


def poll_passes(
    namespace: dict[str, Any], timeout: Any, map: MutableMapping[Any, Any], count: int
) -> None:
    """As `serve`, with the meaning of `asyncore.poll2`."""
    serve(namespace, timeout, True, map, count)


def _all_portable() -> None:
    """Make every pass of this process portable from now on, without further checks."""
    global poll_passes, select_passes, serve
    serve = _portable.passes
    select_passes, poll_passes = _portable.select_passes, _portable.poll_passes


def settle(namespace: dict[str, Any], map: MutableMapping[Any, Any]) -> tuple[int, float, int]:
    """Make one pass that does not wait, for an asyncio loop that waits instead.

    Returns the descriptor that becomes readable when the next pass has something to do, the seconds
    after which to make it in any case (negative: never), and the number of channels whose own
    predicates are called in each pass. The descriptor is -1 if the pass was portable.
    """
    _choose()
    binding = _binding  # a handler may fork
    if binding is not None and type(map) is dict and intact(namespace):
        binding.run(namespace, 0.0, False, map, 1, True)
        outlook: tuple[int, float, int] | None = binding.outlook(map)
        if outlook is not None:
            return outlook
    if map:
        _portable.passes(namespace, 0, False, map, 1, _why_portable(namespace, 0, map))
    else:
        _portable_waker.call_due(map)
    return -1, -1.0, len(map)


def unsettle(map: MutableMapping[Any, Any]) -> None:
    """End what `settle` began: the asyncio loop does not wait any more."""
    if _binding is not None:
        _binding.unsettle(map)


def touch(map: MutableMapping[Any, Any]) -> None:
    """Make the asyncio loop of this thread, which waits for the map, make a pass."""
    if _binding is not None:
        _binding.touch(map)


def _why_portable(namespace: dict[str, Any], timeout: Any, map: MutableMapping[Any, Any]) -> str:
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


def stats(map: MutableMapping[Any, Any]) -> tuple[Any, ...]:
    """Return the fields of `goasyncore.stats()`."""
    counts = _stats.counts_of(map)
    made = [counts.passes, counts.events, counts.asked, counts.changes, counts.wakes]
    engine = None if _binding is None else _binding.stats(map)
    both = made if engine is None else [sum(pair) for pair in zip(made, engine, strict=True)]
    all_are = _binding is None and counts.passes
    return (*both, counts.passes, str(_reason) if all_are else counts.why)


def _after_fork_in_child() -> None:
    global _binding, _lock, _reason
    _lock = allocate_lock()  # another thread may have held it
    _timers.forked()
    _slow_handler.forked()
    if _binding is not None:
        _binding = None
        _reason = "the process was forked after the engine had started"
        _all_portable()


os.register_at_fork(after_in_child=_after_fork_in_child)
