"""Predicates that change the map, other channels or classes, and those that make passes.

As in 3.11, a pass goes on with the channels that it began with: it asks each of them, and waits for
the number of each, whatever the predicates of others have done to it.
"""

import asyncore

import pytest
from support import Recorder, at_number, one_pass, pair


class Asked(Recorder):
    """Writes down that it is asked; with `act`, does that when it is."""

    act = None

    def readable(self):
        self.note("readable")
        if self.act is not None:
            act, self.act = self.act, None
            act()
        return super().readable()


class Known(asyncore.dispatcher_with_send):
    """One whose predicates need not be called."""

    def __init__(self, sock, channels, seen, name):
        self.seen, self.name = seen, name
        asyncore.dispatcher_with_send.__init__(self, sock, channels)

    def handle_read(self):
        self.seen.append((self.name, "read"))

    def handle_write(self):
        self.seen.append((self.name, "write"))
        self.initiate_send()

    def handle_close(self):
        self.seen.append((self.name, "close"))
        self.close()


@pytest.fixture
def seen():
    return []


@pytest.fixture(params=[Known, Asked])
def kind(request):
    return request.param


@pytest.fixture(params=["before", "after"])
def actor(request, channels, closing, seen, kind):
    """A channel whose predicate can act, with `other`, `third` and their peers."""
    pairs = [closing(*pair()) for _ in range(3)]

    def make_actor():
        return Asked(pairs[0][0], channels, seen, "actor")

    actor = make_actor() if request.param == "before" else None
    other = kind(pairs[1][0], channels, seen, "other")
    third = Known(pairs[2][0], channels, seen, "third")
    actor = actor or make_actor()
    actor.other, actor.third = other, third
    actor.far, other.far, third.far = (far for _, far in pairs)
    return actor


def told(seen):
    return [each for each in seen if each[1] != "readable"]


@pytest.fixture
def settled(use_poll, channels, actor, seen):
    """After a pass that made what every channel waits for known."""
    one_pass(use_poll, channels)
    seen.clear()


@pytest.mark.usefixtures("settled")
class TestOfOthers:
    def test_a_number_that_a_predicate_closes_is_waited_for(self, use_poll, channels, actor, seen):
        """select(2) refuses it; poll(2) reports it, which ends the wait, and nobody is told."""
        actor.act = actor.other.close
        actor.third.far.send(b"x")
        if use_poll:
            asyncore.loop(None, True, channels, 1)
            assert told(seen) == [("third", "read")]
            seen.clear()
        else:
            with pytest.raises(OSError, match="Bad file"):
                asyncore.loop(None, False, channels, 1)
            assert told(seen) == []
        one_pass(use_poll, channels)
        assert told(seen) == [("third", "read")]

    def test_the_end_of_a_closed_number_ends_a_wait(self, channels, actor, seen):
        actor.act = actor.other.close
        asyncore.loop(None, True, channels, 1)
        assert told(seen) == []

    def test_a_channel_that_leaves_is_waited_for_and_told_nothing(
        self, use_poll, channels, actor, seen
    ):
        actor.act = actor.other.del_channel
        actor.other.far.send(b"x")
        asyncore.loop(None, use_poll, channels, 1)
        assert told(seen) == []

    def test_a_channel_that_is_put_in_again_is_told(self, use_poll, channels, actor, seen):
        def refill():
            there = dict(channels)
            channels.clear()
            channels.update(there)

        actor.act = refill
        actor.third.far.send(b"x")
        actor.other.far.send(b"x")
        asyncore.loop(None, use_poll, channels, 1)
        assert told(seen) == [("other", "read"), ("third", "read")]

    def test_a_channel_that_reconnects_under_its_number_is_told(
        self, use_poll, channels, actor, seen, closing
    ):
        near, far = pair()
        closing(far)

        def reconnect():
            number = actor.other._fileno
            actor.other.close()
            actor.other.set_socket(at_number(number, near.dup()), channels)
            actor.other.connected = True

        actor.act = reconnect
        far.send(b"x")
        try:
            asyncore.loop(None, use_poll, channels, 1)
        finally:
            near.close()
        assert told(seen) == [("other", "read")]

    def test_a_newcomer_waits_for_the_next_pass(self, use_poll, channels, actor, seen, closing):
        near, far = closing(*pair())
        actor.act = lambda: Known(near, channels, seen, "new")
        far.send(b"x")
        one_pass(use_poll, channels)
        assert told(seen) == []
        one_pass(use_poll, channels)
        assert told(seen) == [("new", "read")]

    def test_a_class_or_predicate_that_is_set_counts_if_it_was_not_asked(
        self, use_poll, channels, actor, seen
    ):
        after = list(channels.values()).index(actor) == 0

        def change():
            actor.other.writable = lambda: seen.append(("other", "own")) or False
            actor.third.__class__ = Asks

        class Asks(Known):
            def writable(self):
                seen.append(("third", "own"))
                return False

        actor.act = change
        one_pass(use_poll, channels)
        asked = [each for each in seen if each[1] == "own"]
        assert asked == ([("other", "own"), ("third", "own")] if after else [])
        one_pass(use_poll, channels)
        asked = [each for each in seen if each[1] == "own"][len(asked) :]
        assert asked == [("other", "own"), ("third", "own")]

    @pytest.mark.parametrize("style", ["poll", "poll2", "loop"])
    def test_a_pass_inside_a_predicate(self, use_poll, channels, actor, seen, style):
        def inner():
            if style == "loop":
                asyncore.loop(0, use_poll, channels, 1)
            else:
                getattr(asyncore, style)(0, channels)
            actor.third.far.send(b"y")

        class Reading(Known):
            def handle_read(self):
                seen.append(("third", self.recv(10)))

        actor.third.__class__ = Reading
        actor.third.far.send(b"x")
        actor.act = inner
        asyncore.loop(None, use_poll, channels, 1)
        assert told(seen) == [("third", b"x"), ("third", b"y")]

    def test_a_pass_inside_a_predicate_that_closes_what_the_outer_one_waits_for(
        self, use_poll, channels, actor, seen
    ):
        actor.other.far.close()
        actor.other.handle_read = actor.other.close
        actor.act = lambda: one_pass(use_poll, channels)
        if use_poll:
            asyncore.loop(None, True, channels, 1)
        else:
            with pytest.raises(OSError, match="Bad file"):
                asyncore.loop(None, False, channels, 1)
        assert actor.other not in channels.values()

    def test_an_emptied_map_ends_the_loop_after_the_wait(self, use_poll, channels, actor, seen):
        actor.act = channels.clear
        actor.far.send(b"x")
        asyncore.loop(None, use_poll, channels)
        assert told(seen) == []


def test_many_that_a_predicate_closes(use_poll, channels, closing, seen):
    """More than the number of channels with which every wait looks for closed descriptors."""
    fars = []
    actor_near, actor_far = closing(*pair())
    actor = Asked(actor_near, channels, seen, "actor")
    for _ in range(150):
        near, far = pair()
        fars.append(closing(far))
        Known(near, channels, seen, "idle")
    one_pass(use_poll, channels)
    seen.clear()

    def close_half():
        for channel in list(channels.values())[1::2]:
            channel.close()

    actor.act = close_half
    if use_poll:
        asyncore.loop(None, True, channels, 1)
    else:
        with pytest.raises(OSError, match="Bad file"):
            asyncore.loop(None, False, channels, 1)
    assert told(seen) == []
    assert len(channels) == 76
    fars[1].send(b"x")
    asyncore.loop(None, use_poll, channels, 1)
    assert told(seen) == [("idle", "read")]
