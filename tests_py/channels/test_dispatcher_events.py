"""handle_read_event() and its like: what they make of an event."""

import asyncore
import errno
import socket

import pytest
from support import Recorder


class Socket:
    """A socket of which nothing is asked but SO_ERROR."""

    def __init__(self, error=0):
        self.error = error
        self.asked = []

    def getsockopt(self, *args):
        self.asked.append(args)
        return self.error


def channel(error=0, **state):
    made = Recorder(channels={})
    made.socket = Socket(error)
    for name, value in state.items():
        setattr(made, name, value)
    return made


def flags(made):
    return made.connected, made.connecting


def test_reading_while_accepting_is_accepting():
    made = channel(accepting=True, connecting=True)
    made.handle_read_event()
    assert made.events == ["accept"]
    assert made.socket.asked == []


def test_reading_while_connected_is_reading():
    made = channel(connected=True)
    made.handle_read_event()
    assert made.events == ["read"]


@pytest.mark.parametrize(
    "method, event", [("handle_read_event", "read"), ("handle_write_event", "write")]
)
def test_the_first_event_while_connecting_connects_first(method, event):
    made = channel(connecting=True)
    getattr(made, method)()
    assert made.events == ["connect", event]
    assert flags(made) == (True, False)
    getattr(made, method)()
    assert made.events == ["connect", event, event]


@pytest.mark.parametrize(
    "method, event", [("handle_read_event", "read"), ("handle_write_event", "write")]
)
def test_events_of_a_channel_neither_connected_nor_connecting(method, event):
    made = channel()
    getattr(made, method)()
    assert made.events == [event]
    assert flags(made) == (False, False)


@pytest.mark.parametrize("method", ["handle_read_event", "handle_write_event"])
def test_the_connect_step_of_a_connected_channel_is_skipped(method):
    made = channel(connecting=True, connected=True)
    getattr(made, method)()
    assert "connect" not in made.events
    assert made.socket.asked == []


def test_writing_while_accepting_is_nothing():
    made = channel(accepting=True, connecting=True)
    made.handle_write_event()
    assert made.events == []
    assert made.socket.asked == []


@pytest.mark.parametrize(
    "method", ["handle_read_event", "handle_write_event", "handle_connect_event"]
)
def test_a_failed_connection_raises(method):
    made = channel(errno.ECONNREFUSED, connecting=True)
    with pytest.raises(OSError) as caught:
        getattr(made, method)()
    assert caught.value.args == (errno.ECONNREFUSED, asyncore._strerror(errno.ECONNREFUSED))
    assert made.events == []
    assert flags(made) == (False, True)


def test_handle_connect_event_asks_for_the_error_first():
    made = channel(connecting=True)
    made.handle_connect_event()
    assert made.socket.asked == [(socket.SOL_SOCKET, socket.SO_ERROR)]
    assert made.events == ["connect"]
    assert flags(made) == (True, False)


def test_handle_connect_sees_the_channel_not_yet_connected():
    made = channel(connecting=True)
    made.handle_connect = lambda: made.note(flags(made))
    made.handle_connect_event()
    assert made.events == [(False, True)]
    assert flags(made) == (True, False)


def test_an_exception_in_handle_connect_leaves_the_channel_connecting():
    def fail():
        raise LookupError

    made = channel(connecting=True)
    made.handle_connect = fail
    with pytest.raises(LookupError):
        made.handle_connect_event()
    assert flags(made) == (False, True)


def test_a_channel_closed_in_handle_connect():
    made = channel(connecting=True)
    made.handle_connect = lambda: made.note("closed")
    made.handle_read_event()
    assert made.events == ["closed", "read"]


def test_priority_without_an_error_is_priority_data():
    made = channel()
    made.handle_expt_event()
    assert made.events == ["expt"]
    assert made.socket.asked == [(socket.SOL_SOCKET, socket.SO_ERROR)]


def test_priority_with_an_error_closes():
    made = channel(errno.ECONNRESET)
    made.handle_close = lambda: made.note("close")
    made.handle_expt_event()
    assert made.events == ["close"]


def test_overridden_steps_are_used():
    made = channel(connecting=True)
    made.handle_connect_event = lambda: made.note("my connect")
    made.handle_read_event()
    made.handle_write_event()
    assert made.events == ["my connect", "read", "my connect", "write"]


class Plain(asyncore.dispatcher):
    pass


@pytest.fixture
def plain():
    made = Plain(map={})
    made.ignore_log_types = frozenset()
    return made


@pytest.mark.parametrize(
    "method, line",
    [
        ("handle_read", "warning: unhandled read event"),
        ("handle_write", "warning: unhandled write event"),
        ("handle_connect", "warning: unhandled connect event"),
        ("handle_expt", "warning: unhandled incoming priority event"),
        ("handle_close", "warning: unhandled close event"),
    ],
)
def test_default_handlers_warn(plain, capsys, method, line):
    getattr(plain, method)()
    assert capsys.readouterr().out == line + "\n"
    del plain.ignore_log_types
    getattr(plain, method)()
    assert capsys.readouterr() == ("", "")


def test_the_default_handle_close_closes():
    made = Plain(map={})
    made.close = lambda: setattr(made, "closed", True)
    made.handle_close()
    assert made.closed


def test_the_default_handle_accept_gives_the_pair_on():
    made = Plain(map={})
    pairs = []
    made.accept = lambda: ("sock", "addr")
    made.handle_accepted = lambda *args: pairs.append(args)
    made.handle_accept()
    assert pairs == [("sock", "addr")]
    made.accept = lambda: None
    made.handle_accept()
    assert pairs == [("sock", "addr")]


def test_the_default_handle_accepted_closes_the_socket(plain, capsys):
    class Closed:
        closed = False

        def close(self):
            self.closed = True

    sock = Closed()
    plain.handle_accepted(sock, "addr")
    assert sock.closed
    assert capsys.readouterr().out == "warning: unhandled accepted event\n"
