"""Tells what a class's predicates come down to, so that the engine need not call all of them.

Ours are known by the functions themselves. `def writable(self): return False` is what most
subclasses have instead: what a function's code looks like that returns a constant is CPython's
inside, so samples are compiled here and compared with.
"""

from __future__ import annotations

import sys
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["chat_seen", "constant", "rules_of"]

# pybind's ga_rule
_ASK, _NO, _YES, _SENDER, _CHAT = range(5)
_RULES = {
    "dispatcher": (_YES, _YES),
    "dispatcher_with_send": (_YES, _SENDER),
    "async_chat": (_YES, _CHAT),
}

# Called with asynchat's namespace when a class has async_chat's writable(). Set by _native.
chat_seen: Callable[[dict[str, Any]], None] | None = None


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


def rules_of(cls: type) -> tuple[int, int]:
    """What the class's readable() and writable() come down to."""
    return _rule_of(cls, "readable", 0), _rule_of(cls, "writable", 1)


def _rule_of(cls: type, name: str, at: int) -> int:
    function = None
    for base in reversed(cls.__mro__):
        function = vars(base).get(name, function)
    returns = constant(function)
    rule = _ASK if returns is None else _YES if returns else _NO
    try:
        namespace: dict[str, Any] = function.__globals__  # type: ignore[union-attr]
        for pair, kind in namespace["_own_predicates"].items():
            if pair[at] is function:
                rule = _RULES[kind][at]
    except Exception:  # of any kind: what stands for a predicate may be anything
        return rule
    asynchat = sys.modules.get("asynchat")
    if rule == _CHAT and namespace is getattr(asynchat, "__dict__", None) and chat_seen is not None:
        chat_seen(namespace)
    return rule
