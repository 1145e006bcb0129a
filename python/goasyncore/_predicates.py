"""Finds out what a class's `readable()` and `writable()` read.

The engine need not call these predicates again while that does not change. Our own predicates are
known. For other functions, `_bytecode` finds out what they read, and this module checks it for one
class: attributes must be plain, `len` and `bool` must be the builtins, and methods of the channel,
of `super()` or of a base class that are called must be functions of this kind themselves.
`explain()` returns the reason why a predicate is called in each pass.

There are no generators here, because CPython 3.12 crashes if there is no memory to make one.
"""

from __future__ import annotations

import sys
from _operator import truth
from builtins import len  # the program may replace the builtin one
from types import BuiltinFunctionType, FunctionType, ModuleType

from . import _bytecode, _operations
from ._operations import Unclear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["chat_seen", "constant", "explain", "rules_of"]

# pybind's ga_rule
_ASK, _YES, _SENDER, _CHAT, _PLAN = range(5)
_RULES = {
    "dispatcher": (_YES, _YES),
    "dispatcher_with_send": (_YES, _SENDER),
    "async_chat": (_YES, _CHAT),
}

# pybind's ga_dep_kind
_ATTRIBUTE, _METHOD, _AFTER, _OF, _GLOBAL, _CELL, _FUNCTION = range(7)

# Called with asynchat's namespace when a class has async_chat's writable(). Set by _native.
chat_seen: Callable[[dict[str, Any]], None] | None = None

_NAMES = ("readable", "writable")
_HOOKS = ("__getattribute__", "__getattr__")
_MISSING = object()
_DEPTH = 8  # nested calls
_SIMPLE = (bool, int, float, complex, str, bytes, type(None), type(...))
_TRUE = (FunctionType, type(len), type)  # their truth never changes
_BUILTINS = {"len": len, "bool": bool, "super": super}
_IMMUTABLE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE

# The class's own values, even if its metaclass overrides the attributes.
_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_vars: Callable[[type], Any] = type.__dict__["__dict__"].__get__


class _Plan:
    """What a predicate of a class depends on. Raises `Unclear` if that cannot be found out."""

    def __init__(self, mro: tuple[type, ...], function: Any) -> None:
        self.mro = mro
        self.attributes: dict[str, int] = {}
        self.others: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # in the order of discovery
        for name in self.visit(function, 0):
            self.attribute(name, _operations.TRUTH)

    def dependencies(self) -> tuple[tuple[Any, ...], ...]:
        """For pybind: (kind, where, beyond, name, what counts)."""
        attributes = [(_ATTRIBUTE, None, None, *item) for item in self.attributes.items()]
        return (*attributes, *[(*other, 0) for other in self.others.values()])

    def note(self, kind: int, where: Any, beyond: Any, name: Any) -> None:
        # By identity: what is held need not be hashable.
        self.others[kind, id(where), name] = (kind, where, beyond, name)

    def visit(self, function: Any, depth: int) -> set[str]:
        """Analyse a function that is called. Returns the attributes that it may return."""
        if type(function) is not FunctionType:
            raise Unclear("is not a plain function, or calls one that is not")
        if depth > _DEPTH:
            raise Unclear("calls itself, or is too complicated")
        reads = _bytecode.analysed(function.__code__)
        self.note(_FUNCTION, function, None, None)
        for name in reads.builtins:
            value = self.value_of(function, (name,))
            # The program may have replaced it before this module was imported.
            if value is not _BUILTINS[name] or type(value) not in (BuiltinFunctionType, type):
                raise Unclear(f"calls {name}(), which is not the builtin one")
        results = {call: self.visit(self.target(function, call), depth + 1) for call in reads.calls}
        for source, counts in reads.counts.items():
            if isinstance(source, str):
                self.attribute(source, counts)
            elif source[0] == "call":
                for name in results[source[1]]:
                    self.attribute(name, counts)
            else:
                self.constant(function, source, counts)
        returned: set[str] = set()
        for source in reads.returned:
            if isinstance(source, str):
                returned.add(source)
            elif source[0] == "call":
                returned |= results[source[1]]
            else:
                self.constant(function, source, _operations.VALUE)
        return returned

    def attribute(self, name: str, counts: int) -> None:
        kind = type(_lookup(self.mro, name))
        if not kind.__flags__ & _IMMUTABLE:
            raise Unclear(f"reads self.{name}, of a class that may become a descriptor")
        for method in ("__get__", "__set__", "__delete__"):
            if hasattr(kind, method):
                raise Unclear(f"reads self.{name}, which is computed")
        self.attributes[name] = max(counts, self.attributes.get(name, 0))

    def target(self, function: Any, call: tuple[Any, ...]) -> Any:
        name = call[-1]
        if call[0] == "method":
            self.note(_METHOD, None, None, name)
            return _lookup(self.mro, name)
        if call[0] == "super":
            anchor = self.value_of(function, call[1][1:], call[1][0])
            for at, base in enumerate(self.mro):
                if base is anchor:
                    self.note(_AFTER, anchor, None, name)
                    return _lookup(self.mro[at + 1 :], name)
        else:
            anchor = self.value_of(function, call[1:-1])
            for base in self.mro:
                if base is anchor:
                    self.note(_OF, anchor, None, name)
                    return _lookup(_mro(base), name)
        raise Unclear(f"calls {name}() of another object")

    def constant(self, function: Any, source: tuple[str, ...], counts: int) -> None:
        if source[0] == _operations.CELL:
            raise Unclear(f"reads {source[1]}, a variable of an enclosing function")
        value = self.value_of(function, source[1:])
        if counts != _operations.IDENTITY and not (
            _is_simple(value) or (counts == _operations.TRUTH and type(value) in _TRUE)
        ):
            raise Unclear(f"reads {'.'.join(source[1:])}, which is not a constant")

    def value_of(self, function: Any, path: tuple[str, ...], kind: str = _operations.GLOBAL) -> Any:
        """Look up a global, an attribute of a module in a global, or the variable `__class__`."""
        if kind == _operations.CELL:
            cell = function.__closure__[function.__code__.co_freevars.index(path[0])]
            self.note(_CELL, cell, None, None)
            return cell.cell_contents if path[0] == "__class__" else None
        space, beyond = function.__globals__, function.__builtins__
        value: Any = _MISSING
        for name in path:
            if space is None or type(space) is not dict:
                break
            self.note(_GLOBAL, space, beyond, name)
            value = space.get(name, _MISSING)
            if value is _MISSING and beyond is not None:
                value = beyond.get(name, _MISSING)
            space, beyond = vars(value) if type(value) is ModuleType else None, None
        else:
            if value is not _MISSING:
                return value
        raise Unclear(f"reads {'.'.join(path)}")


