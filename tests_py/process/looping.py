"""Loops in threads of their own, and a trigger through which other threads use their channels."""

import asyncore
import collections
import os
import queue
import socket
import threading
import time

from support import LIMIT, until_it_waits

REPETITIONS = 50 if os.environ.get("GOASYNCORE_SOAK") else 3
WAIT = 10 * LIMIT  # seconds: a wait that only an event ends


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


class Trigger(asyncore.dispatcher):
    """Has the loop's thread do what other threads ask for, as medusa's and waitress's do."""

    def __init__(self, channels):
        near, self.far = socket.socketpair()
        self.calls = collections.deque()
        self.asked = 0
        asyncore.dispatcher.__init__(self, near, channels)

    def readable(self):
        self.asked += 1
        return True

    def writable(self):
        return False

    def handle_read(self):
        self.recv(8192)
        while self.calls:
            self.calls.popleft()()

    def call(self, function):
        """Have it called; returns what it returns."""
        result = queue.SimpleQueue()
        self.calls.append(lambda: result.put(function()))
        self.far.send(b"x")
        return result.get(timeout=LIMIT)


class Loop:
    """A loop over a map of its own in a thread of its own."""

    def __init__(self, use_poll, timeout=WAIT):
        self.channels, self.raised = {}, None
        self.trigger = Trigger(self.channels)
        self.thread = threading.Thread(target=self.run, args=(timeout, use_poll), daemon=True)
        self.thread.start()
        self.call(int)

    def run(self, *args):
        try:
            asyncore.loop(*args, self.channels)
        except BaseException as why:
            self.raised = why

    def call(self, function):
        return self.trigger.call(function)

    def next_pass(self):
        """Return when a pass that has seen what was changed waits."""
        asked = self.call(lambda: self.trigger.asked)
        deadline = time.monotonic() + LIMIT
        while self.trigger.asked == asked:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        until_it_waits(self.thread)

    def end(self):
        self.trigger.calls.append(lambda: asyncore.close_all(self.channels))
        self.trigger.far.send(b"x")
        self.thread.join(LIMIT)
        self.trigger.far.close()
        assert self.raised is None
        assert not self.thread.is_alive()


def run_threads(functions):
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as why:
            failures.append(why)

    threads = [threading.Thread(target=guarded, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)
