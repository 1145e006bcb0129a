"""A client that begins TLS by set_socket(), and channels that know their socket's class."""

from __future__ import annotations

import asyncore
import socket
import ssl
from typing import Any


class TLSClient(asyncore.dispatcher):
    socket: ssl.SSLSocket

    def __init__(self, address: tuple[str, int]) -> None:
        asyncore.dispatcher.__init__(self)
        self.shaken = False
        self.failure: str | None = None
        context = ssl.create_default_context()
        plain = socket.create_connection(address)
        secure = context.wrap_socket(
            plain, server_hostname="localhost", do_handshake_on_connect=False
        )
        secure.setblocking(False)
        self.set_socket(secure)
        self.connected = True

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return not self.shaken

    def shake(self) -> None:
        try:
            self.socket.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self.shaken = True

    def handle_write(self) -> None:
        self.shake()

    def handle_read(self) -> None:
        self.shake()

    def recv(self, buffer_size: int) -> bytes:
        try:
            data = super().recv(buffer_size)
            if self.socket.pending():
                data += super().recv(self.socket.pending())
            return data
        except ssl.SSLWantReadError:
            return b""

    def send(self, data: bytes) -> int:
        try:
            return super().send(data)
        except ssl.SSLWantWriteError:
            return 0

    def handle_error(self) -> None:
        _, kind, value, _ = asyncore.compact_traceback()
        self.failure = f"{kind.__name__}: {value}"
        self.close()

    def handle_close(self) -> None:
        self.failure = self.failure or "closed"
        self.close()


class TLSSender(asyncore.dispatcher_with_send):
    def __init__(self, sock: ssl.SSLSocket, map: dict[int, Any] | None = None) -> None:
        self.socket: ssl.SSLSocket
        super().__init__(sock, map)

    def set_socket(self, sock: ssl.SSLSocket, map: dict[int, Any] | None = None) -> None:
        super().set_socket(sock, map)

    def send(self, data: bytes) -> None:
        super().send(data)

    def cipher(self) -> str:
        found = self.socket.cipher()
        return found[0] if found else "none"


class Hangup(asyncore.dispatcher):
    def __init__(self) -> None:
        super().__init__()
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(1)

    def handle_accepted(self, sock: socket.socket, addr: Any) -> None:
        sock.close()
        self.close()


def main() -> None:
    server = Hangup()
    client = TLSClient(server.socket.getsockname())
    asyncore.loop(timeout=1.0, use_poll=True)
    if client.failure is None:
        raise SystemExit("who hangs up shakes no hands")
    print(client.failure)


if __name__ == "__main__":
    main()
