"""What each operation of CPython's bytecode does, as far as predicates may use it.

`OPERATIONS` is the table, by CPython's names. An operation that is missing there, for example one
of a newer CPython, makes `_bytecode` give up. The functions get a `_bytecode.Walk`, whose stack has
what is known of the values in place of the values.
"""

from __future__ import annotations

import sys
from builtins import len  # the program may replace the builtin one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._bytecode import Walk

__all__ = [
    "CELL",
    "GLOBAL",
    "IDENTITY",
    "METHOD",
    "OPERATIONS",
    "READ",
    "REASONS",
    "SELF",
    "SUPER",
    "TRUTH",
    "VALUE",
    "Unclear",
]

# Which aspect of a value matters: each includes the one before it. pybind has the same numbers.
IDENTITY, TRUTH, VALUE = range(3)

# What is known about a value on the stack: a tuple that begins with one of these.
SELF = ("self",)
_NULL = ("null",)
READ = "read"  # (READ, sources): read from one of these, or made of constants if there are none
GLOBAL = "global"  # (GLOBAL, name, attribute, ...)
CELL = "cell"  # (CELL, name)
METHOD = "method"  # (METHOD, name): of self
SUPER = "super"  # (SUPER, class, name): of super(class, self)
_PLAIN: tuple[str, frozenset[Any]] = (READ, frozenset())

_BUILTINS = ("len", "bool")
_CONSTANTS = (
    *(bool, int, float, complex, str, bytes, tuple, frozenset, slice, type(None), type(...)),
)

REASONS = {
    "STORE_ATTR": "sets an attribute",
    "DELETE_ATTR": "deletes an attribute",
    "STORE_GLOBAL": "sets a global variable",
    "STORE_SUBSCR": "sets an item",
    "DELETE_SUBSCR": "deletes an item",
    "GET_ITER": "has a loop",
    "FOR_ITER": "has a loop",
    "JUMP_BACKWARD": "has a loop",
    "RAISE_VARARGS": "raises an exception",
    "IMPORT_NAME": "imports a module",
    "MAKE_FUNCTION": "makes a function",
    "MAKE_CELL": "makes a function",
    "CALL_KW": "makes a call with keywords",
    "KW_NAMES": "makes a call with keywords",
    "CALL_FUNCTION_EX": "makes a call with *",
    "BUILD_LIST": "makes a list",
    "BUILD_MAP": "makes a dict",
    "BUILD_SET": "makes a set",
}
"""Why a function with one of these operations is called each time."""


class Unclear(Exception):
    """Why a function has to be called each time: what it does, to complete `readable() ...`."""


def _load(walk: Walk, at: int) -> None:
    value = walk.locals[at] if at < len(walk.locals) else None
    if value is None:
        raise Unclear("reads a variable that may not be set")
    walk.push(value)


def _store(walk: Walk, at: int) -> None:
    walk.locals[at] = walk.pop()


def _both(first: Callable[[Walk, int], None], second: Callable[[Walk, int], None]) -> Any:
    """Return the operation that does these two, each with its half of the argument."""

    def operation(walk: Walk, argument: int) -> None:
        first(walk, argument >> 4)
        second(walk, argument & 15)

    return operation


def _constant(walk: Walk, _: int = 0) -> None:
    walk.push(_PLAIN)


def _load_const(walk: Walk, at: int) -> None:
    if type(walk.code.co_consts[at]) not in _CONSTANTS:
        raise Unclear("makes a function")
    walk.push(_PLAIN)


def _load_common(walk: Walk, at: int) -> None:
    import opcode

    value = opcode._common_constants[at]  # type: ignore[attr-defined]
    if type(value) not in _CONSTANTS:
        raise Unclear("makes a call")
    walk.push(_PLAIN)


def _load_global(walk: Walk, argument: int) -> None:
    pair = [(GLOBAL, walk.code.co_names[argument >> 1]), _NULL]
    if not argument & 1:
        del pair[1]
    walk.stack += pair if sys.version_info >= (3, 13) else reversed(pair)


def _load_deref(walk: Walk, at: int) -> None:
    # CPython numbers them after the local variables; cells of arguments have been refused.
    walk.push((CELL, walk.code.co_freevars[at - len(walk.code.co_varnames)]))


def _load_attr(walk: Walk, argument: int) -> None:
    name, owner = walk.code.co_names[argument >> 1], walk.pop()
    if owner == SELF:
        if argument & 1:
            walk.push((METHOD, name))
        else:
            walk.reads.counts.setdefault(name, IDENTITY)
            walk.push((READ, frozenset((name,))))
    elif owner[0] == GLOBAL:
        walk.push((*owner, name))
    else:
        raise Unclear(f"reads .{name} of another object")
    if argument & 1:
        walk.push(_NULL)


def _load_super_attr(walk: Walk, argument: int) -> None:
    channel, kind, name = walk.pop(), walk.pop(), walk.code.co_names[argument >> 2]
    if walk.pop() != (GLOBAL, "super") or channel != SELF or kind[0] not in (CELL, GLOBAL):
        raise Unclear("uses super() in another way")
    if not argument & 1:
        raise Unclear(f"reads super().{name} without calling it")
    walk.reads.builtins.add("super")
    walk.push((SUPER, kind, name))
    walk.push(_NULL)


