"""The way to the first pass, which imports the modules that make passes.

They would be half of asyncore's import. But a program may change its root, its path or its user
before the first pass, or use up its descriptors. So asyncore's import reads their sources, which is
quick, and the first pass compiles these where an import does not find the modules any more.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import module_from_spec
from _thread import RLock

from . import _genuine as _genuine  # notes the functions that programs replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType
    from typing import Any

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

__all__ = ["in_turn", "load", "poll_passes", "select_passes", "serve", "use"]

# Each imports only those before it.
_NEEDED = (
    *("_turns", "_logger", "_slow_handler", "_timers", "_portable_waker", "_stats"),
    *("_portable_registered", "_portable_poll", "_portable_select_wait", "_portable_select"),
    *("_portable", "_callbacks", "_native"),
)


def load() -> Any:
    """Import what makes passes, and what schedules calls. Returns `_native`."""
    global _loaded
    if _loaded is None:
        with _lock:
            package = __import__(str(__package__))  # anew, if it was taken out of sys.modules
            module: Any = None
            try:  # noqa: SIM105 - contextlib would have to be imported
                _import("fcntl", None)
            except ImportError:
                pass  # as on Windows, or with another root
            for name in _NEEDED:
                module = _import(f"{__package__}.{name}", package.__path__)
                setattr(package, name, module)
            use(module.serve, module.select_passes, module.poll_passes)
            _loaded = module
            _sources.clear()
    return _loaded


def _import(name: str, path: Any) -> ModuleType:
    """Do what `import` does, without its locks.

    If a signal handler raises an exception in the middle of an `import`, the lock of the module may
    stay locked, and another thread waits for it without an end. Here the next pass begins again.
    """
    if name not in sys.modules:
        try:
            spec = _found(name, path)
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
        except (ImportError, OSError):
            if name not in _sources:
                raise
            file, source = _sources[name]
            kind: Any = type(__spec__)
            spec = kind(name, None, origin=file)
            spec.has_location = True  # so that the module gets a __file__
            module = module_from_spec(spec)
            exec(compile(source, file, "exec"), vars(module))
        sys.modules.setdefault(name, module)
    return sys.modules[name]


def _found(name: str, path: Any) -> Any:
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)  # as an import: not every finder has one
        spec = find_spec and find_spec(name, path)
        if spec is not None:
            return spec
    raise ModuleNotFoundError(name=name)


# What asyncore calls until the modules are imported.


def _first(name: str) -> Callable[..., None]:
    return lambda *arguments: getattr(load(), name)(*arguments)


serve, select_passes, poll_passes = _first("serve"), _first("select_passes"), _first("poll_passes")
in_turn = _first("in_turn")


def use(
    loop: Callable[..., None], by_select: Callable[..., None], by_poll: Callable[..., None]
) -> None:
    """Make all passes with these functions from now on."""
    global poll_passes, select_passes, serve
    serve, select_passes, poll_passes = loop, by_select, by_poll


def _forked() -> None:
    global _lock
    _lock = RLock()  # another thread may have held it


def _contents(file: str) -> bytes:
    try:
        fd = os.open(file, os.O_RDONLY)  # a fourth of the loader's time
    except OSError:
        return _loader.get_data(file)  # type: ignore[no-any-return] # from an archive
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
_loaded: Any = None
_lock = RLock()
_sources: dict[str, tuple[str, bytes]] = {}  # file and contents
try:
    _loader: Any = __spec__.loader
    for _name in _NEEDED:
        _file = f"{__file__.removesuffix('_first_pass.py')}{_name}.py"
        _sources[f"{__package__}.{_name}"] = _file, _contents(_file)
except Exception:  # of a loader that has no sources, as in a frozen program
    from . import _callbacks, _native  # noqa: F401
