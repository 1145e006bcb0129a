"""What the kernel keeps of a descriptor: the loop never spins on it, nor takes it for another's.

Passes in which nobody is told anything are counted: one channel has predicates of its own.
"""

import asyncore
import gc
import os
import pathlib
import select
import socket
import subprocess
import sys
import threading

import pytest
from support import LIMIT, Recorder, pair


class Counter(asyncore.dispatcher):
    """Counts the passes, and ends the loop when its peer says so."""

    def __init__(self, channels):
        near, self.peer = pair()
        self.passes = 0
        asyncore.dispatcher.__init__(self, near, channels)

    def readable(self):
        self.passes += 1
        return True

    def writable(self):
        return False

    def handle_read(self):
        self.recv(100)


@pytest.fixture
def counter(channels, closing):
    counter = Counter(channels)
    closing(counter.peer)
    return counter


def idle_pass(counter, use_poll, timeout=0.3):
    """One pass that nothing ends but its timeout. It is counted, as is each wake-up."""
    counter.passes = 0
    waits = processor_time()
    asyncore.loop(timeout, use_poll, counter._map, 1)
    assert counter.passes == 1
    # Waiting costs nothing; spinning costs all of the time there is.
    assert processor_time() - waits < timeout / 2


def epolls():
    """The descriptors of the engine's epoll sets, which are large numbers: Go's runtime may open a
    set of its own at any time.
    """
    links = pathlib.Path("/proc/self/fd")
    numbers = list(links.iterdir()) if links.is_dir() else []
    return [n for n in numbers if int(n.name) >= 960 and "eventpoll" in _link(n)]


def _link(number):
    try:
        return os.readlink(number)
    except FileNotFoundError:  # the listing's own
        return ""


def processor_time():
    times = os.times()
    return times.user + times.system


@pytest.fixture
def holder(closing):
    """holder(sock) has another process keep sock's open file; it ends with the test."""
    started = []

    def hold(sock):
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", "import sys; print('here', flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[sock.fileno()],
        )  # fmt: skip
        started.append(child)
        assert child.stdout.readline() == b"here\n"

    yield hold
    for child in started:
        child.communicate()


class Ending(Recorder):
    """Reads, and takes itself out of the map for good when it reads nothing."""

    def handle_read(self):
        self.note("read")
        self.recv(100)


def test_closed_here_and_kept_by_another_process(use_poll, channels, counter, closing, holder):
    near, far = pair()
    closing(far)
    channel = Ending(near, channels)
    asyncore.loop(0, use_poll, channels, 1)
    holder(near)
    channel.close()
    far.send(b"x")  # the open file is ready, for ever, and nobody's number is its
    for _ in range(2):
        idle_pass(counter, use_poll)
    assert channel.events == []


def test_closed_behind_our_back_and_kept_by_another_process(
    use_poll, channels, counter, closing, holder
):
    near, far = pair()
    closing(far)
    channel = Ending(near, channels)
    asyncore.loop(0, use_poll, channels, 1)
    holder(near)
    near.close()
    far.send(b"x")
    if use_poll:
        asyncore.loop(LIMIT, use_poll, channels, 1)
        assert channel.events == ["close"]
    else:
        with pytest.raises(OSError):
            asyncore.loop(LIMIT, use_poll, channels, 1)
        del channels[next(fd for fd, each in channels.items() if each is channel)]
    idle_pass(counter, use_poll)


def test_the_next_owner_of_the_number_gets_its_own_events(
    use_poll, channels, counter, closing, holder
):
    near, far = pair()
    closing(far)
    channel = Ending(near, channels, name="old")
    asyncore.loop(0, use_poll, channels, 1)
    holder(near)
    number = near.fileno()
    channel.close()
    far.send(b"x")
    again, peer = closing(*pair())
    os.dup2(again.fileno(), number)
    other = Ending(socket.socket(fileno=number), channels, name="new", seen=channel.seen)
    idle_pass(counter, use_poll)
    assert channel.seen == []
    peer.send(b"y")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.seen == [("new", "read")]
    other.close()


def test_number_that_means_another_file_without_a_word(use_poll, channels, counter, closing):
    """dup2() onto a registered number: the map, the channel and its socket are what they were."""
    near, far = pair()
    closing(far)
    channel = Ending(near, channels)
    asyncore.loop(0, use_poll, channels, 1)
    again, peer = closing(*pair())
    os.dup2(again.fileno(), near.fileno())
    peer.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["read"]
    idle_pass(counter, use_poll)


def test_reused_number_in_the_same_pass(use_poll, channels, counter, closing):
    """A handler closes one channel and makes another, which gets its number."""
    near, far = pair()
    closing(far)
    (third, peer), numbers = pair(), []
    closing(peer)

    class Successor(Recorder):
        def handle_read(self):
            self.note("read")
            numbers.append(self._fileno)
            self.close()

    class Replacing(Recorder):
        def handle_read(self):
            number = self._fileno
            self.close()
            os.dup2(third.fileno(), number)
            third.close()
            Successor(socket.socket(fileno=number), channels, self.seen, "new")
            numbers.append(number)

    channel = Replacing(near, channels)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.seen == []
    idle_pass(counter, use_poll)
    peer.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.seen == [("new", "read")]
    assert numbers[0] == numbers[1]


def test_file_that_epoll_refuses_is_ready_in_each_pass(use_poll, channels, counter, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    fd = os.open(path, os.O_RDWR)
    if hasattr(select, "epoll"):
        with select.epoll() as poller, pytest.raises(PermissionError):
            poller.register(fd)
    seen = []
    asyncore.loop(0, use_poll, channels, 1)
    gc.collect()  # the maps of other tests have sets as well
    polls = len(epolls())

    class File(asyncore.file_dispatcher):
        def handle_read(self):
            seen.append("read")

        def handle_write(self):
            seen.append("write")

    channel = File(fd, channels)
    os.close(fd)
    counter.passes = 0
    asyncore.loop(LIMIT, use_poll, channels, 3)
    assert seen.count("read") == seen.count("write") == counter.passes == 3
    assert len(epolls()) == polls  # it is not the file that ends the use of epoll
    channel.close()
    idle_pass(counter, use_poll)


def test_hung_up_and_told_nothing_does_not_spin(channels, counter):
    """select() tells nobody of a hang-up who only waits for room; poll() and epoll do, always."""
    told = []

    class Reader(asyncore.file_dispatcher):
        def readable(self):
            return False

        def handle_read_event(self):
            told.append("read")

        def handle_write_event(self):
            told.append("write")

    far, near = os.pipe()
    channel = Reader(far, channels)
    os.close(far)
    os.close(near)
    for _ in range(2):
        idle_pass(counter, False)
    assert told == []
    channel.close()


def test_descriptor_lost_during_a_wait_is_found_by_the_next(channels, counter, closing):
    """Nothing in epoll tells of a close(): the audit finds it."""
    near, far = pair()
    closing(far)
    channel = Ending(near, channels)
    asyncore.loop(0, True, channels, 1)
    thread = threading.Thread(target=asyncore.loop, args=(LIMIT, True, channels, 1))
    thread.start()
    near.close()
    counter.peer.send(b"x")
    thread.join(LIMIT)
    asyncore.loop(0, True, channels, 1)
    assert channel.events == ["close"]
