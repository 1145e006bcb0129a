"""Real sockets of each kind through the loop."""

import asyncore
import errno
import os
import socket

import pytest
from support import (
    LIMIT,
    Recorder,
    receive_exactly,
    reset,
    run_until,
    run_until_empty,
    tcp_pair,
)


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


class Server(asyncore.dispatcher):
    def __init__(self, channels, family, address):
        asyncore.dispatcher.__init__(self, map=channels)
        self.create_socket(family)
        self.set_reuse_addr()
        self.bind(address)
        self.listen(5)
        self.clients = []

    def handle_accepted(self, sock, addr):
        self.clients.append(addr)
        Echo(sock, self._map)


class Client(asyncore.dispatcher_with_send):
    """Sends its message, expects it back, closes."""

    def __init__(self, channels, family, address, message):
        asyncore.dispatcher_with_send.__init__(self, map=channels)
        self.message, self.received, self.events = message, b"", []
        self.create_socket(family)
        self.connect(address)
        self.send(message)

    def handle_connect(self):
        self.events.append("connect")

    def handle_read(self):
        self.received += self.recv(8192)
        if len(self.received) >= len(self.message):
            self.close()

    def handle_close(self):
        self.events.append("close")
        self.close()

    def handle_error(self):
        raise


FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6, "unix": socket.AF_UNIX}


@pytest.fixture(params=FAMILIES)
def family(request, tmp_path_factory):
    """(family, an address to bind to)"""
    if request.param == "unix":
        folder = tmp_path_factory.mktemp("unix")
        yield socket.AF_UNIX, str(folder / "socket")
        return
    host = "127.0.0.1" if request.param == "ipv4" else "::1"
    try:
        socket.create_server((host, 0), family=FAMILIES[request.param]).close()
    except OSError as error:
        pytest.skip(f"no {request.param} on this machine: {error}")
    yield FAMILIES[request.param], (host, 0)


@pytest.mark.parametrize("size", [1, 300_000])
def test_echo(use_poll, channels, family, size):
    kind, address = family
    server = Server(channels, kind, address)
    message = os.urandom(size)
    clients = [Client(channels, kind, server.socket.getsockname(), message) for _ in range(3)]
    run_until(lambda: all(client.received == message for client in clients), channels, use_poll)
    assert [client.events for client in clients] == [["connect"]] * 3
    assert len(server.clients) == 3
    server.close()
    run_until_empty(channels, use_poll)


def test_datagrams(use_poll, channels):
    class Datagrams(asyncore.dispatcher):
        def __init__(self):
            asyncore.dispatcher.__init__(self, map=channels)
            self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.bind(("127.0.0.1", 0))
            self.got, self.wants_to_write = [], False

        def writable(self):
            return self.wants_to_write

        def handle_connect(self):
            pass

        def handle_read(self):
            self.got.append(self.socket.recvfrom(1000))

    one, two = Datagrams(), Datagrams()
    for data in (b"first", b"", b"third"):
        one.socket.sendto(data, two.socket.getsockname())
    run_until(lambda: len(two.got) == 3, channels, use_poll)
    origin = one.socket.getsockname()
    assert two.got == [(b"first", origin), (b"", origin), (b"third", origin)]
    assert two.family_and_type == (socket.AF_INET, socket.SOCK_DGRAM)


def test_a_connected_datagram_socket(use_poll, channels, closing):
    peer = closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    peer.bind(("127.0.0.1", 0))
    peer.settimeout(LIMIT)
    channel = Recorder(channels=channels)
    channel.create_socket(type=socket.SOCK_DGRAM)
    channel.connect(peer.getsockname())
    assert (channel.connected, channel.connecting) == (True, False)
    assert channel.send(b"out") == 3
    data, origin = peer.recvfrom(10)
    peer.sendto(b"back", origin)
    run_until(lambda: channel.events[-1] == "read", channels, use_poll)
    assert (data, channel.recv(10)) == (b"out", b"back")
    assert channel.events == ["connect", "read"]


class Reader(Recorder):
    """Reads what there is, and closes at the end."""

    data = b""

    def handle_read(self):
        self.note("read")
        self.data += self.recv(8192)

    def handle_error(self):
        self.note("error")
        self.close()


def test_a_half_closed_peer_can_still_be_written_to(use_poll, channels, closing):
    near, far = closing(*tcp_pair())

    class Late(Reader):
        def handle_close(self):
            self.note("close")
            self.wants = "w"

        def handle_write(self):
            self.note("write")
            self.send(b"answer")
            self.close()

    channel = Late(near, channels)
    far.sendall(b"question")
    far.shutdown(socket.SHUT_WR)
    run_until_empty(channels, use_poll)
    assert channel.data == b"question"
    assert channel.events[-2:] == ["close", "write"]
    assert receive_exactly(far, 100) == b"answer"


def test_end_of_stream_closes_once(use_poll, channels, closing):
    near, far = closing(*tcp_pair())
    channel = Reader(near, channels)
    far.sendall(b"data")
    far.close()
    run_until_empty(channels, use_poll)
    assert channel.data == b"data"
    assert channel.events.count("close") == 1


def test_a_reset_peer(use_poll, channels, closing):
    near, far = closing(*tcp_pair())
    channel = Reader(near, channels)
    reset(far, near)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    # recv() closes at the lost connection; poll's meaning tells of the error as well.
    assert channel.events == ["read", "close"] + ["close"] * use_poll
    assert channels == {}


def test_writing_to_a_peer_that_is_gone_closes(use_poll, channels, closing):
    near, far = closing(*tcp_pair())

    class Writing(Reader):
        def handle_write(self):
            self.note("write")
            assert self.send(b"x") == 0

    channel = Writing(near, channels, wants="w")
    reset(far, near)
    # The reset itself is reported once; taking it makes the write below meet a broken pipe.
    assert near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["write", "close"] + ["close"] * use_poll


def test_priority_data_reaches_handle_expt(use_poll, channels, closing):
    near, far = closing(*tcp_pair())

    class Urgent(Reader):
        def handle_expt(self):
            self.note("expt")
            self.urgent = self.socket.recv(1, socket.MSG_OOB)

    channel = Urgent(near, channels)
    far.send(b"!", socket.MSG_OOB)
    run_until(lambda: "expt" in channel.events, channels, use_poll)
    assert channel.urgent == b"!"
    far.send(b"plain")
    run_until(lambda: channel.data, channels, use_poll)
    assert channel.data == b"plain"
