"""dispatcher: construction, its place in the map, connecting, accepting, closing."""

import asyncore
import errno
import os
import socket

import pytest
from faking import fake
from support import listener, pair


def test_class_attributes():
    names = ("debug", "connected", "accepting", "connecting", "closing", "addr")
    assert [vars(asyncore.dispatcher)[name] for name in names] == [False] * 5 + [None]
    assert asyncore.dispatcher.ignore_log_types == frozenset({"warning"})
    assert type(asyncore.dispatcher.ignore_log_types) is frozenset


def test_a_dispatcher_without_a_socket():
    channel = asyncore.dispatcher()
    assert vars(channel) == {"_map": asyncore.socket_map, "_fileno": None, "socket": None}
    mine = {}
    assert asyncore.dispatcher(map=mine)._map is mine
    assert asyncore.dispatcher(None, mine)._map is mine
    assert mine == {}


def test_an_empty_map_given_is_kept():
    empty = {}
    assert asyncore.dispatcher(None, empty)._map is empty


def test_a_dispatcher_with_a_socket(closing):
    server = closing(listener())
    near = closing(socket.create_connection(server.getsockname()))
    channels = {}
    channel = asyncore.dispatcher(near, channels)
    assert channels == {near.fileno(): channel}
    assert channel.socket is near
    assert channel._fileno == near.fileno()
    assert near.getblocking() is False
    assert (channel.connected, channel.connecting, channel.accepting) == (True, False, False)
    assert channel.addr == server.getsockname()
    assert set(vars(channel)) == {"_map", "_fileno", "socket", "connected", "addr"}


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EINVAL])
def test_a_socket_without_a_peer_is_not_connected(channels, number):
    channel = fake(channels, getpeername=OSError(number, ""))
    assert channel.connected is False
    assert channel.addr is None
    assert channels == {77: channel}


@pytest.mark.parametrize("error", [OSError(errno.EIO, ""), OSError(errno.EBADF, "")])
def test_another_error_of_getpeername_unregisters_and_is_raised(channels, error):
    with pytest.raises(OSError) as caught:
        fake(channels, getpeername=error)
    assert caught.value is error
    assert channels == {}


def test_a_listening_socket_given_is_not_connected(closing):
    channels = {}
    channel = asyncore.dispatcher(closing(listener()), channels)
    assert (channel.connected, channel.addr) == (False, None)


def test_there_is_no_forwarding_to_the_socket(channels):
    channel = fake(channels)
    for name in ("getpeername", "fileno", "setsockopt", "nonsense"):
        with pytest.raises(AttributeError, match=name):
            getattr(channel, name)


def test_create_socket_makes_a_nonblocking_socket(closing):
    channels = {}
    channel = asyncore.dispatcher(map=channels)
    channel.create_socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made = closing(channel.socket)
    assert channel.family_and_type == (socket.AF_UNIX, socket.SOCK_DGRAM)
    assert (made.family, made.type) == channel.family_and_type
    assert made.getblocking() is False
    assert channels == {made.fileno(): channel}
    assert channel.connected is False


def test_create_socket_defaults_to_tcp(closing):
    channel = asyncore.dispatcher(map={})
    channel.create_socket()
    closing(channel.socket)
    assert channel.family_and_type == (socket.AF_INET, socket.SOCK_STREAM)


