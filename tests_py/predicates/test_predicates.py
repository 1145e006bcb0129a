"""readable() and writable(): by truth value, from wherever they come."""

import asyncore

import pytest
from support import Recorder, one_pass, pair

TRUE = [True, 1, -1, "x", [0], 0.5, object()]
FALSE = [False, 0, "", [], None, {}, 0.0]


@pytest.fixture
def channel(channels, closing):
    near, far = pair()
    closing(far)
    far.send(b"x")
    return Recorder(near, channels, wants="")


@pytest.mark.parametrize("answer", TRUE, ids=repr)
def test_true_values_ask_for_the_event(use_poll, channels, channel, answer):
    channel.readable = lambda: answer
    one_pass(use_poll, channels)
    channel.readable, channel.writable = bool, lambda: answer
    one_pass(use_poll, channels)
    assert channel.events == ["read", "write"]


@pytest.mark.parametrize("answer", FALSE, ids=repr)
def test_false_values_do_not(use_poll, channels, channel, answer):
    channel.readable = channel.writable = lambda: answer
    one_pass(use_poll, channels)
    assert channel.events == []


@pytest.mark.parametrize("truth, expected", [(True, ["read"]), (False, [])])
def test_an_accepting_flag_counts_by_truth_value_too(use_poll, channels, channel, truth, expected):
    channel.readable = channel.writable = lambda: True
    channel.accepting = [] if truth else [1]
    one_pass(use_poll, channels)
    assert ("write" in channel.events) is truth


class Broken(Exception):
    pass


@pytest.mark.parametrize("predicate", ["readable", "writable"])
@pytest.mark.parametrize(
    "error", [Broken, OSError, asyncore.ExitNow, KeyboardInterrupt, SystemExit, AttributeError]
)
def test_an_exception_out_of_a_predicate_leaves_the_loop(
    use_poll, channels, channel, predicate, error
):
    raised = error("from the predicate")

    def fail():
        raise raised

    setattr(channel, predicate, fail)
    with pytest.raises(error) as caught:
        asyncore.loop(timeout=0, use_poll=use_poll, map=channels, count=1)
    assert caught.value is raised
    assert channel.events == []
    assert channels == {channel._fileno: channel}


def test_an_exception_out_of_a_truth_value_leaves_the_loop(use_poll, channels, channel):
    class Undecided:
        def __bool__(self):
            raise Broken

    channel.readable = Undecided
    with pytest.raises(Broken):
        asyncore.loop(timeout=0, use_poll=use_poll, map=channels, count=1)


def test_an_exception_out_of_accepting_leaves_the_loop(use_poll, channels, closing):
    class Odd(Recorder):
        @property
        def accepting(self):
            raise Broken

    near, far = closing(*pair())
    odd = Odd.__new__(Odd)
    odd.wants, odd.seen, odd.name = "w", [], ""
    channels[near.fileno()] = odd
    try:
        with pytest.raises(Broken):
            one_pass(use_poll, channels)
    finally:
        channels.clear()


def test_the_loop_can_go_on_after_an_exception_out_of_a_predicate(use_poll, channels, channel):
    def fail():
        raise Broken

    channel.readable = fail
    with pytest.raises(Broken):
        one_pass(use_poll, channels)
    channel.readable = lambda: True
    one_pass(use_poll, channels)
    assert channel.events == ["read"]


def test_predicates_set_on_the_instance_and_taken_away(use_poll, channels, channel):
    one_pass(use_poll, channels)
    channel.readable = lambda: True
    one_pass(use_poll, channels)
    del channel.readable
    one_pass(use_poll, channels)
    assert channel.events == ["read"]


def test_predicates_set_on_the_class(use_poll, channels, closing, monkeypatch):
    class Plain(asyncore.dispatcher_with_send):
        events = ()

        def handle_read(self):
            self.events += ("read",)

        def handle_write(self):
            self.events += ("write",)

    near, far = pair()
    closing(far)
    far.send(b"x")
    plain = Plain(near, channels)
    one_pass(use_poll, channels)
    assert plain.events == ("read",)
    Plain.readable = lambda self: False
    Plain.writable = lambda self: True
    one_pass(use_poll, channels)
    assert plain.events == ("read", "write")
    del Plain.readable
    one_pass(use_poll, channels)
    assert sorted(plain.events) == ["read", "read", "write", "write"]
    monkeypatch.setattr(asyncore.dispatcher, "readable", lambda self: False)
    one_pass(use_poll, channels)
    assert sorted(plain.events) == ["read", "read", "write", "write", "write"]


def test_predicates_follow_the_class_assigned_later(use_poll, channels, channel):
    class Eager(Recorder):
        def readable(self):
            return True

    one_pass(use_poll, channels)
    channel.__class__ = Eager
    # A class assigned shows nowhere; a store on the instance is what makes it certain.
    channel.changed = True
    one_pass(use_poll, channels)
    assert channel.events == ["read"]


def test_what_the_default_predicates_read_may_be_changed_from_outside(use_poll, channels, closing):
    near, far = closing(*pair())
    seen = []

    class Sender(asyncore.dispatcher_with_send):
        def handle_write(self):
            seen.append("write")

    sender = Sender(near, channels)
    one_pass(use_poll, channels)
    assert seen == []
    sender.out_buffer = b"x"
    one_pass(use_poll, channels)
    assert seen == ["write"]
    sender.__dict__["out_buffer"] = b""
    one_pass(use_poll, channels)
    assert seen == ["write"]
    vars(sender).update(out_buffer=bytearray(b"y"))
    one_pass(use_poll, channels)
    assert seen == ["write"] * 2
    sender.out_buffer = b""
    sender.connecting, sender.connected = False, False
    one_pass(use_poll, channels)
    assert seen == ["write"] * 3
    sender.__dict__ = {**sender.__dict__, "connected": True}
    one_pass(use_poll, channels)
    assert seen == ["write"] * 3
