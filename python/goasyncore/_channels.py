"""`channels()` and `dump_on()`: what is in a map now, for people to read."""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from typing import NamedTuple

from . import _slow_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import FrameType
    from typing import Any

    type Map = MutableMapping[Any, Any]

__all__ = ["Channels", "Row", "dump_on"]

# Where Linux's struct tcp_info has the milliseconds since data was sent and since it was received.
_TCP_INFO, _SENT, _RECEIVED = 11, 44, 52


class Row(NamedTuple):
    """One channel."""

    number: Any
    kind: str
    state: str
    waits_for: str
    buffered: int
    peer: str
    idle: float | None


class Channels(list[Row]):
    """The channels of a map at one moment; prints as a table."""

    def __init__(self, map: Map) -> None:
        super().__init__(_row(key, channel) for key, channel in list(map.items()))

    def __str__(self) -> str:
        if not self:
            return "no channels"
        table = [("number", "class", "state", "waits for", "buffered", "peer", "idle")]
        for row in self:
            idle = "" if row.idle is None else f"{row.idle:.1f} s"
            table.append((str(row.number), *row[1:4], str(row.buffered or ""), row.peer, idle))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )
        return "\n".join(lines)


def _row(key: Any, channel: Any) -> Row:
    return Row(
        key, type(channel).__qualname__, _state(channel), _waits_for(channel),
        _buffered(channel), _peer(channel), _idle(channel),
    )  # fmt: skip


def _state(channel: Any) -> str:
    for name, word in ("accepting", "listening"), ("connecting", ""), ("connected", ""):
        if getattr(channel, name, False):
            return word or name
    return "not connected"


def _waits_for(channel: Any) -> str:
    try:
        waits = ["read"] if channel.readable() else []
        if channel.writable() and not getattr(channel, "accepting", False):
            waits.append("write")
    except Exception:  # any kind: the loop will report it to the program
        return "?"
    return " ".join(waits)


def _buffered(channel: Any) -> int:
    waiting = [getattr(channel, "out_buffer", b""), *list(getattr(channel, "producer_fifo", ()))]
    sized = (bytes, bytearray, memoryview, str)
    # asynchat's own producers have their data; what others will return is unknown.
    data = [getattr(item, "data", item) for item in waiting]
    return sum(len(item) for item in data if isinstance(item, sized))


def _peer(channel: Any) -> str:
    if getattr(channel, "accepting", False):
        return ""
    try:
        address = channel.socket.getpeername()
    except Exception:  # not connected, or not a socket
        address = getattr(channel, "addr", None)
    if isinstance(address, tuple) and len(address) >= 2:
        host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
        return f"{host}:{address[1]}"
    return str(address or "")


def _idle(channel: Any) -> float | None:
    if sys.platform != "linux":
        return None
    try:
        info = channel.socket.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 104)
    except Exception:  # not TCP, not open, or not a socket
        return None
    if len(info) < _RECEIVED + 4 or getattr(channel, "accepting", False):
        return None
    ago: list[int] = [struct.unpack_from("I", info, at)[0] for at in (_SENT, _RECEIVED)]
    return min(ago) / 1000


def dump_on(signum: int, map: Map) -> None:
    """As `goasyncore.dump_on`."""

    def dump(number: int, frame: FrameType | None) -> None:
        _print(_report(map, frame))

    signal.signal(signum, dump)


def _report(map: Map, frame: FrameType | None) -> str:
    import traceback

    lines = [f"goasyncore: channels of process {os.getpid()}", str(Channels(map)), ""]
    if _slow_handler.limit is None and not _slow_handler.recent:
        lines.append("slow handlers: not watched (GOASYNCORE_SLOW_HANDLER=0.1 in the environment)")
    else:
        lines += ["slow handlers, latest last:", *(f"  {told}" for told in _slow_handler.recent)]
    stack = "".join(traceback.format_stack(frame))
    return "\n".join([*lines, "", "now in:", stack])


def _print(text: str) -> None:
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced in a test
        if sys.stderr is not None:
            sys.stderr.write(text)
        return
    # Not through its buffer, because the signal may have interrupted a write to that.
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(number, data) :]
