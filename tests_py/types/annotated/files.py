"""Pipes in the loop: file_dispatcher and file_wrapper."""

from __future__ import annotations

import asyncore
import os
import tempfile
from typing import IO, Any


class PipeReader(asyncore.file_dispatcher):
    def __init__(self, fd: int, map: dict[int, Any] | None = None) -> None:
        super().__init__(fd, map)
        self.data: list[bytes] = []

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.data.append(self.recv(64))

    def handle_close(self) -> None:
        self.close()


class PipeWriter(asyncore.file_dispatcher):
    buffer = b""

    def readable(self) -> bool:
        return False

    def writable(self) -> int:
        return len(self.buffer)

    def handle_write(self) -> None:
        self.buffer = self.buffer[self.send(self.buffer) :]
        if not self.buffer:
            self.close()

    def handle_expt(self) -> None:
        self.handle_close()


class Log(asyncore.file_dispatcher):
    def __init__(self, file: IO[bytes]) -> None:
        asyncore.file_dispatcher.__init__(self, file)

    def set_file(self, fd: int) -> None:
        super().set_file(fd)
        self.number = fd

    def duplicate(self) -> int:
        return self.socket.fileno()


class Counting(asyncore.file_wrapper):
    count = 0

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        data = super().recv(bufsize)
        self.count += len(data)
        return data

    def send(self, data: bytes, flags: int = 0) -> int:
        return super().send(data)


def main() -> None:
    channels: dict[int, asyncore.file_dispatcher] = {}
    reading, writing = os.pipe()
    reader, writer = PipeReader(reading, channels), PipeWriter(writing, map=channels)
    os.close(reading)
    os.close(writing)
    writer.buffer = b"through the pipe"
    asyncore.loop(1.0, map=channels)
    if b"".join(reader.data) != b"through the pipe":
        raise SystemExit(f"{reader.data}")

    with tempfile.TemporaryFile() as file:
        log = Log(file)
        if log.duplicate() == log.number:
            raise SystemExit("not a duplicate")
        log.close()
        counting = Counting(file.fileno())
        counting.send(b"abc")
        file.seek(0)
        data: bytes = counting.recv(10)
        counting.close()
        wrapper = asyncore.file_wrapper(file.fileno())
        fd: int = wrapper.fd
        size: int = wrapper.write(data)
        if size != 3 or fd != wrapper.fileno() or counting.count != 3:
            raise SystemExit("miscounted")
        wrapper.close()


if __name__ == "__main__":
    main()
