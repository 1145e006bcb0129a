"""Everything that fails on a network or in a kernel, while bytes go through: they all arrive."""

import asyncore
import errno
import hashlib
import os
import random
import resource
import socket
import ssl
import threading

import pytest
from soak import times
from support import LIMIT, listener, one_pass, run_python, run_until

CONNECTIONS = times(30, 500)
SIZE = times(100_000, 1_000_000)  # bytes on each connection, there and back


class Echo(asyncore.dispatcher_with_send):
    """Sends back what comes; ends when the peer has, and all is sent."""

    ended = False

    def handle_read(self):
        try:
            data = self.socket.recv(16384)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if data:
            self.send(data)
        else:
            self.ended = True
            self.finish()

    def readable(self):
        # What is buffered is bounded, and the end is seen once.
        return not self.ended and len(self.out_buffer) < 1 << 18

    def handle_write(self):
        super().handle_write()
        self.finish()

    def finish(self):
        if self.ended and not self.out_buffer:
            self.close()

    def handle_close(self):
        self.close()


class Server(asyncore.dispatcher):
    def __init__(self, channels):
        super().__init__(listener(), channels)
        self.accepting = True
        self.socket.listen(512)
        self.refused = 0

    def handle_accept(self):
        try:
            pair = self.accept()
        except OSError as error:
            assert error.errno in (errno.EMFILE, errno.ENFILE)
            self.refused += 1
            return
        if pair is not None:
            Echo(pair[0], self._map)


def vex(address, stop):
    """Peers that reset, vanish, half-close at once, or connect and say nothing."""
    silent = []
    rng = random.Random(1)
    while not stop.wait(0.001):
        try:
            sock = socket.create_connection(address, LIMIT)
        except OSError:
            continue
        way = rng.randrange(4)
        if way == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.send(b"half a wo")
        elif way == 1:
            sock.shutdown(socket.SHUT_WR)
        elif way == 2 and len(silent) < 50:
            silent.append(sock)
            continue
        else:
            sock.send(b"x" * 5000)
        sock.close()
    for sock in silent:
        sock.close()


def exchange(address, seed, results):
    """Send SIZE bytes in pieces of any size while receiving; note whether the same came back."""
    rng = random.Random(seed)
    data = rng.randbytes(SIZE)
    with socket.create_connection(address, LIMIT) as sock:
        sock.settimeout(times(LIMIT, 300))

        def send():
            at = 0
            while at < SIZE:
                size = rng.choice((1, 100, 5000, 100_000))
                sock.sendall(data[at : at + size])
                at += size
            sock.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = hashlib.sha256()
        while piece := sock.recv(rng.choice((1000, 65536))):
            got.update(piece)
        sender.join()
    results.append(got.digest() == hashlib.sha256(data).digest())


@pytest.mark.timeout(times(300, 1800))
def test_every_byte_arrives_whatever_other_peers_do(use_poll, channels):
    server = Server(channels)
    address = server.socket.getsockname()
    stop = threading.Event()
    results = []
    vexer = threading.Thread(target=vex, args=(address, stop))
    vexer.start()
    threads = [
        threading.Thread(target=exchange, args=(address, seed, results))
        for seed in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            asyncore.loop(0.05, use_poll, channels, 1)
    finally:
        stop.set()
        vexer.join()
    print(f"{CONNECTIONS} connections of {SIZE} bytes, {results.count(True)} right")
    assert results == [True] * CONNECTIONS


def test_accept_without_descriptors_goes_on_when_there_are_some(use_poll, channels):
    server = Server(channels)
    address = server.socket.getsockname()
    one_pass(use_poll, channels)
    clients = [socket.create_connection(address, LIMIT) for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        for _ in range(5):
            one_pass(use_poll, channels)
        assert server.refused and len(channels) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    run_until(lambda: len(channels) == 4, channels, use_poll)
    for client in clients:
        client.sendall(b"there?")
        client.shutdown(socket.SHUT_WR)
    run_until(lambda: len(channels) == 1, channels, use_poll)
    for client in clients:
        assert client.recv(100) == b"there?"
        client.close()


def test_a_first_pass_without_descriptors_is_served(use_poll):
    """There is none for the engine's poller: the pass is a portable one."""
    run_python(
        """
import asyncore, goasyncore, os, resource, socket, sys
goasyncore.backend()
near, far = socket.socketpair()
told = []
channel = asyncore.dispatcher(near, channels := {})
channel.handle_read = lambda: told.append(near.recv(1))
far.send(b"xyz")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
lowest = os.dup(0)
os.close(lowest)
resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
asyncore.loop(1, sys.argv[1] == "True", channels, 1)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
asyncore.loop(1, sys.argv[1] == "True", channels, 2)
assert told == [b"x", b"y", b"z"], told
""",
        use_poll,
    )


def test_a_full_pipe_and_a_file_that_shrinks(use_poll, channels, tmp_path):
    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, b"x" * 65536)
    path = tmp_path / "file"
    path.write_bytes(b"y" * 300_000)
    seen = []

    class Writer(asyncore.file_dispatcher):
        def readable(self):
            return False

        def handle_write(self):
            seen.append(("wrote", self.send(b"x" * 100)))

    class Reader(asyncore.file_dispatcher):
        def writable(self):
            return False

        def handle_read(self):
            data = self.recv(65536)
            seen.append(("read", len(data)))
            os.truncate(path, 70_000)

        def handle_close(self):
            seen.append(("closed",))
            self.close()

    writer = Writer(write, channels)
    with open(path, "rb") as file:
        reader = Reader(file, channels)
    while reader._fileno in channels:
        one_pass(use_poll, channels, LIMIT)
    assert seen == [("read", 65536), ("read", 70_000 - 65536), ("closed",), ("read", 0)]
    os.read(read, 65536)
    one_pass(use_poll, channels, LIMIT)
    assert seen[-1] == ("wrote", 100)
    writer.close()
    for fd in (read, write):
        os.close(fd)


def test_a_tls_peer_that_stops_in_the_handshake_disturbs_nobody(use_poll, channels):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    class Secure(asyncore.dispatcher):
        steps = 0

        def writable(self):
            return False

        def handle_read(self):
            Secure.steps += 1
            try:
                self.socket.do_handshake()
            except ssl.SSLWantReadError:
                return
            except OSError:
                self.close()

    near, far = socket.socketpair()
    near.setblocking(False)
    wrapped = context.wrap_socket(near, server_side=True, do_handshake_on_connect=False)
    secure = Secure(map=channels)
    secure.set_socket(wrapped, channels)
    other, peer = socket.socketpair()
    Echo(other, channels)
    far.send(b"\x16\x03\x01\x02")  # the first bytes of a hello, and no more
    for _ in range(20):
        peer.send(b"x")
        one_pass(use_poll, channels, LIMIT)
        run_until(lambda: peer.recv(1, socket.MSG_PEEK), channels, use_poll)
        peer.recv(1)
    # Nothing has come since, so it is not asked to go on again and again.
    assert Secure.steps == 1
    far.close()
    run_until(lambda: secure._fileno is None, channels, use_poll)
    peer.close()
