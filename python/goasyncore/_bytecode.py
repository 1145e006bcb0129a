"""Finds out from a function's bytecode what it reads, for predicates that need no second call.

A function that only reads attributes of `self`, constants and globals, compares and counts, returns
the same until something that it reads changes. This module follows its code, each instruction once,
with what is known of the values in place of the values. `_OPERATIONS` is the table of the allowed
operations, by CPython's names. If any other occurs, for example one of a newer CPython, the
function is called each time, which is slower but correct.
"""

from __future__ import annotations

import sys

try:
    # Not late: when a class is first seen there may be no descriptor left for it.
    import opcode

    _names = list(opcode.opname)
except ImportError:  # the program has another sys.path by now
    _names = ["unknown"] * 256  # every predicate is called in each pass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

__all__ = [
    "CELL",
    "GLOBAL",
    "IDENTITY",
    "TRUTH",
    "VALUE",
    "Reads",
    "Unclear",
    "analysed",
    "operations",
]

# Which aspect of a value matters: each includes the one before it. pybind has the same numbers.
IDENTITY, TRUTH, VALUE = range(3)

# What is known about a value on the stack: a tuple that begins with one of these.
_SELF = ("self",)
_NULL = ("null",)
_READ = "read"  # (_READ, sources): read from one of these, or made of constants if there are none
GLOBAL = "global"  # (GLOBAL, name, attribute, ...)
CELL = "cell"  # (CELL, name)
_METHOD = "method"  # (_METHOD, name): of self
_SUPER = "super"  # (_SUPER, class, name): of super(class, self)
_PLAIN: tuple[str, frozenset[Any]] = (_READ, frozenset())

_BUILTINS = ("len", "bool")
_OTHER_KINDS = 0x4 | 0x8 | 0x20 | 0x80 | 0x200  # *args, **kwargs; generators and coroutines
_MOST = 400  # instructions; a longer function is not analysed

