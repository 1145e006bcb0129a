"""loop(): how many passes, which pass, when it ends."""

import asyncore
import threading
import time

import pytest
from support import Recorder, one_pass, pair, poll_function


class Idle:
    """A channel that wants nothing and counts the passes that ask it."""

    accepting = False

    def __init__(self):
        self.asked = 0

    def readable(self):
        self.asked += 1
        return False

    def writable(self):
        return False


@pytest.fixture
def quick_sleep(monkeypatch):
    """time.sleep() that only writes down for how long."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.mark.parametrize("count", [1, 2, 7])
def test_count_is_the_number_of_passes(use_poll, count):
    idle = Idle()
    asyncore.loop(timeout=0, use_poll=use_poll, map={0: idle}, count=count)
    assert idle.asked == count


@pytest.mark.parametrize("count", [2**31, 2**63 - 1, 2**63, 2**64, 2**1000])
def test_a_count_that_is_never_reached(use_poll, count):
    near, far = pair()
    far.send(b"x")
    channels = {}
    Recorder(near, channels).handle_read = channels.clear
    asyncore.loop(0, use_poll, channels, count)
    assert channels == {}
    near.close()
    far.close()


@pytest.mark.parametrize("count", [0, -1, -(2**63), -(2**64), 0.0, -0.5, False])
def test_no_pass_for_a_count_below_one(use_poll, count):
    idle = Idle()
    asyncore.loop(timeout=0, use_poll=use_poll, map={0: idle}, count=count)
    assert idle.asked == 0


def test_loop_returns_at_once_with_an_empty_map(use_poll, quick_sleep):
    assert asyncore.loop(timeout=None, use_poll=use_poll, map={}) is None
    assert quick_sleep == []


def test_a_pass_over_an_empty_map_returns_at_once(use_poll, quick_sleep):
    assert one_pass(use_poll, {}, timeout=1000) is None
    assert quick_sleep == []


def test_loop_ends_when_the_last_channel_is_gone(use_poll, channels):
    near, far = pair()

    class Closing(Recorder):
        def handle_read(self):
            self.close()

    Closing(near, channels)
    far.send(b"x")
    asyncore.loop(timeout=None, use_poll=use_poll, map=channels)
    assert channels == {}
    far.close()


def test_loop_serves_channels_that_were_added_while_it_ran(use_poll, channels, closing):
    seen = []
    (near, far), (second, peer) = pair(), pair()
    closing(far, peer)
    peer.send(b"x")

    class Last(Recorder):
        def handle_read(self):
            self.note("read")
            self.close()

    class First(Recorder):
        def handle_read(self):
            self.note("read")
            self.close()
            Last(second, channels, seen, "last")

    First(near, channels, seen, "first")
    far.send(b"x")
    asyncore.loop(timeout=None, use_poll=use_poll, map=channels)
    assert seen == [("first", "read"), ("last", "read")]


def test_poll_sleeps_for_the_timeout_with_nothing_to_wait_for(quick_sleep):
    asyncore.poll(12.5, {0: Idle()})
    assert quick_sleep == [12.5]


def test_loop_sleeps_in_each_pass_with_nothing_to_wait_for(quick_sleep):
    asyncore.loop(timeout=3, map={0: Idle()}, count=4)
    assert quick_sleep == [3, 3, 3, 3]


def test_a_wait_without_event_ends_after_the_timeout(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    start = time.monotonic()
    one_pass(use_poll, channels, timeout=0.05)
    # Waiting for longer is the machine's business, returning earlier would be ours.
    assert time.monotonic() - start >= 0.049
    assert channel.events == []


def test_poll2_waits_the_timeout_out_with_nothing_to_wait_for():
    start = time.monotonic()
    asyncore.poll2(0.05, {0: Idle()})
    assert time.monotonic() - start >= 0.049


def test_poll2_cuts_the_timeout_to_whole_milliseconds(channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels)
    asyncore.poll2(0.0009, channels)
    asyncore.poll2(-0.0001, channels)


def test_timeout_none_waits_for_an_event(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    asked = threading.Event()
    channel.readable = lambda: asked.set() or True
    sender = threading.Thread(target=lambda: asked.wait() and far.send(b"x"))
    sender.start()
    one_pass(use_poll, channels, timeout=None)
    sender.join()
    assert channel.events == ["read"]


def test_poll_refuses_a_negative_timeout(channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels)
    with pytest.raises(ValueError):
        asyncore.poll(-1, channels)
    with pytest.raises(ValueError):
        asyncore.loop(timeout=-0.5, map=channels, count=1)


def test_poll_refuses_a_negative_timeout_with_nothing_to_wait_for():
    with pytest.raises(ValueError):
        asyncore.poll(-1, {0: Idle()})


def test_poll2_takes_a_negative_timeout_as_for_ever(channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    far.send(b"x")
    asyncore.poll2(-1, channels)
    assert channel.events == ["read"]


@pytest.mark.parametrize("timeout", [[], {}, object()])
def test_a_timeout_that_is_no_number_is_a_type_error(use_poll, channels, closing, timeout):
    near, far = closing(*pair())
    Recorder(near, channels)
    with pytest.raises(TypeError):
        one_pass(use_poll, channels, timeout)


def test_default_map_is_the_global_one(use_poll, closing):
    near, far = closing(*pair())
    channel = Recorder(near)
    try:
        assert asyncore.socket_map == {near.fileno(): channel}
        far.send(b"x")
        asyncore.loop(timeout=0, use_poll=use_poll, count=1)
        poll_function(use_poll)()
        poll_function(use_poll)(0)
        assert channel.events == ["read"] * 3
    finally:
        channel.close()


def test_an_empty_map_given_is_not_the_global_one(use_poll, closing):
    near, far = closing(*pair())
    channel = Recorder(near)
    far.send(b"x")
    asyncore.loop(timeout=0, use_poll=use_poll, map={}, count=1)
    one_pass(use_poll, {})
    channel.close()
    assert channel.events == []


def test_arguments_by_position_and_by_name(channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    far.send(b"x")
    asyncore.loop(0, True, channels, 1)
    asyncore.loop(count=1, map=channels, use_poll=False, timeout=0)
    asyncore.poll(map=channels, timeout=0)
    asyncore.poll2(map=channels, timeout=0)
    assert channel.events == ["read"] * 4
