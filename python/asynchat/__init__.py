"""Channels for protocols of commands and responses, on top of `asyncore`.

An `async_chat` collects the data that arrives up to a terminator (a string, or a number of bytes)
and then calls `found_terminator()`. It sends from a queue of data and producers.
"""

from __future__ import annotations

import asyncore
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncore import _loose
    from collections.abc import Buffer
    from typing import Any, Protocol

    class _Producer(Protocol):
        def more(self) -> Any: ...

else:  # not asyncore's, because asyncore may be another package's

    def _loose(method):
        return method


__all__ = ["async_chat", "asyncore", "deque", "find_prefix_at_end", "simple_producer"]

_complete = hasattr(asyncore, "_Backlog")
if not _complete:
    # Another distribution has overwritten our asyncore. Channels work on it as on ours, but the
    # loop is not ours, and nothing else would report that.
    from goasyncore import _installed

    _installed.warn_if_mixed()
    del _installed

_LONG_INPUT = 1 << 14  # bytes of input from which a line is removed without a copy of the rest
_LONG_TERMINATOR = 64  # bytes up to which a terminator is simply searched for again
_LONG = 1 << 16  # bytes of output from which the rest is a view instead of a copy


class async_chat(asyncore.dispatcher):
    """A channel that reads up to terminators and writes through a queue.

    Subclasses must override `collect_incoming_data()` and `found_terminator()`.
    """

    ac_in_buffer_size: int = 65536
    """Bytes to receive at once, at most."""
    ac_out_buffer_size: int = 65536
    """Bytes to send at once, at most."""
    use_encoding: int = 0
    """Whether terminators and data to send may be `str`."""
    encoding: str = "latin-1"

    ac_in_buffer: asyncore._Bytes
    incoming: Any
    producer_fifo: Any
    terminator: Any

    def __init__(
        self, sock: asyncore._SocketLike | None = None, map: asyncore._Map | None = None
    ) -> None:
        self.ac_in_buffer = b""
        self.incoming = []
        self.producer_fifo = deque()
        asyncore.dispatcher.__init__(self, sock, map)

    def collect_incoming_data(self, data: bytes) -> None:
        """Called with each piece of data before the terminator. No piece is empty."""
        raise NotImplementedError("collect_incoming_data() must be overridden")

    def _collect_incoming_data(self, data: bytes) -> None:
        self.incoming.append(data)

    def _get_data(self) -> bytes:
        data = b"".join(self.incoming)
        del self.incoming[:]
        return data

    def found_terminator(self) -> None:
        """Called when the terminator, or the number of bytes that it gives, has arrived."""
        raise NotImplementedError("found_terminator() must be overridden")

    def set_terminator(self, term: bytes | int | None) -> None:
        """Set the terminator: bytes, or a number of bytes; `None` or empty: there is none.

        Raises `ValueError` for a negative number.
        """
        if isinstance(term, str) and self.use_encoding:
            term = term.encode(self.encoding)
        elif isinstance(term, int) and term < 0:
            raise ValueError("the number of received bytes must be positive")
        self.terminator = term

    def get_terminator(self) -> bytes | int | None:
        """Return the terminator; if it is a number, the number of bytes that are still missing."""
        return self.terminator  # type: ignore[no-any-return]

    # -- reading ------------------------------------------------------------------------------

    def handle_read(self) -> None:
        """Receive data; call `collect_incoming_data()` and `found_terminator()` for it."""
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
        _collect(self)

    # -- writing ------------------------------------------------------------------------------

    def handle_write(self) -> None:
        self.initiate_send()

    def handle_close(self) -> None:
        self.close()

    @_loose
    def push(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes, and send as much as possible at once. `TypeError` for other types."""
        if type(data) is not bytes and not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data to push must be bytes-like, not {type(data).__name__}")
        size = self.ac_out_buffer_size
        if len(data) > size:
            for at in range(0, len(data), size):
                self.producer_fifo.append(data[at : at + size])
        else:
            self.producer_fifo.append(data)
        self.initiate_send()
        if _complete and asyncore._attended:
            asyncore._tell_attendant(self._map)

    @_loose
    def push_with_producer(self, producer: _Producer) -> None:
        """Queue what `producer.more()` returns, until it returns nothing."""
        self.producer_fifo.append(producer)
        self.initiate_send()
        if _complete and asyncore._attended:
            asyncore._tell_attendant(self._map)

    def readable(self) -> bool | Any:
        return True

    def writable(self) -> bool | Any:
        return self.producer_fifo or not self.connected

    def close_when_done(self) -> None:
        """Close the channel when everything in the queue has been sent."""
        self.producer_fifo.append(None)
        _tell_attendant(self)

    def initiate_send(self) -> None:
        """Send one piece from the front of the queue, of `ac_out_buffer_size` bytes at most."""
        while self.producer_fifo and self.connected:
            first = self.producer_fifo[0]
            if not first:  # used up, or the mark of close_when_done()
                del self.producer_fifo[0]
                if first is None:
                    self.handle_close()
                    return
            elif type(first) is memoryview and first.itemsize != 1:
                self.producer_fifo[0] = first = first.cast("B")  # what is sent is counted in bytes
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
            if type(data) is not bytes:
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
        """Drop the input that was not delivered yet, and the queue."""
        self.ac_in_buffer = b""
        del self.incoming[:]
        self.producer_fifo.clear()


# These are functions, not methods, because subclasses may use any name for their methods.


def _tell_attendant(chat: async_chat) -> None:
    if _complete and asyncore._attended:
        asyncore._tell_attendant(chat._map)


class _Unread:
    """Input of which the beginning has been delivered; it avoids a copy of the rest at each step.

    While a channel has one, its attribute ac_in_buffer is missing, and is made when it is read.
    """

    __slots__ = ("at", "data", "names")

    def __init__(self, chat: async_chat, data: bytes) -> None:
        self.data, self.at = data, 0
        self.names = vars(chat)
        if "ac_in_buffer" not in vars(async_chat):
            async_chat.ac_in_buffer = _input  # not before: it makes all looks at an input slower
        del chat.ac_in_buffer
        _unread_of[id(chat)] = self

    def put_back(self, chat: async_chat) -> None:
        if _unread_of.get(id(chat)) is self:
            del _unread_of[id(chat)]
            vars(chat).setdefault("ac_in_buffer", self.data[self.at :])


_unread_of: dict[int, _Unread] = {}  # by id of the channel


class _Input:
    """Makes ac_in_buffer from the unread input, if the channel has no such attribute itself."""

    @staticmethod
    def natively(chat: Any) -> Any:
        """Restore the input that the engine keeps; replaced by a function of the engine."""

    def __get__(self, chat: async_chat | None, owner: type) -> bytes:
        if chat is None:
            return b""  # code that reads all attributes of a class expects each to exist
        unread = _unread_of.get(id(chat))
        if unread is not None:
            unread.put_back(chat)
        else:
            self.natively(chat)
        try:
            return vars(chat)["ac_in_buffer"]  # type: ignore[no-any-return]
        except KeyError:
            name = owner.__name__
        raise AttributeError(f"{name!r} object has no attribute 'ac_in_buffer'")


_input = _Input()


def _collect(chat: async_chat) -> None:
    """Deliver the input buffer to the callbacks, up to the last terminator in it.

    A callback may change the terminator and the buffer, so the terminator is looked up each time.
    Data is removed after its callback: one that raises, or reads the buffer, finds it still there.
    """
    unread: _Unread | None = None
    try:
        while True:
            if unread is None:
                data = chat.ac_in_buffer
                if not data:
                    return
                if len(data) >= _LONG_INPUT and type(data) is bytes and _is_plain(type(chat)):
                    unread = _Unread(chat, data)
            elif "ac_in_buffer" in vars(chat) or len(unread.data) - unread.at < _LONG_INPUT:
                unread.put_back(chat)
                unread = None
                continue
            terminator = chat.get_terminator()
            if unread is None:
                data, start = chat.ac_in_buffer, 0
            elif "ac_in_buffer" in unread.names:
                continue
            else:
                start = unread.at
            if type(terminator) is bytes and 0 < len(terminator) <= _LONG_TERMINATOR:
                at = data.find(terminator, start)
                if at >= 0:
                    if at > start:
                        chat.collect_incoming_data(data[start:at])
                    if unread is None:
                        chat.ac_in_buffer = chat.ac_in_buffer[at + len(terminator) :]
                    else:
                        _drop(chat, at - start + len(terminator), unread)
                    chat.found_terminator()
                    continue
            there = len(data)
            if not terminator:
                chat.collect_incoming_data(data[start:])
                if unread is None or "ac_in_buffer" in unread.names:
                    chat.ac_in_buffer = b""
                else:
                    unread.at = there
            elif isinstance(terminator, int):
                counted = min(there - start, terminator)
                chat.collect_incoming_data(data[start : start + counted])
                _drop(chat, counted, unread)
                if there - start < terminator:
                    chat.terminator = chat.terminator - (there - start)
                else:
                    chat.terminator = 0
                    chat.found_terminator()
            else:
                at, begun = _search(chat, terminator, data, start)
                if at > start:
                    chat.collect_incoming_data(data[start:at])
                if at >= 0:
                    _drop(chat, at - start + len(terminator), unread)
                    chat.found_terminator()
                    continue
                if begun < there - start:
                    chat.collect_incoming_data(data[start : there - begun])
                    _drop(chat, there - start - begun, unread)
                if begun:
                    return
    finally:
        if unread is not None:
            unread.put_back(chat)


def _is_plain(kind: type) -> bool:
    """Return whether the attributes of instances are stored and found in the ordinary way."""
    for base in kind.__mro__:
        names = vars(base)
        if names.get("ac_in_buffer", _input) is not _input or (
            base is not object and not names.keys().isdisjoint(_HOOKS)
        ):
            return False
    return True


_HOOKS = ("__getattribute__", "__setattr__", "__delattr__")


def _drop(chat: async_chat, size: int, unread: _Unread | None) -> None:
    if unread is None or "ac_in_buffer" in unread.names:
        chat.ac_in_buffer = chat.ac_in_buffer[size:]
    else:
        unread.at += size


def _search(chat: async_chat, terminator: Any, data: Any, start: int) -> tuple[int, int]:
    """Return the position of the terminator, or -1 and how much of it is at the input's end."""
    if len(terminator) > _LONG_TERMINATOR and isinstance(
        terminator, (bytes, bytearray, memoryview)
    ):
        return _Matcher.of(chat, bytes(terminator)).search(data, start)
    at = data.find(terminator, start)
    if at >= 0:
        return at, 0
    return -1, find_prefix_at_end(data[max(start, len(data) - len(terminator)) :], terminator)


class _Matcher:
    """Looks for one long terminator in an input that grows.

    It remembers what it has seen, so that input which arrives a byte at a time is not compared with
    the beginning of the terminator again and again (the search of Knuth, Morris and Pratt).
    """

    def __init__(self, terminator: bytes) -> None:
        self.terminator = terminator
        self.matched = 0  # bytes of the terminator: all that the buffer held when last seen
        self.shorter = [0] * (len(terminator) + 1)
        size = 0
        for at in range(1, len(terminator)):
            size = self._step(size, terminator[at])
            self.shorter[at + 1] = size

    @staticmethod
    def of(chat: async_chat, terminator: bytes) -> _Matcher:
        matcher: _Matcher | None = vars(chat).get("_goasyncore_matcher")
        if matcher is None or matcher.terminator != terminator:
            matcher = _Matcher(terminator)
            vars(chat)["_goasyncore_matcher"] = matcher
        return matcher

    def _step(self, size: int, byte: int) -> int:
        while size and self.terminator[size] != byte:
            size = self.shorter[size]
        return size + (self.terminator[size] == byte)

    def search(self, data: bytes | bytearray, start: int) -> tuple[int, int]:
        """As `_search`."""
        terminator, there = self.terminator, len(data)
        size, known = self.matched, data[start : start + self.matched]
        if known != terminator[:size]:
            size = 0
        at = start + size
        self.matched = 0
        while at < there:
            if not size:  # no match has begun, so not every byte has to be looked at
                found = data.find(terminator, at)
                if found >= 0:
                    return found, 0
                at = data.find(terminator[:1], max(at, there - len(terminator) + 1))
                if at < 0:
                    return -1, 0
            size = self._step(size, data[at])
            at += 1
            if size == len(terminator):
                return at - size, 0
        self.matched = size
        return -1, size


def _rest(data: Any, size: int) -> Any:
    """Return `data[size:]` without copying a long rest at each step."""
    if len(data) - size < _LONG or not isinstance(data, (bytes, bytearray)):
        return data[size:]
    return memoryview(data)[size:]


class simple_producer:
    """A producer of a string, in pieces of `buffer_size`."""

    def __init__(self, data: Buffer | str, buffer_size: int = 512) -> None:
        self.data: Any = data
        self.buffer_size = buffer_size

    def more(self) -> bytes | Any:
        """Return the next piece; it is empty at the end."""
        piece = self.data[: self.buffer_size]
        self.data = _rest(self.data, len(piece)) if len(piece) < len(self.data) else b""
        return bytes(piece) if isinstance(piece, memoryview) else piece


def find_prefix_at_end(haystack: Any, needle: Any) -> int:
    """Return how much of the beginning of `needle` (not all of it) `haystack` ends with."""
    longest = min(len(needle) - 1, len(haystack))
    if longest < 1:
        return longest
    tail = haystack[len(haystack) - longest :]
    at = tail.find(needle[:1])
    while at >= 0:
        if tail[at:] == needle[: len(tail) - at]:
            return len(tail) - int(at)
        at = tail.find(needle[:1], at + 1)
    return 0


# As in asyncore: the functions that the engine replaces, and those that get native calls.
_own_predicates = {(async_chat.readable.__code__, async_chat.writable.__code__): "async_chat"}
_own_methods = (
    (
        async_chat._collect_incoming_data,
        async_chat._get_data,
        async_chat.push,
        async_chat.handle_read,
        async_chat.initiate_send,
        async_chat.get_terminator,
    ),
    (_collect, async_chat, _input),
)

if _complete:
    asyncore._unnamed.update(function.__code__ for function in (_collect, _search, _drop))
    asyncore._hide_annotations(globals())
del annotations, TYPE_CHECKING
