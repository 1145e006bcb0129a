"""After os.closerange() the numbers of the loop's own descriptors may be the program's.

They are never read, written or closed then, and the loop opens new ones.
"""

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


def test_numbers_closed_by_a_handler(use_poll):
    run_python(
        PROGRAM
        + """
class Closing(Channel):
    def handle_read(self):
        self.recv(100)
        keep = {self._fileno, far.fileno()}
        for fd in range(3, 400):
            if fd not in keep:
                try:
                    os.close(fd)
                except OSError:
                    pass


next(iter(channels.values())).__class__ = Closing
far.send(b"x")
asyncore.loop(LIMIT, use_poll, channels, 1)
began = time.monotonic()
asyncore.loop(0.05, use_poll, channels, 1)
assert time.monotonic() - began >= 0.04
assert woken(channels)
""",
        "poll" if use_poll else "select",
        "none",
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
