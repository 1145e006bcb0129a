"""What counts as ready: select's meaning in poll(), poll's in poll2()."""

import asyncore
import os
import socket

import pytest
from support import LIMIT, Recorder, full, one_pass, pair, reset, tcp_pair


def pass_after(use_poll, channels, channel):
    """The events of the first pass in which there are some."""
    one_pass(use_poll, channels, LIMIT)
    return channel.events


class Keeping(Recorder):
    """Stays open, so that each handle_close() of a pass shows."""

    def handle_close(self):
        self.note("close")


@pytest.mark.parametrize("wants", ["r", "rw"])
def test_data_is_readable(use_poll, channels, closing, wants):
    near, far = pair()
    closing(far)
    full(near)
    far.send(b"x")
    channel = Keeping(near, channels, wants=wants)
    assert pass_after(use_poll, channels, channel) == ["read"]


def test_data_nobody_waits_for_is_not_told(use_poll, channels, closing):
    near, far = pair()
    closing(far)
    far.send(b"x")
    channel = Keeping(near, channels, wants="w")
    assert pass_after(use_poll, channels, channel) == ["write"]


def test_end_of_stream_is_readable(use_poll, channels, closing):
    near, far = closing(*tcp_pair())
    far.shutdown(socket.SHUT_WR)
    channel = Keeping(near, channels)
    assert pass_after(use_poll, channels, channel) == ["read"]


def test_poll_takes_a_hang_up_as_readable(channels):
    near, far = pair()
    far.close()
    channel = Keeping(near, channels)
    assert pass_after(False, channels, channel) == ["read"]


def test_poll_takes_a_hang_up_as_no_news_for_a_writer(channels):
    near, far = pair()
    far.close()
    channel = Keeping(near, channels, wants="w")
    # The socket is writable all the same: writing tells of the broken pipe.
    assert pass_after(False, channels, channel) == ["write"]


def test_poll2_takes_a_hang_up_as_one_close_after_the_rest(channels):
    near, far = pair()
    far.close()
    channel = Keeping(near, channels, wants="rw")
    assert pass_after(True, channels, channel) == ["read", "write", "close"]


def test_poll2_tells_a_writer_of_the_hang_up(channels):
    near, far = pair()
    far.close()
    channel = Keeping(near, channels, wants="w")
    assert pass_after(True, channels, channel) == ["write", "close"]


@pytest.mark.parametrize(
    "wants, events", [("r", ["read"]), ("w", ["write"]), ("rw", ["read", "write"])]
)
def test_poll_takes_an_error_as_readable_and_as_writable(channels, wants, events):
    near, far = tcp_pair()
    channel = Keeping(near, channels, wants=wants)
    reset(far, near)
    assert pass_after(False, channels, channel) == events


@pytest.mark.parametrize(
    "wants, events", [("r", ["read"]), ("w", ["write"]), ("rw", ["read", "write"])]
)
def test_poll2_takes_an_error_as_one_close_after_the_rest(channels, wants, events):
    near, far = tcp_pair()
    channel = Keeping(near, channels, wants=wants)
    reset(far, near)
    assert pass_after(True, channels, channel) == [*events, "close"]


def test_the_write_end_of_a_pipe_whose_reader_is_gone(use_poll, channels):
    read_end, write_end = os.pipe()

    class Pipe:
        def fileno(self):
            return write_end

        def getsockopt(self, *args):
            return 0

        def setblocking(self, flag):
            pass

        def getpeername(self):
            raise OSError(107, "not connected")

        def close(self):
            os.close(write_end)

    channel = Keeping(Pipe(), channels, wants="w")
    channel.connected = True
    os.set_blocking(write_end, False)
    full_pipe(write_end)
    one_pass(use_poll, channels)
    assert channel.events == []
    os.close(read_end)
    events = pass_after(use_poll, channels, channel)
    # The pipe is full: select's meaning calls the error writable, poll's calls it an error.
    assert events == (["close"] if use_poll else ["write"])


def full_pipe(fd):
    for size in (4096, 1):
        while True:
            try:
                os.write(fd, b"x" * size)
            except BlockingIOError:
                break


def test_the_read_end_of_a_pipe_whose_writer_is_gone(use_poll, channels):
    read_end, write_end = os.pipe()
    os.close(write_end)

    class Keep(asyncore.file_dispatcher):
        events = ()

        def writable(self):
            return False

        def handle_read(self):
            self.events += ("read",)

        def handle_close(self):
            self.events += ("close",)

    channel = Keep(read_end, channels)
    os.close(read_end)
    one_pass(use_poll, channels, LIMIT)
    # A pipe's end is POLLHUP without POLLIN.
    assert channel.events == (("close",) if use_poll else ("read",))


def send_priority(sock):
    sock.send(b"!", socket.MSG_OOB)


@pytest.mark.parametrize("wants", ["r", "w", "rw"])
def test_poll_watches_whoever_waits_at_all_for_priority_data(channels, closing, wants):
    near, far = closing(*tcp_pair())
    full(near)
    channel = Keeping(near, channels, wants=wants)
    send_priority(far)
    one_pass(False, channels, LIMIT)
    assert channel.events == ["expt"]


@pytest.mark.parametrize("wants", ["r", "rw"])
def test_poll2_watches_readers_for_priority_data(channels, closing, wants):
    near, far = closing(*tcp_pair())
    full(near)
    channel = Keeping(near, channels, wants=wants)
    send_priority(far)
    one_pass(True, channels, LIMIT)
    assert channel.events == ["expt"]


def test_poll2_does_not_watch_a_mere_writer_for_priority_data(channels, closing):
    near, far = closing(*tcp_pair())
    channel = Keeping(near, channels, wants="w")
    watched = Keeping(near.dup(), channels, wants="r")
    send_priority(far)
    one_pass(True, {watched._fileno: watched}, LIMIT)
    assert watched.events == ["expt"]
    one_pass(True, {channel._fileno: channel}, LIMIT)
    assert channel.events == ["write"]


def test_priority_data_comes_after_reading_and_writing(use_poll, channels, closing):
    near, far = closing(*tcp_pair())
    far.send(b"plain")
    send_priority(far)
    watched = Keeping(near.dup(), channels, wants="r")
    while "expt" not in watched.events:
        one_pass(use_poll, {watched._fileno: watched}, LIMIT)
    channel = Keeping(near, channels, wants="rw")
    one_pass(use_poll, {channel._fileno: channel}, LIMIT)
    assert channel.events == ["read", "write", "expt"]


def test_poll_tells_priority_data_after_all_readers_and_writers(channels, closing):
    seen = []
    ends = []
    for name in "ab":
        near, far = closing(*tcp_pair())
        far.send(b"x")
        send_priority(far)
        watched = Keeping(near.dup(), {}, wants="r")
        while "expt" not in watched.events:
            one_pass(False, {watched._fileno: watched}, LIMIT)
        watched.close()
        ends.append(Keeping(near, channels, seen, name, "rw"))
    one_pass(False, channels, LIMIT)
    assert seen == [(name, event) for event in ("read", "write", "expt") for name in "ab"]


def test_level_triggered(use_poll, channels, closing):
    """What is not consumed is told again in each pass."""
    near, far = closing(*pair())
    far.send(b"x")
    channel = Keeping(near, channels, wants="rw")
    for _ in range(3):
        one_pass(use_poll, channels)
    assert channel.events == ["read", "write"] * 3
