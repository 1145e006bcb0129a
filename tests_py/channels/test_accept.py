"""Accepting: what accept() returns and raises, and which handlers a connection reaches."""

import asyncore
import errno
import os
import re
import socket
import traceback

import pytest
from support import one_pass, run_python

FAMILIES = {
    "IPv4": (socket.AF_INET, ("127.0.0.1", 0)),
    "IPv6": (socket.AF_INET6, ("::1", 0)),
    "Unix": (socket.AF_UNIX, ""),
}


@pytest.fixture
def listening(closing):
    """Makes a listening channel that has been through a pass."""

    def made(family="IPv4", cls=asyncore.dispatcher):
        family, address = FAMILIES[family]
        server = cls(map={})
        server.create_socket(family)
        closing(server.socket)
        server.bind(address)
        server.listen(5)
        asyncore.loop(0, False, server._map, 1)
        return server

    return made


@pytest.fixture
def connected(closing):
    def made(server):
        client = closing(socket.socket(server.socket.family))
        client.connect(server.socket.getsockname())
        return client

    return made


@pytest.mark.parametrize("default", [None, 0.0, 5.0])
@pytest.mark.parametrize("family", FAMILIES)
def test_accept_returns_a_socket_as_socket_accept_does(
    family, default, listening, connected, closing
):
    server = listening(family)
    client = connected(server)
    socket.setdefaulttimeout(default)
    try:
        sock, address = server.accept()
    finally:
        socket.setdefaulttimeout(None)
    closing(sock)
    assert type(sock) is socket.socket
    assert address == client.getsockname() == sock.getpeername()
    assert (sock.family, sock.type, sock.proto) == (client.family, client.type, client.proto)
    assert sock.gettimeout() == default
    assert not os.get_inheritable(sock.fileno())
    with sock.makefile("rb") as file:
        client.sendall(b"line\n")
        assert file.readline() == b"line\n"


def test_accept_returns_none_when_nobody_is_there(listening):
    assert listening().accept() is None


@pytest.mark.parametrize("error", [errno.EBADF, errno.EINVAL])
def test_accept_raises_with_the_frame_of_the_socket(error, listening, closing):
    server = listening()
    if error == errno.EBADF:
        server.socket.close()
    else:
        server.socket = closing(socket.socket())  # it does not listen
        server.socket.setblocking(False)
    with pytest.raises(OSError) as raised:
        server.accept()
    assert raised.value.errno == error
    frames = traceback.extract_tb(raised.tb)
    assert [frame.name for frame in frames[-2:]] == ["accept", "accept"]
    assert [frame.filename for frame in frames[-2:]] == [asyncore.__file__, socket.__file__]


PATCHES = {
    "accept": """
        def accept(self, original=socket.socket.accept):
            used.append("accept")
            return original(self)
        socket.socket.accept = accept
        """,
    "the code of accept": """
        def accept(self):
            used.append("accept")
            fd, address = self._accept()
            return socket(fileno=fd), address
        socket.used = used
        socket.socket.accept.__code__ = accept.__code__
        """,
    "_accept": """
        def _accept(self):
            used.append("_accept")
            return super(socket.socket, self)._accept()
        socket.socket._accept = _accept
        """,
    "__init__": """
        def __init__(self, family=-1, *args, original=socket.socket.__init__, **options):
            used.append(type(family).__name__)
            original(self, family, *args, **options)
        socket.socket.__init__ = __init__
        """,
    "the code of __init__": """
        def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
            if fileno is not None:
                used.append("__init__")
            _socket.socket.__init__(self, family, type, proto, fileno)
            self._io_refs = 0
            self._closed = False
        socket.used = used
        socket.socket.__init__.__code__ = __init__.__code__
        """,
    "the class": """
        class Own(socket.socket):
            def __init__(self, *args, **options):
                used.append("Own")
                super().__init__(*args, **options)
        socket.socket = Own
        """,
}


