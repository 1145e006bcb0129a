"""The map that a function of goasyncore is about."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["are_ours", "checked"]

_OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_warned = False


def checked(map: Map | None) -> Map:
    """The map, or `asyncore.socket_map`. Raises `TypeError` for what channels cannot be put into.

    Warns, once per process, where the loops are not ours and do nothing that goasyncore says.
    """
    are_ours()
    if map is None:
        import asyncore

        return asyncore.socket_map
    kind = type(map)
    # As much as asyncore itself asks of one.
    if not all(hasattr(kind, name) for name in ("items", "__setitem__", "__delitem__")):
        raise TypeError(f"a map of channels is needed, not {kind.__name__}")
    return map


def are_ours() -> bool:
    """Whether the asyncore in force is ours."""
    global _warned
    import asyncore

    if hasattr(asyncore, "_own_tells"):
        return True
    if not _warned:
        _warned = True
        import warnings

        from . import _installed

        warnings.warn(
            f"{asyncore.__file__} is not goasyncore's: its loop does nothing that goasyncore is "
            f"asked for; `{_installed.python()} -m goasyncore` says what cures it",
            RuntimeWarning,
            skip_file_prefixes=(_OURS,),
        )
    return False
