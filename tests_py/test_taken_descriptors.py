"""A program may close all its descriptors, the loop's own among them, and get the numbers for its own files."""

import asyncore
import os

import pytest
from support import run_python

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="takes /proc")

# `take` puts the program's own files under every number that the loop's descriptors had.
PROGRAM = """
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
        asyncore.loop(5, use_poll, count=1)
    assert time.monotonic() - began < 3
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


@pytest.mark.ours_only("3.11 has no descriptor of its own")
@pytest.mark.parametrize("what", ["nothing", "socket", "file", "epoll"])
@pytest.mark.parametrize("when", ["between", "handler", "end"])
def test_what_took_their_numbers_is_left_alone(use_poll, what, when):
    result = run_python(PROGRAM, what, when, "poll" if use_poll else "select")
    assert result.stdout == "left alone\n"


@pytest.mark.ours_only("3.11 has no descriptor of its own")
def test_the_map_of_a_program_that_closes_all_is_served(use_poll):
    run_python(
        """
        import asyncore, os, resource, socket, sys

        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        near, far = socket.socketpair()
        channels = {}

        class Channel(asyncore.dispatcher):
            def writable(self):
                return False

            def handle_read(self):
                self.recv(1)
                seen.append(1)

        seen = []
        Channel(near, channels)
        use_poll = sys.argv[1] == "poll"
        asyncore.loop(0, use_poll, channels, 1)
        keep = {near.fileno(), far.fileno()}
        for number in range(3, 256):
            if number not in keep:
                try:
                    os.close(number)
                except OSError:
                    pass
        files = [socket.socketpair() for _ in range(8)]
        for one, other in files:
            other.send(b"12345678")
        for _ in range(3):
            far.send(b"x")
            asyncore.loop(5, use_poll, channels, 1)
        assert len(seen) == 3, seen
        for one, other in files:
            assert one.recv(100) == b"12345678"
        """,
        "poll" if use_poll else "select",
    )
