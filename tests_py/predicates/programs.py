"""Random programs over a map of channels, run on the backend in force and on the portable pass.

A program is a list of actions, plain tuples. Channels, sockets and classes are made anew for each
run, so that both begin alike; what is written down of a run names channels by their index.
"""

import asyncore
import os
import socket
from collections import deque

import pytest
from support import full
from traced_channels import kinds

_portable = pytest.importorskip("goasyncore._portable", reason="3.11 has no goasyncore")

VALUES = {
    "connected": [True, False, 0, 1, None, [], "x"],
    "accepting": [False, False, 0, None, True, [0]],
    "connecting": [False, True],
    "out_buffer": [b"", b"out", bytearray(), bytearray(b"out"), [], "", memoryview(b"o"), 5],
    "producer_fifo": [deque(), deque([b"out"]), [], [b"out"], b"", 5],
    "wants": ["", "r", "w", "rw"],
    "other": [1],
}
PREDICATES = ["readable", "writable"]
MUTABLE = (deque, bytearray, list)


def fresh(value):
    return type(value)(value) if isinstance(value, MUTABLE) else value


class World:
    def __init__(self, native, chosen, plans, questions):
        self.native = native
        self.map = {}
        self.channels = []
        self.peers = []
        self.trace = []
        self.held = []
        self.lost = False
        self.other_map = {}
        self.plans = [list(plan) for plan in plans]
        self.questions = [list(plan) for plan in questions]
        self.classes, self.base = kinds(self)
        for kind in chosen:
            self.do_open(kind)

    # -- what is written down ------------------------------------------------------------------

    def index(self, channel):
        return next((i for i, each in enumerate(self.channels) if each is channel), -1)

    def note(self, channel, event):
        self.trace.append((self.index(channel), event))

    def act(self, channel, asked=False):
        plans = self.questions if asked else self.plans
        index = self.index(channel)
        if 0 <= index < len(plans) and plans[index]:
            self.do(plans[index].pop(0))

    # -- actions -------------------------------------------------------------------------------

    def do(self, action):
        name, *rest = action
        try:
            getattr(self, "do_" + name)(*rest)
        except (AttributeError, KeyError, OSError, TypeError, ValueError) as why:
            # A channel that is closed, or has lost what the action needs: alike in both runs.
            self.trace.append((name, type(why).__name__))

    def pick(self, number):
        return self.channels[number % len(self.channels)]

    def check_nothing_lost(self):
        """What is opened now could get the number of what do_lose closed, and pass for it."""
        if self.lost:
            raise ValueError("a descriptor is lost")

    def do_open(self, kind):
        self.check_nothing_lost()
        cls = self.classes[kind]
        if kind == "file":
            far, near = os.pipe()
            channel = cls(far, self.map)
            os.close(far)
            peer = os.fdopen(near, "wb", 0)
        elif kind == "listener":
            channel = cls(map=self.map)
            channel.create_socket(socket.AF_UNIX)
            channel.bind("")
            channel.listen(9)
            peer = None
        else:
            near, peer = socket.socketpair()
            peer.setblocking(False)
            channel = cls(near, self.map)
        self.channels.append(channel)
        self.peers.append(peer)

    def do_reopen(self, number):
        """A new socket, mostly under the old one's number, without leaving the map between."""
        self.check_nothing_lost()
        channel = self.pick(number)
        near, peer = socket.socketpair()
        peer.setblocking(False)
        near.setblocking(False)
        channel.socket.close()
        again = socket.socket(fileno=os.dup(near.fileno()))
        near.close()
        channel.set_socket(again)
        self.peers.append(peer)
        self.peers[self.index(channel)], self.peers[-1] = peer, self.peers[self.index(channel)]

    def do_store(self, way, number, name, value):
        channel = self.pick(number)
        if name == "accepting":
            self.check_nothing_lost()
        value = fresh(VALUES[name][value % len(VALUES[name])])
        if way == "setattr":
            setattr(channel, name, value)
        elif way == "object":
            object.__setattr__(channel, name, value)
        elif way == "item":
            vars(channel)[name] = value
        elif way == "update":
            vars(channel).update({name: value, "more": 1})
        elif way == "dict":
            channel.__dict__ = {**vars(channel), name: value}
        elif way == "held":
            self.held.append(vars(channel))
            channel.__dict__ = {**vars(channel), name: value}
        elif way == "class":
            setattr(type(channel), name, value)

    def do_delete(self, way, number, name):
        if way == "class":
            delattr(type(self.pick(number)), name)
        elif way == "item":
            del vars(self.pick(number))[name]
        elif way == "pop":
            vars(self.pick(number)).pop(name)
        else:
            delattr(self.pick(number), name)

    def do_predicate(self, way, number, name, answer):
        channel = self.pick(number)
        if way == "instance":
            setattr(channel, name, lambda: (self.note(channel, f"{name}? itself"), answer)[1])
            return
        holder = type(channel) if way == "class" else self.base
        setattr(holder, name, lambda asked: (self.note(asked, f"{name}? class"), answer)[1])

    def do_take_back(self, way, number, name):
        channel = self.pick(number)
        holder = {"instance": channel, "class": type(channel), "base": self.base}[way]
        delattr(holder, name)

    def do_become(self, number, kind):
        self.pick(number).__class__ = self.classes[kind]

    def do_change(self, number, name, how):
        queue = getattr(self.pick(number), name)
        if how == "clear":
            queue.clear()
        elif how == "rotate":
            queue.rotate(1)
        elif isinstance(queue, bytearray):
            queue.extend(b"more")
        else:
            queue.append(b"more")

    def do_push(self, number, data):
        channel = self.pick(number)
        (channel.push if hasattr(channel, "push") else channel.send)(data)

    def do_map(self, how, number, other):
        channel, fd = self.pick(number), self.pick(number)._fileno
        if how == "clear":
            self.map.clear()
        elif how == "refill":
            some = [c for c in self.channels if c._fileno is not None]
            at = other % (len(some) or 1)
            self.map.clear()
            self.map.update({c._fileno: c for c in some[at:] + some[:at]})
        elif how == "pop":
            self.map.pop(fd)
        elif how == "popitem":
            self.map.popitem()
        elif fd is None:
            raise ValueError("it is closed")
        elif how == "again":
            self.map[fd] = channel
        elif how == "move":
            self.map.pop(fd)
            self.map[fd] = channel
        elif how == "replace":
            self.map[fd] = self.pick(other)
        elif how == "union":
            self.map |= {fd: channel, **{c._fileno: c for c in [self.pick(other)] if c._fileno}}
        else:
            self.map.setdefault(fd, channel)

    def do_peer(self, number, how):
        number %= len(self.channels)
        peer, channel = self.peers[number], self.channels[number]
        if how == "close":
            peer.close()
        elif isinstance(peer, socket.socket):
            if how == "drain":
                while peer.recv(65536):
                    pass
            elif how == "shutdown":
                peer.shutdown(socket.SHUT_WR)
            else:
                peer.send(b"hello\n")
        elif peer is not None:
            peer.write(b"hello\n")
        else:
            self.check_nothing_lost()
            caller = socket.socket(socket.AF_UNIX)
            caller.connect(channel.socket.getsockname())
            self.held.append(caller)

    def do_fill(self, number):
        full(self.pick(number).socket)

    def do_close(self, number):
        self.pick(number).close()

    def do_lose(self, number):
        """Close the descriptor behind the module's back.

        Not beside a listening channel, which might get the number: where that says that it does not
        read but writes, select() is still asked about priority data; the engine leaves it alone.
        """
        if any(vars(channel).get("accepting") for channel in self.channels):
            raise ValueError("one is listening")
        self.lost = True
        self.pick(number).socket.close()

    def do_elsewhere(self, number, use_poll):
        """A pass over another map, in which the same channel stands too."""
        channel = self.pick(number)
        self.other_map[channel._fileno] = channel
        self.do_run(use_poll, 1, self.other_map)

    def do_run(self, use_poll, count, channels=None):
        channels = self.map if channels is None else channels
        try:
            if self.native:
                asyncore.loop(0, use_poll, channels, count)
            else:
                for _ in range(count):
                    if channels:
                        _portable.passes(vars(asyncore), 0, use_poll, channels, 1)
        except Exception as why:
            self.trace.append(("raised", type(why).__name__))
        self.trace.append("run")

    # -- the end -------------------------------------------------------------------------------

    def finish(self):
        """Make everything ready both ways, so that what each channel waits for shows."""
        self.plans, self.questions = [], []
        for number in range(len(self.channels)):
            self.do(("peer", number, "drain"))
            self.do(("peer", number, "send"))
        for use_poll in (False, True):
            self.do_run(use_poll, 1)
            self.trace.append([self.index(channel) for channel in self.map.values()])

    def close(self):
        self.map.clear()
        self.other_map.clear()
        for thing in [*self.channels, *self.peers, *self.held]:
            if isinstance(thing, asyncore.dispatcher):
                thing = vars(thing).get("socket")
            if hasattr(thing, "close"):
                thing.close()


def run(native, chosen, plans, questions, actions):
    """The trace of a program."""
    world = World(native, chosen, plans, questions)
    try:
        for action in actions:
            world.do(action)
        world.finish()
        return world.trace
    finally:
        world.close()
