"""A protocol of lines and counted bodies, with producers, on asynchat."""

from __future__ import annotations

import asynchat
import asyncore
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol


class Writer(Protocol):
    def push(self, data: bytes) -> None: ...
    def close_when_done(self) -> None: ...


class Sink(Protocol):
    def send(self, data: bytes, /) -> int: ...


def deliver(data: bytes, *writers: Writer) -> None:
    for writer in writers:
        writer.push(data)


def write(sink: Sink, data: bytes) -> int:
    return sink.send(data)


class Numbers:
    """A producer of a program's own; it is no subclass of asynchat's."""

    def __init__(self, upto: int) -> None:
        self.left: Iterator[int] = iter(range(upto))

    def more(self) -> bytes:
        return b"".join(b"%d\r\n" % number for number in self.left)


class Shout(asynchat.simple_producer):
    def more(self) -> bytes:
        return super().more().upper()


class Lines(asynchat.async_chat):
    ac_in_buffer_size = 4096
    ac_out_buffer_size = 1024

    def __init__(self, sock: socket.socket, map: dict[int, Any] | None = None) -> None:
        asynchat.async_chat.__init__(self, sock=sock, map=map)
        self.body = False
        self.got: list[bytes] = []
        self.ibuffer: list[bytes] = []
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data: bytes) -> None:
        self.ibuffer.append(data)

    def found_terminator(self) -> None:
        line = b"".join(self.ibuffer)
        self.ibuffer.clear()
        self.got.append(line)
        if self.body:
            self.body = False
            self.set_terminator(b"\r\n")
        elif line.startswith(b"LENGTH "):
            self.body = True
            self.set_terminator(int(line.split()[1]))
        elif line == b"REST":
            self.set_terminator(None)
        elif line == b"QUIT":
            self.close_when_done()

    def push(self, data: bytes) -> None:
        print("->", data[:20])
        super().push(data)

    def push_with_producer(self, producer: asynchat.simple_producer) -> None:
        asynchat.async_chat.push_with_producer(self, producer)

    def terminated_by(self) -> bytes | int | None:
        return self.get_terminator()

    def writable(self) -> bool:
        return bool(self.producer_fifo) and super().writable()

    def handle_close(self) -> None:
        self.discard_buffers()
        self.close()


class Speaker(asynchat.async_chat):
    """Keeps what it hears by asynchat's own means."""

    collect_incoming_data = asynchat.async_chat._collect_incoming_data

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.set_terminator(b"\n")
        self.heard: list[str] = []

    def found_terminator(self) -> None:
        self.heard.append(self._get_data().decode("ascii").rstrip())

    def speak(self, *words: bytes) -> None:
        for word in words:
            self.push(word + b"\r\n")
        self.push(bytearray(b"LENGTH 3\r\nabc"))
        self.push(memoryview(b"DONE\r\n"))
        self.push_with_producer(Numbers(3))
        self.push_with_producer(Shout(b"quit\r\n", buffer_size=2))
        self.push_with_producer(asynchat.simple_producer(b""))
        self.initiate_send()

    def later(self, data: bytes) -> Callable[[], None]:
        return partial(self.push, data)


def main() -> None:
    near, far = socket.socketpair()
    lines, speaker = Lines(near), Speaker(far)
    push: Callable[[bytes], None] = lines.push
    push(b"welcome\r\n")
    speaker.speak(b"HELLO")
    deliver(b"two\r\n", lines, speaker)
    speaker.later(b"three\r\n")()
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = socket.create_connection(server.getsockname())
        sinks: list[Sink] = [sock, asyncore.dispatcher(sock)]
        if [write(sink, b"12") for sink in sinks] != [2, 2]:
            raise SystemExit("not sent")
    asyncore.loop(timeout=1, count=30)
    asyncore.close_all()
    expected = b"HELLO,LENGTH 3,abc,DONE,0,1,2,QUIT,two,three"
    if b",".join(lines.got) != expected or speaker.heard != ["welcome", "two"]:
        raise SystemExit(f"{lines.got} {speaker.heard}")
    if asynchat.find_prefix_at_end(b"abc\r", b"\r\n") != 1:
        raise SystemExit("no prefix found")


if __name__ == "__main__":
    main()
