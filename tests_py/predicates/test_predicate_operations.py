"""The table of operations that predicates may have, and what this CPython compiles; `explain()`."""

import asyncore
import opcode
import time

import pytest

pytestmark = pytest.mark.ours_only("3.11 calls all predicates")

# One or more for each operation of the table, whatever a version of CPython makes of them.
SAMPLES = """
def f(self): return self.a
def f(self): return True
def f(self): return None
def f(self): return 1
def f(self): return 1000
def f(self): pass
def f(self): return not self.a
def f(self): return -self.a
def f(self): return ~self.a
def f(self): return self.a + self.b - self.c * self.d // 2 % 3
def f(self): return self.a & self.b | self.c ^ self.d
def f(self): return self.a == self.b
def f(self): return self.a != 0
def f(self): return self.a < 3 <= self.b
def f(self): return self.a is None
def f(self): return self.a is not self.b
def f(self): return self.a in (1, 2)
def f(self): return self.a not in "abc"
def f(self): return self.a in (self.b, self.c)
def f(self): return self.a[0]
def f(self): return self.a[1:2]
def f(self): return self.a[self.b:]
def f(self): return self.a and self.b
def f(self): return self.a or self.b or self.c
def f(self): return self.a if self.b else self.c
def f(self): return self.a if self.b is None else 0
def f(self): return len(self.a) > 0
def f(self): return bool(self.a)
def f(self): return A
def f(self): return self.a > A
def f(self): return A.b(self)
def f(self): return A.b.c(self)
def f(self): return self.m()
def f(self): return self.m() and self.n()
class C:
    def f(self): return super().f()
class C:
    def f(self): return super().f() and self.a
class C:
    def f(self): return super(A, self).f()
class C:
    def f(self): return self.__a and not self._C__b
def f(self):
    a = self.a
    return a > 1 and a < 5
def f(self):
    a = self.a; b = self.b
    return a == b
def f(self):
    a, b = self.a, self.b
    return a == b or b
def f(self):
    if self.a:
        return True
    elif self.b is not None:
        return False
    return self.c
def f(self):
    if self.a is None: return 1
    if not self.b: return 2
    return 3
def f(self):
    if self.a:
        b = 1
    else:
        b = self.b
    return b
def f(self):
    if self.a: b = 1
    return self.a and b
def f(self):
    '''Says whether.'''
    return (self.a and not self.b) or (self.c and len(self.d) < 3 and self.e != b'x')
""".strip()


def samples():
    """The functions, apart."""
    for source in ("\n" + SAMPLES).split("\ndef ")[1:]:
        kind = "\nclass C:" in source
        names = {}
        exec("def " + source.split("\nclass C:")[0], names)
        yield names["f"]
        for part in source.split("\nclass C:\n")[1:] if kind else ():
            names = {}
            exec("class C:\n" + part, names)
            yield vars(names["C"])["f"]


def operations(code):
    found, at, raw = [], 0, code.co_code
    while at < len(raw):
        found.append(opcode.opname[raw[at]])
        at += 2
    return set(found) - {"CACHE"}


def test_there_are_samples_of_classes_too():
    assert sum("super" in function.__code__.co_names for function in samples()) == 3
    assert len(list(samples())) == SAMPLES.count("def f")


def test_every_operation_of_a_sample_is_known():
    from goasyncore import _operations

    made = set().union(*(operations(function.__code__) for function in samples()))
    assert made - set(_operations.OPERATIONS) - {"EXTENDED_ARG"} == set()  # became unknown


def test_every_operation_of_the_table_has_a_sample():
    from goasyncore import _operations

    made = set().union(*(operations(function.__code__) for function in samples()))
    here = {name for name in _operations.OPERATIONS if name in opcode.opmap}
    rare = {"NOP", "PUSH_NULL", "LOAD_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"}
    rare |= {
        "LOAD_FAST_BORROW_LOAD_FAST_BORROW",
        "STORE_FAST_LOAD_FAST",
        "SWAP",
        "NOT_TAKEN",
        "LOAD_COMMON_CONSTANT",
    }
    rare |= {"LOAD_FAST_CHECK", "JUMP_FORWARD", "LOAD_FAST", "RETURN_CONST", "TO_BOOL"}
    assert here - made - rare == set()


@pytest.mark.parametrize("function", [*samples()], ids=lambda function: "f")
def test_samples_need_not_be_called_in_each_pass(function):
    from goasyncore import _predicates

    reason = _predicates.explain(function)
    assert reason in (None, "it reads a variable that may not be set")


REASONS = {
    "return time.monotonic() > self.a": "it calls time.monotonic()",
    "self.a = 1": "it sets an attribute",
    "return sorted(x for x in self.a)": "it makes a function",
    "for x in self.a: return x": "it has a loop",
    "while self.a: pass": "it has a loop",
    "return self.a.b": "it reads .b of another object",
    "return self.a()": None,  # without a class
    "return self.a.empty()": "it reads .empty of another object",
    "return self.m(1)": "it calls self.m()",
    "return self": "it uses the channel itself as a value",
    "return print(self.a)": "it calls print()",
    "return len(self.a, 1)": "it calls len()",
    "try: return 1\n except OSError: return 0": "it handles exceptions, or has a with statement",
    "yield 1": "it is a generator or a coroutine, or has *args or **kwargs",
    "import os": "it imports a module",
    "raise ValueError": "it raises an exception",
    "global A\n A = 1": "it sets a global variable",
    "return [self.a]": "it makes a list",
    "return self.m": None,
}  # fmt: skip


@pytest.mark.parametrize("body", REASONS)
def test_reasons(body):
    from goasyncore import _predicates

    names = {}
    exec(f"import time\ndef f(self):\n {body}", names)
    reason = _predicates.explain(names["f"])
    assert reason == REASONS[body]


def test_reasons_of_a_class():
    from goasyncore import _predicates

    class Clock(asyncore.dispatcher):
        def writable(self):
            return time.monotonic() > 5

    class Property(asyncore.dispatcher):
        @property
        def waiting(self):
            return True

        def readable(self):
            return self.waiting

    class Hook(asyncore.dispatcher_with_send):
        def __getattr__(self, name):
            return None

        def readable(self):
            return self.some

    class Bound(asyncore.dispatcher):
        def handler(self):
            pass

        def readable(self):
            return self.handler

    class Fine(asyncore.dispatcher_with_send):
        def writable(self):
            return super().writable() and not self.closing

    told = {kind: _predicates.explain(kind) for kind in (Clock, Property, Hook, Bound, Fine)}
    assert told == {
        Clock: "writable() calls time.monotonic()",
        Property: "readable() reads self.waiting, which is computed",
        Hook: "readable() belongs to a class with __getattr__ or __getattribute__",
        Bound: "readable() reads self.handler, which is computed",
        Fine: None,
    }
    assert _predicates.explain(asyncore.dispatcher) is None
    assert _predicates.explain(5) == "it is not a plain function"


def test_the_look_at_a_class_takes_less_than_a_millisecond():
    from goasyncore import _bytecode, _predicates

    def taken():
        names = {"asyncore": asyncore}
        exec(
            "class Kind(asyncore.dispatcher_with_send):\n"
            "    def readable(self): return len(self.a) < 3 and (self.b or self.c is None)\n"
            "    def writable(self):\n"
            "        if self.d == 1: return True\n"
            "        return super().writable() and asyncore.dispatcher.writable(self)\n",
            names,
        )
        _bytecode._known.clear()
        began = time.perf_counter()
        _predicates.rules_of(names["Kind"])
        return time.perf_counter() - began

    assert min(taken() for _ in range(10)) < 1e-3
