"""An echo server and its client, with a map of their own."""

from __future__ import annotations

import asyncore
import socket


class EchoHandler(asyncore.dispatcher_with_send):
    def __init__(self, sock: socket.socket, map: dict[int, asyncore.dispatcher]) -> None:
        asyncore.dispatcher_with_send.__init__(self, sock, map)
        self.addr: tuple[str, int] = sock.getpeername()

    def handle_read(self) -> None:
        data = self.recv(8192)
        if data:
            self.send(data)

    def handle_close(self) -> None:
        self.close()

    def pending(self) -> int:
        return len(self.out_buffer)


class EchoServer(asyncore.dispatcher):
    def __init__(self, host: str, port: int, map: dict[int, asyncore.dispatcher]) -> None:
        super().__init__(map=map)
        self.channels = map
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(5)

    # As many name them; the documentation says sock and addr.
    def handle_accepted(self, conn: socket.socket, address: tuple[str, int]) -> None:
        EchoHandler(conn, self.channels)

    def port(self) -> int:
        name: tuple[str, int] = self.socket.getsockname()
        return name[1]

    def fileno(self) -> int:
        return self.socket.fileno()


class OldServer(asyncore.dispatcher):
    """With accept(), as it was done before handle_accepted() came."""

    def __init__(self, map: dict[int, asyncore.dispatcher]) -> None:
        super().__init__(None, map)
        self.taken: socket.socket | None = None
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(1)

    def writable(self) -> bool:
        return False

    def handle_accept(self) -> None:
        pair = self.accept()
        if pair is None:
            return
        sock, addr = pair
        print(f"from {addr[0]}")
        sock.settimeout(5)
        self.taken = sock
        self.close()

    def take(self) -> socket.socket | None:
        pair = self.accept()
        return pair[0] if pair else None


class EchoClient(asyncore.dispatcher):
    def __init__(
        self, address: tuple[str, int], message: bytes, map: dict[int, asyncore.dispatcher]
    ) -> None:
        super().__init__(map=map)
        self.buffer: bytes | bytearray = message
        self.received = bytearray()
        self.wanted = len(message)
        self.sent = 0
        self.create_socket(family=socket.AF_INET, type=socket.SOCK_STREAM)
        self.connect(address)

    def handle_connect(self) -> None:
        print(f"connected: {self!r}")

    def writable(self) -> bool:
        return len(self.buffer) > 0

    def handle_write(self) -> None:
        sent = self.send(self.buffer)
        self.sent += sent
        self.buffer = self.buffer[sent:]

    def handle_read(self) -> None:
        self.received += self.recv(8192)
        if len(self.received) >= self.wanted:
            self.handle_close()

    def handle_close(self) -> None:
        self.close()


def main() -> None:
    channels: dict[int, asyncore.dispatcher] = {}
    server = EchoServer("127.0.0.1", 0, channels)
    message = b"x" * 100_000
    client = EchoClient(("127.0.0.1", server.port()), message, channels)
    while client.socket.fileno() != -1:
        asyncore.loop(timeout=1.0, map=channels, count=1)
    asyncore.close_all(channels)
    if client.received != message:
        raise SystemExit("it came back otherwise")

    old = OldServer(channels)
    with socket.create_connection(old.socket.getsockname()):
        asyncore.loop(1, True, channels)
    if old.taken is not None:
        old.taken.close()


if __name__ == "__main__":
    main()
