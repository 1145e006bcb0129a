"""One pass: whom it asks, in which order, and whom it tells."""

import asyncore

import pytest
from support import Recorder, full, one_pass, pair


class Asked(Recorder):
    """Writes down the questions too."""

    def readable(self):
        self.note("readable?")
        return super().readable()

    def writable(self):
        self.note("writable?")
        return super().writable()

    @property
    def accepting(self):
        self.note("accepting?")
        return False

    @accepting.setter
    def accepting(self, value):
        pass


@pytest.fixture
def ready(channels, closing):
    """ready(kind, name, wants): a channel with data to read and room to write."""
    seen = []

    def make(kind, name, wants="r"):
        near, far = pair()
        closing(far)
        far.send(b"x")
        return kind(near, channels, seen, name, wants)

    make.seen = seen
    return make


def test_each_channel_is_asked_readable_then_writable_in_map_order(use_poll, channels, ready):
    for name in "abc":
        ready(Asked, name, "")
    ready.seen.clear()
    one_pass(use_poll, channels)
    assert ready.seen == [
        (name, question) for name in "abc" for question in ("readable?", "writable?")
    ]


def test_accepting_is_looked_at_only_where_writable_is_true(use_poll, channels, ready):
    ready(Asked, "a", "w")
    ready(Asked, "b", "r")
    ready.seen.clear()
    one_pass(use_poll, channels)
    # After the wait the event methods look at it once more.
    assert ready.seen[:5] == [
        ("a", "readable?"),
        ("a", "writable?"),
        ("a", "accepting?"),
        ("b", "readable?"),
        ("b", "writable?"),
    ]
    assert {("a", "write"), ("b", "read")} < set(ready.seen)


def test_an_accepting_channel_does_not_wait_for_writing(use_poll, channels, ready):
    channel = ready(Recorder, "a", "w")
    channel.accepting = True
    one_pass(use_poll, channels)
    assert ready.seen == []
    channel.accepting = False
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "write")]


def test_a_channel_added_while_asking_is_not_asked_in_this_pass(use_poll, channels, ready):
    class Adding(Recorder):
        def readable(self):
            if len(channels) == 1:
                ready(Recorder, "new")
            return False

    ready(Adding, "first")
    one_pass(use_poll, channels)
    assert ready.seen == []
    one_pass(use_poll, channels)
    assert ready.seen == [("new", "read")]


def test_a_channel_removed_while_asking_is_still_asked_but_gets_nothing(use_poll, channels, ready):
    class Removing(Recorder):
        def readable(self):
            other.del_channel()
            return False

    ready(Removing, "first")
    other = ready(Asked, "second", "r")
    ready.seen.clear()
    one_pass(use_poll, channels)
    assert ready.seen == [("second", "readable?"), ("second", "writable?")]
    other.close()


def test_poll_tells_all_readers_then_all_writers_in_map_order(channels, ready):
    for name in "abc":
        ready(Recorder, name, "rw")
    one_pass(False, channels)
    assert ready.seen == [(name, "read") for name in "abc"] + [(name, "write") for name in "abc"]


def test_poll2_tells_channel_by_channel_in_map_order(channels, ready):
    for name in "abc":
        ready(Recorder, name, "rw")
    one_pass(True, channels)
    assert ready.seen == [(name, event) for name in "abc" for event in ("read", "write")]


def test_map_order_is_the_order_of_insertion_not_of_the_numbers(use_poll, channels, ready):
    for name in "abcd":
        ready(Recorder, name)
    items = list(channels.items())
    channels.clear()
    channels.update(reversed(items))
    one_pass(use_poll, channels)
    assert [name for name, _ in ready.seen] == list("dcba")


def test_reinserted_channel_comes_last(use_poll, channels, ready):
    first = ready(Recorder, "a")
    for name in "bc":
        ready(Recorder, name)
    one_pass(use_poll, channels)
    fd = first._fileno
    channels[fd] = channels.pop(fd)
    ready.seen.clear()
    one_pass(use_poll, channels)
    assert [name for name, _ in ready.seen] == list("bca")


