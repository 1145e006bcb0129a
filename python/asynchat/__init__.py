"""Channels for protocols of commands and responses, on top of `asyncore`.

An `async_chat` collects what arrives until its terminator (a string, or a number of bytes) and then
calls `found_terminator()`; what it has to say goes through a queue of data and producers.
"""

from __future__ import annotations

from collections import deque

import asyncore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class _Producer(Protocol):
        def more(self) -> Any: ...


__all__ = ["async_chat", "asyncore", "deque", "find_prefix_at_end", "simple_producer"]

_IN_PLACE = 1 << 12  # bytes of input from which a line is taken off in place instead of by copying
_LONG = 1 << 16  # bytes of output from which the rest is a view instead of a copy


class async_chat(asyncore.dispatcher):
    """A channel that reads up to terminators and writes through a queue.

    Subclasses must override `collect_incoming_data()` and `found_terminator()`.
    """

    ac_in_buffer_size = 65536
    """Bytes to receive at once, at most."""
    ac_out_buffer_size = 65536
    """Bytes to send at once, at most."""
    use_encoding = 0
    """Whether terminators and data to send may be `str`."""
    encoding = "latin-1"

    ac_in_buffer: bytes | bytearray
    incoming: list[Any]
    producer_fifo: deque[Any]
    terminator: bytes | str | int | None

    def __init__(self, sock: Any = None, map: asyncore._Map | None = None) -> None:
        self.ac_in_buffer = b""
        self.incoming = []
        self.producer_fifo = deque()
        asyncore.dispatcher.__init__(self, sock, map)

    def collect_incoming_data(self, data: bytes) -> None:
        """Called with what arrives before the terminator, piece by piece; never with nothing."""
        raise NotImplementedError("collect_incoming_data() must be overridden")

    def _collect_incoming_data(self, data: bytes) -> None:
        self.incoming.append(data)

    def _get_data(self) -> bytes:
        data = b"".join(self.incoming)
        del self.incoming[:]
        return data

    def found_terminator(self) -> None:
        """Called when the terminator has arrived, or as many bytes as it says."""
        raise NotImplementedError("found_terminator() must be overridden")

    def set_terminator(self, term: bytes | str | int | None) -> None:
        """Collect up to `term` from now on: bytes, a number of bytes, or all if `None` or empty.

        Raises `ValueError` for a negative number.
        """
        if isinstance(term, str) and self.use_encoding:
            term = term.encode(self.encoding)
        elif isinstance(term, int) and term < 0:
            raise ValueError("the number of received bytes must be positive")
        self.terminator = term

    def get_terminator(self) -> bytes | str | int | None:
        """The terminator in force; of a number, what is still to come."""
        return self.terminator

    # -- reading ------------------------------------------------------------------------------

    def handle_read(self) -> None:
        """Receive, and hand what came to `collect_incoming_data()` and `found_terminator()`."""
        try:
            data = self.recv(self.ac_in_buffer_size)
        except BlockingIOError:
            return
        except OSError:
            self.handle_error()
            return
        if isinstance(data, str) and self.use_encoding:
            data = bytes(data, self.encoding)
        self.ac_in_buffer = self.ac_in_buffer + data
        while self.ac_in_buffer:
            # Each time anew: the callbacks may change the terminator and the buffer.
            terminator = self.get_terminator()
            if not terminator:
                self._collect(len(self.ac_in_buffer))
            elif isinstance(terminator, int):
                self._collect_counted(terminator)
            elif not self._collect_until(terminator):
                break

    def _front(self, size: int) -> bytes:
        data = self.ac_in_buffer
        return data if type(data) is bytes and size == len(data) else bytes(data[:size])

    def _drop(self, size: int) -> None:
        rest = self.ac_in_buffer
        if len(rest) - size < _IN_PLACE:
            self.ac_in_buffer = bytes(rest[size:])
            return
        if type(rest) is not asyncore._Backlog:
            self.ac_in_buffer = rest = asyncore._Backlog(rest)
        del rest[:size]

    def _collect(self, size: int) -> None:
        # In this order: a callback that raises, or looks, finds the data still in the buffer.
        self.collect_incoming_data(self._front(size))
        self._drop(size)

    def _collect_counted(self, wanted: int) -> None:
        there = len(self.ac_in_buffer)
        if there < wanted:
            self._collect(there)
            self.terminator = self.terminator - there  # type: ignore[operator]
        else:
            self._collect(wanted)
            self.terminator = 0
            self.found_terminator()

    def _collect_until(self, terminator: Any) -> bool:
        """Collect up to the terminator; false when more input is needed to know."""
        there = len(self.ac_in_buffer)
        at = self.ac_in_buffer.find(terminator)
        if at >= 0:
            if at:
                self.collect_incoming_data(self._front(at))
            self._drop(at + len(terminator))
            self.found_terminator()
            return True
        begun = find_prefix_at_end(self.ac_in_buffer, terminator)
        if begun < there:
            self._collect(there - begun)
        return not begun

    # -- writing ------------------------------------------------------------------------------

    def handle_write(self) -> None:
        self.initiate_send()

    def handle_close(self) -> None:
        self.close()

    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Queue `data`, and send at once what the socket takes. Raises `TypeError` for other types."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data to push must be bytes-like, not {type(data).__name__}")
        size = self.ac_out_buffer_size
        if len(data) > size:
            self.producer_fifo.extend(data[at : at + size] for at in range(0, len(data), size))
        else:
            self.producer_fifo.append(data)
        self.initiate_send()

    def push_with_producer(self, producer: _Producer) -> None:
        """Queue what `producer.more()` returns, until it returns nothing."""
        self.producer_fifo.append(producer)
        self.initiate_send()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return self.producer_fifo or not self.connected  # type: ignore[return-value]

    def close_when_done(self) -> None:
        """Close the channel when all that is queued has been sent."""
        self.producer_fifo.append(None)

    def initiate_send(self) -> None:
        """Send one piece from the front of the queue, of `ac_out_buffer_size` bytes at most."""
        while self.producer_fifo and self.connected:
            first = self.producer_fifo[0]
            if not first:  # used up, or the mark of close_when_done()
                del self.producer_fifo[0]
                if first is None:
                    self.handle_close()
                    return
            size = self.ac_out_buffer_size
            try:
                data = first[:size]
            except TypeError:
                data = first.more()
                if data:
                    self.producer_fifo.appendleft(data)
                else:
                    del self.producer_fifo[0]
                continue
            if isinstance(data, memoryview):
                data = bytes(data)
            elif isinstance(data, str) and self.use_encoding:
                data = data.encode(self.encoding)
            try:
                sent = self.send(data)
            except OSError:
                self.handle_error()
                return
            if sent:
                if sent < len(data) or size < len(first):
                    self.producer_fifo[0] = _rest(first, sent)
                else:
                    del self.producer_fifo[0]
            return

    def discard_buffers(self) -> None:
        """Forget what was received and not handed on, and all that is queued."""
        self.ac_in_buffer = b""
        del self.incoming[:]
        self.producer_fifo.clear()


