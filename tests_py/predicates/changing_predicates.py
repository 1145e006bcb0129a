"""Channels with predicates that depend on attributes and lengths alone, and changes of those."""

# ruff: noqa: E501, E704 (a table)
# fmt: off

import asyncore
import builtins
import collections
import types

LIMIT = 3
FLAG = False
Base = asyncore.dispatcher
holder = types.ModuleType("holder")
holder.value = 1


class Channel(asyncore.dispatcher):
    """Waits to write, when it says so; notes what it is told."""

    shared = ()

    def __init__(self, sock=None, channels=None):
        self.told = 0
        self.flag, self.number, self.text, self.data = False, 0, "", b""
        self.items, self.fifo, self.bytes = [], collections.deque(), bytearray()
        self.names, self.kinds, self.pair = {}, set(), (0, "")
        self.other = self.callback = None
        asyncore.dispatcher.__init__(self, sock, channels)

    def readable(self):
        return False

    def handle_write(self):
        self.told += 1

    def helper(self):
        return self.flag


def flag(self): return self.flag
def negated(self): return not self.connected
def either(self): return self.flag or len(self.data) > 0
def both(self): return self.number > 2 and self.text == "go"
def chosen(self): return self.items if self.flag else self.fifo
def items(self): return len(self.items) > 2
def fifo(self): return bool(self.fifo)
def raw(self): return self.bytes
def names(self): return self.names
def kinds(self): return len(self.kinds) != 0
def local(self):
    waiting = len(self.data)
    if self.number:
        return False
    return waiting
def chain(self): return 1 < self.number <= LIMIT
def member(self): return self.number in (3, 4)
def a_global(self): return FLAG
def identity(self): return self.other is not None
def truth_of_callback(self): return self.callback
def from_tuple(self): return self.pair == (1, "x")
def item_of(self): return self.pair[0]
def method(self): return self.helper()
def arithmetic(self): return self.number * 2 - 6 == 0
def of_base(self): return self.flag and asyncore.dispatcher.writable(self)
def of_global_base(self): return self.flag and Base.writable(self)
def class_attribute(self): return self.shared
def of_module(self): return self.number == holder.value


