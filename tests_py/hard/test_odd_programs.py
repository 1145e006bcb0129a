"""Programs that nobody should write, with all of Python's own checks: they end as they should."""

import pytest
from echoes import ECHO
from support import run_python

PRELUDE = (
    ECHO
    + """
import asynchat, collections, gc, os, sys, threading, tracemalloc, weakref
use_poll = sys.argv[1] == "True"

def fed(channels, cls=Echo, data=b"x"):
    channel, far = connect(channels, cls)
    far.send(data)
    return channel, far

def loop(channels, count):
    asyncore.loop(0, use_poll, channels, count)

def works():
    channels = {}
    channel, far = fed(channels)
    loop(channels, 1)
    assert far.recv(10) == b"x"
    channel.close()
    far.close()

channels = {}
works()
"""
)

PROGRAMS = {
    "classes swapped in predicates and handlers": """
class A(Echo):
    def readable(self):
        self.__class__ = B
        return True
class B(Echo):
    def readable(self):
        self.__class__ = A
        return True
    def writable(self):
        self.__class__ = C
        gc.collect()
        return False
class C(asynchat.async_chat):
    terminator = None
    def readable(self):
        self.__class__ = A
        return True
    def handle_read(self):
        self.__class__ = B
        seen.append(self.recv(1))
    def handle_error(self):
        raise
seen = []
channel, far = fed(channels, A, b"abcdefgh" * 10)
loop(channels, 50)
assert channel in channels.values()
""",
    "the global map deleted": """
kept = asyncore.socket_map
del asyncore.socket_map
for call in (asyncore.loop, asyncore.poll, asyncore.poll2, asyncore.close_all):
    try:
        call()
    except NameError:
        pass
    else:
        raise AssertionError(call)
asyncore.socket_map = kept
""",
    "sys.modules emptied": """
class Emptying(Echo):
    def handle_read(self):
        modules.update(sys.modules)
        sys.modules.clear()
        super().handle_read()
modules = {}
channel, far = fed(channels, Emptying)
loop(channels, 2)
sys.modules.update(modules)
assert far.recv(10) == b"x"
""",
    "a map cleared by a collection": """
class Cleared(Echo):
    def handle_read(self):
        gc.collect()
        super().handle_read()
for _ in range(5):
    channel, far = fed(channels, Cleared)
gc.callbacks.append(lambda phase, info: channels.clear())
loop(channels, 5)
gc.callbacks.clear()
assert not channels
""",
    "channels that only a weak map knows": """
weak = weakref.WeakValueDictionary()
channel, far = fed(weak)
loop(weak, 1)
assert far.recv(10) == b"x"
channels[channel.socket.fileno()] = weakref.proxy(channel)
far.send(b"y")
loop(channels, 1)
assert far.recv(10) == b"y"
del channel
gc.collect()
loop(weak, 1)
try:
    loop(channels, 1)
except ReferenceError:
    pass
else:
    raise AssertionError("the channel is dead")
""",
    "a stack that is nearly full": """
channel, far = fed(channels)
def deep(left):
    if left:
        return deep(left - 1)
    try:
        loop(channels, 1)
    except RecursionError:
        pass
for left in range(sys.getrecursionlimit() - 60, sys.getrecursionlimit()):
    try:
        deep(left)
    except RecursionError:
        pass
loop(channels, 2)
far.send(b"y")
loop(channels, 1)
assert far.recv(10).endswith(b"y")
""",
    "traced, profiled and monitored": """
tracemalloc.start(5)
sys.settrace(lambda *args: None)
sys.setprofile(lambda *args: None)
sys.monitoring.use_tool_id(3, "test")
sys.monitoring.register_callback(3, sys.monitoring.events.CALL, lambda *args: None)
sys.monitoring.set_events(3, sys.monitoring.events.CALL)
channel, far = fed(channels)
loop(channels, 5)
sys.monitoring.set_events(3, 0)
sys.setprofile(None)
sys.settrace(None)
assert far.recv(10) == b"x"
""",
    "a trace function that raises in a handler": """
def trace(frame, event, arg):
    if frame.f_code.co_name == "handle_read":
        raise ArithmeticError
    return trace
channel, far = fed(channels)
sys.settrace(trace)
try:
    loop(channels, 5)
except ArithmeticError:
    pass
else:
    raise AssertionError("no error")
sys.settrace(None)
far.send(b"y")
loop(channels, 1)
assert far.recv(10) == b"xy"
""",
    "keys that are equal to nothing": """
class Key(int):
    def __hash__(self):
        return int(self) + 7
    def __eq__(self, other):
        return False
class Thrice(Echo):
    def handle_read(self):  # select(2) reports each of the keys
        try:
            super().handle_read()
        except BlockingIOError:
            pass
channel, far = fed(channels, Thrice)
number = channel.socket.fileno()
for key in (Key(number), Key(number), number):
    channels[key] = channel
try:
    loop(channels, 3)
finally:
    channels.clear()
loop(channels, 3)
""",
    "generators left open at the end": """
class Generating(Echo):
    def handle_read(self):
        self.steps = self.step()
        next(self.steps)
    def step(self):
        try:
            yield self.recv(100)
        finally:
            try:
                loop(self._map, 1)
            except OSError:  # its socket has been closed before it
                pass
            print("closed", flush=True)
channel, far = fed(channels, Generating)
loop(channels, 1)
""",
    "daemon threads that loop over maps that go away": """
def serve():
    while True:
        mine = {}
        channel, far = fed(mine)
        loop(mine, 1)
        del mine
        channel.socket.close()
        far.close()
for _ in range(3):
    threading.Thread(target=serve, daemon=True).start()
for _ in range(50):
    works()
""",
    "os._exit in a handler": """
class Ending(Echo):
    def handle_read(self):
        print("ended", flush=True)
        os._exit(0)
fed(channels, Ending)
loop(channels, 1)
raise AssertionError("not ended")
""",
}
PRINTED = {"generators left open at the end": "closed\n", "os._exit in a handler": "ended\n"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_ends_as_it_should(use_poll, name):
    last = "" if name in PRINTED else "works()\n"
    done = run_python(
        PRELUDE + PROGRAMS[name] + last,
        use_poll,
        env={"PYTHONMALLOC": "debug"},
        flags=("-X", "dev", "-W", "ignore"),
    )
    assert done.stdout == PRINTED.get(name, "")
