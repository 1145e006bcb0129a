"""dispatcher_with_send: buffers, sends at once, sends the rest when the socket takes it."""

import asyncore
import errno

import pytest
from support import FakeSocket, Sink, drain, full, one_pass, pair, receive_exactly, run_until


class Short(FakeSocket):
    """Takes at most `room` bytes a call, and keeps what it took."""

    def __init__(self, room):
        super().__init__()
        self.room, self.taken, self.asked = room, b"", []

    def send(self, data):
        self.asked.append(len(data))
        part = bytes(data[: self.room])
        self.taken += part
        if not part:
            raise BlockingIOError(errno.EWOULDBLOCK, "")
        return len(part)


def sender(room, kind=asyncore.dispatcher_with_send):
    return kind(Short(room), {})


def test_a_new_sender_has_nothing_to_send(channels):
    channel = asyncore.dispatcher_with_send(map=channels)
    assert channel.out_buffer == b""
    assert type(channel.out_buffer) is bytes
    assert channel.socket is None
    assert channel._map is channels


def test_send_sends_at_once_and_keeps_the_rest():
    channel = sender(3)
    assert channel.send(b"abcdefgh") is None
    assert (channel.socket.taken, bytes(channel.out_buffer)) == (b"abc", b"defgh")
    channel.send(b"ij")
    assert (channel.socket.taken, bytes(channel.out_buffer)) == (b"abcdef", b"ghij")
    channel.handle_write()
    channel.initiate_send()
    assert (channel.socket.taken, bytes(channel.out_buffer)) == (b"abcdefghij", b"")


def test_nothing_is_lost_while_the_socket_takes_nothing():
    channel = sender(0)
    channel.send(b"abc")
    channel.send(b"def")
    assert (channel.socket.taken, bytes(channel.out_buffer)) == (b"", b"abcdef")


@pytest.mark.parametrize("size", [65535, 65536, 65537, 200_000])
def test_at_most_65536_bytes_go_to_the_socket_per_call(size):
    channel = sender(1_000_000)
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    channel.send(data)
    assert channel.socket.asked == [min(size, 65536)]
    while channel.out_buffer:
        channel.handle_write()
    assert channel.socket.taken == data
    assert max(channel.socket.asked) <= 65536


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_like_bytes_can_be_sent(kind):
    channel = sender(2)
    channel.send(kind(b"abcd"))
    assert (channel.socket.taken, bytes(channel.out_buffer)) == (b"ab", b"cd")


def test_text_is_a_type_error():
    channel = sender(2)
    with pytest.raises(TypeError):
        channel.send("text")
    assert channel.out_buffer == b""


def test_later_changes_of_what_was_sent_do_not_show():
    channel = sender(0)
    data = bytearray(b"abc")
    channel.send(data)
    data[:] = b"xyz"
    assert bytes(channel.out_buffer) == b"abc"


@pytest.mark.parametrize(
    "connected, buffered, expected",
    [(False, b"", True), (False, b"x", True), (True, b"x", True), (True, b"", False)],
)
def test_writable_while_unconnected_or_buffered(connected, buffered, expected):
    channel = asyncore.dispatcher_with_send(map={})
    channel.connected, channel.out_buffer = connected, buffered
    assert bool(channel.writable()) is expected


def test_debug_logs_what_is_sent(capsys):
    channel = sender(10)
    channel.send(b"quiet")
    channel.debug = True
    channel.send(b"loud")
    assert capsys.readouterr().out == "info: sending b'loud'\n"


def test_an_own_send_of_the_base_class_is_gone_around():
    """What goes to the socket goes through dispatcher's send(), not through the channel's."""

    class Counting(asyncore.dispatcher_with_send):
        sends = 0

        def send(self, data):
            self.sends += 1
            asyncore.dispatcher_with_send.send(self, data)

    channel = sender(2, Counting)
    channel.send(b"abcdef")
    channel.handle_write()
    assert channel.sends == 1
    assert channel.socket.taken == b"abcd"


def test_an_own_initiate_send_is_used():
    class Own(asyncore.dispatcher_with_send):
        calls = 0

        def initiate_send(self):
            self.calls += 1

    channel = sender(2, Own)
    channel.send(b"abcdef")
    channel.handle_write()
    assert (channel.calls, channel.socket.taken, channel.out_buffer) == (2, b"", b"abcdef")


def test_the_buffer_may_be_filled_from_outside(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher_with_send(near, channels)
    channel.out_buffer = b"from outside"
    one_pass(use_poll, channels)
    assert (far.recv(100), channel.out_buffer) == (b"from outside", b"")
    channel.out_buffer += b"more"
    one_pass(use_poll, channels)
    assert (far.recv(100), channel.out_buffer) == (b"more", b"")


def test_an_idle_sender_does_not_wait_for_writing(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher_with_send(near, channels)
    written = []
    channel.handle_write = lambda: written.append(True)
    one_pass(use_poll, channels)
    assert written == []
    channel.out_buffer = b"x"
    one_pass(use_poll, channels)
    assert written == [True]


def test_a_lost_connection_closes_while_sending(channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher_with_send(near, channels)
    far.close()
    channel.send(b"data")
    assert (channels, channel.out_buffer) == ({}, b"data")


def test_much_data_through_the_loop(use_poll, channels, closing):
    near, far = closing(*pair())
    far.setblocking(False)
    channel = asyncore.dispatcher_with_send(near, channels)
    data = bytes(range(256)) * 8192
    channel.send(data)
    assert channel.out_buffer
    sink = Sink(far, channels)
    run_until(lambda: len(sink.received) == len(data), channels, use_poll)
    assert sink.received == data
    assert not channel.out_buffer


def test_send_goes_on_where_the_kernel_stopped(use_poll, channels, closing):
    near, far = closing(*pair())
    full(near)
    channel = asyncore.dispatcher_with_send(near, channels)
    channel.send(b"tail")
    assert channel.out_buffer == b"tail"
    one_pass(use_poll, channels)
    assert channel.out_buffer == b"tail"
    drain(far)
    one_pass(use_poll, channels)
    assert channel.out_buffer == b""
    far.setblocking(True)
    assert receive_exactly(far, 4) == b"tail"
