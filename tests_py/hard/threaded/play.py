"""Plays random programs with threads and prints their traces, one line of JSON for each program.

One thread loops. Others change things at defined points: during a wait, between two runs of the
loop, in a handler and in a predicate. Each change is complete before the next one begins and before
the loop continues. A wait is recognised by the system call in which the thread sleeps after the
first channel of the pass was asked. So a program does the same each time that it is played.

    python play.py BACKEND FIRST LAST    (BACKEND "reference": whatever asyncore is on the path)
"""

import asyncore
import itertools
import json
import queue
import random
import sys
import threading
import time

from channels import KINDS, Bell, Listener, numbered, pair

LIMIT = 20  # seconds
WAITS = {"7", "23", "232", "270", "271", "281", "441"}  # the system calls, on x86-64


class Worker(threading.Thread):
    """Does deeds for others, who wait until they are done."""

    def __init__(self):
        super().__init__(daemon=True)
        self.deeds, self.done = queue.SimpleQueue(), queue.SimpleQueue()
        self.start()

    def run(self):
        for deed in iter(self.deeds.get, None):
            try:
                self.done.put(deed())
            except Exception as why:
                self.done.put(f"{type(why).__name__} {getattr(why, 'errno', '')}")

    def do(self, deed):
        self.deeds.put(deed)
        return self.done.get(timeout=LIMIT)


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.trace, self.map, self.peers, self.all = [], {}, {}, []
        self.names = itertools.count(1)
        self.use_poll = self.random.random() < 0.5
        self.runs = self.random.random() < 0.3  # a new loop() for each pass
        self.in_predicate, self.in_handler, self.waited_for, self.kept = [], [], [], []
        self.workers = [Worker() for _ in range(3)]
        near, self.bell = pair()
        self.ringer = Bell(self, near)
        self.listener = Listener(self)
        self.over = self.inside = False
        self.doing = threading.Lock()  # held during a deed that is not the loop's own
        self.go, self.between = queue.SimpleQueue(), queue.SimpleQueue()
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    # -- the thread that loops ------------------------------------------------------------------

    def loop(self):
        while not self.over:
            try:
                asyncore.loop(LIMIT, self.use_poll, self.map, 1 if self.runs else None)
            except Exception as why:
                self.wait_for_deed()
                self.say(f"loop raised {type(why).__name__} {getattr(why, 'errno', why)}")
            self.between.put("ended")
            self.go.get(timeout=LIMIT)

    def is_waiting(self):
        try:
            with open(f"/proc/self/task/{self.thread.native_id}/syscall") as file:
                return file.read().split()[0] in WAITS
        except (OSError, IndexError):
            return False

    def settled(self, after=0):
        """Return whether the loop waits in a pass after that number; False if it has ended."""
        deadline = time.monotonic() + LIMIT
        while self.between.empty():
            assert time.monotonic() < deadline, [after, self.ringer.asked, self.trace[-20:]]
            asked = self.ringer.asked
            if asked > after and self.is_waiting() and asked == self.ringer.asked:
                return True
            time.sleep(0.0005)
        return False

    # -- what is written down, and what is done --------------------------------------------------

    def say(self, line):
        self.trace.append(line)

    def wait_for_deed(self):
        """Called by the loop's thread first: an event may end a wait in the middle of a change."""
        if threading.current_thread() is self.thread:
            with self.doing:
                pass

    def do_now(self, deed):
        """As `do`, while the loop waits or has ended."""
        with self.doing:
            self.do(deed)

    def do(self, deed):
        """Have one of the workers do it."""
        name, function = deed
        self.say(f"do {name}")
        if name == "make_pass" and self.random.random() < 0.5:
            function()  # in the thread that is in a pass already
            return
        result = self.random.choice(self.workers).do(function)
        if result is not None:
            self.say(f"  {result}")

    def deed(self, point):
        """A deed for the point, as (name, function); None if there is nothing to do it to."""
        kinds = ["add", "add_ready", "fill", "want", "class", "own", "close", "leave", "enter"]
        kinds += ["reconnect", "empty", "close_many", "late", "watchdog"]
        if point in ("predicate", "handler"):
            kinds += ["make_pass"]
        if point == "between":  # an audit comes when a run begins, and else in most passes
            kinds += ["lose"]
        kind = self.random.choice(kinds)
        if kind in ("add", "add_ready", "late"):
            name, make = f"c{next(self.names)}", self.random.choice(KINDS)
            return f"{kind} {name}", lambda: self.add(name, make, kind)
        present = [c for c in self.all if c.state == "in"]
        absent = [c for c in self.all if c.state == "out"]
        if kind in ("empty", "close_many", "make_pass"):
            return kind, getattr(self, kind)
        if kind == "enter":
            present = [c for c in absent if c.socket.fileno() >= 0]
        if not present:
            return None
        channel = self.random.choice(present)
        if channel in self.waited_for:
            self.waited_for.remove(channel)
        return f"{kind} {channel.name}", lambda: getattr(self, kind)(channel)

    def add(self, name, make, how):
        near, far = pair()
        if how == "add_ready":
            far.send(b"hello\n")
        channel = make(self, near, name) if how != "late" else make.half(self, near, name)
        if how == "late":  # it stands in the map before its __init__() is over
            channel.complete()
        self.peers[name] = far
        self.all.append(channel)

    def fill(self, channel):
        if channel.state == "in":  # a send on a lost one would close it, in a predicate perhaps
            channel.fill(b"filled\n")

    def want(self, channel):
        channel.wants_write = True

    def own(self, channel):
        channel.writable = lambda: self.say(f"{channel.name} own writable") or False

    def __getattr__(self, name):
        if name == "class":
            return lambda channel: channel.change_class()
        raise AttributeError(name)

    def close(self, channel):
        channel.state = "closed"
        channel.close()

    def close_many(self):
        for channel in [c for c in self.all if c.state == "in"][::2]:
            self.close(channel)

    def leave(self, channel):
        channel.state = "out"
        channel.del_channel()

    def enter(self, channel):
        channel.state = "in"
        channel._fileno = channel.socket.fileno()
        channel.add_channel(self.map)

    def reconnect(self, channel):
        near, far = pair()
        channel.close()
        channel.set_socket(near, self.map)
        channel.connected = True
        self.kept.append(self.peers.get(channel.name))  # select(2) holds the old socket
        self.peers[channel.name] = far

    def watchdog(self, channel):
        """Closes a client and makes a new one; for a moment the map is empty."""
        kept = dict(self.map)
        del kept[channel._fileno]
        self.map.clear()
        self.close(channel)
        self.map.update(kept)
        self.add(f"{channel.name}'", type(channel).first, "add")

    def empty(self):
        kept = dict(self.map)
        self.map.clear()
        self.map.update(kept)

    def make_pass(self):
        """One more over the same map, inside the one that is under way."""
        self.inside = True
        try:
            asyncore.loop(0, self.use_poll, self.map, 1)
        finally:
            self.inside = False

    def lose(self, channel):
        """Closed behind the map."""
        channel.state = "lost"
        channel.socket.close()

    # -- steps -------------------------------------------------------------------------------------

    def event(self):
        """Something that ends the wait."""
        present = [c for c in self.waited_for if c.state == "in" and c.name in self.peers]
        kind = self.random.choice(["bell", "bell", "data", "end", "connect"])
        if kind == "connect":
            return "connect", self.listener.visit
        if kind in ("data", "end") and present:
            channel = self.random.choice(present)
            peer = self.peers[channel.name]
            if kind == "data":
                return f"data {channel.name}", lambda: peer.send(b"data\nmore\n") and None
            del self.peers[channel.name]
            return f"end {channel.name}", peer.close
        return "bell", lambda: self.bell.send(b"x") and None

    def step(self):
        self.settled()
        self.say("step")
        for point, deeds in (("predicate", self.in_predicate), ("handler", self.in_handler)):
            if self.random.random() < 0.3:
                deeds += filter(None, [self.deed(point) for _ in range(self.random.randint(1, 2))])
        if self.settled():
            present = [c for c in self.ringer.asked_of if c.state == "in"]
            self.waited_for = [c for c in present if c.reads()]
            for _ in range(self.random.randint(0, 3)):
                deed = self.deed("wait")
                if deed is not None:
                    self.do_now(deed)
            assert self.settled(), self.trace[-30:]
            asked = self.ringer.asked
            self.do_now(self.event())
            self.settled(asked)
        while not self.between.empty():
            self.between.get()
            self.say("between")
            for channel in self.all:
                if channel.state == "lost":
                    channel.state = "closed"
                    self.map.pop(channel._fileno, None)
            for _ in range(self.random.randint(0, 2)):
                deed = self.deed("between")
                if deed is not None:
                    self.do_now(deed)
            asked = self.ringer.asked
            self.go.put(None)
            self.settled(asked)
        self.drain()

    def drain(self):
        for name, peer in sorted(self.peers.items()):
            try:
                data = peer.recv(1 << 20)
            except BlockingIOError:
                continue
            except OSError as why:
                data = why.errno
            self.say(f"{name} sent {data!r}")

    def play(self):
        for _ in range(self.random.randint(3, 10)):
            self.step()
        self.over = True
        self.map.clear()
        self.bell.send(b"x")
        self.go.put(None)
        self.thread.join(LIMIT)
        assert not self.thread.is_alive()
        for worker in self.workers:
            worker.deeds.put(None)
        for channel in [*self.all, self.ringer, self.listener]:
            if channel.socket is not None:
                channel.socket.close()
        for peer in [*self.peers.values(), self.bell, *self.listener.visitors]:
            peer.close()
        return self.trace


if __name__ == "__main__":
    backend, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if backend != "reference":
        import goasyncore

        assert goasyncore.backend().name == backend
    for seed in range(first, last):
        numbered.restart()
        print(json.dumps([seed, Program(seed).play()]), flush=True)
