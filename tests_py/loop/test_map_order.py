"""Ready channels are told in the order of the map, whatever passes came before."""

import asyncore

import pytest
from support import LIMIT, Recorder, one_pass, pair


@pytest.fixture(params=[0, LIMIT], ids=["looks", "waits"])
def told(request, channels, use_poll):
    """told(): a pass, and who was told something in it, in order."""
    seen = []

    def told():
        seen.clear()
        one_pass(use_poll, channels, request.param)
        return "".join(name for name, _ in seen)

    told.seen = seen
    return told


@pytest.fixture
def ready(channels, closing, told):
    """Three channels, each with something to read."""

    def make(name):
        near, far = pair()
        closing(far)
        far.send(b"x")
        return Recorder(near, channels, told.seen, name)

    return [make(name) for name in "abc"]


def test_a_channel_that_rested_keeps_its_place(told, ready):
    for turn in range(3):
        for channel in ready:
            channel.wants = ""
            assert told() == "abc".replace(channel.name, "")
            channel.wants = "r"
            assert told() == "abc", turn


def test_all_have_rested_but_one(told, ready):
    a, b, c = ready
    b.wants = c.wants = ""
    assert told() == "a"
    c.wants = "r"
    assert told() == "ac"
    b.wants = "r"
    assert told() == "abc"
    assert told() == "abc"


def test_a_channel_that_left_and_came_back_is_last(told, ready, channels):
    for first, order in zip(ready, ("bca", "cab", "abc"), strict=True):
        first.del_channel()
        first.set_socket(first.socket, channels)
        assert told() == order
        assert told() == order


def test_a_channel_that_left_for_a_pass_is_last(told, ready, channels):
    for first, (without, order) in zip(
        ready, (("bc", "bca"), ("ca", "cab"), ("ab", "abc")), strict=True
    ):
        first.del_channel()
        assert told() == without
        first.set_socket(first.socket, channels)
        assert told() == order


def test_the_order_of_the_map_is_turned_round(told, ready, channels):
    for order in ("cba", "abc", "cba"):
        turned = {c._fileno: c for c in sorted(ready, key=lambda c: order.index(c.name))}
        channels.clear()
        channels.update(turned)
        assert told() == order


def test_another_interest_changes_no_order(told, ready):
    a, b, c = ready
    assert told() == "abc"
    b.wants = "rw"
    assert told() in ("abbc", "abcb")  # poll goes by channels, select by kinds
    b.wants = "w"
    assert sorted(told()) == ["a", "b", "c"]
    b.wants = "r"
    assert told() == "abc"


def test_both_ways_to_loop_take_turns_over_one_map(channels, ready, told):
    for use_poll in (False, True, False, True):
        for timeout in (0, LIMIT):
            told.seen.clear()
            asyncore.loop(timeout, use_poll, channels, 1)
            assert "".join(name for name, _ in told.seen) == "abc"
