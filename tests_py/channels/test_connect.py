"""Connecting and accepting: refused, done at once, done in the loop, gone again."""

import asyncore
import errno
import socket

import pytest
from support import LIMIT, Recorder, listener, run_until_empty


@pytest.fixture
def refusing():
    """The address of a port that nobody listens on: bound, so that nobody else takes it."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()


@pytest.mark.parametrize("wants", ["r", "w", "rw"])
def test_a_refused_connection_is_an_error_of_the_channel(use_poll, channels, refusing, wants):
    class Refused(Recorder):
        def handle_error(self):
            self.note(asyncore.compact_traceback()[2].errno)
            self.close()

    channel = Refused(channels=channels, wants=wants)
    channel.create_socket()
    channel.connect(refusing)
    assert (channel.connecting, channel.connected) == (True, False)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    # The connect step raises in whichever event comes first; the rest of the events is dropped.
    assert channel.events == [errno.ECONNREFUSED]
    assert channels == {}


def test_a_refused_connection_closes_by_default(use_poll, channels, refusing, capsys):
    channel = asyncore.dispatcher(map=channels)
    channel.create_socket()
    channel.connect(refusing)
    run_until_empty(channels, use_poll)
    assert "error: uncaptured python exception" in capsys.readouterr().out
    assert (channel.connected, channel.connecting) == (False, False)


def test_connecting_to_a_path_without_a_socket(channels, tmp_path):
    channel = asyncore.dispatcher(map=channels)
    channel.create_socket(socket.AF_UNIX)
    with pytest.raises(OSError) as caught:
        channel.connect(str(tmp_path / "nothing"))
    assert caught.value.args == (errno.ENOENT, "ENOENT")
    assert (channel.connected, channel.connecting) == (False, True)


def test_connecting_to_a_path_that_refuses(channels, tmp_path):
    path = str(tmp_path / "socket")
    listener(socket.AF_UNIX, path).close()
    channel = asyncore.dispatcher(map=channels)
    channel.create_socket(socket.AF_UNIX)
    with pytest.raises(OSError) as caught:
        channel.connect(path)
    assert caught.value.args == (errno.ECONNREFUSED, "ECONNREFUSED")


def test_connecting_to_a_path_is_done_at_once(channels, closing, tmp_path):
    path = str(tmp_path / "socket")
    closing(listener(socket.AF_UNIX, path))
    channel = Recorder(channels=channels)
    channel.create_socket(socket.AF_UNIX)
    channel.connect(path)
    assert channel.events == ["connect"]
    assert (channel.connected, channel.connecting, channel.addr) == (True, False, path)


def test_connecting_over_tcp_is_done_in_the_loop(use_poll, channels, closing):
    server = closing(listener())
    channel = Recorder(channels=channels, wants="w")
    channel.create_socket()
    channel.connect(server.getsockname())
    assert (channel.connected, channel.connecting) == (False, True)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["connect", "write"]
    assert (channel.connected, channel.connecting) == (True, False)


def test_a_peer_that_connects_and_is_gone_again(use_poll, channels, closing):
    server = Recorder(channels=channels)
    server.create_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    with socket.create_connection(server.socket.getsockname(), timeout=LIMIT):
        asyncore.loop(LIMIT, use_poll, channels, 1)
    assert server.events == ["accept"]
    closing(server.accept()[0])
    assert server.accept() is None
