"""The waits of a busy loop have no timeout: a thread ends them, and rests when no loop is busy."""

import asyncore
import sys
import threading
import time
from pathlib import Path

import goasyncore
import pytest
from support import LIMIT, Recorder, pair, run_python, until_it_waits

EVENTS = 3000
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")


class Echo(Recorder):
    """Gets a byte from itself in each pass, `EVENTS` times."""

    def __init__(self, near, far, channels):
        super().__init__(near, channels)
        self.far, self.left = far, EVENTS
        far.send(b"x")

    def writable(self):
        return False

    def handle_read(self):
        self.recv(10)
        self.left -= 1
        if self.left:
            self.far.send(b"x")


@pytest.fixture
def another_loop(closing):
    """A loop in another thread, which waits."""
    others = {}
    near, peer = closing(*pair())
    channel = Recorder(near, others)
    channel.handle_read = channel.close
    thread = threading.Thread(target=asyncore.loop, args=(LIMIT, True, others))
    thread.start()
    until_it_waits(thread)
    yield
    peer.send(b"x")
    thread.join(LIMIT)


@pytest.mark.usefixtures("another_loop")
def test_wait_after_busy_passes_lasts_for_its_timeout(use_poll, channels, closing):
    channel = Echo(*closing(*pair()), channels)
    asyncore.loop(LIMIT, use_poll, channels, EVENTS)
    assert not channel.left
    for passes in range(1, 4):
        channel.left = 500
        channel.far.send(b"x")
        began = time.monotonic()
        asyncore.loop(0.2, use_poll, channels, 500 + passes)
        assert not channel.left
        assert 0.2 * passes <= time.monotonic() - began < LIMIT / 2


def test_loops_in_threads_end_on_time_after_busy_passes(use_poll, closing):
    took = []

    def serve():
        channels = {}
        channel = Echo(*closing(*pair()), channels)
        asyncore.loop(LIMIT, use_poll, channels, EVENTS)
        began = time.monotonic()
        asyncore.loop(0.3, use_poll, channels, 2)
        took.append((time.monotonic() - began, channel.left))

    threads = [threading.Thread(target=serve) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert len(took) == 6
    for seconds, left in took:
        assert not left
        assert 0.6 <= seconds < LIMIT / 2


@pytest.mark.usefixtures("another_loop")
def test_change_in_another_thread_counts_after_a_wait_of_a_busy_loop(use_poll, channels, closing):
    "What has become ready during such a wait ends it at once."
    channel = Echo(*closing(*pair()), channels)
    asyncore.loop(LIMIT, use_poll, channels, EVENTS)
    for delay in (0.001, 0.03, 0.06, 0.12):
        channel.left = 500
        channel.far.send(b"x")
        asyncore.loop(LIMIT, use_poll, channels, 500)
        channel.left = 1
        timer = threading.Timer(delay, channel.far.send, [b"x"])
        timer.start()
        began = time.monotonic()
        asyncore.loop(LIMIT, use_poll, channels, 1)
        assert time.monotonic() - began < LIMIT / 2
        timer.join()
        assert not channel.left


def alarms():
    return [
        task
        for task in Path("/proc/self/task").iterdir()
        if (task / "comm").read_text().strip() == "asyncore-alarm"
    ]


def wake_ups(task):
    lines = (task / "status").read_text().splitlines()
    return [line for line in lines if line.startswith("voluntary_ctxt_switches")]


@linux
@pytest.mark.ours_only("3.11 has no such thread")
@pytest.mark.usefixtures("another_loop")
def test_one_thread_looks_after_busy_waits_and_rests_afterwards(use_poll, channels, closing):
    if goasyncore.backend().name == "portable":
        pytest.skip("portable waits have timeouts")
    channel = Echo(*closing(*pair()), channels)
    asyncore.loop(LIMIT, use_poll, channels, EVENTS)
    for _ in range(100):  # until it is busy for longer than it takes to start a thread
        if alarms():
            break
        channel.left = EVENTS
        channel.far.send(b"x")
        asyncore.loop(LIMIT, use_poll, channels, EVENTS)
    (alarm,) = alarms()
    blocked = next(
        line for line in (alarm / "status").read_text().splitlines() if line.startswith("SigBlk")
    )
    assert int(blocked.split()[1], 16) | 0x180000000 | 0x40100 == 2**64 - 1
    end = time.monotonic() + LIMIT
    before = None
    while wake_ups(alarm) != before:
        assert time.monotonic() < end
        before = wake_ups(alarm)
        asyncore.loop(0.2, use_poll, channels, 1)


def test_child_of_a_busy_loop_ends_its_maps():
    "The thread is not in the child, and may have held its lock."
    run_python(
        """
import asyncore, gc, os, socket, sys, threading

class Echo(asyncore.dispatcher):
    left = 2000
    def writable(self):
        return False
    def handle_read(self):
        self.recv(10)
        Echo.left -= 1
        far.send(b"x")
        if Echo.left % 100 == 0:
            child = os.fork()
            if not child:
                self.del_channel()
                maps.clear()
                gc.collect()
                os._exit(3)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3

class Idle(asyncore.dispatcher):
    def writable(self):
        return False
    def handle_read(self):
        self.close()

one, other = socket.socketpair()
others = {}
Idle(one, others)
threading.Thread(target=asyncore.loop, args=(20.0, True, others)).start()
near, far = socket.socketpair()
maps = [{}]
channel = Echo(near, maps[0])
far.send(b"x")
asyncore.loop(20.0, True, maps[0], 2000)
assert Echo.left == 0
other.send(b"x")
""",
        flags=("-W", "ignore"),
    )
