"""The way to the first pass, which imports the modules that make passes.

They would be half of asyncore's import. But a program may change its root, its path or its user
before the first pass, or use up its descriptors. So asyncore's import reads their sources, which is
quick, and the first pass compiles these where an import does not find the modules any more.
"""

from __future__ import annotations

import sys

from . import _genuine as _genuine  # notes the functions that programs replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from types import ModuleType
    from typing import Any

    type Namespace = dict[str, Any]
    type Map = MutableMapping[Any, Any]

__all__ = ["load", "poll_passes", "select_passes", "serve", "use"]

_NEEDED = (
    *("_callbacks", "_logger", "_native", "_portable", "_portable_poll", "_portable_select"),
    *("_portable_waker", "_slow_handler", "_stats", "_timers"),
)


class _Sources:
    """A finder and loader for `sys.meta_path`, of the modules whose sources were read."""

    def __init__(self, folder: str, read: Callable[[str], bytes]) -> None:
        self.files = {f"{__package__}.{name}": f"{folder}{name}.py" for name in _NEEDED}
        self.sources = {name: read(file) for name, file in self.files.items()}

    def find_spec(self, name: str, *_: object) -> Any:
        if name not in self.files:
            return None
        kind: Any = type(__spec__)
        spec = kind(name, self, origin=self.files[name])
        spec.has_location = True
        return spec

    def create_module(self, _: Any) -> None:
        """Leave that to the import."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        exec(compile(self.sources[name], self.files[name], "exec"), vars(module))


def load() -> Any:
    """Import what makes passes, and what schedules calls. Returns `_native`."""
    global _loaded, _sources
    if _loaded is None:
        sources = _sources
        try:
            from . import _callbacks, _native
        except (ImportError, OSError):
            if sources is None:
                raise
            sys.meta_path.insert(0, sources)
            try:
                from . import _callbacks, _native  # noqa: F401
            finally:
                sys.meta_path.remove(sources)
        _loaded, _sources = _native, None
    return _loaded


# What asyncore calls. `_native` replaces them, unless the program has taken this module out of
# `sys.modules` and the first pass has imported it anew.


def serve(namespace: Namespace, timeout: Any, use_poll: bool, map: Map, count: int | None) -> None:
    """See `_native.serve`."""
    load().serve(namespace, timeout, use_poll, map, count)


def select_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """See `_native.select_passes`."""
    load().select_passes(namespace, timeout, map, count)


def poll_passes(namespace: Namespace, timeout: Any, map: Map, count: int) -> None:
    """See `_native.poll_passes`."""
    load().poll_passes(namespace, timeout, map, count)


def use(
    loop: Callable[..., None], by_select: Callable[..., None], by_poll: Callable[..., None]
) -> None:
    """Make all passes with these functions from now on."""
    global poll_passes, select_passes, serve
    serve, select_passes, poll_passes = loop, by_select, by_poll


_loaded: Any = None
_sources: _Sources | None = None
try:
    _loader: Any = __spec__.loader
    _sources = _Sources(__file__.removesuffix("_first_pass.py"), _loader.get_data)
except Exception:  # of a loader that has no sources, as in a frozen program
    load()
