"""As programs were written for typeshed's stubs: these, too, give no alarm on it.

The stubs know no handle_accepted(), addr, out_buffer or terminator, so that programs declare their
own; and they have None for the socket.
"""

from __future__ import annotations

import asynchat
import asyncore
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Channel(asyncore.dispatcher):
    addr: tuple[str, int]
    name: str | None = None

    def __init__(
        self, sock: socket.socket | None = None, map: dict[int, Any] | None = None
    ) -> None:
        asyncore.dispatcher.__init__(self, sock, map)
        self.out_buffer: list[bytes] = []
        self.terminator = b"\n"
        self.incoming: dict[str, int] = {}

    def __str__(self) -> str:
        if self.socket is None:
            return "no socket"
        return f"{self.socket.fileno()} {self.socket.family.name}"

    def peer(self) -> str:
        assert self.socket is not None
        host: str = self.socket.getpeername()[0]
        return host

    def readable(self) -> bool:
        return self.socket is not None and super().readable()

    def writable(self) -> bool:
        return bool(self.out_buffer) or (self.connected and not super().writable())

    def send(self, data: ReadableBuffer) -> int:
        return super().send(data)

    def recv(self, buffer_size: int) -> bytes:
        return super().recv(min(buffer_size, 100))

    def send_all(self, text: str) -> int:
        data = text.encode() + self.terminator
        total = 0
        while total < len(data):
            total += self.send(data[total:])
        return total

    def handle_read(self) -> None:
        for line in self.recv(4096).split(self.terminator):
            if line:
                self.incoming[line.decode()] = len(line)

    def handle_close(self) -> None:
        sock, self.socket = self.socket, None
        self.del_channel()
        if sock is not None:
            sock.close()

    def handle_error(self) -> None:
        where, kind, value, trace = asyncore.compact_traceback()
        self.log_info(f"{where[0]}:{where[2]} {kind} {value} {trace}", "error")


class Acceptor(asyncore.dispatcher):
    def __init__(self) -> None:
        super().__init__()
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("127.0.0.1", 0))
        self.listen(1)
        self.channels: list[Channel] = []

    def handle_accept(self) -> None:
        accepted = self.accept()
        if accepted is not None:
            self.handle_accepted(*accepted)

    def handle_accepted(self, connection: socket.socket, peer: Any) -> None:
        self.channels.append(Channel(connection))
        self.close()


class Protocol(asynchat.async_chat):
    def __init__(self, sock: socket.socket, lock: threading.Lock) -> None:
        super().__init__(sock)
        self.buffer: list[bytes] = []
        self.lock = lock
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data: bytes) -> None:
        self.buffer.append(data)

    def found_terminator(self) -> None:
        terminator = self.get_terminator()
        if isinstance(terminator, int):
            self.set_terminator(b"\r\n")
        with self.lock:
            self.push(b"".join(self.buffer))
            self.push_with_producer(asynchat.simple_producer(b"\r\n", 1))
            self.buffer = []

    def set_terminator(self, term: bytes | int | None) -> None:
        super().set_terminator(term)

    def push(self, data: bytes) -> None:
        super().push(data)

    def push_with_producer(self, producer: asynchat.simple_producer) -> None:
        super().push_with_producer(producer)

    def handle_close(self) -> None:
        self.discard_buffers()
        self.close_when_done()
        self.close()


def main() -> None:
    acceptor = Acceptor()
    assert acceptor.socket is not None
    with socket.create_connection(acceptor.socket.getsockname()) as client:
        asyncore.loop(timeout=1.0, count=1)
        (channel,) = acceptor.channels
        print(channel, channel.peer())
        client.sendall(b"one\ntwo\n")
        channel.send_all("said")
        asyncore.loop(1.0, count=1)
        if channel.incoming != {"one": 3, "two": 3} or client.recv(10) != b"said\n":
            raise SystemExit(f"{channel.incoming}")
    asyncore.loop(1.0)

    near, far = socket.socketpair()
    protocol = Protocol(near, threading.Lock())
    far.sendall(b"mirror\r\n")
    while protocol.readable() and not protocol.buffer:
        asyncore.loop(timeout=1.0, use_poll=True, map=asyncore.socket_map, count=1)
        break
    asyncore.loop(timeout=0.1, count=3)
    if far.recv(100) != b"mirror\r\n":
        raise SystemExit("no mirror")
    asyncore.close_all(ignore_all=True)
    far.close()


if __name__ == "__main__":
    main()