def test_set_socket_registers_and_leaves_the_rest(channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(map=channels)
    channel.set_socket(near)
    assert channels == {near.fileno(): channel}
    assert channel._fileno == near.fileno()
    assert near.getblocking() is True
    assert channel.connected is False
    other = {}
    channel.set_socket(far, other)
    assert other == {far.fileno(): channel}
    assert near.fileno() in channels
    assert channel._map is channels


def test_add_and_del_channel(channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(near, channels)
    other = {}
    channel.add_channel(other)
    assert other == channels
    channel.del_channel(other)
    assert (other, len(channels), channel._fileno) == ({}, 1, None)
    channel._fileno = near.fileno()
    channel.del_channel()
    assert channels == {}
    channel.del_channel()
    channel.add_channel()
    assert channels == {None: channel}


def test_del_channel_takes_out_whatever_has_the_number(channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(near, channels)
    channels[near.fileno()] = "another"
    channel.del_channel()
    assert channels == {}


def test_set_reuse_addr(closing):
    channel = asyncore.dispatcher(map={})
    channel.create_socket()
    closing(channel.socket)
    channel.set_reuse_addr()
    assert channel.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.parametrize("method", ["getsockopt", "setsockopt"])
def test_set_reuse_addr_ignores_os_errors(channels, method):
    answers = {"getsockopt": 0, method: OSError(errno.EINVAL, "")}
    fake(channels, **answers).set_reuse_addr()


def test_listen_and_bind(channels):
    channel = fake(channels, listen="answer", bind="answer")
    assert channel.bind(("host", 1)) == "answer"
    assert channel.addr == ("host", 1)
    assert channel.listen(5) == "answer"
    assert channel.accepting is True
    assert channel.socket.calls[-2:] == [("bind", ("host", 1)), ("listen", 5)]


def test_bind_remembers_the_address_before_it_fails(channels):
    channel = fake(channels, bind=OSError(errno.EADDRINUSE, ""))
    with pytest.raises(OSError):
        channel.bind("there")
    assert channel.addr == "there"


@pytest.mark.parametrize("number", [errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK])
def test_connect_in_progress(channels, number):
    channel = fake(channels, connect_ex=number)
    assert channel.connect(("host", 1)) is None
    assert (channel.connected, channel.connecting, channel.addr) == (False, True, ("host", 1))
    assert channel.events == []


@pytest.mark.parametrize("number", [0, errno.EISCONN])
def test_connect_done_at_once(channels, number):
    channel = fake(channels, connect_ex=number, getsockopt=0)
    channel.connect(("host", 1))
    assert (channel.connected, channel.connecting, channel.addr) == (True, False, ("host", 1))
    assert channel.events == ["connect"]


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENETUNREACH, errno.EINVAL])
def test_connect_failed_at_once(channels, number):
    channel = fake(channels, connect_ex=number)
    with pytest.raises(OSError) as caught:
        channel.connect(("host", 1))
    assert caught.value.args == (number, errno.errorcode[number])
    assert (channel.connected, channel.connecting) == (False, True)


def test_connect_forgets_an_earlier_connection(channels):
    channel = fake(channels, connect_ex=errno.EINPROGRESS, getpeername="before")
    assert (channel.connected, channel.addr) == (True, "before")
    channel.connect("after")
    assert (channel.connected, channel.addr) == (False, "after")


def test_accept_gives_what_the_socket_gives(channels):
    assert fake(channels, accept=("sock", "addr")).accept() == ("sock", "addr")


@pytest.mark.parametrize(
    "error",
    [OSError(n, "") for n in (errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EAGAIN)] + [TypeError()],
    ids=["EWOULDBLOCK", "ECONNABORTED", "EAGAIN", "TypeError"],
)
def test_accept_gives_none_when_nothing_is_there(channels, error):
    assert fake(channels, accept=error).accept() is None


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, ""), ValueError()], ids=repr)
def test_accept_raises_the_rest(channels, error):
    with pytest.raises(type(error)) as caught:
        fake(channels, accept=error).accept()
    assert caught.value is error


def test_close_forgets_everything(channels, closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(near, channels)
    channel.accepting = channel.connecting = True
    fd = near.fileno()
    channel.close()
    assert (channel.connected, channel.accepting, channel.connecting) == (False, False, False)
    assert (channels, channel._fileno, near.fileno()) == ({}, None, -1)
    with pytest.raises(OSError):
        os.fstat(fd)
    assert channel.socket is near
    channel.close()


def test_close_without_a_socket(channels):
    asyncore.dispatcher(map=channels).close()


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EBADF])
def test_close_ignores_a_socket_that_is_closed(channels, number):
    channel = fake(channels, close=OSError(number, ""))
    channel.close()
    assert channels == {}


def test_close_raises_other_errors_after_unregistering(channels):
    channel = fake(channels, close=OSError(errno.EIO, ""))
    with pytest.raises(OSError):
        channel.close()
    assert (channels, channel.connected) == ({}, False)