def _rest(data: Any, size: int) -> Any:
    """`data[size:]`, without copying a long rest again at each step."""
    if len(data) - size < _LONG or not isinstance(data, (bytes, bytearray)):
        return data[size:]
    return memoryview(data)[size:]


class simple_producer:
    """A producer of a string, `buffer_size` of it at a time."""

    def __init__(self, data: Any, buffer_size: int = 512) -> None:
        self.data = data
        self.buffer_size = buffer_size

    def more(self) -> Any:
        """Return the next piece, empty at the end."""
        piece = self.data[: self.buffer_size]
        self.data = _rest(self.data, len(piece)) if len(piece) < len(self.data) else b""
        return bytes(piece) if isinstance(piece, memoryview) else piece


def find_prefix_at_end(haystack: Any, needle: Any) -> int:
    """How long a beginning of `needle` (not all of it) stands at the end of `haystack`."""
    longest = min(len(needle) - 1, len(haystack))
    if longest < 1:
        return longest
    tail = haystack[len(haystack) - longest :]
    at = tail.find(needle[:1])
    while at >= 0:
        if needle.startswith(tail[at:]):
            return len(tail) - at
        at = tail.find(needle[:1], at + 1)
    return 0


# As in asyncore: what the engine stands for, and where it puts native methods.
_own_predicates = {(async_chat.readable, async_chat.writable): "async_chat"}
_own_methods = (
    async_chat,
    (async_chat._collect_incoming_data, async_chat._get_data, async_chat.push),
    async_chat.initiate_send,
)

asyncore._hide_annotations(globals())
del annotations, TYPE_CHECKING  # type: ignore[name-defined]