@pytest.mark.parametrize("patch", PATCHES)
def test_what_the_program_has_put_in_the_socket_module_is_used(patch):
    run_python(
        """
        import asyncore, socket, sys
        class Server(asyncore.dispatcher):
            def handle_accepted(self, sock, address):
                sock.close()
        used = []
        server = Server()
        server.create_socket()
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        clients = []
        def a_connection():
            client = type(server.socket)()
            clients.append(client)
            client.connect(server.socket.getsockname())
            used.clear()
            asyncore.loop(10, count=1)
            return used
        assert a_connection() == []
        exec(sys.argv[1])
        assert len(a_connection()) == 1
        assert used[0] in ("accept", "_accept", "AddressFamily", "__init__", "Own"), used
        for each in (server, *clients):
            each.close()
        """,
        "\n".join(line[8:] for line in PATCHES[patch].splitlines()),
    )


def test_an_audit_hook_sees_the_new_socket():
    run_python(
        """
        import asyncore, socket, sys, traceback
        server = asyncore.dispatcher()
        server.create_socket()
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        asyncore.loop(0, count=1)
        clients = [socket.create_connection(server.socket.getsockname()) for _ in range(2)]
        seen, refuses = [], False
        def hook(event, arguments):
            if event == "socket.__new__":
                seen.append([type(arguments[0]), *map(int, arguments[1:])])
                if refuses:
                    raise ZeroDivisionError
        sys.addaudithook(hook)
        sock, _ = server.accept()
        assert seen == [[socket.socket, socket.AF_INET, socket.SOCK_STREAM, 0]], seen
        refuses = True
        try:
            server.accept()
        except ZeroDivisionError as why:
            names = [frame.name for frame in traceback.extract_tb(why.__traceback__)]
            assert names[1:4] == ["accept", "accept", "__init__"], names
        else:
            raise AssertionError("not refused")
        for each in (server, sock, *clients):
            each.close()
        """
    )


class Server(asyncore.dispatcher):
    accepted = raised = ()

    def writable(self):
        return False

    def handle_accepted(self, sock, addr):
        sock.close()
        self.accepted += (addr,)

    def handle_error(self):
        self.raised += (asyncore.compact_traceback()[3],)


@pytest.mark.parametrize("where", ["instance", "class", "handle_read_event"])
def test_handlers_of_the_programs_own_are_called(where, use_poll, listening, connected):
    class Own(Server):
        pass

    server = listening(cls=Own)
    client = connected(server)
    one_pass(use_poll, server._map, 5)
    assert server.accepted == (client.getsockname(),)
    calls = []
    if where == "instance":
        server.handle_accept = lambda: calls.append(server)
    elif where == "class":
        Own.handle_accept = lambda self: calls.append(self)
    else:
        server.handle_read_event = lambda: calls.append(server)
    connected(server)
    one_pass(use_poll, server._map, 5)
    assert calls == [server]
    assert len(server.accepted) == 1
    vars(server).pop("handle_accept", None)
    vars(server).pop("handle_read_event", None)
    if where == "class":
        del Own.handle_accept
    one_pass(use_poll, server._map, 5)
    assert calls == [server]
    assert len(server.accepted) == 2


def test_the_frames_of_a_failed_handle_accepted(use_poll, listening, connected):
    class Failing(Server):
        def handle_accepted(self, sock, addr):
            sock.close()
            raise ValueError("asked for")

    server = listening(cls=Failing)
    connected(server)
    one_pass(use_poll, server._map, 5)
    frames = re.findall(r"\[([^|\]]*)\|([^|]*)\|\d+\]", server.raised[0])
    outer = "readwrite" if use_poll else "read"
    names = [outer, "handle_read_event", "handle_accept", "handle_accepted"]
    assert [name for _, name in frames] == names
    assert [file for file, _ in frames] == [asyncore.__file__] * 3 + [__file__]


@pytest.mark.parametrize("accepting, name", [(1, "accept"), ("yes", "accept"), (0, "read")])
def test_accepting_counts_by_its_truth(accepting, name, use_poll, listening, connected):
    class Own(Server):
        told = ()

        def handle_accept(self):
            self.told += ("accept",)

        def handle_read(self):
            self.told += ("read",)

    server = listening(cls=Own)
    server.accepting = accepting
    connected(server)
    one_pass(use_poll, server._map, 5)
    assert server.told == (name,)
