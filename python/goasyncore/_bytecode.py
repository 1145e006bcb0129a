"""Finds out from a function's bytecode what it reads, for predicates that need no second call.

A function that only reads attributes of `self`, constants and globals, compares and counts, returns
the same until something that it reads changes. This module follows its code, each instruction once,
with what is known of the values in place of the values. If it meets an operation that is not in the
table of `_operations`, the function is called each time, which is slower but correct.
"""

from __future__ import annotations

from builtins import len  # the program may replace the builtin one

from . import _operations
from ._operations import Unclear

try:
    # Not late: when a class is first seen there may be no descriptor left for it.
    import opcode

    _names = list(opcode.opname)
except ImportError:  # the program has another sys.path by now
    _names = ["unknown"] * 256  # every predicate is called in each pass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

__all__ = ["Reads", "Walk", "analysed"]

_OTHER_KINDS = 0x4 | 0x8 | 0x20 | 0x80 | 0x200  # *args, **kwargs; generators and coroutines
_MOST = 400  # instructions; a longer function is not analysed


class Reads:
    """What a function reads, and which aspect of it matters."""

    def __init__(self) -> None:
        # By source: the name of an attribute of self, (GLOBAL, name, ...), (CELL, name), or
        # ("call", one of the calls).
        self.counts: dict[Any, int] = {}
        # (METHOD, name), (SUPER, class, name) or (GLOBAL, name, ..., name of a method)
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
            found = Walk(code).reads
        except Unclear as why:
            found = str(why)
        _known[code] = found
    if isinstance(found, str):
        raise Unclear(found)
    return found


class Walk:
    """Follows the code. A state is the contents of the stack and of the local variables."""

    def __init__(self, code: CodeType) -> None:
        if code.co_argcount != 1 or code.co_kwonlyargcount:
            raise Unclear("has more parameters than self")
        if code.co_flags & _OTHER_KINDS:
            raise Unclear("is a generator or a coroutine, or has *args or **kwargs")
        if code.co_exceptiontable:
            raise Unclear("handles exceptions, or has a with statement")
        if len(code.co_code) > 2 * _MOST:
            raise Unclear("is long")
        self.code = code
        self.reads = Reads()
        self.stack: list[Any] = []
        self.locals: list[Any] = [_operations.SELF] + [None] * (len(code.co_varnames) - 1)
        self._later: dict[int, tuple[list[Any], list[Any]]] = {}  # states at the targets of jumps
        self._target = -1
        self._walk()

    def _walk(self) -> None:
        raw = self.code.co_code
        argument, at, live = 0, 0, True
        while at < len(raw):
            name = _names[raw[at]]
            argument = argument << 8 | raw[at + 1]
            state = self._later.pop(at, None)
            if state is not None:
                self._merge(*state, live)
                live = True
            at += 2
            while at < len(raw) and not raw[at]:  # the caches of the instruction
                at += 2
            if name == "EXTENDED_ARG":
                continue
            if live:
                step = _operations.OPERATIONS.get(name)
                if step is None:
                    raise Unclear(_operations.REASONS.get(name, f"has the operation {name}"))
                self._target = at + 2 * argument
                live = step(self, argument) is not False
            argument = 0
        if live:
            raise Unclear("does not end")

    def _merge(self, stack: list[Any], variables: list[Any], live: bool) -> None:
        if not live:
            self.stack, self.locals = list(stack), list(variables)
            return
        if len(stack) != len(self.stack):
            raise Unclear("is too complicated")
        self.stack = [self._either(*pair) for pair in zip(stack, self.stack, strict=True)]
        self.locals = [
            a if a == b else None if a is None or b is None else self._either(a, b)
            for a, b in zip(variables, self.locals, strict=True)
        ]

    def _either(self, a: Any, b: Any) -> Any:
        return a if a == b else (_operations.READ, self.sources(a) | self.sources(b))

    # -- for the operations -------------------------------------------------------------------

    def pop(self) -> Any:
        return self.stack.pop()

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def sources(self, value: Any) -> frozenset[Any]:
        """Return what the value was read from."""
        if value[0] == _operations.READ:
            return value[1]  # type: ignore[no-any-return]
        if value[0] in (_operations.GLOBAL, _operations.CELL):
            return frozenset((value,))
        if value == _operations.SELF:
            raise Unclear("uses the channel itself as a value")
        if value[0] == _operations.METHOD:
            raise Unclear(f"reads self.{value[1]} without calling it")
        raise Unclear("is too complicated")

    def use(self, value: Any, aspect: int) -> None:
        """Note that this aspect of the value matters."""
        if aspect == _operations.IDENTITY and value == _operations.SELF:
            return
        counts = self.reads.counts
        for source in self.sources(value):
            counts[source] = max(aspect, counts.get(source, _operations.IDENTITY))

    def jump(self) -> None:
        """Keep the present state for the target of the instruction."""
        state = self._later.get(self._target)
        if state is None:
            self._later[self._target] = list(self.stack), list(self.locals)
        else:
            mine = self.stack, self.locals
            self._merge(*state, True)
            self._later[self._target] = self.stack, self.locals
            self.stack, self.locals = mine
