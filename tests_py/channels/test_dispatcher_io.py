"""dispatcher.send() and recv(): what they give, when they close, what they raise."""

import asyncore
import errno

import pytest
from faking import Closing, fake
from support import pair

LOST = sorted(asyncore._DISCONNECTED)


def test_send_gives_the_number_of_bytes(channels):
    channel = fake(channels, send=3)
    assert channel.send(b"data") == 3
    assert channel.socket.calls[-1] == ("send", b"data")
    view = memoryview(b"data")
    channel.send(view)
    assert channel.socket.calls[-1][1] is view


def test_send_gives_0_when_it_would_block(channels):
    channel = fake(channels, send=BlockingIOError(errno.EWOULDBLOCK, ""))
    assert channel.send(b"data") == 0
    assert channel.events == []


@pytest.mark.parametrize("number", LOST)
def test_send_closes_at_a_lost_connection(channels, number):
    channel = fake(channels, send=OSError(number, ""))
    assert channel.send(b"data") == 0
    assert channel.events == ["close"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, ""), OSError(errno.EINTR, ""), TypeError()])
def test_send_raises_the_rest(channels, error):
    channel = fake(channels, send=error)
    with pytest.raises(type(error)) as caught:
        channel.send(b"data")
    assert caught.value is error
    assert channel.events == []


def test_recv_gives_the_data(channels):
    channel = fake(channels, recv=b"data")
    assert channel.recv(10) == b"data"
    assert channel.socket.calls[-1] == ("recv", 10)
    assert channel.events == []


@pytest.mark.parametrize("nothing", [b"", bytearray(), None])
def test_recv_closes_at_the_end_of_the_stream(channels, nothing):
    channel = fake(channels, recv=nothing)
    assert channel.recv(10) == b""
    assert channel.events == ["close"]


@pytest.mark.parametrize("number", LOST)
def test_recv_closes_at_a_lost_connection(channels, number):
    channel = fake(channels, recv=OSError(number, ""))
    assert channel.recv(10) == b""
    assert channel.events == ["close"]


@pytest.mark.parametrize(
    "error", [BlockingIOError(errno.EAGAIN, ""), OSError(errno.EIO, ""), ValueError()], ids=repr
)
def test_recv_raises_the_rest(channels, error):
    channel = fake(channels, recv=error)
    with pytest.raises(type(error)) as caught:
        channel.recv(10)
    assert caught.value is error
    assert channel.events == []


def test_send_and_recv_on_a_real_socket(closing):
    near, far = closing(*pair())
    channel = Closing(near, {})
    assert channel.send(bytearray(b"abc")) == 3
    assert far.recv(10) == b"abc"
    with pytest.raises(BlockingIOError):
        channel.recv(10)
    far.send(b"xyz")
    assert (channel.recv(2), channel.recv(2)) == (b"xy", b"z")
    with pytest.raises(ValueError):
        channel.recv(-1)
    with pytest.raises(TypeError):
        channel.send("text")
    far.close()
    assert channel.recv(10) == b""
    assert channel.send(b"x") == 0
    assert channel.events == ["close", "close"]
