"""Handlers that loop themselves."""

import asyncore
import selectors

import pytest
from support import Recorder, one_pass, pair, poll_function


@pytest.fixture
def ready(closing):
    seen = []

    def make(channels, name, kind=Recorder, data=b"x"):
        near, far = pair()
        closing(far)
        far.send(data)
        channel = kind(near, channels, seen, name)
        closing(channel)
        return channel

    make.seen = seen
    return make


def test_a_loop_over_another_map_within_a_handler(use_poll, channels, ready):
    inner = {}

    class Looping(Recorder):
        def handle_read(self):
            self.note("before")
            asyncore.loop(0, use_poll, inner, 2)
            self.note("after")

    ready(channels, "outer", Looping)
    ready(channels, "last")
    ready(inner, "inner")
    one_pass(use_poll, channels)
    assert ready.seen == [
        ("outer", "before"),
        ("inner", "read"),
        ("inner", "read"),
        ("outer", "after"),
        ("last", "read"),
    ]


def test_a_pass_over_the_same_map_within_a_handler(use_poll, channels, ready):
    class Looping(Recorder):
        def handle_read(self):
            self.wants = ""
            self.note("before")
            one_pass(use_poll, channels)
            self.note("after")

    ready(channels, "outer", Looping)
    ready(channels, "other")
    one_pass(use_poll, channels)
    assert ready.seen == [
        ("outer", "before"),
        ("other", "read"),
        ("outer", "after"),
        ("other", "read"),
    ]


def test_nesting_with_the_other_kind_of_pass(use_poll, channels, ready):
    class Looping(Recorder):
        def handle_read(self):
            self.wants = ""
            asyncore.loop(0, not use_poll, channels, 1)

    ready(channels, "outer", Looping)
    ready(channels, "other")
    asyncore.loop(0, use_poll, channels, 1)
    assert ready.seen == [("other", "read")] * 2


def test_an_inner_loop_that_closes_everything_ends_both(use_poll, channels, ready):
    class Closing(Recorder):
        def handle_read(self):
            self.note("read")
            self.close()

    class Looping(Recorder):
        def handle_read(self):
            self.note("read")
            self.close()
            asyncore.loop(None, use_poll, channels)

    ready(channels, "outer", Looping)
    ready(channels, "a", Closing)
    ready(channels, "b", Closing)
    asyncore.loop(None, use_poll, channels)
    assert ready.seen == [("outer", "read"), ("a", "read"), ("b", "read")]
    assert channels == {}


def test_nesting_goes_deep(use_poll, channels, ready):
    class Deep(Recorder):
        def handle_read(self):
            self.note("read")
            if len(self.seen) < 30:
                asyncore.loop(0, use_poll, channels, 1)
                self.note("back")

    ready(channels, "deep", Deep)
    one_pass(use_poll, channels)
    assert [event for _, event in ready.seen] == ["read"] * 30 + ["back"] * 29


def test_an_exception_travels_through_nested_loops(use_poll, channels, ready):
    inner = {}

    class Ending(Recorder):
        def handle_read(self):
            raise asyncore.ExitNow("stop")

    class Looping(Recorder):
        def handle_read(self):
            asyncore.loop(0, use_poll, inner)

    ready(channels, "outer", Looping)
    ready(inner, "inner", Ending)
    with pytest.raises(asyncore.ExitNow, match="stop"):
        asyncore.loop(0, use_poll, channels)


def test_a_loop_within_a_predicate(use_poll, channels, ready):
    inner = {}

    class Looping(Recorder):
        def readable(self):
            one_pass(use_poll, inner)
            return True

    ready(channels, "outer", Looping)
    ready(inner, "inner")
    one_pass(use_poll, channels)
    assert ready.seen == [("inner", "read"), ("outer", "read")]


def test_a_pass_over_the_same_map_within_a_predicate(use_poll, channels, ready):
    class Looping(Recorder):
        busy = False

        def readable(self):
            if not self.busy:
                self.busy = True
                one_pass(use_poll, channels)
                self.busy = False
            return True

    ready(channels, "outer", Looping)
    one_pass(use_poll, channels)
    assert ready.seen == [("outer", "read")] * 2


def test_close_all_within_a_handler_ends_the_loop(use_poll, channels, ready):
    class Closing(Recorder):
        def handle_read(self):
            self.note("read")
            asyncore.close_all(channels)

    ready(channels, "a", Closing)
    ready(channels, "b")
    asyncore.loop(None, use_poll, channels)
    assert ready.seen == [("a", "read")]


def test_the_functions_serve_as_callbacks_of_a_loop_of_ones_own(channels, ready):
    first = ready(channels, "a")
    selector = selectors.DefaultSelector()
    with selector:
        selector.register(first.socket, selectors.EVENT_READ, asyncore.read)
        for key, _ in selector.select(0):
            key.data(first)
    assert ready.seen == [("a", "read")]


def test_poll_called_directly_from_a_loop_of_ones_own(use_poll, channels, ready):
    poll = poll_function(use_poll)

    class Closing(Recorder):
        def handle_read(self):
            self.note("read")
            if len(self.seen) == 3:
                self.close()

    ready(channels, "a", Closing)
    while channels:
        poll(0.0, channels)
    assert ready.seen == [("a", "read")] * 3
