"""Each method that can be overridden, as programs override them."""

from __future__ import annotations

import asyncore
import logging
import socket
import sys
from typing import Any, NoReturn

Channels = dict[int, asyncore.dispatcher]
logger = logging.getLogger("hooks")


class Everything(asyncore.dispatcher):
    debug = True
    ignore_log_types = frozenset({"info", "warning"})
    instances: Channels = {}

    def __init__(self, sock: socket.socket | None = None, map: Channels | None = None) -> None:
        self.events: list[str] = []
        super().__init__(sock, map)
        self.out: bytes = b""

    def __repr__(self) -> str:
        return f"<Everything {self._fileno}>"

    def add_channel(self, map: Channels | None = None) -> None:
        super().add_channel(map)
        Everything.instances[self._fileno] = self

    def del_channel(self, map: Channels | None = None) -> None:
        Everything.instances.pop(self._fileno, None)
        asyncore.dispatcher.del_channel(self, map)

    def create_socket(self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM) -> None:
        super().create_socket(family, type)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def set_socket(self, sock: socket.socket, map: Channels | None = None) -> None:
        super().set_socket(sock, map)

    def set_reuse_addr(self) -> None:
        super().set_reuse_addr()

    def listen(self, num: int) -> None:
        return super().listen(num)

    def bind(self, addr: tuple[Any, ...] | str) -> None:
        super().bind(addr)

    def connect(self, address: tuple[Any, ...] | str) -> None:
        super().connect(address)

    def accept(self) -> tuple[socket.socket, Any] | None:
        return super().accept()

    def send(self, data: bytes) -> int:
        return super().send(data)

    def recv(self, buffer_size: int) -> bytes:
        data = super().recv(buffer_size)
        logger.debug("received %d bytes", len(data))
        return data

    def readable(self) -> bool:
        return self.connected and super().readable()

    def writable(self) -> int:
        return len(self.out)

    def log(self, *args: object) -> None:
        print(*args, file=sys.stderr)

    def log_info(self, message: str, type: str = "info") -> None:
        getattr(logger, type, logger.info)(message)

    def handle_read_event(self) -> None:
        self.events.append("read event")
        super().handle_read_event()

    def handle_write_event(self) -> None:
        self.events.append("write event")
        asyncore.dispatcher.handle_write_event(self)

    def handle_expt_event(self) -> None:
        super().handle_expt_event()

    def handle_connect_event(self) -> None:
        super().handle_connect_event()

    def handle_read(self) -> None:
        self.out += self.recv(512)

    def handle_write(self) -> None:
        sent = self.send(self.out)
        self.out = self.out[sent:]
        raise ValueError("for handle_error()")

    def handle_expt(self) -> None:
        self.handle_close()

    def handle_connect(self) -> None:
        self.log("connected")

    def handle_accept(self) -> None:
        super().handle_accept()

    def handle_accepted(self, sock: socket.socket, addr: tuple[str, int]) -> None:
        Everything(sock)

    def handle_error(self) -> None:
        (file, function, line), kind, value, info = asyncore.compact_traceback()
        self.events.append(f"{kind.__name__}: {value}")
        self.log(file, function, line, str(value), info, value.args)
        self.handle_close()

    def handle_close(self) -> None:
        self.close()

    def close(self) -> None:
        self.events.append("close")
        super().close()


class Fatal(asyncore.dispatcher):
    def handle_error(self) -> NoReturn:
        raise

    def log(self, message: str, *args: object, level: int = logging.INFO) -> None:
        logger.log(level, message, *args)

    def handle_close(self) -> NoReturn:
        raise asyncore.ExitNow("closed")


class Buffering(asyncore.dispatcher):
    """Answers the predicates with what it has, as the documentation's clients do."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.buffer = bytearray()

    def writable(self) -> bytearray:
        return self.buffer

    def readable(self) -> int:
        return 1

    def handle_write(self) -> None:
        del self.buffer[: self.send(self.buffer)]


class Silent(asyncore.dispatcher_with_send):
    def initiate_send(self) -> None:
        if self.out_buffer:
            super().initiate_send()

    def send(self, data: bytes) -> None:
        asyncore.dispatcher_with_send.send(self, data)

    def handle_write(self) -> None:
        self.initiate_send()

    def writable(self) -> bool:
        return bool(self.out_buffer) or not self.connected

    def log_info(self, message: object, type: str = "info") -> None:
        pass


def main() -> None:
    near, far = socket.socketpair()
    channel = Everything(near)
    far.sendall(b"back")
    asyncore.loop(timeout=1.0)
    wanted = ["read event", "write event", "ValueError: for handle_error()", "close"]
    if [event for event in wanted if event not in channel.events]:
        raise SystemExit(f"{channel.events}")
    far.close()

    near, far = socket.socketpair()
    fatal = Fatal(near)
    far.close()
    try:
        asyncore.loop(timeout=1.0, use_poll=True)
    except asyncore.ExitNow as why:
        print(why)
    fatal.close()


if __name__ == "__main__":
    main()
