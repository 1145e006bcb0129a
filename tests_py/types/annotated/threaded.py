"""Channels that are threads too, and a loop in a thread of its own."""

from __future__ import annotations

import asyncore
import os
import socket
import threading
from collections.abc import Callable
from typing import Any


class Waker(asyncore.file_dispatcher):
    """Lets other threads have something done in the loop's thread."""

    def __init__(self, map: dict[int, Any]) -> None:
        self.lock = threading.Lock()
        self.calls: list[Callable[[], object]] = []
        reading, self.writing = os.pipe()
        super().__init__(reading, map)
        os.close(reading)

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.recv(4096)
        with self.lock:
            calls, self.calls = self.calls, []
        for call in calls:
            call()

    def call(self, what: Callable[[], object]) -> None:
        with self.lock:
            self.calls.append(what)
        os.write(self.writing, b"x")

    def close(self) -> None:
        os.close(self.writing)
        super().close()


class Server(threading.Thread, asyncore.dispatcher):
    """The classic: one object that is the listening channel and the thread that loops."""

    def __init__(self, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        threading.Thread.__init__(self, name="server", daemon=True)
        self.channels: dict[int, Any] = {}
        asyncore.dispatcher.__init__(self, map=self.channels)
        self.waker = Waker(self.channels)
        self.create_socket()
        self.bind(address)
        self.listen(16)

    def run(self) -> None:
        asyncore.loop(timeout=5.0, map=self.channels)

    def handle_accepted(self, sock: socket.socket, addr: Any) -> None:
        Greeter(sock, self.channels)

    def stop(self) -> None:
        self.waker.call(self.close_channels)

    def close_channels(self) -> None:
        asyncore.close_all(self.channels, ignore_all=True)


class Greeter(asyncore.dispatcher_with_send):
    greeting = b"good day\r\n"

    def __init__(self, sock: socket.socket, map: dict[int, Any]) -> None:
        super().__init__(sock, map=map)
        self.send(self.greeting)
        self.greeted = False

    def writable(self) -> bool:
        return not self.greeted or super().writable()

    def handle_write(self) -> None:
        super().handle_write()
        self.greeted = True
        if not self.out_buffer:
            self.close()


class Mixin:
    """What programs share between their channels, with attributes that they set on instances."""

    peer: asyncore.dispatcher_with_send | None = None

    def handle_close(self) -> None:
        if self.peer is not None:
            self.peer.close()
            self.peer = None


class Relay(Mixin, asyncore.dispatcher_with_send):
    def handle_read(self) -> None:
        if self.peer:
            self.peer.send(self.recv(4096))


def main() -> None:
    server = Server()
    server.start()
    with socket.create_connection(server.socket.getsockname(), timeout=10) as client:
        heard = client.makefile("rb").read()
    server.stop()
    server.join(10)
    if heard != Greeter.greeting or server.is_alive():
        raise SystemExit(f"heard {heard!r}")

    (a, b), (c, d) = socket.socketpair(), socket.socketpair()
    left, right = Relay(b), Relay(c)
    left.peer, right.peer = right, left
    a.sendall(b"across")
    while not right.out_buffer and not left.out_buffer:
        asyncore.loop(count=1)
        d.settimeout(10)
        if d.recv(6, socket.MSG_PEEK) == b"across":
            break
    asyncore.close_all()
    a.close()
    d.close()


if __name__ == "__main__":
    main()
