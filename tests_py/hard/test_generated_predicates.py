"""Predicates of any kind, and changes of any kind, do to the engine what they do to a pass in Python.

Each program runs twice in one process, on channels of its own: over a plain dict, which the engine
serves, and over a dict of another class, whose passes are portable. Handlers and calls that show
(a predicate that counts them) are compared after each pass.
"""

# ruff: noqa: E501 (tables)

import asyncore
import collections
import socket

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from soak import SOAK, times

pytestmark = pytest.mark.ours_only("there is one backend in 3.11")

SETTINGS = settings(
    max_examples=times(300, 10_000),
    deadline=None,
    derandomize=not SOAK,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class OtherMap(dict):
    """The engine serves exact dicts alone."""


NAMES = ["a", "b", "c", "__d"]
VALUES = [
    "None", "True", "False", "0", "1", "2.5", "''", "'x'", "b''", "b'xy'", "()", "(1, 'x')", "([],)",
    "frozenset({1})", "[]", "[1]", "deque([1, 2])", "deque()", "bytearray(b'x')", "{}", "{1: 2}",
    "set()", "{3}", "Longer()", "object()", "print", "Longer", "memoryview(b'x')", "lambda: 1",
]  # fmt: skip

name = st.sampled_from(NAMES)
value = st.sampled_from(VALUES)
attribute = name.map("self.{}".format)
leaf = st.one_of(
    attribute, attribute, attribute,
    st.sampled_from(["0", "1", "None", "b''", "''", "G", "module.value", "cell", "self.shared"]),
    attribute.map("len({})".format), attribute.map("bool({})".format),
    st.sampled_from([
        "super().{which}()", "self.helper()", "Base.{which}(self)", "asyncore.dispatcher.{which}(self)",
        "super(Kind, self).{which}()", "self.computed", "self.count()", "self.connected",
        "self.accepting", "self.missing", "str(self.a)", "[self.a]", "self.b.__class__",
    ]),
)  # fmt: skip
expression = st.recursive(
    leaf,
    lambda inner: st.one_of(
        inner.map("(not {})".format),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda t: "({} {} {})".format(*t)
        ),
        st.tuples(
            inner, st.sampled_from(["==", "!=", "is", "is not", "<", "in", "+", "*"]), inner
        ).map(lambda t: "({} {} {})".format(*t)),
        st.tuples(inner, inner, inner).map(lambda t: "({} if {} else {})".format(*t)),
        st.tuples(inner, st.sampled_from(["(1, 2)", "('x', None)", "b'xy'"])).map(
            lambda t: "({} in {})".format(*t)
        ),
    ),
    max_leaves=5,
)
body = st.one_of(
    expression.map("return {}".format),
    st.tuples(expression, expression, expression).map(
        lambda t: "x = {}\n        if {}:\n            return x\n        return {}".format(*t)
    ),
)
predicate = st.tuples(body, st.sampled_from(["(self)", "(self)", "(self)", "(self, n=0)"]))

number = st.integers(0, 2)
change = st.one_of(
    st.tuples(st.just("set"), number, name, value),
    st.tuples(st.just("set"), number, name, value),
    st.tuples(st.just("update"), number, name, value),
    st.tuples(st.just("delete"), number, name),
    st.tuples(st.just("class"), name, value),
    st.tuples(st.just("class"), st.sampled_from(["shared", "accepting", "connected"]), value),
    st.tuples(st.just("undo class"), name),
    st.tuples(st.just("grow"), number, name),
    st.tuples(st.just("shrink"), number, name),
    st.tuples(st.just("share"), number, number, name),
    st.tuples(st.just("dict"), number),
    st.tuples(st.just("predicate"), st.sampled_from(["readable", "writable", "helper"]), predicate),
    st.tuples(st.just("code"), st.sampled_from(["readable", "writable"]), predicate),
    st.tuples(st.just("own"), number, st.sampled_from(["readable", "helper", "count"]), value),
    st.tuples(st.just("global"), st.sampled_from(["G", "len", "value", "Base"]), value),
    st.tuples(st.just("global"), st.sampled_from(["G"]), value),
    st.tuples(st.just("sub"), number),
    st.tuples(st.just("hook")),
)  # fmt: skip
program = st.tuples(
    predicate, predicate, predicate, st.lists(st.lists(change, max_size=3), max_size=8)
)

MODULE = """
import asyncore
from collections import deque

class Longer(list):
    def __len__(self): return 7

class Base(asyncore.dispatcher):
    def __init__(self, sock, channels):
        self.seen, self.calls = [], 0
        self.a, self.b, self.c = False, b"", []
        vars(self)["__d"] = vars(self)["_Kind__d"] = 0
        asyncore.dispatcher.__init__(self, sock, channels)
    shared = 0
    @property
    def computed(self): return self.a
    def count(self):
        self.calls += 1
        return self.calls % 3 == 0
    def handle_read(self): self.seen.append("read")
    def handle_write(self): self.seen.append("write")
    def handle_expt(self): self.seen.append("expt")
    def handle_close(self): self.seen.append("close")

G = 0
"""