def test_removed_channel_gets_no_event(use_poll, channels, ready):
    class Removing(Recorder):
        def handle_read(self):
            super().handle_read()
            for other in list(channels.values()):
                if other is not self:
                    other.close()

    for name in "abc":
        ready(Removing, name)
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read")]


def test_channel_that_closes_itself_gets_no_further_event(use_poll, channels, ready):
    class Once(Recorder):
        def handle_read(self):
            super().handle_read()
            self.close()

    ready(Once, "a", "rw")
    ready(Once, "b", "rw")
    one_pass(False, channels)
    assert ready.seen == [("a", "read"), ("b", "read")]


@pytest.mark.ours_only("3.11 gives the newcomer the event of the channel it replaced")
def test_replacing_channel_gets_no_event_of_the_old_one(use_poll, channels, ready):
    class Replacing(Recorder):
        def handle_read(self):
            super().handle_read()
            channels[old._fileno] = newcomer

    ready(Replacing, "a")
    old = ready(Recorder, "old")
    near, far = pair()
    newcomer = Recorder(near, {}, ready.seen, "new")
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read")]
    # From the next pass on the newcomer is the channel of that number.
    ready.seen.clear()
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read"), ("new", "read")]
    old.close()
    newcomer.close()
    far.close()


@pytest.mark.ours_only("3.11 gives the newcomer the event of the channel it replaced")
def test_new_channel_under_a_reused_number_gets_no_event(use_poll, channels, ready, closing):
    made = []

    class Reusing(Recorder):
        def handle_read(self):
            super().handle_read()
            if not made:
                fd = other._fileno
                other.close()
                near, far = pair()
                # The lowest free number is the one just given back.
                assert fd in (near.fileno(), far.fileno())
                if near.fileno() != fd:
                    near, far = far, near
                closing(far)
                made.append(Recorder(near, channels, self.seen, "new"))

    ready(Reusing, "a")
    other = ready(Recorder, "old")
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read")]


def test_channel_added_by_a_handler_waits_for_the_next_pass(use_poll, channels, ready):
    class Adding(Recorder):
        def handle_read(self):
            super().handle_read()
            self.wants = ""
            ready(Recorder, "new")

    ready(Adding, "a")
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read")]
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read"), ("new", "read")]


def test_a_channel_that_wants_neither_is_not_waited_for(use_poll, channels, closing):
    near, far = pair()
    channel = Recorder(near, channels, wants="")
    far.send(b"x")
    far.close()
    one_pass(use_poll, channels)
    assert channel.events == []


def test_a_change_of_interest_counts_in_the_next_pass(use_poll, channels, ready):
    channel = ready(Recorder, "a", "")
    for wants, expected in [("r", ["read"]), ("w", ["write"]), ("", []), ("rw", ["read", "write"])]:
        ready.seen.clear()
        channel.wants = wants
        one_pass(use_poll, channels)
        assert channel.events == expected


def test_interest_is_what_was_said_before_the_wait(use_poll, channels, ready):
    class Quiet(Recorder):
        def handle_read(self):
            super().handle_read()
            second.wants = ""

    ready(Quiet, "a")
    second = ready(Recorder, "b")
    one_pass(use_poll, channels)
    assert ready.seen == [("a", "read"), ("b", "read")]


def test_writing_is_not_ready_while_the_kernel_has_no_room(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    full(near)
    channel = Recorder(near, channels, wants="w")
    one_pass(use_poll, channels)
    assert channel.events == []
    while True:
        far.setblocking(False)
        try:
            far.recv(1 << 20)
        except BlockingIOError:
            break
    one_pass(use_poll, channels)
    assert channel.events == ["write"]


def test_default_predicates_want_both(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(near, channels)
    assert channel.readable() is True
    assert channel.writable() is True