_REASONS = {
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


class Unclear(Exception):
    """Why a function has to be called each time: what it does, to complete `readable() ...`."""


class Reads:
    """What a function reads, and which aspect of it matters."""

    def __init__(self) -> None:
        # By source: the name of an attribute of self, (GLOBAL, name, ...), (CELL, name), or
        # ("call", one of the calls).
        self.counts: dict[Any, int] = {}
        # (_METHOD, name), (_SUPER, class, name) or (GLOBAL, name, ..., name of a method)
        self.calls: list[Any] = []
        self.builtins: set[str] = set()
        self.returned: set[Any] = set()


_known: dict[CodeType, Reads | str] = {}


def analysed(code: CodeType) -> Reads:
    """Return what a function with that code reads. Raises `Unclear`."""
    found = _known.get(code)
    if found is None:
        if len(_known) >= 1000:  # of a program that makes code objects
            _known.clear()
        try:
            found = _Walk(code).reads
        except Unclear as why:
            found = str(why)
        _known[code] = found
    if isinstance(found, str):
        raise Unclear(found)
    return found


class _Walk:
    """Follows the code. A state is the contents of the stack and of the local variables."""

    def __init__(self, code: CodeType) -> None:
        if code.co_argcount != 1 or code.co_kwonlyargcount:
            raise Unclear("takes more arguments than self")
        if code.co_flags & _OTHER_KINDS:
            raise Unclear("is a generator, a coroutine, or takes any arguments")
        if code.co_exceptiontable:
            raise Unclear("handles exceptions, or has a with statement")
        if len(code.co_code) > 2 * _MOST:
            raise Unclear("is long")
        self.code = code
        self.reads = Reads()
        self.stack: list[Any] = []
        self.locals: list[Any] = [_SELF] + [None] * (len(code.co_varnames) - 1)
        self.later: dict[int, tuple[list[Any], list[Any]]] = {}  # states at the targets of jumps
        self.target = -1
        self.walk()

    def walk(self) -> None:
        raw = self.code.co_code
        argument, at, live = 0, 0, True
        while at < len(raw):
            name = _names[raw[at]]
            argument = argument << 8 | raw[at + 1]
            state = self.later.pop(at, None)
            if state is not None:
                self.merge(*state, live)
                live = True
            at += 2
            while at < len(raw) and not raw[at]:  # the caches of the instruction
                at += 2
            if name == "EXTENDED_ARG":
                continue
            if live:
                step = _OPERATIONS.get(name)
                if step is None:
                    raise Unclear(_REASONS.get(name, f"has the operation {name}"))
                self.target = at + 2 * argument
                live = step(self, argument) is not False
            argument = 0
        if live:
            raise Unclear("does not end")

    def merge(self, stack: list[Any], variables: list[Any], live: bool) -> None:
        if not live:
            self.stack, self.locals = list(stack), list(variables)
            return
        if len(stack) != len(self.stack):
            raise Unclear("is too complicated")
        self.stack = [self.either(*pair) for pair in zip(stack, self.stack, strict=True)]
        self.locals = [
            a if a == b else None if a is None or b is None else self.either(a, b)
            for a, b in zip(variables, self.locals, strict=True)
        ]

    def either(self, a: Any, b: Any) -> Any:
        return a if a == b else (_READ, self.sources(a) | self.sources(b))

    def sources(self, value: Any) -> frozenset[Any]:
        if value[0] == _READ:
            return value[1]  # type: ignore[no-any-return]
        if value[0] in (GLOBAL, CELL):
            return frozenset((value,))
        if value == _SELF:
            raise Unclear("uses the channel itself as a value")
        if value[0] == _METHOD:
            raise Unclear(f"reads self.{value[1]} without calling it")
        raise Unclear("is too complicated")

    def jump(self) -> None:
        state = self.later.get(self.target)
        if state is None:
            self.later[self.target] = list(self.stack), list(self.locals)
        else:
            mine = self.stack, self.locals
            self.merge(*state, True)
            self.later[self.target] = self.stack, self.locals
            self.stack, self.locals = mine

    # -- what instructions do -----------------------------------------------------------------

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def use(self, value: Any, counts: int) -> None:
        if counts == IDENTITY and value == _SELF:
            return
        for source in self.sources(value):
            self.reads.counts[source] = max(counts, self.reads.counts.get(source, IDENTITY))

    def load(self, at: int) -> None:
        value = self.locals[at] if at < len(self.locals) else None
        if value is None:
            raise Unclear("reads a variable that may not be set")
        self.push(value)

    def store(self, at: int) -> None:
        self.locals[at] = self.pop()

    def load_two(self, argument: int) -> None:
        self.load(argument >> 4)
        self.load(argument & 15)

    def store_load(self, argument: int) -> None:
        self.store(argument >> 4)
        self.load(argument & 15)

    def store_two(self, argument: int) -> None:
        self.store(argument >> 4)
        self.store(argument & 15)

    def constant(self, _: int = 0) -> None:
        self.push(_PLAIN)

    def load_const(self, at: int) -> None:
        if type(self.code.co_consts[at]) not in _CONSTANTS:
            raise Unclear("makes a function")
        self.push(_PLAIN)

    def load_common(self, at: int) -> None:
        import opcode

        value = opcode._common_constants[at]  # type: ignore[attr-defined]
        if type(value) not in _CONSTANTS:
            raise Unclear("makes a call")
        self.push(_PLAIN)

    def load_global(self, argument: int) -> None:
        pair = [(GLOBAL, self.code.co_names[argument >> 1]), _NULL]
        if not argument & 1:
            del pair[1]
        self.stack += pair if sys.version_info >= (3, 13) else reversed(pair)

    def load_deref(self, at: int) -> None:
        # CPython numbers them after the local variables; cells of arguments have been refused.
        self.push((CELL, self.code.co_freevars[at - len(self.code.co_varnames)]))

    def load_attr(self, argument: int) -> None:
        name, owner = self.code.co_names[argument >> 1], self.pop()
        if owner == _SELF:
            if argument & 1:
                self.push((_METHOD, name))
            else:
                self.reads.counts.setdefault(name, IDENTITY)
                self.push((_READ, frozenset((name,))))
        elif owner[0] == GLOBAL:
            self.push((*owner, name))
        else:
            raise Unclear(f"reads .{name} of another object")
        if argument & 1:
            self.push(_NULL)

    def load_super_attr(self, argument: int) -> None:
        channel, kind, name = self.pop(), self.pop(), self.code.co_names[argument >> 2]
        if self.pop() != (GLOBAL, "super") or channel != _SELF or kind[0] not in (CELL, GLOBAL):
            raise Unclear("uses super() in another way")
        if not argument & 1:
            raise Unclear(f"reads super().{name} without calling it")
        self.reads.builtins.add("super")
        self.push((_SUPER, kind, name))
        self.push(_NULL)

    def call(self, count: int) -> None:
        arguments = [self.pop() for _ in range(count)]
        pair = self.pop(), self.pop()  # the callable and a null, in either order
        if _NULL not in pair:
            raise Unclear("makes a call")
        called = pair[pair[0] == _NULL]
        if called[0] == GLOBAL and len(called) == 2 and called[1] in _BUILTINS and count == 1:
            self.use(arguments[0], TRUTH)
            self.reads.builtins.add(called[1])
            self.push(_PLAIN)
        elif (called[0] in (_METHOD, _SUPER) and not count) or (
            called[0] == GLOBAL and len(called) > 2 and arguments == [_SELF]
        ):
            source = ("call", called)
            self.reads.calls.append(called)
            self.push((_READ, frozenset((source,))))
        elif called[0] == GLOBAL:
            raise Unclear(f"calls {'.'.join(called[1:])}()")
        else:
            raise Unclear(f"calls self.{called[1]}()" if called[0] == _METHOD else "makes a call")

    def truth(self, _: int) -> None:
        self.use(self.pop(), TRUTH)
        self.push(_PLAIN)

    def unary(self, _: int) -> None:
        self.use(self.pop(), VALUE)
        self.push(_PLAIN)

    def binary(self, _: int) -> None:
        self.use(self.pop(), VALUE)
        self.unary(0)

    def ternary(self, _: int) -> None:
        self.use(self.pop(), VALUE)
        self.binary(0)

    def identical(self, _: int) -> None:
        self.use(self.pop(), IDENTITY)
        self.use(self.pop(), IDENTITY)
        self.push(_PLAIN)

    def build_tuple(self, count: int) -> None:
        for _ in range(count):
            self.use(self.pop(), VALUE)
        self.push(_PLAIN)

    def copy(self, depth: int) -> None:
        self.push(self.stack[-depth])

    def swap(self, depth: int) -> None:
        self.stack[-1], self.stack[-depth] = self.stack[-depth], self.stack[-1]

    def drop(self, _: int) -> None:
        self.pop()

    def nothing(self, _: int) -> None:
        pass

    def jump_if_truth(self, _: int) -> None:
        self.use(self.pop(), TRUTH)
        self.jump()

    def jump_if_identity(self, _: int) -> None:
        self.use(self.pop(), IDENTITY)
        self.jump()

    def jump_always(self, _: int) -> bool:
        self.jump()
        return False

    def return_value(self, _: int) -> bool:
        self.reads.returned |= self.sources(self.pop())
        return False

    def return_const(self, at: int) -> bool:
        self.load_const(at)
        return self.return_value(0)


_CONSTANTS = (
    *(bool, int, float, complex, str, bytes, tuple, frozenset, slice, type(None), type(...)),
)
_OPERATIONS: dict[str, Callable[[_Walk, int], bool | None]] = {
    "RESUME": _Walk.nothing,
    "NOP": _Walk.nothing,
    "NOT_TAKEN": _Walk.nothing,
    "COPY_FREE_VARS": _Walk.nothing,
    "PUSH_NULL": lambda walk, _: walk.push(_NULL),
    "POP_TOP": _Walk.drop,
    "COPY": _Walk.copy,
    "SWAP": _Walk.swap,
    "LOAD_FAST": _Walk.load,
    "LOAD_FAST_CHECK": _Walk.load,
    "LOAD_FAST_BORROW": _Walk.load,
    "LOAD_FAST_LOAD_FAST": _Walk.load_two,
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW": _Walk.load_two,
    "STORE_FAST": _Walk.store,
    "STORE_FAST_LOAD_FAST": _Walk.store_load,
    "STORE_FAST_STORE_FAST": _Walk.store_two,
    "LOAD_CONST": _Walk.load_const,
    "LOAD_SMALL_INT": _Walk.constant,
    "LOAD_COMMON_CONSTANT": _Walk.load_common,
    "LOAD_GLOBAL": _Walk.load_global,
    "LOAD_DEREF": _Walk.load_deref,
    "LOAD_ATTR": _Walk.load_attr,
    "LOAD_SUPER_ATTR": _Walk.load_super_attr,
    "CALL": _Walk.call,
    "TO_BOOL": _Walk.truth,
    "UNARY_NOT": _Walk.truth,
    "UNARY_NEGATIVE": _Walk.unary,
    "UNARY_INVERT": _Walk.unary,
    "COMPARE_OP": _Walk.binary,
    "CONTAINS_OP": _Walk.binary,
    "BINARY_OP": _Walk.binary,
    "BINARY_SUBSCR": _Walk.binary,
    "BINARY_SLICE": _Walk.ternary,
    "IS_OP": _Walk.identical,
    "BUILD_TUPLE": _Walk.build_tuple,
    "POP_JUMP_IF_TRUE": _Walk.jump_if_truth,
    "POP_JUMP_IF_FALSE": _Walk.jump_if_truth,
    "POP_JUMP_IF_NONE": _Walk.jump_if_identity,
    "POP_JUMP_IF_NOT_NONE": _Walk.jump_if_identity,
    "JUMP_FORWARD": _Walk.jump_always,
    "RETURN_VALUE": _Walk.return_value,
    "RETURN_CONST": _Walk.return_const,
}


def operations() -> set[str]:
    """Return the names of the allowed operations."""
    return set(_OPERATIONS)