class World:
    """The program's classes and channels, once."""

    def __init__(self, channels, *predicates):
        import types

        self.names = {"__name__": "generated", "module": types.ModuleType("module")}
        self.names["module"].value = 1
        exec(MODULE, self.names)
        self.kind = self.names["Kind"] = type("Kind", (self.names["Base"],), {})
        for which, made in zip(("readable", "writable", "helper"), predicates, strict=True):
            setattr(self.kind, which, self.function(which, made))
        self.map, self.socks = channels, []
        for _ in range(3):
            near, far = socket.socketpair()
            far.send(b"x")
            self.socks.append(far)
            self.kind(near, channels)
        self.channels = list(channels.values())

    def function(self, which, made):
        text, arguments = made
        text = text.replace("{which}", "readable" if which == "helper" else which)
        if which == "helper":  # it would call itself, without end or nearly so
            text = text.replace("self.helper()", "self.a")
        source = f"def make(cell, __class__):\n  class Kind:\n    def {which}{arguments}:\n        {text}\n  return Kind"
        source = source.replace("__class__", "unused", 1)
        exec(source, self.names)
        function = vars(self.names.pop("make")(None, None))[which]
        if "__class__" in function.__code__.co_freevars:
            at = function.__code__.co_freevars.index("__class__")
            function.__closure__[at].cell_contents = self.kind
        return function

    def do(self, what, *parts):
        names = self.names
        if what == "set":
            setattr(self.channels[parts[0]], parts[1], eval(parts[2], names))
        elif what == "update":
            vars(self.channels[parts[0]]).update({parts[1]: eval(parts[2], names)})
        elif what == "delete":
            vars(self.channels[parts[0]]).pop(parts[1], None)
        elif what == "class":
            setattr(self.kind, parts[0], eval(parts[1], names))
        elif what == "undo class":
            if parts[0] in vars(self.kind):
                delattr(self.kind, parts[0])
        elif what in ("grow", "shrink"):
            self.resize(vars(self.channels[parts[0]]).get(parts[1]), what == "grow")
        elif what == "share":
            setattr(
                self.channels[parts[0]], parts[2], getattr(self.channels[parts[1]], parts[2], 0)
            )
        elif what == "dict":
            channel = self.channels[parts[0]]
            channel.__dict__ = dict(vars(channel))
        elif what == "predicate":
            setattr(self.kind, parts[0], self.function(*parts))
        elif what == "code":
            new, old = self.function(*parts), vars(self.kind)[parts[0]]
            if len(new.__code__.co_freevars) == len(old.__code__.co_freevars):
                old.__code__, old.__defaults__ = new.__code__, new.__defaults__
        elif what == "own":
            made = eval(parts[2], names)
            setattr(self.channels[parts[0]], parts[1], lambda: made)
        elif what == "global":
            if parts[0] == "value":
                names["module"].value = eval(parts[1], names)
            elif parts[0] == "len":
                names["len"] = (lambda thing: 1) if "len" not in names else len
            elif parts[0] == "Base":
                names["Base"] = asyncore.dispatcher
            else:
                names["G"] = eval(parts[1], names)
        elif what == "sub":
            self.channels[parts[0]].__class__ = type("Sub", (self.kind,), {"c": 1})
        elif what == "hook":
            self.kind.__getattr__ = lambda channel, name: 0

    def resize(self, container, grows):
        if type(container) in (list, collections.deque, bytearray):
            container.append(1) if grows else container and container.pop()
        elif type(container) is dict:
            container[len(container)] = 1
        elif type(container) is set:
            container.add(len(container)) if grows else container.clear()

    def one_pass(self, use_poll):
        try:
            asyncore.loop(0, use_poll, self.map, 1)
        except Exception as why:
            return type(why).__name__
        told = [list(channel.seen) for channel in self.channels]
        return told, [channel.calls for channel in self.channels]

    def close(self):
        self.map.clear()
        for sock in self.socks + [channel.socket for channel in self.channels]:
            sock.close()


def play(readable, writable, helper, steps):
    worlds = [World(kind(), readable, writable, helper) for kind in (dict, OtherMap)]
    try:
        for changes in ([], *steps, []):
            for what in changes:
                for world in worlds:
                    world.do(*what)
            for use_poll in (False, True):
                native, portable = [world.one_pass(use_poll) for world in worlds]
                if isinstance(portable, str) or isinstance(native, str):
                    # Which of several channels raises first is not said.
                    assert isinstance(native, str) and isinstance(portable, str), (native, portable)
                    return
                assert native == portable
    finally:
        for world in worlds:
            world.close()


@pytest.mark.timeout(times(300, 3600))
@given(program)
@SETTINGS
def test_the_engine_and_a_pass_in_python_agree(program):
    play(*program)


def test_most_of_what_is_generated_says_something():
    """Else the test above would say nothing."""
    worlds = World(
        OtherMap(),
        ("return self.a", "(self)"),
        ("return len(self.c)", "(self)"),
        ("return 1", "(self)"),
    )
    try:
        worlds.do("set", 0, "a", "True")
        worlds.do("grow", 1, "c")
        assert worlds.one_pass(False) == ([["read"], ["write"], []], [0, 0, 0])
    finally:
        worlds.close()
