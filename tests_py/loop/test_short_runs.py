"""Programs that make their passes themselves: what has changed counts in the very next call.

A call does not look up again what an earlier one has found, unless something has changed. Each test
is about one kind of change.
"""

import asynchat
import asyncore
import errno
import gc
import os
import signal
import threading
import time

import pytest
from support import LIMIT, Recorder, one_pass, pair, poll_function

MANY = 100  # channels: more than are looked at one by one


class Chat(asynchat.async_chat):
    def collect_incoming_data(self, data):
        pass

    def found_terminator(self):
        pass


class Sender(asyncore.dispatcher_with_send):
    pass


@pytest.fixture(params=["poll", "loop", "loop with a timeout"])
def call(request, use_poll, channels):
    """One short run over `channels`; it waits for nobody."""
    function = poll_function(use_poll)
    timeout = 0.001 if request.param == "loop with a timeout" else 0
    if request.param == "poll":
        return lambda: function(0, channels)
    return lambda: asyncore.loop(timeout, use_poll, channels, 1)


@pytest.fixture(params=[0, MANY], ids=["few", "many"])
def peer(request, channels, closing):
    """The other end of the first channel in the map, a Recorder; others are idle."""
    near, far = closing(*pair())
    Recorder(near, channels)
    for _ in range(request.param):
        idle, other = closing(*pair())
        Recorder(idle, channels, wants="")
        Recorder(other, channels, wants="r")
    return far


def first(channels):
    return next(iter(channels.values()))


def settle(call):
    for _ in range(3):
        call()


def test_an_event_is_told_in_the_next_call_and_in_each_after_it(call, channels, peer):
    settle(call)
    assert first(channels).events == []
    peer.send(b"x")
    call()
    call()
    assert first(channels).events == ["read", "read"]
    first(channels).recv(10)
    call()
    assert first(channels).events == ["read", "read"]


# What changes on a channel whose socket is readable. It is told before that, and never after it.
ENDS = {
    "readable of the instance": lambda channel: setattr(channel, "readable", lambda: False),
    "what readable reads": lambda channel: setattr(channel, "wants", ""),
    "the class": lambda channel: setattr(channel, "__class__", Deaf),
    "the instance dict": lambda channel: setattr(
        channel, "__dict__", {**vars(channel), "wants": ""}
    ),
    "the map": lambda channel: channel.del_channel(channel._map),
    "the map, by hand": lambda channel: channel._map.pop(channel._fileno),
    "the map, as a whole": lambda channel: channel._map.clear(),
    "the socket's data": lambda channel: channel.socket.recv(10),
}


class Deaf(Recorder):
    def readable(self):
        return False


@pytest.mark.parametrize("what", ENDS)
def test_what_ends_a_channels_interest_is_seen_by_the_next_call(call, channels, peer, what):
    channel = first(channels)
    peer.send(b"x")
    settle(call)
    assert channel.events == ["read"] * 3
    ENDS[what](channel)
    call()
    call()
    assert channel.events == ["read"] * 3
    channel.close()


def test_a_method_put_into_the_class_counts_in_the_next_call(call, channels, closing):
    class Own(Recorder):
        pass

    near, far = closing(*pair())
    channel = Own(near, channels)
    far.send(b"x")
    settle(call)
    Own.handle_read = lambda self: self.note("other")
    call()
    Own.readable = lambda self: False
    call()
    assert channel.events == ["read"] * 3 + ["other"]


@pytest.mark.parametrize("cls", [Sender, Chat])
def test_a_filled_queue_is_sent_by_the_next_call(call, channels, closing, cls):
    near, far = closing(*pair())
    channel = cls(near, channels)
    settle(call)
    if cls is Chat:
        channel.producer_fifo.append(b"hello")
    else:
        channel.out_buffer = b"hello"
    call()
    far.settimeout(0)
    assert far.recv(10) == b"hello"


def test_a_channel_that_comes_is_told_in_the_next_call(call, channels, peer, closing):
    settle(call)
    near, far = closing(*pair())
    far.send(b"x")
    channel = Recorder(near, channels)
    call()
    assert channel.events == ["read"]


def test_a_channel_in_anothers_place_is_told_in_its_stead(call, channels, peer):
    old = first(channels)
    peer.send(b"x")
    settle(call)
    new = Recorder(None, channels)
    new.socket, new._fileno, new.connected = old.socket, old._fileno, True
    channels[old._fileno] = new
    call()
    assert (old.events, new.events) == (["read"] * 3, ["read"])


# Of many, what was closed behind the loop's back is found by an audit.
of_few = pytest.mark.parametrize("peer", [0], ids=["few"], indirect=True)


@of_few
def test_another_open_file_under_the_number_is_looked_at(call, channels, peer, closing):
    settle(call)
    other, far = closing(*pair())
    far.send(b"x")
    os.dup2(other.fileno(), first(channels)._fileno)
    call()
    assert first(channels).events == ["read"]


@of_few
@pytest.mark.parametrize("closed", ["before the first call", "later"])
def test_a_closed_number_shows_in_the_next_call(use_poll, channels, peer, closed):
    channel = first(channels)
    peer.send(b"x")
    if closed == "later":
        settle(lambda: one_pass(use_poll, channels))
        del channel.seen[:]
    channel.socket.close()
    if use_poll:
        one_pass(use_poll, channels)
        assert channel.events == ["close"]
    else:
        with pytest.raises(OSError) as caught:
            one_pass(use_poll, channels)
        assert caught.value.errno == errno.EBADF
    channel.del_channel(channels)


def test_a_hang_up_is_told_by_the_next_call(call, channels, peer):
    channel = first(channels)
    settle(call)
    peer.close()
    call()
    assert channel.events[:1] == ["read"]


