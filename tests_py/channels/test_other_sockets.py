"""Channels whose socket is not exactly a socket.socket: TLS sockets, and programs' wrappers."""

import asyncore
import errno
import sys

import pytest
from support import pair

LOST = [
    errno.ECONNRESET,
    errno.ENOTCONN,
    errno.ESHUTDOWN,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.EBADF,
]


class Other:
    """Does with each call what it was told to."""

    def __init__(self, sock, *answers):
        self.sock = sock
        self.answers = list(answers)
        self.calls = []

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def _answer(self, argument):
        self.calls.append(argument)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    recv = send = _answer


@pytest.fixture
def channel(closing):
    def make(*answers, base=asyncore.dispatcher_with_send):
        class Channel(base):
            def handle_close(self):
                self.closes += 1
                self.seen = sys.exc_info()[1]

        near, far = closing(*pair())
        other = Other(near, *answers)
        made = Channel(other, {})
        made.closes, made.seen, made.other = 0, None, other
        asyncore.loop(0, False, made._map, 0)
        return made

    return make


@pytest.fixture(autouse=True)
def engine(closing):
    """Has the native calls in place."""
    near, far = closing(*pair())
    asyncore.loop(0, True, {near.fileno(): asyncore.dispatcher(near, {})}, 1)


@pytest.mark.parametrize("data", [b"x", bytearray(b"x"), "x"])
def test_what_the_socket_gives_is_received(channel, data):
    made = channel(data)
    assert made.recv(10) is data
    assert made.other.calls == [10]


@pytest.mark.parametrize("nothing", [b"", None, ""])
def test_nothing_received_is_the_end(channel, nothing):
    made = channel(nothing)
    assert made.recv(10) == b""
    assert (made.closes, made.seen) == (1, None)


@pytest.mark.parametrize("number", LOST)
def test_a_lost_connection_is_closed(channel, number):
    lost = [OSError(number, "asked for") for _ in range(3)]
    made = channel(*lost)
    assert made.recv(10) == b""
    assert (made.closes, made.seen) == (1, lost[0])
    assert asyncore.dispatcher.send(made, b"abc") == 0
    assert (made.closes, made.seen) == (2, lost[1])
    made.send(b"abc")
    assert (made.closes, made.seen, made.out_buffer) == (3, lost[2], b"abc")
    assert sys.exc_info()[1] is None


def test_a_socket_that_takes_nothing_now(channel):
    made = channel(*(BlockingIOError(errno.EWOULDBLOCK, "asked for") for _ in range(3)))
    with pytest.raises(BlockingIOError):
        made.recv(10)
    assert asyncore.dispatcher.send(made, b"abc") == 0
    made.send(b"abc")
    assert (made.closes, made.out_buffer) == (0, b"abc")


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "asked for"), OSError("asked for"), KeyError(1)]
)
def test_other_errors_are_raised(channel, error):
    made = channel(error, error, error)
    for call in (made.recv, asyncore.dispatcher.send.__get__(made), made.send):
        with pytest.raises(type(error)) as raised:
            call(10 if call == made.recv else b"abc")
        assert raised.value is error
    assert (made.closes, made.out_buffer) == (0, b"abc")


def test_what_is_not_sent_waits(channel):
    made = channel(1, 2, 3)
    made.send(b"abc")
    assert made.out_buffer == b"bc"
    made.send(b"d")
    assert made.out_buffer == b"d"
    assert made.other.calls == [b"abc", b"bcd"]


def test_a_close_that_finds_the_connection_lost_is_told_of_that(channel):
    made = channel(b"")
    closes = []

    def handle_close():
        closes.append(sys.exc_info()[1])
        if len(closes) == 1:
            raise OSError(errno.EPIPE, "asked for")

    made.handle_close = handle_close
    assert made.recv(10) == b""
    assert len(closes) == 2


def test_a_send_may_replace_the_buffer(channel):
    made = channel()

    def send(data):
        made.out_buffer = b"12345"
        return 2

    made.other.send = send
    made.send(b"abc")
    assert made.out_buffer == b"345"
