"""After os.closerange() the numbers of the loop's own descriptors may be the program's.

They are never read, written or closed then, and the loop opens new ones.
"""

import os

import pytest
from support import run_python

pytestmark = pytest.mark.ours_only("3.11 has no descriptors of its own")

PROGRAM = """
import asyncore, os, resource, socket, sys, threading, time
import goasyncore

use_poll, taken = sys.argv[1] == "poll", sys.argv[2]
resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
LIMIT = 20.0


class Channel(asyncore.dispatcher):
    def writable(self):
        return False

    def handle_read(self):
        self.recv(100)


def a_map():
    near, far = socket.socketpair()
    channels = {}
    Channel(near, channels)
    return channels, far


def woken(channels):
    "Whether wake() from another thread ends a wait."
    waits = threading.Event()
    next(iter(channels.values())).readable = lambda: waits.set() or True

    def other():
        waits.wait(LIMIT)
        time.sleep(0.02)
        goasyncore.wake(channels)

    thread = threading.Thread(target=other)
    thread.start()
    began = time.monotonic()
    asyncore.loop(LIMIT, use_poll, channels, 1)
    thread.join()
    return time.monotonic() - began < LIMIT / 2


def fill():
    "Open every number that is left: what the loop had is the program's now."
    mine = []
    if taken == "unread":  # each end has bytes that nobody may take
        while True:
            try:
                near, far = socket.socketpair()
            except OSError:
                break
            near.send(b"kept")
            far.send(b"kept")
            mine += [near, far]
    elif taken == "files":
        name = "goasyncore-test-" + str(os.getpid())
        while True:
            try:
                mine.append(open(name, "w+b", 0))
            except OSError:
                break
        os.unlink(name)
    return mine


def untouched(mine):
    for each in mine:
        if taken == "unread":
            assert each.recv(100) == b"kept"
            each.setblocking(False)
            try:
                raise AssertionError(each.recv(100))
            except BlockingIOError:
                pass
        else:
            assert os.fstat(each.fileno()).st_size == 0


channels, far = a_map()
asyncore.loop(0.01, use_poll, channels, 2)
"""


@pytest.mark.parametrize("taken", ["none", "unread", "files"])
@pytest.mark.parametrize("used", [False, True], ids=["", "after wake()"])
def test_numbers_that_the_program_has_closed_and_taken(use_poll, taken, used):
    run_python(
        PROGRAM
        + f"""
if {used}:
    assert woken(channels)
os.closerange(3, 400)
next(iter(channels.values())).socket.detach()
far.detach()
mine = fill()
if mine:
    for each in mine[:8]:
        each.close()
channels, far = a_map()
began = time.monotonic()
asyncore.loop(0.05, use_poll, channels, 1)
assert time.monotonic() - began >= 0.04
far.send(b"x")
asyncore.loop(LIMIT, use_poll, channels, 1)
goasyncore.wake(channels)
asyncore.loop(LIMIT, use_poll, channels, 1)
assert woken(channels)
untouched(mine[8:])
channels.clear()
for each in mine[8:]:
    os.fstat(each.fileno())
""",
        "poll" if use_poll else "select",
        taken,
    )


def test_no_descriptor_is_left_for_the_loop(use_poll):
    run_python(
        """
import asyncore, resource, socket, sys, time

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
near, far = socket.socketpair()
told = []


class Channel(asyncore.dispatcher):
    def handle_read(self):
        told.append(self.recv(100))

    def writable(self):
        return False


Channel(near)
asyncore.loop(0, sys.argv[1] == "poll", count=1)
mine = []
while True:
    try:
        mine.append(open("/dev/null"))
    except OSError:
        break
began = time.monotonic()
asyncore.loop(0.05, sys.argv[1] == "poll", count=1)
assert time.monotonic() - began >= 0.04
far.send(b"x")
asyncore.loop(20, sys.argv[1] == "poll", count=1)
assert told == [b"x"]
""",
        "poll" if use_poll else "select",
    )


# `take` puts the program's own files under every number that the loop's descriptors had.
TAKEN_FROM_PROC = """
import asyncore, os, select, socket, sys, threading, time

what, when, use_poll = sys.argv[1], sys.argv[2], sys.argv[3] == "poll"


def numbers():
    return {int(name) for name in os.listdir("/proc/self/fd")}


class Channel(asyncore.dispatcher):
    got = b""

    def writable(self):
        return False

    def handle_read(self):
        self.got += self.recv(100)
        if self.got == b"take":
            take()


near, far = socket.socketpair()
spare, spares_peer = socket.socketpair()
mine = numbers()
channel = Channel(near)
asyncore.loop(0.01, use_poll, count=2)
own = sorted(number for number in numbers() - mine if number >= 3)
held = []


def take():
    for number in own:
        os.close(number)
        if what == "socket":
            one, other = socket.socketpair()
            other.send(b"12345678")
            os.dup2(one.fileno(), number)
            one.close()
            other.setblocking(False)
            held.append((number, other))
        elif what == "file":
            file = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
            os.dup2(file, number)
            os.close(file)
            held.append((number, None))
        elif what == "epoll":
            with select.epoll() as poller:
                poller.register(spare, select.EPOLLOUT)
                os.dup2(poller.fileno(), number)
            held.append((number, None))


def check():
    for number, other in held:
        if what == "socket":
            assert os.read(number, 100) == b"12345678", number
            try:
                raise AssertionError(other.recv(100))
            except BlockingIOError:
                pass
        elif what == "file":
            assert os.fstat(number).st_size == 0, number
        else:
            poller = select.epoll.fromfd(number)
            assert [event for _, event in poller.poll(0)] == [select.EPOLLOUT]


if when == "between":
    take()
    time.sleep(0.002)
elif when == "handler":
    far.send(b"take")
    asyncore.loop(5, use_poll, count=1)
    assert channel.got == b"take"
    time.sleep(0.002)

if when != "end":
    import goasyncore

    for _ in range(3):
        goasyncore.wake()
        goasyncore.call_soon_threadsafe(far.send, b"x")
        asyncore.loop(5, use_poll, count=1)
        asyncore.loop(5, use_poll, count=1)
    assert channel.got.endswith(b"xxx"), channel.got
    timer = threading.Timer(0.1, goasyncore.call_soon_threadsafe, (far.send, b"y"))
    timer.start()
    began = time.monotonic()
    while not channel.got.endswith(b"y"):
        asyncore.loop(20, use_poll, count=1)
    assert time.monotonic() - began < 10
    timer.join()
else:
    take()
child = os.fork()
if child == 0:
    try:
        for number, other in held:
            os.fstat(number)
    except OSError:
        os._exit(1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0, "a child has closed them"
asyncore.close_all()
asyncore.socket_map = None
del channel
import gc

gc.collect()
check()
print("left alone")
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
@pytest.mark.parametrize("what", ["nothing", "socket", "file", "epoll"])
@pytest.mark.parametrize("when", ["between", "handler", "end"])
def test_what_took_their_numbers_is_left_alone(use_poll, what, when):
    result = run_python(TAKEN_FROM_PROC, what, when, "poll" if use_poll else "select")
    assert result.stdout == "left alone\n"