# name -> a change after which the channel waits, and one that undoes it
CHANGES = {
    flag: [
        (lambda c: setattr(c, "flag", True), lambda c: setattr(c, "flag", False)),
        (lambda c: setattr(c, "flag", 5), lambda c: setattr(c, "flag", 0)),
        (lambda c: setattr(c, "flag", [0]), lambda c: setattr(c, "flag", 0)),
        (lambda c: vars(c).update(flag=True), lambda c: vars(c).update(flag=False)),
        (lambda c: object.__setattr__(c, "flag", 1), lambda c: vars(c).__setitem__("flag", "")),
        (lambda c: (vars(c).pop("flag", 0), setattr(type(c), "flag", True)), lambda c: setattr(type(c), "flag", False)),
        (lambda c: setattr(c, "__dict__", {**vars(c), "flag": True}), lambda c: setattr(c, "flag", None)),
        (lambda c: setattr(c, "writable", lambda: True), lambda c: vars(c).pop("writable", 0)),
        (lambda c: setattr(type(c), "writable", lambda self: True), lambda c: setattr(type(c), "writable", flag)),
        (lambda c: (vars(c).setdefault("kind", type(c)), setattr(c, "__class__", Always)), lambda c: setattr(c, "__class__", vars(c).get("kind", type(c)))),
        (lambda c: setattr(type(c), "flag", property(lambda self: True)), lambda c: vars(type(c)).get("flag") and delattr(type(c), "flag")),
        (lambda c: setattr(type(c), "__getattribute__", everything), lambda c: "__getattribute__" in vars(type(c)) and delattr(type(c), "__getattribute__")),
    ],
    negated: [(lambda c: setattr(c, "connected", False), lambda c: setattr(c, "connected", True))],
    either: [
        (lambda c: setattr(c, "data", b"x"), lambda c: setattr(c, "data", b"")),
        (lambda c: setattr(c, "data", [1]), lambda c: vars(c).update(data=[])),
        (lambda c: setattr(c, "flag", True), lambda c: setattr(c, "flag", False)),
    ],
    both: [(lambda c: vars(c).update(number=3, text="go"), lambda c: setattr(c, "number", 1))],
    chosen: [
        (lambda c: c.fifo.append(1), lambda c: setattr(c, "flag", True)),
        (lambda c: c.items.append(1), lambda c: c.items.clear()),
        (lambda c: setattr(c, "flag", False), lambda c: c.fifo.clear()),
    ],
    items: [
        (lambda c: c.items.extend("abc"), lambda c: c.items.pop()),
        (lambda c: setattr(c, "items", Longer()), lambda c: setattr(c, "items", [])),
        (lambda c: setattr(c, "items", (1, 2, 3)), lambda c: setattr(c, "items", "")),
    ],
    fifo: [(lambda c: c.fifo.append(1), lambda c: c.fifo.clear()), (lambda c: setattr(c, "fifo", Longer()), lambda c: setattr(c, "fifo", None))],
    raw: [(lambda c: setattr(c, "bytes", bytearray()) or c.bytes.extend(b"x"), lambda c: setattr(c, "bytes", bytearray())), (lambda c: setattr(c, "bytes", memoryview(b"x")), lambda c: setattr(c, "bytes", b""))],
    names: [(lambda c: c.names.update(a=1), lambda c: c.names.clear()), (lambda c: setattr(c, "names", collections.UserDict(a=1)), lambda c: c.names.clear())],
    kinds: [(lambda c: c.kinds.add(1), lambda c: c.kinds.discard(1))],
    local: [(lambda c: setattr(c, "data", b"x"), lambda c: setattr(c, "number", 1))],
    chain: [
        (lambda c: setattr(c, "number", 3), lambda c: globals().update(LIMIT=2)),
        (lambda c: globals().update(LIMIT=3), lambda c: setattr(c, "number", 1.0)),
    ],
    member: [(lambda c: setattr(c, "number", 4), lambda c: setattr(c, "number", -4))],
    a_global: [
        (lambda c: globals().update(FLAG=True), lambda c: globals().update(FLAG=False)),
        (lambda c: globals().__setitem__("FLAG", [1]), lambda c: globals().update(FLAG=[])),
        (lambda c: (globals().pop("FLAG"), setattr(builtins, "FLAG", 1)), lambda c: (vars(builtins).pop("FLAG", 0), globals().update(FLAG=0))),
    ],
    identity: [(lambda c: setattr(c, "other", object()), lambda c: setattr(c, "other", None))],
    truth_of_callback: [(lambda c: setattr(c, "callback", print), lambda c: setattr(c, "callback", None)), (lambda c: setattr(c, "callback", Longer), lambda c: setattr(c, "callback", False))],
    from_tuple: [(lambda c: setattr(c, "pair", (1, "x")), lambda c: setattr(c, "pair", [1, "x"]))],
    item_of: [(lambda c: setattr(c, "pair", (1,)), lambda c: setattr(c, "pair", (0,))), (lambda c: setattr(c, "pair", [5]), lambda c: c.pair.__setitem__(0, 0))],
    method: [
        (lambda c: setattr(c, "flag", True), lambda c: setattr(c, "flag", False)),
        (lambda c: setattr(c, "helper", lambda: True), lambda c: vars(c).pop("helper", 0)),
        (lambda c: setattr(type(c), "helper", lambda self: self.number == 0), lambda c: setattr(c, "number", 1)),
        (lambda c: setattr(c, "number", 0), lambda c: vars(type(c)).get("helper") and delattr(type(c), "helper")),
    ],
    arithmetic: [(lambda c: setattr(c, "number", 3), lambda c: setattr(c, "number", 4))],
    of_base: [(lambda c: setattr(c, "flag", True), lambda c: setattr(c, "flag", False))],
    of_global_base: [(lambda c: setattr(c, "flag", True), lambda c: setattr(c, "flag", False))],
    class_attribute: [
        (lambda c: setattr(type(c), "shared", (1,)), lambda c: setattr(type(c), "shared", ())),
        (lambda c: setattr(type(c), "shared", [1]), lambda c: setattr(type(c), "shared", [])),
        (lambda c: setattr(Channel, "shared", [1]), lambda c: setattr(Channel, "shared", ())),
        (lambda c: setattr(c, "shared", "x"), lambda c: vars(c).pop("shared", 0)),
    ],
    of_module: [(lambda c: setattr(c, "number", 1), lambda c: setattr(holder, "value", 2)), (lambda c: setattr(c, "number", 2), lambda c: setattr(holder, "value", 1))],
}


class Always(Channel):
    def writable(self):
        return True


class Longer(list):
    def __len__(self):
        return 9


def everything(self, name):
    return True if name == "flag" else object.__getattribute__(self, name)
