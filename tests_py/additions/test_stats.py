"""What stats() counts, on either backend."""

import asyncore
import collections
import gc
import threading

import pytest
from support import LIMIT, Recorder, one_pass, pair

pytestmark = pytest.mark.ours_only("3.11 counts nothing")


def test_nothing_was_done_to_a_map_that_never_looped(goasyncore):
    assert goasyncore.stats({}) == (0, 0, 0, 0, 0, 0, "")


class Called(Recorder):
    """Its predicates have to be called in each pass."""

    def readable(self):
        return "r" in str(self.wants)

    def writable(self):
        return "w" in str(self.wants)


def test_passes_events_and_predicates_are_counted(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Called(near, channels)
    asyncore.loop(0, use_poll, channels, 3)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 2)
    counted = goasyncore.stats(channels)
    assert counted.passes == 5
    assert counted.events == channel.events.count("read") == 2
    assert counted.predicates_asked == 10
    assert counted.interest_changes >= 1
    assert counted.wake_ups == 0


def test_both_ways_of_looping_count(goasyncore, channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels)
    asyncore.poll(0, channels)
    asyncore.poll2(0, channels)
    asyncore.loop(0, map=channels, count=2)
    assert goasyncore.stats(channels).passes == 4


def test_each_map_has_its_own(goasyncore, channels, closing):
    near, far = closing(*pair())
    other = {}
    Recorder(near, channels)
    Recorder(far, other)
    asyncore.loop(0, map=channels, count=3)
    asyncore.loop(0, map=other, count=1)
    assert goasyncore.stats(channels).passes == 3
    assert goasyncore.stats(other).passes == 1


def test_a_new_map_begins_anew(goasyncore, use_poll):
    for _ in range(50):  # most of them at the address of the one before
        near, far = pair()
        channels = {}
        channel = Recorder(near, channels)
        asyncore.loop(0, use_poll, channels, 2)
        assert goasyncore.stats(channels).passes == 2
        channel.close()
        far.close()
        del channels, channel
        gc.collect()


def test_counts_stay_when_the_map_is_empty(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    asyncore.loop(0, use_poll, channels, 2)
    channel.handle_read = channel.close
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels)
    assert not channels
    assert goasyncore.stats(channels).passes == 3


def test_the_default_map_is_socket_map(goasyncore, closing, use_poll):
    near, far = closing(*pair())
    before = goasyncore.stats().passes
    channel = Recorder(near)
    asyncore.loop(0, use_poll, count=2)
    channel.close()
    assert goasyncore.stats().passes == before + 2
    assert goasyncore.stats(asyncore.socket_map) == goasyncore.stats()


@pytest.mark.parametrize("make", [collections.UserDict, collections.OrderedDict])
def test_maps_of_other_kinds_are_counted(goasyncore, closing, use_poll, make):
    near, far = closing(*pair())
    channels = make()
    channel = Recorder(near, channels)
    asyncore.loop(0, use_poll, channels, 2)
    channel.close()
    assert goasyncore.stats(channels).passes == 2


def test_a_handler_may_ask(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    seen = []
    channel.handle_read = lambda: seen.append(goasyncore.stats(channels))
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 2)
    assert len(seen) == 2
    assert all(type(counted) is goasyncore.Stats for counted in seen)


def test_a_wake_up_is_counted(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    waits = threading.Event()
    channel.readable = lambda: waits.set() or True

    def other():
        waits.wait(LIMIT)
        while goasyncore.stats(channels).wake_ups == 0 and channels:
            goasyncore.wake(channels)

    thread = threading.Thread(target=other)
    thread.start()
    for _ in range(100_000):
        asyncore.loop(LIMIT, use_poll, channels, 1)
        if goasyncore.stats(channels).wake_ups:
            break
    thread.join()
    assert goasyncore.stats(channels).wake_ups >= 1


def test_an_idle_channel_of_ours_is_asked_nothing_by_the_engine(goasyncore, channels, closing):
    if goasyncore.backend().name != "native":
        pytest.skip("a portable pass asks everybody")
    near, far = closing(*pair())
    asyncore.dispatcher_with_send(near, channels)
    asyncore.loop(0, map=channels, count=100)
    counted = goasyncore.stats(channels)
    assert counted.predicates_asked == 0
    assert counted.interest_changes == 1


def test_single_passes_over_maps_in_turn_are_counted_for_their_map(goasyncore, closing, use_poll):
    maps = {}, {}
    for channels, sock in zip(maps, closing(*pair()), strict=True):
        Called(sock, channels)
    for _ in range(5):
        for channels in maps:
            one_pass(use_poll, channels)
    for channels in maps:
        counted = goasyncore.stats(channels)
        assert (counted.passes, counted.predicates_asked) == (5, 10)


def test_events_are_counted_until_an_exception_leaves_the_pass(
    goasyncore, channels, closing, use_poll
):
    def leave():
        raise asyncore.ExitNow

    for _ in range(3):
        near, far = closing(*pair())
        channel = Recorder(near, channels)
        far.send(b"x")
    asyncore.loop(0, use_poll, channels, 1)
    assert goasyncore.stats(channels).events == 3
    list(channels.values())[1].handle_read = leave
    with pytest.raises(asyncore.ExitNow):
        asyncore.loop(0, use_poll, channels, 1)
    assert goasyncore.stats(channels).events == 5
    channel.close()
    list(channels.values())[1].handle_read = lambda: None
    asyncore.loop(0, use_poll, channels, 1)
    counted = goasyncore.stats(channels)
    assert (counted.passes, counted.events) == (3, 7)


def test_a_pass_inside_a_predicate_or_a_handler_is_counted(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Called(near, channels)

    def again():
        del channel.readable
        one_pass(use_poll, channels)
        return True

    channel.readable = again
    one_pass(use_poll, channels)
    assert goasyncore.stats(channels).passes == 2
    far.send(b"x")
    channel.handle_read = lambda: (near.recv(1), one_pass(use_poll, channels))
    one_pass(use_poll, channels)
    counted = goasyncore.stats(channels)
    assert (counted.passes, counted.events) == (4, 1)
