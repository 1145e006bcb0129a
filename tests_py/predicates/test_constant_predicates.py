"""Predicates that return a constant: need not be called, until they no longer do."""

import asynchat
import asyncore

import pytest
from support import LIMIT, drain, full, one_pass, pair


class Quiet(asyncore.dispatcher):
    """Tells what it is told; waits to read alone."""

    def __init__(self, sock, channels):
        self.events = []
        asyncore.dispatcher.__init__(self, sock, channels)

    def writable(self):
        return False

    def handle_read(self):
        self.events.append("read")

    def handle_write(self):
        self.events.append("write")


@pytest.mark.parametrize("no", [False, 0, None, "", b"", 0.0, ()])
@pytest.mark.parametrize("yes", [True, 1, 100_000, "yes", b"yes", 0.5, (1,)])
def test_a_constant_counts_by_its_truth(channels, closing, use_poll, no, yes):
    functions = {}
    exec(
        f"def says_no(self): return {no!r}\ndef says_yes(self):\n '''Says yes.'''\n return {yes!r}",
        functions,
    )
    near, far = closing(*pair())
    far.send(b"x")

    class Reader(Quiet):
        readable, writable = functions["says_yes"], functions["says_no"]

    class Writer(Quiet):
        readable, writable = functions["says_no"], functions["says_yes"]

    reader, writer = Reader(near, channels), Writer(far, channels)
    for _ in range(3):
        one_pass(use_poll, channels)
    assert reader.events == ["read"] * 3
    assert writer.events == ["write"] * 3


def test_an_accepting_channel_that_is_always_writable_is_not(channels, closing, use_poll):
    class Writer(Quiet):
        def writable(self):
            return True

    near, far = closing(*pair())
    channel = Writer(near, channels)
    channel.accepting = True
    one_pass(use_poll, channels)
    assert channel.events == []
    channel.accepting = False
    one_pass(use_poll, channels)
    assert channel.events == ["write"]


def test_other_code_of_the_function_counts_in_the_next_pass(channels, closing, use_poll):
    class Changing(Quiet):
        def writable(self):
            return False

    near, far = closing(*pair())
    channel = Changing(near, channels)
    one_pass(use_poll, channels)
    assert channel.events == []
    Changing.writable.__code__ = (lambda self: True).__code__
    one_pass(use_poll, channels)
    assert channel.events == ["write"]
    Changing.writable.__code__ = (lambda self: self.events == []).__code__
    one_pass(use_poll, channels)
    assert channel.events == ["write"]


def test_another_function_counts_in_the_next_pass(channels, closing, use_poll):
    class Changing(Quiet):
        pass

    near, far = closing(*pair())
    channel = Changing(near, channels)
    one_pass(use_poll, channels)
    Changing.writable = lambda self: True
    one_pass(use_poll, channels)
    assert channel.events == ["write"]
    channel.writable = lambda: False
    one_pass(use_poll, channels)
    assert channel.events == ["write"]


def test_one_constant_beside_one_that_is_asked(channels, closing, use_poll):
    class Mixed(Quiet):
        pending = False

        def readable(self):
            return True

        def writable(self):
            return self.pending

    near, far = closing(*pair())
    channel = Mixed(near, channels)
    one_pass(use_poll, channels)
    assert channel.events == []
    channel.pending = True
    far.send(b"x")
    one_pass(use_poll, channels)
    assert channel.events == ["read", "write"]


def test_a_constant_beside_asynchats_own(channels, closing, use_poll):
    class Deaf(asynchat.async_chat):
        def readable(self):
            return False

    near, far = closing(*pair())
    chat = Deaf(near, channels)
    far.send(b"not wanted")
    one_pass(use_poll, channels)
    full(near)
    chat.push(b"sent when there is room")
    assert chat.writable()
    far.recv(1 << 20)
    while chat.producer_fifo:
        drain(far)
        asyncore.loop(LIMIT, use_poll, channels, 1)


@pytest.mark.ours_only("3.11 asks everybody")
def test_constants_are_not_asked_for(channels, closing):
    import goasyncore

    if goasyncore.backend().name != "native":
        pytest.skip("a portable pass asks everybody")
    near, far = closing(*pair())
    Quiet(near, channels)
    asyncore.loop(0, map=channels, count=10)
    assert goasyncore.stats(channels).predicates_asked == 0


def test_what_is_no_constant_is_asked(channels, closing, use_poll):
    """Each of these looks like one, and is none."""
    asked = []

    class Counting(Quiet):
        def readable(self):
            return asked.append("method")

        def writable(self, default=None):
            return asked.append("default")

    class Static(Quiet):
        @staticmethod
        def readable():
            return asked.append("static")

        @property
        def writable(self):
            asked.append("property")
            return lambda: False

    near, far = closing(*pair())
    Counting(near, channels)
    Static(far, channels)
    one_pass(use_poll, channels)
    one_pass(use_poll, channels)
    assert asked == ["method", "default", "static", "property"] * 2
