"""The module's functions and names, and goasyncore's own."""

from __future__ import annotations

import asyncore
import select
import socket
import time
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakValueDictionary

import goasyncore


class Sink(asyncore.dispatcher):
    def __init__(self, sock: socket.socket, map: MutableMapping[int, Any] | None = None) -> None:
        super().__init__(sock, map)
        self.size = 0

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.size += len(self.recv(1024))


class Once:
    """No dispatcher at all: anything with the methods can stand in a map."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.told = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        self.told += 1

    def handle_write_event(self) -> None: ...
    def handle_expt_event(self) -> None: ...

    def handle_close(self) -> None:
        self.close()

    def handle_error(self) -> None:
        raise asyncore.ExitNow

    def close(self) -> None:
        self.sock.close()


class Wrapped:
    """A socket's stand-in, as tests have them."""

    def __init__(self, sock: socket.socket) -> None:
        self.inner = sock

    def setblocking(self, flag: bool) -> None:
        self.inner.setblocking(flag)

    def getpeername(self) -> str:
        return "nobody"

    def fileno(self) -> int:
        return self.inner.fileno()

    def recv(self, size: int) -> bytes:
        return self.inner.recv(size)

    def close(self) -> None:
        self.inner.close()


def passes() -> None:
    near, far = socket.socketpair()
    sink = Sink(near)
    far.sendall(b"1234")
    asyncore.poll()
    asyncore.poll(0.1, asyncore.socket_map)
    asyncore.poll(timeout=None, map={})
    asyncore.poll2(0.1, map=asyncore.socket_map)
    asyncore.poll3(timeout=0.1)
    asyncore.loop(0.1, False, None, 1)
    asyncore.loop(timeout=0.1, use_poll=1, count=1)
    far.sendall(b"5678")
    asyncore.read(sink)
    far.sendall(b"90")
    asyncore.readwrite(sink, select.POLLIN)
    asyncore.write(sink)
    channels: dict[int, asyncore.dispatcher] = asyncore.socket_map
    for fd, channel in list(channels.items()):
        print(fd, channel.connected, channel.accepting, channel.addr)
    number = sink.socket.fileno()
    if number in asyncore.socket_map:
        found: Sink = asyncore.socket_map[number]
        found.del_channel()
        found.add_channel(asyncore.socket_map)
    if len(asyncore.socket_map) != 1 or sink.size != 10:
        raise SystemExit(f"{asyncore.socket_map} {sink.size}")
    asyncore.close_all()
    far.close()


def maps() -> None:
    near, far = socket.socketpair()
    weak: WeakValueDictionary[int, Any] = WeakValueDictionary()
    sink = Sink(near, weak)
    sink.del_channel(weak)
    sink.add_channel(weak)
    asyncore.close_all(map=weak, ignore_all=True)
    once = Once(far)
    duck: dict[int, Once] = {far.fileno(): once}
    asyncore.loop(0.1, map=duck, count=1)
    asyncore.close_all(duck)
    if not once.told:
        raise SystemExit("not told")

    near, far = socket.socketpair()
    wrapped = asyncore.dispatcher(Wrapped(near), map={})
    wrapped.close()
    far.close()


def until(deadline: float, channels: dict[int, asyncore.dispatcher] | None = None) -> None:
    while time.monotonic() < deadline:
        asyncore.loop(min(1.0, deadline - time.monotonic()), map=channels, count=1)


def served_by() -> str:
    served: goasyncore.Backend = goasyncore.backend()
    name, poller, reason = served
    return f"{name} {poller} {served.reason or reason} {goasyncore.__version__}"


if __name__ == "__main__":
    passes()
    maps()
    until(time.monotonic())
    print(served_by())