def _call(walk: Walk, count: int) -> None:
    arguments = [walk.pop() for _ in range(count)]
    pair = walk.pop(), walk.pop()  # the callable and a null, in either order
    if _NULL not in pair:
        raise Unclear("makes a call")
    called = pair[pair[0] == _NULL]
    if called[0] == GLOBAL and len(called) == 2 and called[1] in _BUILTINS and count == 1:
        walk.use(arguments[0], TRUTH)
        walk.reads.builtins.add(called[1])
        walk.push(_PLAIN)
    elif (called[0] in (METHOD, SUPER) and not count) or (
        called[0] == GLOBAL and len(called) > 2 and arguments == [SELF]
    ):
        walk.reads.calls.append(called)
        walk.push((READ, frozenset((("call", called),))))
    elif called[0] == GLOBAL:
        raise Unclear(f"calls {'.'.join(called[1:])}()")
    else:
        raise Unclear(f"calls self.{called[1]}()" if called[0] == METHOD else "makes a call")


def _using(*aspects: int) -> Callable[[Walk, int], None]:
    """Return the operation that makes a new value of so many others, of which this matters."""

    def operation(walk: Walk, _: int) -> None:
        for aspect in aspects:
            walk.use(walk.pop(), aspect)
        walk.push(_PLAIN)

    return operation


def _build_tuple(walk: Walk, count: int) -> None:
    _using(*[VALUE] * count)(walk, 0)


def _copy(walk: Walk, depth: int) -> None:
    walk.push(walk.stack[-depth])


def _swap(walk: Walk, depth: int) -> None:
    walk.stack[-1], walk.stack[-depth] = walk.stack[-depth], walk.stack[-1]


def _drop(walk: Walk, _: int) -> None:
    walk.pop()


def _nothing(walk: Walk, _: int) -> None:
    pass


def _jump_if(aspect: int) -> Callable[[Walk, int], None]:
    def operation(walk: Walk, _: int) -> None:
        walk.use(walk.pop(), aspect)
        walk.jump()

    return operation


def _jump_always(walk: Walk, _: int) -> bool:
    walk.jump()
    return False


def _return_value(walk: Walk, _: int) -> bool:
    walk.reads.returned |= walk.sources(walk.pop())
    return False


def _return_const(walk: Walk, at: int) -> bool:
    _load_const(walk, at)
    return _return_value(walk, 0)


# They get the argument of the instruction, and return False if the next one is not reached.
OPERATIONS: dict[str, Callable[[Walk, int], bool | None]] = {
    "RESUME": _nothing,
    "NOP": _nothing,
    "NOT_TAKEN": _nothing,
    "COPY_FREE_VARS": _nothing,
    "PUSH_NULL": lambda walk, _: walk.push(_NULL),
    "POP_TOP": _drop,
    "COPY": _copy,
    "SWAP": _swap,
    "LOAD_FAST": _load,
    "LOAD_FAST_CHECK": _load,
    "LOAD_FAST_BORROW": _load,
    "LOAD_FAST_LOAD_FAST": _both(_load, _load),
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": _both(_load, _load),
    "STORE_FAST": _store,
    "STORE_FAST_LOAD_FAST": _both(_store, _load),
    "STORE_FAST_STORE_FAST": _both(_store, _store),
    "LOAD_CONST": _load_const,
    "LOAD_SMALL_INT": _constant,
    "LOAD_COMMON_CONSTANT": _load_common,
    "LOAD_GLOBAL": _load_global,
    "LOAD_DEREF": _load_deref,
    "LOAD_ATTR": _load_attr,
    "LOAD_SUPER_ATTR": _load_super_attr,
    "CALL": _call,
    "TO_BOOL": _using(TRUTH),
    "UNARY_NOT": _using(TRUTH),
    "UNARY_NEGATIVE": _using(VALUE),
    "UNARY_INVERT": _using(VALUE),
    "COMPARE_OP": _using(VALUE, VALUE),
    "CONTAINS_OP": _using(VALUE, VALUE),
    "BINARY_OP": _using(VALUE, VALUE),
    "BINARY_SUBSCR": _using(VALUE, VALUE),
    "BINARY_SLICE": _using(VALUE, VALUE, VALUE),
    "IS_OP": _using(IDENTITY, IDENTITY),
    "BUILD_TUPLE": _build_tuple,
    "POP_JUMP_IF_TRUE": _jump_if(TRUTH),
    "POP_JUMP_IF_FALSE": _jump_if(TRUTH),
    "POP_JUMP_IF_NONE": _jump_if(IDENTITY),
    "POP_JUMP_IF_NOT_NONE": _jump_if(IDENTITY),
    "JUMP_FORWARD": _jump_always,
    "RETURN_VALUE": _return_value,
    "RETURN_CONST": _return_const,
}