def test_a_hang_up_means_to_select_nothing_but_that_it_is_readable(channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels, wants="w")
    channel.accepting = True  # then it waits for priority data alone
    settle(lambda: one_pass(False, channels))
    far.close()
    settle(lambda: one_pass(False, channels))
    assert channel.events == []


def test_a_regular_file_is_ready_in_each_call(call, channels, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    seen = []

    class Reader(asyncore.file_dispatcher):
        def handle_read(self):
            seen.append("read")

        def writable(self):
            return False

    with path.open("rb") as file:
        Reader(file, channels)
    settle(call)
    assert seen == ["read"] * 3


def test_channels_are_told_in_map_order(call, channels, closing):
    seen, far_ends = [], []
    for name in "abcdef":
        near, far = closing(*pair())
        Recorder(near, channels, seen, name)
        far_ends.append(far)
    settle(call)
    first_key = next(iter(channels))
    channels[first_key] = channels.pop(first_key)  # now the last
    for far in far_ends:
        far.send(b"x")
    call()
    assert [name for name, _ in seen] == list("bcdefa")


def test_what_an_earlier_handler_took_out_is_told_nothing(call, channels, closing):
    seen, made = [], []

    class Closing(Recorder):
        def handle_read(self):
            self.note("read")
            made[1].close()

    for name, cls in (("a", Closing), ("b", Recorder)):
        near, far = closing(*pair())
        made.append(cls(near, channels, seen, name))
        far.send(b"x")
    call()
    assert seen == [("a", "read")]


def test_a_nested_call_and_its_outer_one_do_their_work(use_poll, channels, closing):
    seen = []

    class Nesting(Recorder):
        def handle_read(self):
            self.note("read")
            self.recv(10)
            one_pass(use_poll, channels)

    for name, cls in (("a", Nesting), ("b", Recorder)):
        near, far = closing(*pair())
        cls(near, channels, seen, name)
        far.send(b"x")
    one_pass(use_poll, channels)
    assert seen == [("a", "read"), ("b", "read"), ("b", "read")]


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncore.ExitNow, KeyboardInterrupt])
def test_an_exception_goes_its_way_and_the_next_call_goes_on(call, channels, closing, error):
    class Raising(Recorder):
        def handle_read(self):
            self.recv(1)
            raise error

        def handle_error(self):
            self.note("error")

    near, far = closing(*pair())
    channel = Raising(near, channels)
    settle(call)
    far.send(b"x")
    if error is ZeroDivisionError:
        call()
        assert channel.events == ["error"]
    else:
        with pytest.raises(error):
            call()
    far.send(b"x")
    channel.handle_read = lambda: channel.note("again")
    call()
    assert channel.events[-1] == "again"


def test_predicates_are_called_once_in_each_call(call, channels, closing):
    asked = []

    class Asked(Recorder):
        def readable(self):
            asked.append("readable")
            return len(asked) > 6

        def writable(self):
            asked.append("writable")
            return False

    near, far = closing(*pair())
    channel = Asked(near, channels)
    far.send(b"x")
    for made in range(1, 6):
        call()
        assert asked == ["readable", "writable"] * made
    assert len(channel.events) == 2  # the fourth and the fifth


def test_a_signal_that_came_before_is_handled_by_the_next_call(call, channels, peer):
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append("signal"))
    try:
        settle(call)
        other = threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,))
        other.start()
        other.join()
        call()
        assert seen == ["signal"]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.ours_only("3.11 calls nothing later")
def test_what_is_due_is_called_in_the_next_call(call, channels, peer, goasyncore):
    seen = []
    settle(call)
    goasyncore.call_later(0, seen.append, "due", map=channels)
    call()
    assert seen == ["due"]
    goasyncore.call_soon_threadsafe(seen.append, "soon", map=channels)
    call()
    assert seen == ["due", "soon"]
    goasyncore.call_later(LIMIT, seen.append, "later", map=channels).cancel()
    goasyncore.wake(channels)
    call()
    assert seen == ["due", "soon"]


@pytest.mark.parametrize("name", ["read", "readwrite"])
def test_a_replaced_function_of_the_module_is_called_by_the_next_call(
    call, channels, peer, monkeypatch, name
):
    peer.send(b"x")
    settle(call)
    told, before = [], list(first(channels).events)
    monkeypatch.setattr(asyncore, name, lambda *args: told.append(args[0]))
    call()
    if told:
        assert first(channels).events == before
    monkeypatch.undo()
    call()
    assert len(told) <= 1
    assert len(first(channels).events) == len(before) + 2 - len(told)


def engines_numbers():
    """The open numbers from 960 on. Among the others may be two of Go's runtime: it opens them at
    some time, and ends the process if they are closed.
    """
    found = set()
    for number in range(960, 1100):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.add(number)
    return found


def test_a_call_that_does_not_wait_needs_no_descriptor_of_the_loops(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    gc.collect()  # maps of other tests close theirs
    before = engines_numbers()
    settle(lambda: one_pass(use_poll, channels))
    for number in engines_numbers() - before:
        os.close(number)
    far.send(b"x")
    began, calls = time.monotonic(), 0
    while time.monotonic() - began < 0.01:  # the engine looks after its own each millisecond
        one_pass(use_poll, channels)
        calls += 1
    assert channel.events == ["read"] * calls
    assert engines_numbers() <= before


@pytest.mark.ours_only("3.11 counts nothing")
def test_each_call_counts_as_a_pass(call, channels, peer, goasyncore):
    before = goasyncore.stats(channels)
    peer.send(b"x")
    settle(call)
    after = goasyncore.stats(channels)
    assert after.passes - before.passes == 3
    assert after.events - before.events == 3
