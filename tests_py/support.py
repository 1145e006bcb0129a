"""What the tests share: sockets, channels that write down what happens to them, bounded loops."""

import asyncore
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time

import pytest

LIMIT = 60.0  # seconds until a loop or a child counts as stuck; never a measurement


def backend():
    """The name of the backend in force; "3.11" for the standard library's modules."""
    try:
        import goasyncore
    except ImportError:
        return "3.11"
    return goasyncore.backend().name


def poll_function(use_poll):
    """The pass that loop() makes for this value of use_poll."""
    return asyncore.poll2 if use_poll else asyncore.poll


def one_pass(use_poll, channels, timeout=0):
    poll_function(use_poll)(timeout, channels)


def run_until(condition, channels, use_poll=False):
    """Loop until condition() holds; a loop that does not get there fails the test."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if not channels:
            pytest.fail("the map is empty and what was waited for has not happened")
        if time.monotonic() > deadline:
            pytest.fail("what was waited for has not happened")
        asyncore.loop(timeout=0.1, use_poll=use_poll, map=channels, count=1)


def run_until_empty(channels, use_poll=False):
    deadline = time.monotonic() + LIMIT
    while channels:
        if time.monotonic() > deadline:
            pytest.fail(f"channels left open: {list(channels.values())!r}")
        asyncore.loop(timeout=0.1, use_poll=use_poll, map=channels, count=1)


# The numbers of select(2), poll(2), epoll_wait(2) and their variants.
WAITS = {"x86_64": {7, 23, 232, 270, 271, 281, 441}, "aarch64": {22, 72, 73, 441}}


def is_waiting(thread):
    """Whether the thread sleeps in the kernel until a descriptor is ready."""
    numbers = WAITS.get(platform.machine())
    if numbers is None or not os.path.exists("/proc/self/syscall"):
        time.sleep(0.03)  # nobody tells it; after that it is likely
        return True
    try:
        with open(f"/proc/self/task/{thread.native_id}/syscall") as file:
            return int(file.read().split()[0]) in numbers
    except ValueError:  # "running"
        return False


def until_it_waits(thread=None, unless=lambda: False):
    """Return when the thread, or else the main thread, waits in a pass, or `unless` holds.

    It may be long on its way there, because others have the processor.
    """
    thread = thread or threading.main_thread()
    deadline = time.monotonic() + LIMIT
    while not is_waiting(thread) and not unless():
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.001)


def at_number(number, sock):
    """The socket, under a number that is free."""
    if sock.fileno() == number:
        return sock
    os.dup2(sock.fileno(), number, inheritable=False)
    sock.close()
    return socket.socket(fileno=number)


def listener(family=socket.AF_INET, address=("127.0.0.1", 0)):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(LIMIT)
    sock.bind(address)
    sock.listen(16)
    return sock


def tcp_pair():
    """Two ends of a TCP connection: unlike a socketpair(), they know priority data and resets."""
    with listener() as server:
        near = socket.create_connection(server.getsockname(), timeout=LIMIT)
        far, _ = server.accept()
    far.settimeout(LIMIT)
    return near, far


def reset(sock, peer):
    """Close with a reset instead of an end of stream; returns when the peer's system has it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    poller = select.poll()
    poller.register(peer, 0)
    assert poller.poll(LIMIT * 1000)


def pair():
    """A connected pair: the first for a channel, the second for the test to talk through."""
    near, far = socket.socketpair()
    far.settimeout(LIMIT)
    return near, far


def full(sock):
    """Fill what the kernel buffers for sock, so that it is not ready for writing."""
    sock.setblocking(False)
    for size in (65536, 1):
        while True:
            try:
                sock.send(b"x" * size)
            except BlockingIOError:
                break


def drain(sock):
    """Receive all that has come."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def receive_exactly(sock, size):
    parts = []
    while size:
        part = sock.recv(min(size, 65536))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Recorder(asyncore.dispatcher):
    """A channel that adds (name, event) to `seen` and consumes nothing."""

    def __init__(self, sock=None, channels=None, seen=None, name="", wants="r"):
        self.seen = [] if seen is None else seen
        self.name = name
        self.wants = wants
        asyncore.dispatcher.__init__(self, sock, channels)

    @property
    def events(self):
        return [event for name, event in self.seen if name == self.name]

    def note(self, event):
        self.seen.append((self.name, event))

    def readable(self):
        return "r" in self.wants

    def writable(self):
        return "w" in self.wants

    def handle_read(self):
        self.note("read")

    def handle_write(self):
        self.note("write")

    def handle_expt(self):
        self.note("expt")

    def handle_connect(self):
        self.note("connect")

    def handle_accept(self):
        self.note("accept")

    def handle_close(self):
        self.note("close")
        self.close()

    def handle_error(self):
        self.note("error")
        raise sys.exc_info()[1]


class Sink(asyncore.dispatcher):
    """Keeps what it receives."""

    def __init__(self, sock, channels):
        asyncore.dispatcher.__init__(self, sock, channels)
        self.received = bytearray()

    def writable(self):
        return False

    def handle_read(self):
        self.received += self.recv(65536)

    def handle_close(self):
        self.close()


class FakeSocket:
    """Answers each call with what `answers` has under its name: a value, or an error to raise."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args):
            self.calls.append((name, *args))
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    def fileno(self):
        return 77


def run_python(code, *args, env=None, flags=(), check=True, pass_fds=()):
    """Run code in a new interpreter; with check, a failing child fails the test and shows why."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", *flags, "-c", textwrap.dedent(code)]
        + [str(arg) for arg in args],
        env={**os.environ, **(env or {})},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=2 * LIMIT,
        pass_fds=pass_fds,
    )
    if check and result.returncode:
        pytest.fail(f"exit status {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result