def _lookup(mro: tuple[type, ...], name: str) -> Any:
    for base in mro:
        found = _vars(base).get(name, _MISSING)
        if found is not _MISSING:
            return found
    return _MISSING


def _is_simple(value: Any, depth: int = 3) -> bool:
    """Return whether a different value is always a different object."""
    if type(value) in (tuple, frozenset):
        return depth > 0 and False not in [_is_simple(item, depth - 1) for item in value]
    return type(value) in _SIMPLE


def rules_of(cls: type) -> tuple[Any, ...]:
    """Return for readable() and writable(): pybind's ga_rule, what it depends on, and its result.

    The result is None if the function has to be called to get it.
    """
    mro = _mro(cls)
    return _rule_of(mro, "readable", 0), _rule_of(mro, "writable", 1)


def _rule_of(mro: tuple[type, ...], name: str, at: int) -> tuple[int, Any, bool | None]:
    function = _lookup(mro, name)
    try:
        namespace: dict[str, Any] = function.__globals__
        for pair, kind in namespace["_own_predicates"].items():
            if pair[at] is function.__code__:
                rule = _RULES[kind][at]
                asynchat = sys.modules.get("asynchat")
                if rule == _CHAT and namespace is getattr(asynchat, "__dict__", None) and chat_seen:
                    chat_seen(namespace)
                return rule, None, None
    except Exception:  # any kind: a program may use any object as a predicate
        pass
    try:
        plan = _plan_of(mro, function)
    except Unclear:
        return _ASK, None, None
    return _PLAN, plan.dependencies(), constant(function)


def _plan_of(mro: tuple[type, ...], function: Any) -> _Plan:
    for base in mro[:-1]:
        if not _vars(base).keys().isdisjoint(_HOOKS):
            raise Unclear("belongs to a class with __getattr__ or __getattribute__")
    return _Plan(mro, function)


def constant(function: FunctionType) -> bool | None:
    """Return the truth of what the function always returns; `None` if it can differ."""
    try:
        reads = _bytecode.analysed(function.__code__)
    except Unclear:
        return None
    if reads.counts or reads.calls or reads.builtins or reads.returned:
        return None
    try:
        return truth(function(None))
    except Exception:  # such as that of 1 / 0, which the loop raises
        return None


def explain(what: Any) -> str | None:
    """Return why a predicate is called in each pass, as a phrase; None if it is not.

    For a class, both of its predicates are analysed; for a function, as far as possible without it.
    """
    if not isinstance(what, type):
        if type(what) is not FunctionType:
            return "it is not a plain function"
        try:
            _bytecode.analysed(what.__code__)
        except Unclear as why:
            return f"it {why}"
        return None
    mro = _mro(what)
    for at, name in enumerate(_NAMES):
        if _rule_of(mro, name, at)[0] == _ASK:
            try:
                _plan_of(mro, _lookup(mro, name))
            except Unclear as why:
                return f"{name}() {why}"
    return None
