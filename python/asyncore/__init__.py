"""Asynchronous sockets: channels, and a loop that tells them what happened.

A channel is a `dispatcher` (or any object with its methods) in a map, under the number of its
descriptor. A pass is one iteration of the loop: it asks each channel what it waits for, by calling
`readable()` and `writable()`, waits for all of them together, and calls the `handle_*` methods of
the channels that are ready.

Python had this module until 3.11. Here the passes run in goasyncore's engine if it can be loaded,
and otherwise in pure Python. Any thread may change a map and its channels. The handlers run in the
thread that called `loop()`, `poll()` or `poll2()`.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
import warnings
from _thread import _count as _other_threads
from errno import (
    EAGAIN,
    EALREADY,
    EBADF,
    ECONNABORTED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOTCONN,
    EPIPE,
    ESHUTDOWN,
    EWOULDBLOCK,
    errorcode,
)

from goasyncore import _first_pass, _genuine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Buffer, Callable, MutableMapping
    from types import CodeType
    from typing import Any, Concatenate, Protocol, overload

    class _HasFileno(Protocol):
        def fileno(self) -> int: ...

    class _SocketLike(_HasFileno, Protocol):
        def setblocking(self, flag: bool, /) -> object: ...
        def getpeername(self) -> Any: ...

    # `X | Any` reads as an X, and a program may assign something else. What it assigns (a TLS
    # socket, a bytearray) has methods that an X does not have, so one class represents both.
    class _AnySocket(socket.socket):
        def __getattr__(self, name: str, /) -> Any: ...

    class _AnyBytes(bytes):
        def __getattr__(self, name: str, /) -> Any: ...
        def __delitem__(self, index: Any, /) -> None: ...

    type _Socket = _AnySocket | Any
    type _Bytes = _AnyBytes | Any
    type _Map = MutableMapping[Any, Any]

    class _Method[**P, R]:  # pyright: a bare Callable in a union is not a method
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
        @overload
        def __get__(self, channel: None, owner: Any, /) -> Callable[Concatenate[Any, P], R]: ...
        @overload
        def __get__(self, channel: object, owner: Any, /) -> Callable[P, R]: ...
        def __get__(self, channel: Any, owner: Any, /) -> Any: ...

    def _loose[C, **P, R](method: Callable[Concatenate[C, P], R]) -> _Method[P, R] | Any:
        """Make type checkers check the calls of a method, but not its overrides.

        Callers need wide parameters, to send a bytearray for example. Subclasses need narrow ones,
        if their `send()` accepts `bytes` only. Without this, the annotation could not be both.
        """

    def _by_position[C, S, A](method: Callable[[C, S, A], None]) -> Callable[[C, S, A], None]:
        """Let overrides choose the names of parameters: the loop passes them by position."""

else:

    def _loose(method):
        return method

    _by_position = _loose


# What `from asyncore import *` gave, the modules and errno names included.
__all__ = [
    "EAGAIN",
    "EALREADY",
    "EBADF",
    "ECONNABORTED",
    "ECONNRESET",
    "EINPROGRESS",
    "EINVAL",
    "EISCONN",
    "ENOTCONN",
    "EPIPE",
    "ESHUTDOWN",
    "EWOULDBLOCK",
    "ExitNow",
    "close_all",
    "compact_traceback",
    "dispatcher",
    "dispatcher_with_send",
    "errorcode",
    "loop",
    "os",
    "poll",
    "poll2",
    "poll3",
    "read",
    "readwrite",
    "select",
    "socket",
    "socket_map",
    "sys",
    "time",
    "warnings",
    "write",
]

_DISCONNECTED = frozenset({ECONNRESET, ENOTCONN, ESHUTDOWN, ECONNABORTED, EPIPE, EBADF})

socket_map: dict[int, Any] = {}
"""The default map of `loop()` and of channels: from number to channel."""

_IN, _PRI, _OUT, _LOST = 1, 2, 4, 8 | 16 | 32  # poll(2)'s flags have these values everywhere
_SEND_SIZE = 1 << 16  # bytes that dispatcher_with_send hands to the socket in one call


class ExitNow(Exception):
    """Raised in a handler, leaves `loop()`."""


_reraised_exceptions = (ExitNow, KeyboardInterrupt, SystemExit)


def _strerror(err: int) -> str:
    try:
        return os.strerror(err)
    except (ValueError, OverflowError):
        return errorcode.get(err, f"Unknown error {err}")


# -- the pass ---------------------------------------------------------------------------------


# Any exception of a handler goes to its channel's handle_error(), except those that leave the loop.


def read(obj: Any) -> None:
    """Call the handler of a readable channel.

    An exception of the handler goes to the channel's `handle_error()`; `ExitNow`,
    `KeyboardInterrupt` and `SystemExit` are raised.
    """
    try:
        obj.handle_read_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def write(obj: Any) -> None:
    """Call the handler of a writable channel; errors are treated as in `read()`."""
    try:
        obj.handle_write_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def _exception(obj: Any) -> None:
    try:
        obj.handle_expt_event()
    except _reraised_exceptions:
        raise
    except BaseException:
        obj.handle_error()


def readwrite(obj: Any, flags: int) -> None:
    """Call the handlers for the `flags` of `select.poll`; errors are treated as in `read()`.

    For an `OSError` which means that the connection is lost, it calls `handle_close()` instead.
    """
    try:
        if flags == _IN:  # most often
            obj.handle_read_event()
            return
        if flags & _IN:
            obj.handle_read_event()
        if flags & _OUT:
            obj.handle_write_event()
        if flags & _PRI:
            obj.handle_expt_event()
        if flags & _LOST:
            obj.handle_close()
    except _reraised_exceptions:
        raise
    except BaseException as why:
        if isinstance(why, OSError) and why.errno in _DISCONNECTED:
            obj.handle_close()
        else:
            obj.handle_error()


def poll(timeout: float | None = 0.0, map: _Map | None = None) -> None:
    """Make one pass with the meaning of `select.select`.

    `timeout` is in seconds; `None` waits without a limit. Raises `ValueError` for a negative
    timeout, and `OSError` (EBADF) if a number in the map is not an open descriptor.
    """
    if map is None:
        map = socket_map
    if map:
        _first_pass.select_passes(globals(), timeout, map, 1)


def poll2(timeout: float | None = 0.0, map: _Map | None = None) -> None:
    """Make one pass with the meaning of `select.poll`.

    `timeout` is in seconds; `None` or a negative number waits without a limit. If a number in the
    map is not an open descriptor, its channel is closed.
    """
    if map is None:
        map = socket_map
    try:
        empty = not map
    except Exception:
        if timeout is not None:
            int(timeout * 1000)  # a wrong timeout is refused before a wrong map
        raise
    if not empty:
        _first_pass.poll_passes(globals(), timeout, map, 1)
    elif timeout is not None:
        int(timeout * 1000)  # and for an empty map too


poll3 = poll2  # the name it had in older programs

_own_passes = (poll, poll2)


def loop(
    timeout: float | None = 30.0,
    use_poll: bool | int = False,
    map: _Map | None = None,
    count: int | None = None,
) -> None:
    """Make passes until the map is empty, at most `count` of them if that is given.

    One pass waits at most `timeout` seconds. `use_poll` selects `poll2()` instead of `poll()`;
    `map` defaults to `socket_map`. Raises what `readable()`, `writable()` and `handle_error()`
    raise, and `ExitNow`, `KeyboardInterrupt` or `SystemExit` from any handler.
    """
    if map is None:
        map = socket_map
    if not map:
        return
    one_pass = poll2 if use_poll and hasattr(select, "poll") else poll
    if type(count) is int and count == 1:
        one_pass(timeout, map)
        return
    if one_pass in _own_passes and (count is None or type(count) is int):
        _first_pass.serve(globals(), timeout, one_pass is _own_passes[1], map, count)
        return
    while map and (count is None or count > 0):
        one_pass(timeout, map)
        if count is not None:
            count -= 1


# The maps that an asyncio loop serves (goasyncore.attach), by id: a function to call after a change
# outside a pass, with the number that was added to the map or removed from it.
_attended: dict[int, Callable[[Any], None]] = {}


def _tell_attendant(map: _Map, number: Any = None) -> None:
    attendant = _attended.get(id(map))
    if attendant is not None:
        attendant(number)


# -- channels ---------------------------------------------------------------------------------


class dispatcher:
    """A channel around one non-blocking socket.

    Subclasses override the `handle_*` methods that they need, and `readable()` and `writable()`,
    which the loop calls to find out what the channel waits for.
    """

    debug: bool | Any = False
    connected: bool | Any = False
    accepting: bool | Any = False
    connecting: bool | Any = False
    closing: bool | Any = False
    addr: Any = None
    ignore_log_types: frozenset[str] | Any = frozenset({"warning"})

    socket: _Socket
    family_and_type: tuple[int, int]
    _map: dict[int, Any] | Any
    _fileno: int | Any

    def __init__(self, sock: _SocketLike | None = None, map: _Map | None = None) -> None:
        """Make a channel of `sock` and put it into `map`, or make one without a socket.

        Raises the `OSError` of `getpeername()`, unless that means "not connected".
        """
        self._map = socket_map if map is None else map
        self._fileno = None
        if not sock:
            self.socket = None
            return
        sock.setblocking(False)
        # Called before the channel is in the map, because other threads may run meanwhile. One that
        # loops over the map would find a channel whose __init__() has not returned.
        try:
            peer = sock.getpeername()
        except OSError as why:
            self.set_socket(sock, map)
            self.connected = False
            if why.errno not in (ENOTCONN, EINVAL):
                self.del_channel(map)
                raise
        else:
            self.set_socket(sock, map)
            self.connected = True
            self.addr = peer

    def __repr__(self) -> str:
        cls = type(self)
        words = [f"{cls.__module__}.{cls.__qualname__}"]
        if self.accepting and self.addr:
            words.append("listening")
        elif self.connected:
            words.append("connected")
        if self.addr is not None:
            try:
                words.append("%s:%d" % self.addr)  # noqa: UP031
            except TypeError:  # raised by % for the address of a family without host and port
                words.append(repr(self.addr))
        return f"<{' '.join(words)} at {id(self):#x}>"

    # In these three the map is Any: overrides annotate `dict`, callers may pass another mapping.

    def add_channel(self, map: Any = None) -> None:
        """Put the channel into `map` (by default its own) under its descriptor's number."""
        if map is None:
            map = self._map
        map[self._fileno] = self
        if _attended:
            _tell_attendant(map, self._fileno)

    def del_channel(self, map: Any = None) -> None:
        """Remove the channel from `map` (by default its own), if it is there."""
        fd = self._fileno
        if map is None:
            map = self._map
        if fd in map:
            del map[fd]
            if _attended:
                _tell_attendant(map, fd)
        self._fileno = None

    def create_socket(self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM) -> None:
        """Open a socket for the channel and register it. Raises `OSError`."""
        self.family_and_type = family, type
        sock = socket.socket(family, type)
        sock.setblocking(False)
        self.set_socket(sock)

    def set_socket(self, sock: Any, map: Any = None) -> None:
        """Make `sock` the channel's socket and put the channel into its map."""
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def set_reuse_addr(self) -> None:
        """Allow the address to be bound again at once. If that is refused, nothing happens."""
        level, option = socket.SOL_SOCKET, socket.SO_REUSEADDR
        try:
            flags = self.socket.getsockopt(level, option)
            self.socket.setsockopt(level, option, flags | 1)
        except OSError:
            pass  # an optimisation for restarts, not worth a failure

    # `bool | Any`, because overrides give the length of what is to be sent, or the buffer itself.

    def readable(self) -> bool | Any:
        """Return whether the channel waits for data."""
        return True

    def writable(self) -> bool | Any:
        """Return whether the channel waits for room to send."""
        return True

    def listen(self, num: int) -> None:
        """Accept connections, `num` of them queued at most. Raises `OSError`."""
        self.accepting = True
        if os.name == "nt":
            num = min(num, 5)
        return self.socket.listen(num)  # type: ignore[return-value]

    def bind(self, addr: Any) -> None:
        """Bind the socket to `addr` and remember it. Raises `OSError`."""
        self.addr = addr
        return self.socket.bind(addr)  # type: ignore[return-value]

    def connect(self, address: Any) -> None:
        """Begin to connect; `handle_connect()` is called when it is done. Raises `OSError`."""
        self.connected = False
        self.connecting = True
        err = self.socket.connect_ex(address)
        under_way = err in (EINPROGRESS, EALREADY, EWOULDBLOCK)
        if under_way or (os.name == "nt" and err == EINVAL):
            self.addr = address
        elif err in (0, EISCONN):
            self.addr = address
            self.handle_connect_event()
        else:
            raise OSError(err, errorcode[err])

    def accept(self) -> tuple[_Socket, Any] | None:
        """Return `(socket, address)` of a new connection, or `None` if there is none.

        Raises `OSError`.
        """
        try:
            sock, addr = _genuine.accept(self.socket) or self.socket.accept()
        except TypeError:  # a wrapper of a socket that returns None
            return None
        except OSError as why:
            if why.errno in (EWOULDBLOCK, EAGAIN, ECONNABORTED):
                return None
            raise
        return sock, addr

    @_loose
    def send(self, data: Buffer) -> int:
        """Send some of `data` and return how many bytes were sent, 0 if none can be sent now.

        If the connection is lost, calls `handle_close()` and returns 0. Raises other `OSError`s.
        """
        try:
            sent: int = self.socket.send(data)
        except OSError as why:
            if why.errno == EWOULDBLOCK:
                return 0
            if why.errno in _DISCONNECTED:
                self.handle_close()
                return 0
            raise
        return sent

    def recv(self, buffer_size: int) -> bytes:
        """Receive at most `buffer_size` bytes.

        At the end of the stream, or if the connection is lost, calls `handle_close()` and returns
        `b""`. Raises other `OSError`s, including `BlockingIOError`.
        """
        try:
            data: bytes = self.socket.recv(buffer_size)
            if data:
                return data
            self.handle_close()
        except OSError as why:
            if why.errno not in _DISCONNECTED:
                raise
            self.handle_close()
        return b""

    def close(self) -> None:
        """Leave the map and close the socket. Raises `OSError`, unless it was closed already."""
        self.connected = False
        self.accepting = False
        self.connecting = False
        self.del_channel()
        if self.socket is not None:
            try:
                self.socket.close()
            except OSError as why:
                if why.errno not in (ENOTCONN, EBADF):
                    raise

    @_loose  # nothing here calls it, so an override may have any parameters
    def log(self, message: Any) -> None:
        """Write a line to the hit log: standard error."""
        sys.stderr.write(f"log: {message!s}\n")

    def log_info(self, message: Any, type: str = "info") -> None:
        """Print a line, unless its `type` is one of `ignore_log_types`."""
        if type not in self.ignore_log_types:
            print(f"{type!s}: {message!s}")

    def handle_read_event(self) -> None:
        """Called by the loop when the socket is readable; calls the handler for the event."""
        if self.accepting:
            self.handle_accept()
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_read()

    def handle_connect_event(self) -> None:
        """Called when a connection was made or has failed. Raises `OSError` if it has failed."""
        err = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if err:
            raise OSError(err, _strerror(err))
        self.handle_connect()
        self.connected = True
        self.connecting = False

    def handle_write_event(self) -> None:
        """Called by the loop when the socket is writable; calls the handler for the event."""
        if self.accepting:
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_write()

    def handle_expt_event(self) -> None:
        """Called by the loop for priority data, and for errors that are reported in that way."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.handle_close()
        else:
            self.handle_expt()

    def handle_error(self) -> None:
        """Called while an exception that another handler raised is being handled."""
        _, kind, value, info = compact_traceback()
        try:
            channel = repr(self)
        except BaseException:  # the channel may be broken, but the report must work
            channel = f"<__repr__(self) failed for object at {id(self):x}>"
        problem = f"uncaptured python exception, closing channel {channel} ({kind}:{value} {info})"
        self.log_info(problem, "error")
        self.handle_close()

    def handle_expt(self) -> None:
        """Called when there is priority data."""
        self.log_info("unhandled incoming priority event", "warning")

    def handle_read(self) -> None:
        """Called when there is data to `recv()`."""
        self.log_info("unhandled read event", "warning")

    def handle_write(self) -> None:
        """Called when there is room to `send()`."""
        self.log_info("unhandled write event", "warning")

    def handle_connect(self) -> None:
        """Called when the connection that `connect()` began is established."""
        self.log_info("unhandled connect event", "warning")

    def handle_accept(self) -> None:
        """Called on a listening channel when there is a connection to `accept()`."""
        pair = self.accept()
        if pair is not None:
            self.handle_accepted(*pair)

    @_by_position
    def handle_accepted(self, sock: Any, addr: Any) -> None:
        """Called on a listening channel with each new connection."""
        sock.close()
        self.log_info("unhandled accepted event", "warning")

    def handle_close(self) -> None:
        """Called when the connection is lost or has ended."""
        self.log_info("unhandled close event", "warning")
        self.close()


class _Backlog(bytearray):
    """The class of `out_buffer` while it holds more than one call sends.

    Data is removed and appended in place: with bytes, both would copy all the rest.
    """


# Until a channel has a _Backlog, or an asyncio loop serves a map. To look for either would cost an
# echo half a percent.
_ordinary = True


class dispatcher_with_send(dispatcher):
    """A dispatcher that buffers what cannot be sent yet, and sends it when the socket is ready."""

    out_buffer: _Bytes

    def __init__(self, sock: _SocketLike | None = None, map: _Map | None = None) -> None:
        dispatcher.__init__(self, sock, map)
        self.out_buffer = b""

    def initiate_send(self) -> None:
        """Send the first part of the buffer."""
        waiting = self.out_buffer
        if _other_threads():
            _first_pass.in_turn(self, _send_part)
        elif type(waiting) is bytes and len(waiting) <= _SEND_SIZE:
            # As _send_part() does: its call would cost an echo 0.5 %.
            sent = dispatcher.send(self, waiting)
            self.out_buffer = self.out_buffer[sent:]
        else:
            _send_part(self)

    def handle_write(self) -> None:
        self.initiate_send()

    def writable(self) -> bool | Any:
        return not self.connected or len(self.out_buffer)

    @_loose
    def send(self, data: Buffer) -> None:
        """Buffer `data`, and send as much as possible at once. Raises as `dispatcher.send()`."""
        if self.debug:
            self.log_info(f"sending {data!r}")
        if _ordinary or type(self.out_buffer) is not _Backlog:
            self.out_buffer = self.out_buffer + data  # at once: other threads cut what was sent
        else:
            self.out_buffer += data
        self.initiate_send()
        if not _ordinary and _attended:
            _tell_attendant(self._map)


def _send_part(channel: dispatcher_with_send) -> None:
    global _ordinary
    waiting = channel.out_buffer
    if type(waiting) is bytes and len(waiting) <= _SEND_SIZE:
        sent = dispatcher.send(channel, waiting)
        channel.out_buffer = channel.out_buffer[sent:]
        return
    if type(waiting) is not _Backlog:
        if len(waiting) <= _SEND_SIZE:  # a program's own kind of buffer
            sent = dispatcher.send(channel, waiting[:_SEND_SIZE])
            channel.out_buffer = channel.out_buffer[sent:]
            return
        _ordinary = False
        channel.out_buffer = waiting = _Backlog(waiting)
    sent = dispatcher.send(channel, bytes(memoryview(waiting)[:_SEND_SIZE]))
    if channel.out_buffer is not waiting:  # handle_close() has replaced it
        channel.out_buffer = channel.out_buffer[sent:]
        return
    del waiting[:sent]
    if len(waiting) <= _SEND_SIZE:
        channel.out_buffer = bytes(waiting)


# -- for handle_error, and for the end of a program ---------------------------------------------


_OURS = os.path.join(os.path.dirname(_first_pass.__file__), "")
_unnamed: set[CodeType] = {_send_part.__code__}  # asynchat adds its own


def compact_traceback() -> tuple[tuple[str, str, str], type[BaseException], BaseException, str]:
    """Describe the exception being handled in one line.

    Returns `((file, function, line), type, value, info)`; the first is where it was raised, `info`
    is `[file|function|line] ...` from the outside in. Raises `AssertionError` when none is being
    handled.
    """
    kind, value, tb = sys.exc_info()
    if tb is None or kind is None or value is None:
        raise AssertionError("traceback does not exist")
    places = []
    while tb is not None:
        code = tb.tb_frame.f_code
        place = code.co_filename, code.co_name, str(tb.tb_lineno)
        if not (code in _unnamed or code.co_filename.startswith(_OURS)):
            places.append(place)
        tb = tb.tb_next
    if not places:  # only functions that 3.11's asyncore does not have
        places.append(place)
    info = " ".join(f"[{'|'.join(place)}]" for place in places)
    return places[-1], kind, value, info


def close_all(map: _Map | None = None, ignore_all: bool | int = False) -> None:
    """Close all channels of `map` (by default `socket_map`) and clear it.

    Channels that are already closed are skipped. Raises other `Exception`s unless `ignore_all` is
    true, and always `ExitNow`, `KeyboardInterrupt` and `SystemExit`.
    """
    if map is None:
        map = socket_map
    for channel in list(map.values()):
        try:
            channel.close()
        except _reraised_exceptions:
            raise
        except BaseException as why:
            closed_already = isinstance(why, OSError) and why.errno == EBADF
            if not closed_already and not ignore_all:
                raise
    map.clear()


if os.name == "posix":
    __all__ += ["file_dispatcher", "file_wrapper"]

    class file_wrapper:
        """Makes a descriptor look like a socket, as far as a channel needs it.

        It owns a duplicate of `fd`, so either can be closed without the other.
        """

        fd: int = -1  # for __del__, if os.dup() raises

        def __init__(self, fd: int) -> None:
            self.fd = os.dup(fd)

        def __del__(self) -> None:
            if self.fd >= 0:
                warnings.warn(f"unclosed file {self!r}", ResourceWarning, 1, self)
            self.close()

        @_loose
        def recv(self, *args: Any) -> bytes:
            """Read and return at most that many bytes. Raises `OSError`."""
            return os.read(self.fd, *args)

        @_loose
        def send(self, *args: Any) -> int:
            """Write some of the bytes and return how many. Raises `OSError`."""
            return os.write(self.fd, *args)

        @_loose
        def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int:
            """Return 0 for `SO_ERROR`. Raises `NotImplementedError` for any other option."""
            if (level, optname) != (socket.SOL_SOCKET, socket.SO_ERROR) or buflen:
                raise NotImplementedError("a file has no socket option except SO_ERROR")
            return 0

        read = recv
        write = send

        def close(self) -> None:
            """Close the duplicate. A second call does nothing."""
            fd, self.fd = self.fd, -1
            if fd >= 0:
                os.close(fd)

        def fileno(self) -> int:
            """The number of the duplicate, -1 when closed."""
            return self.fd

    class file_dispatcher(dispatcher):
        """A channel around a file, pipe or device."""

        socket: _Socket

        def __init__(self, fd: int | _HasFileno, map: _Map | None = None) -> None:
            """Make a channel of a number or an object with `fileno()`, and make it non-blocking."""
            dispatcher.__init__(self, None, map)
            self.connected = True
            try:
                number: int = fd.fileno()  # type: ignore[union-attr]
            except AttributeError:
                number = fd  # type: ignore[assignment]
            self.set_file(number)
            os.set_blocking(number, False)

        def set_file(self, fd: int) -> None:
            """Make a duplicate of `fd` the channel's file, and put the channel into its map."""
            self.socket = file_wrapper(fd)
            self._fileno = self.socket.fileno()
            self.add_channel()


