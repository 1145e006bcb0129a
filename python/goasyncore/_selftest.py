"""The self-test of `python -m goasyncore`: what a program needs most, in less than a second.

It may run in any process: it uses only socket pairs and its own maps, and neither threads nor
signals. It imports asyncore and asynchat, and tests the modules that it finds.
"""

from __future__ import annotations

import asynchat
import asyncore
import contextlib
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["tests"]

_LIMIT = 5.0  # seconds after which a loop is considered stuck
_HIGH = 1024  # the first number that select refuses

type _Channels = dict[Any, Any]


class _Echo(asyncore.dispatcher_with_send):
    def handle_read(self) -> None:
        self.send(self.recv(65536))

    def handle_close(self) -> None:
        self.close()


class _Collector(asyncore.dispatcher):
    def __init__(self, sock: socket.socket, channels: _Channels, wanted: int) -> None:
        super().__init__(sock, channels)
        self.received = b""
        self.wanted = wanted

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.received += self.recv(65536)
        if len(self.received) >= self.wanted:
            self.close()


class _Lines(asynchat.async_chat):
    def __init__(self, sock: socket.socket, channels: _Channels) -> None:
        super().__init__(sock, channels)
        self.lines: list[bytes] = []
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data: bytes) -> None:
        self._collect_incoming_data(data)

    def found_terminator(self) -> None:
        self.lines.append(self._get_data())
        self.push(self.lines[-1].upper() + b"\r\n")


class _Raising(asyncore.dispatcher):
    error: BaseException
    caught: BaseException | None = None

    def handle_read(self) -> None:
        raise self.error

    def handle_error(self) -> None:
        self.caught = self.error
        self.close()


def _run(channels: _Channels, done: Callable[[], bool], use_poll: bool = False) -> None:
    deadline = time.monotonic() + _LIMIT
    while not done():
        if not channels or time.monotonic() > deadline:
            raise RuntimeError("what the loop should have done has not happened")
        asyncore.loop(timeout=0.1, use_poll=use_poll, map=channels, count=1)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def _duplicate(sock: socket.socket, lowest: int) -> socket.socket:
    if not lowest:
        return sock.dup()
    import fcntl  # only on POSIX, where numbers count descriptors

    return socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest))


def _echo(use_poll: bool, lowest: int = 0) -> None:
    """Test an echo through a channel whose number is at least `lowest`."""
    channels: _Channels = {}
    near, far = socket.socketpair()
    message = b"goasyncore " * 10_000  # more than a socket accepts at once
    with near, far:
        echo = _Echo(_duplicate(near, lowest), channels)
        client = _Collector(far.dup(), channels, len(message))
        rest = memoryview(message)
        far.setblocking(False)
        try:
            while rest:
                with contextlib.suppress(BlockingIOError):
                    rest = rest[far.send(rest) :]
                asyncore.loop(timeout=0, use_poll=use_poll, map=channels, count=1)
            _run(channels, lambda: len(client.received) >= len(message), use_poll)
        finally:
            echo.close()
            client.close()
    _check(client.received == message, "what came back differs")


def _lines() -> None:
    channels: _Channels = {}
    near, far = socket.socketpair()
    with near, far:
        chat = _Lines(near, channels)
        for piece in (b"one\r", b"\ntwo\r\nthr", b"ee\r\n"):
            far.sendall(piece)
            asyncore.loop(timeout=_LIMIT, map=channels, count=1)
        chat.close()
        far.settimeout(_LIMIT)
        answer = far.makefile("rb").read()
    _check(chat.lines == [b"one", b"two", b"three"], f"the lines were {chat.lines}")
    _check(answer == b"ONE\r\nTWO\r\nTHREE\r\n", f"the answer was {answer!r}")


def _errors() -> None:
    channels: _Channels = {}
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")
        channel = _Raising(near, channels)
        channel.error = ZeroDivisionError()
        asyncore.loop(timeout=_LIMIT, map=channels, count=1)
        _check(channel.caught is channel.error, "handle_error() was not called")
        _check(not channels, "a closed channel is still in the map")


def _exit() -> None:
    channels: _Channels = {}
    near, far = socket.socketpair()
    with near, far:
        far.send(b"x")
        channel = _Raising(near, channels)
        channel.error = asyncore.ExitNow()
        try:
            asyncore.loop(timeout=_LIMIT, map=channels)
        except asyncore.ExitNow:
            return
        finally:
            channel.close()
    raise RuntimeError("ExitNow did not leave the loop")


def _timeout() -> None:
    channels: _Channels = {}
    near, far = socket.socketpair()
    with near, far:
        channel = _Collector(near, channels, 1)
        began = time.monotonic()
        asyncore.loop(timeout=0.2, map=channels, count=1)
        waited = time.monotonic() - began
        channel.close()
    _check(waited > 0.19, f"a pass of 0.2 s ended after {waited:.3f} s")


def tests() -> list[tuple[str, Callable[[], None]]]:
    """Return the promises, each with a function that raises an exception if it is not kept."""
    found: list[tuple[str, Callable[[], None]]] = [
        ("an echo with select's meaning of ready", lambda: _echo(False)),
        ("an echo with poll's meaning of ready", lambda: _echo(True)),
        ("an async_chat finds its terminators", _lines),
        ("an exception in a handler goes to handle_error()", _errors),
        ("ExitNow leaves the loop", _exit),
        ("a pass in which nothing happens takes its timeout", _timeout),
    ]
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit > _HIGH or limit == resource.RLIM_INFINITY:
            found.append(("a descriptor above 1023 is served", lambda: _echo(False, _HIGH)))
    return found
