"""Finds out whether the engine can be loaded into this process.

Go ends a process with too little address space, or in which it can start no thread. So what it
needs is tried before.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, start_new_thread
from errno import EMFILE, ENFILE, ENOMEM
from types import BuiltinFunctionType

from . import _genuine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ENDING", "obstacle"]

ENDING = "the interpreter is ending"

_RESERVED = 2 << 30  # bytes: 1.6e9 were measured with two processors; each thread needs a stack
_THREADS = 8  # those that Go starts at once, and a few more
_SHORTAGES = (EMFILE, ENFILE, ENOMEM)  # that pass


def obstacle() -> str | None:
    """Return why the engine must not be loaded here, whether or not it is installed."""
    if sys.implementation.name != "cpython":
        return f"the engine needs CPython, this is {sys.implementation.name}"
    if not _in_main_interpreter():
        return "the engine serves only the main interpreter, and this is another one"
    if "t" in getattr(sys, "abiflags", ""):  # even with PYTHON_GIL=1
        return "the engine needs the GIL, and this is a free-threaded build of CPython"
    if not _has_address_space():
        return "the engine needs 2 GiB of address space, and RLIMIT_AS is less, or cannot be read"
    try:
        has_threads = _has_threads()
    except RuntimeError:
        return ENDING
    if not has_threads:
        return f"the engine needs {_THREADS} threads, and the system refuses to start them"
    refusal = _refusal()
    return None if refusal is None else f"the engine needs a system call that is refused: {refusal}"


def _refusal() -> OSError | None:
    """Try the system calls of the engine's wait before Go starts; a sandbox may refuse them."""
    try:
        if _genuine.own_epoll is not None:
            _genuine.own_epoll().close()
        if hasattr(_genuine.system, "eventfd"):
            _genuine.system.close(_genuine.system.eventfd(0))
    except OSError as why:
        if why.errno not in _SHORTAGES:  # with those the engine waits with poll(2) and a pipe
            return why
    try:
        for end in _genuine.system.pipe():
            _genuine.system.close(end)
    except OSError as why:
        return why
    return None


def _has_threads() -> bool:
    """Return whether threads can be started; if not, Go would end the process.

    Raises `RuntimeError` if CPython starts none any more, because it is ending.
    """
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
    except RuntimeError as why:
        if "shutdown" in str(why):
            raise
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
