"""Tells which predicates return a constant: those need not be called to know what they say.

`def writable(self): return False` is what most subclasses override. What such a function's code
looks like is CPython's inside, so samples are compiled here and compared with.
"""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["constant"]


def _true(self: object) -> bool:
    return True


def _small(self: object) -> int:
    return 1


def _large(self: object) -> int:
    return 100_000


def _nothing(self: object) -> None:
    return None


# The operations alone; the argument of the one that loads the constant says which one it is.
_SHAPES = {function.__code__.co_code[::2] for function in (_true, _small, _large, _nothing)}
_OTHER_KINDS = 0x4 | 0x8 | 0x20 | 0x80 | 0x200  # *args, **kwargs; generators and coroutines
_CONSTANTS = (bool, int, type(None), str, bytes, float, tuple)


def constant(function: Any) -> bool | None:
    """The truth of what the function returns whatever it is called with; `None`: that depends."""
    if type(function) is not FunctionType:
        return None
    code = function.__code__
    if (
        code.co_argcount != 1
        or code.co_kwonlyargcount
        or code.co_flags & _OTHER_KINDS
        or code.co_code[::2] not in _SHAPES
    ):
        return None
    value = function(None)
    return bool(value) if type(value) in _CONSTANTS else None
