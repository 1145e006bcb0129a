"""Waits in select's meaning: for numbers above 1023, and shorter than a millisecond."""

import asyncore
import errno
import fcntl
import resource
import select
import socket
import threading
import time

import pytest
from support import LIMIT, Recorder, backend, pair, run_python, until_it_waits

ABOVE = 1500
above_1023 = pytest.mark.ours_only("select.select() ends at 1023")


@pytest.fixture(params=[pytest.param(True, marks=above_1023), False], ids=["above 1023", "below"])
def new_pair(request, closing):
    """new_pair(): a connected pair; the first may have a number that is too large for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if request.param and hard != resource.RLIM_INFINITY and hard < ABOVE + 100:
        pytest.skip("the system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ABOVE + 100), hard))

    def make():
        near, far = pair()
        closing(far)
        if request.param:
            number = fcntl.fcntl(near, fcntl.F_DUPFD_CLOEXEC, ABOVE)
            near.close()
            near = socket.socket(fileno=number)
        return near, far

    yield make
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def in_the_wait(channels, act, timeout):
    """Make a pass, and have another thread act when its wait has begun."""
    waits, over = threading.Event(), threading.Event()
    first = next(iter(channels.values()))
    first.readable = lambda: waits.set() or True

    def other():
        waits.wait(LIMIT)
        until_it_waits(unless=over.is_set)
        act()

    thread = threading.Thread(target=other)
    thread.start()
    try:
        asyncore.loop(timeout, False, channels, 1)
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("event", [False, True], ids=["timeout", "event"])
def test_closed_during_the_wait_is_no_bad_descriptor(new_pair, channels, event):
    (near, _), (kept, peer) = new_pair(), new_pair()
    other = Recorder(kept, channels)
    channel = Recorder(near, channels)

    def act():
        channel.close()
        if event:
            peer.send(b"x")

    in_the_wait(channels, act, LIMIT if event else 0.2)
    assert (channel.events, other.events) == ([], ["read"] if event else [])


def test_closed_before_the_wait_is_a_bad_descriptor(new_pair, channels):
    (near, _), (kept, peer) = new_pair(), new_pair()
    other = Recorder(kept, channels)
    channel = Recorder(near, channels)
    peer.send(b"x")
    near.close()
    with pytest.raises(OSError) as caught:
        asyncore.loop(0.05, False, channels, 1)
    assert caught.value.errno == errno.EBADF
    assert other.events == []
    channel.del_channel()


@pytest.mark.parametrize("last", [1, 2, 3, 8])
def test_what_a_predicate_closes_is_a_bad_descriptor(new_pair, channels, last):
    (near, _), (kept, peer) = new_pair(), new_pair()
    channel, other = Recorder(near, channels), Recorder(kept, channels)
    asked = []

    def readable():
        asked.append(channel)
        if len(asked) == last:
            near.close()
        return True

    channel.readable = readable
    other.handle_read = lambda: None
    peer.send(b"x")  # so that no pass waits for long
    with pytest.raises(OSError) as caught:
        asyncore.loop(LIMIT, False, channels)
    assert caught.value.errno == errno.EBADF
    if backend() != "native":  # the engine looks once a millisecond
        assert len(asked) == last
    channel.del_channel()


def test_a_program_that_may_open_nothing_any_more_is_served():
    shown = run_python(
        """
import asyncore, resource, socket

class Echo(asyncore.dispatcher):
    def handle_read(self):
        print(self.recv(10))
        far.send(b"x")

near, far = socket.socketpair()
Echo(near)
more = [asyncore.dispatcher(one) for one in socket.socketpair()]
for one in more:
    one.writable = lambda: False
far.send(b"first")
asyncore.loop(1, False, None, 1)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
asyncore.loop(1, False, None, 5)
"""
    ).stdout
    assert shown.split() == ["b'first'"] + 5 * ["b'x'"]


def one_takes(wait, least, less_than):
    """Whether one of the waits is that short, as not all are on a busy machine; none is shorter."""
    deadline = time.monotonic() + LIMIT / 4
    while time.monotonic() < deadline:
        took = wait()
        assert took >= least
        if took < less_than:
            return True
    return False


@pytest.mark.parametrize("timeout", [0.0002, 0.0102])
def test_timeouts_count_microseconds(new_pair, channels, timeout):
    near, _ = new_pair()
    channel = Recorder(near, channels)
    asyncore.loop(0, False, channels, 1)

    def wait():
        began = time.monotonic()
        asyncore.loop(timeout, False, channels, 1)
        return time.monotonic() - began

    assert one_takes(wait, timeout, timeout + 0.0007)
    assert channel.events == []


@pytest.mark.ours_only("3.11 schedules nothing")
def test_a_call_is_due_within_a_millisecond(goasyncore, idle, use_poll):
    """One wait ends for it, and a millisecond's is not what it takes; the kernel's poll() alone
    counts those.
    """

    def wait():
        called = []
        handle = goasyncore.call_later(0.0003, lambda: called.append(time.monotonic()), map=idle)
        asyncore.loop(LIMIT, use_poll, idle, 1)
        return called[0] - handle.when()

    portable_poll = use_poll and goasyncore.backend().name == "portable"
    assert one_takes(wait, 0, LIMIT if portable_poll else 0.0006)


@pytest.mark.parametrize("timeout", [-1, 1e300, float("nan"), "1", [], -0.0001])
def test_timeouts_that_select_refuses(new_pair, channels, timeout):
    near, _ = new_pair()
    Recorder(near, channels)
    with pytest.raises((ValueError, OverflowError, TypeError)) as refused:
        asyncore.loop(timeout, False, channels, 1)
    with pytest.raises(refused.type):
        select.select([], [], [], timeout)


@pytest.mark.parametrize("timeout", [-1, 1e300, "1"])
def test_timeouts_that_select_refuses_when_a_channel_is_ready(new_pair, channels, timeout):
    """A loop may look at its channels before it waits; it must not forget the timeout then."""
    near, far = new_pair()
    Recorder(near, channels)
    far.send(b"x")
    for _ in range(20):
        with pytest.raises((ValueError, OverflowError, TypeError)):
            asyncore.loop(timeout, False, channels, 1)


def test_a_loop_that_was_busy_waits_when_nothing_is_ready(new_pair, channels, use_poll):
    near, far = new_pair()
    channel = Recorder(near, channels)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 40)
    assert len(channel.events) == 40
    near.recv(1)
    began, used = time.monotonic(), time.process_time()
    asyncore.loop(0.1, use_poll, channels, 3)
    assert time.monotonic() - began >= 0.3
    assert time.process_time() - used < 0.2
    assert len(channel.events) == 40


def test_a_hang_up_is_nothing_to_a_channel_that_waits_for_priority_data(new_pair, channels):
    """poll(2) reports it all the same; a loop that went by that would spin."""
    near, far = new_pair()
    channel = Recorder(near, channels, wants="w")
    channel.accepting = True
    far.close()
    asyncore.loop(0, False, channels, 1)
    began, used = time.monotonic(), time.process_time()
    asyncore.loop(0.7, False, channels, 1)
    assert time.monotonic() - began >= 0.7
    assert time.process_time() - used < 0.3
    assert channel.events == []


def test_a_wrong_timeout_is_refused_before_a_wrong_map():
    class Map(dict):
        def __len__(self):
            raise ValueError("a map that cannot be measured")

    with pytest.raises(TypeError, match="unsupported operand"):
        asyncore.poll2(object(), Map())
    with pytest.raises(ValueError, match="measured"):
        asyncore.poll2(0, Map())