def _hide_annotations(names: dict[str, Any]) -> None:
    # inspect.signature() is part of the drop-in, and showed none; get_type_hints() of a program's
    # subclass could not resolve ours. Type checkers read the source.
    names.pop("__annotations__", None)
    functions: list[Callable[..., Any]] = []
    for value in names.values():
        if isinstance(value, type) and value.__module__ == names["__name__"]:
            value.__annotations__ = {}
            functions += [f for f in vars(value).values() if hasattr(f, "__code__")]
        elif hasattr(value, "__code__"):
            functions.append(value)
    for function in functions:
        function.__annotations__ = {}


# The functions that the engine replaces, predicates by their code. If a program has replaced one of
# these itself, the program's is called: passes are portable, or the predicate is called in each.
_own_tells = {"read": read, "write": write, "_exception": _exception, "readwrite": readwrite}
_own_predicates = {
    (dispatcher.readable.__code__, dispatcher.writable.__code__): "dispatcher",
    (dispatcher.readable.__code__, dispatcher_with_send.writable.__code__): "dispatcher_with_send",
}
# Most get native calls. The engine does what the others do, unless they are replaced.
_own_methods = (
    dispatcher,
    (
        dispatcher.recv,
        dispatcher.send,
        dispatcher_with_send.send,
        dispatcher_with_send.initiate_send,
        dispatcher.accept,
        dispatcher.handle_read_event,
        dispatcher.handle_write_event,
    ),
)

_hide_annotations(globals())
del annotations, TYPE_CHECKING
