"""A server with workers and back-pressure, and peers that behave badly.

Whatever these do, the loop does not spin, signals get through, and others are served.
"""

import os
import pathlib
import queue
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from soak import times
from support import LIMIT

SERVER = pathlib.Path(__file__).parent / "attacked" / "server.py"
PEERS = times(150, 900)
AT_REST = times(0.3, 1.0)  # seconds

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="CPU time of a process is read from /proc"
)


class Server:
    def __init__(self, use_poll):
        self.process = subprocess.Popen(
            [sys.executable, "-P", SERVER, str(use_poll)], stdout=subprocess.PIPE, text=True
        )
        self.lines = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()
        self.port = int(self.lines.get(timeout=LIMIT))

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def connect(self, data=b""):
        sock = socket.create_connection(("127.0.0.1", self.port), LIMIT)
        sock.sendall(data)
        return sock

    def serves(self):
        with self.connect(b"GET / HTTP/1.0\r\n\r\n") as sock:
            answer = b""
            while not answer.endswith(b"xxxxx"):
                part = sock.recv(100)
                assert part, answer
                answer += part

    def hears(self):
        """Long before the wait would end."""
        os.kill(self.process.pid, signal.SIGTERM)
        assert self.lines.get(timeout=LIMIT) == "signal"

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rests(self):
        """Less than a fifth of a processor, of which a loop that spins takes all it gets."""
        deadline = time.monotonic() + LIMIT
        while True:  # it may have to finish something
            before = self.cpu()
            time.sleep(AT_REST)
            if self.cpu() - before <= AT_REST / 5:
                return
            assert time.monotonic() < deadline, "the loop spins"

    def end(self):
        self.process.kill()
        self.process.wait()


def resetting(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock


def send_nothing(server):
    return [server.connect() for _ in range(PEERS)]


def shut_down_half(server):
    peers = [server.connect(b"GET /"[: number % 6]) for number in range(PEERS)]
    for peer in peers:
        peer.shutdown(socket.SHUT_WR)
    return peers


def reset(server):
    for number in range(PEERS):
        request = b"GET /big HTTP/1.0\r\n\r\n" if number % 10 == 0 else b"GET"
        resetting(server.connect(request)).close()
    return []


def send_bytes_one_by_one(server):
    peers = [server.connect() for _ in range(20)]
    for byte in b"GET / HTTP/1.0\r\n\r":
        for peer in peers:
            peer.send(bytes([byte]))
    return peers


def connect_at_once(server):
    peers = []
    for _ in range(PEERS):
        peers.append(socket.socket())
        peers[-1].setblocking(False)
        peers[-1].connect_ex(("127.0.0.1", server.port))
    return peers


def send_to_muted_channels(server):
    peers = [server.connect(b"GET /slow HTTP/1.0\r\n\r\n") for _ in range(PEERS)]
    for peer in peers:
        peer.sendall(b"more and more " * 200)
    return peers


def reset_muted_channels(server):
    peers = [server.connect(b"GET /slow HTTP/1.0\r\n\r\n") for _ in range(PEERS)]
    for peer in peers[::2]:
        resetting(peer).close()
    return peers[1::2]


def read_no_answer(server):
    return [server.connect(b"GET /big HTTP/1.0\r\n\r\n" * 2) for _ in range(10)]


ATTACKS = [
    *(send_nothing, shut_down_half, reset, send_bytes_one_by_one, connect_at_once),
    *(send_to_muted_channels, reset_muted_channels, read_no_answer),
]


@pytest.fixture(autouse=True)
def enough_descriptors():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, limits[1]), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_the_server_rests_hears_and_serves(use_poll, attack):
    server = Server(use_poll)
    peers = []
    try:
        server.serves()
        peers = attack(server)
        server.hears()
        server.serves()
        server.rests()
        server.hears()
        for peer in peers:
            peer.close()
        server.serves()
        server.rests()
        server.hears()
        assert server.lines.empty()
    finally:
        server.end()
        for peer in peers:
            peer.close()
