"""What programs put in the place of our names at run time is what serves."""

import asynchat
import asyncore
import importlib.util
import select
import socket
import sys
import time
import types

import pytest
from support import LIMIT, Recorder, one_pass, pair, tcp_pair


@pytest.fixture
def channel(channels, closing):
    near, far = pair()
    closing(far)
    far.send(b"x")
    return Recorder(near, channels)


@pytest.mark.parametrize("name", ["poll", "poll2"])
def test_a_replaced_poll_makes_the_passes_of_loop(channels, channel, monkeypatch, name):
    calls = []

    def replacement(*args, **kwargs):
        calls.append((args, kwargs))
        if len(calls) == 3:
            channels.clear()

    monkeypatch.setattr(asyncore, name, replacement)
    asyncore.loop(1.5, use_poll=name == "poll2", map=channels)
    assert calls == [((1.5, channels), {})] * 3
    calls.clear()
    asyncore.loop(1.5, use_poll=name != "poll2", map={1: channel, **channels}, count=0)
    assert calls == []


def test_poll3_replaced_alone_changes_nothing(channels, channel, monkeypatch):
    monkeypatch.setattr(asyncore, "poll3", None)
    asyncore.loop(0, True, channels, 1)
    assert channel.events == ["read"]


@pytest.mark.parametrize("name", ["poll", "poll2"])
def test_a_wrapped_poll_still_serves(channels, channel, monkeypatch, name):
    calls = []
    original = getattr(asyncore, name)

    def wrapped(timeout=0.0, map=None):
        calls.append(timeout)
        return original(timeout, map)

    monkeypatch.setattr(asyncore, name, wrapped)
    asyncore.loop(0, name == "poll2", channels, 2)
    assert calls == [0, 0]
    assert channel.events == ["read"] * 2


def test_a_replaced_loop_is_what_callers_of_the_module_get(monkeypatch):
    calls = []
    monkeypatch.setattr(asyncore, "loop", lambda *args, **kwargs: calls.append((args, kwargs)))
    asyncore.loop(5, map={})
    assert calls == [((5,), {"map": {}})]


def test_a_replaced_global_map_is_the_default(use_poll, closing, monkeypatch):
    replacement = {}
    monkeypatch.setattr(asyncore, "socket_map", replacement)
    near, far = closing(*pair())
    far.send(b"x")
    channel = Recorder(near)
    assert channel._map is replacement
    assert replacement == {near.fileno(): channel}
    asyncore.loop(0, use_poll, count=1)
    one_pass(use_poll, None)
    assert channel.events == ["read"] * 2
    asyncore.close_all()
    assert replacement == {}
    asyncore.loop()


@pytest.mark.parametrize("name, event, want", [("read", "read", "r"), ("write", "write", "w")])
def test_replaced_read_and_write_dispatch_for_poll(
    channels, channel, monkeypatch, name, event, want
):
    channel.wants = want
    told = []
    monkeypatch.setattr(asyncore, name, told.append)
    asyncore.loop(0, False, channels, 1)
    assert told == [channel]
    assert channel.events == []
    monkeypatch.undo()
    asyncore.loop(0, False, channels, 1)
    assert channel.events == [event]


def test_a_replaced_exception_dispatches_for_poll(channels, closing, monkeypatch):
    near, far = closing(*tcp_pair())
    channel = Recorder(near, channels)
    told = []
    monkeypatch.setattr(asyncore, "_exception", told.append)
    far.send(b"!", socket.MSG_OOB)
    asyncore.loop(LIMIT, False, channels, 1)
    assert told == [channel]


def test_a_replaced_readwrite_dispatches_for_poll2(channels, channel, monkeypatch):
    told = []
    monkeypatch.setattr(asyncore, "readwrite", lambda obj, flags: told.append((obj, flags)))
    asyncore.loop(0, True, channels, 1)
    assert told == [(channel, select.POLLIN)]
    assert channel.events == []


def test_a_replaced_time_sleep_is_what_poll_sleeps_with(channels, channel, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    channel.wants = ""
    asyncore.loop(7, False, channels, 2)
    assert slept == [7, 7]


def test_a_replaced_time_module_is_what_poll_sleeps_with(channels, channel, monkeypatch):
    slept = []
    monkeypatch.setattr(asyncore, "time", types.SimpleNamespace(sleep=slept.append))
    channel.wants = ""
    asyncore.loop(7, False, channels, 1)
    assert slept == [7]


class Poll:
    """select.poll() that writes down its use."""

    def __init__(self, calls):
        self.real, self.calls = select.poll(), calls

    def register(self, fd, *flags):
        self.calls.append("register")
        return self.real.register(fd, *flags)

    def poll(self, *timeout):
        self.calls.append(("poll", *timeout))
        return self.real.poll(*timeout)


class Select:
    """The select module with functions of its own."""

    def __init__(self):
        self.calls = []
        self.original = select.select

    def __getattr__(self, name):
        return getattr(select, name)

    def select(self, r, w, e, timeout=None):
        self.calls.append(("select", list(r), list(w), list(e), timeout))
        return self.original(r, w, e, timeout)

    def poll(self):
        return Poll(self.calls)


def test_a_replaced_select_module_waits(use_poll, channels, channel, monkeypatch):
    module = Select()
    monkeypatch.setattr(asyncore, "select", module)
    one_pass(use_poll, channels, 2.5)
    fd = channel._fileno
    if use_poll:
        assert module.calls == ["register", ("poll", 2500)]
    else:
        assert module.calls == [("select", [fd], [], [fd], 2.5)]
    assert channel.events == ["read"]


def test_replaced_functions_of_the_select_module_wait(use_poll, channels, channel, monkeypatch):
    module = Select()
    if use_poll:
        poll = select.poll
        made = []
        monkeypatch.setattr(select, "poll", lambda: made.append("poll") or poll())
    else:
        made = module.calls
        monkeypatch.setattr(select, "select", module.select)
    one_pass(use_poll, channels)
    assert len(made) == 1
    assert channel.events == ["read"]
    monkeypatch.undo()
    one_pass(use_poll, channels)
    assert len(made) == 1


def test_a_select_that_raises_leaves_the_loop(channels, channel, monkeypatch):
    def broken(*args):
        raise RuntimeError("no")

    monkeypatch.setattr(select, "select", broken)
    with pytest.raises(RuntimeError):
        asyncore.loop(0, False, channels, 1)


def test_loop_takes_select_where_there_is_no_poll(channels, channel, monkeypatch):
    module = Select()
    functions = types.SimpleNamespace(select=module.select)
    monkeypatch.setattr(asyncore, "select", functions)
    asyncore.loop(0, True, channels, 1)
    assert [call[0] for call in module.calls] == ["select"]
    assert channel.events == ["read"]


def test_a_select_put_there_by_a_handler_counts_from_the_next_pass(channels, channel, monkeypatch):
    module = Select()

    def replace():
        channel.note("read")
        monkeypatch.setattr(asyncore, "select", module)

    channel.handle_read = replace
    asyncore.loop(0, False, channels, 3)
    assert channel.events == ["read"] * 3
    assert len(module.calls) == 2


def test_the_source_executed_again_with_another_select(use_poll, channels, closing, monkeypatch):
    """As cooperative schedulers do, to get a module that waits through them."""
    replacement = types.ModuleType("select")
    module = Select()
    replacement.__dict__.update(vars(select))
    replacement.select, replacement.poll = module.select, module.poll
    monkeypatch.setitem(sys.modules, "select", replacement)
    spec = importlib.util.spec_from_file_location("green_asyncore", asyncore.__file__)
    green = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "green_asyncore", green)
    spec.loader.exec_module(green)
    assert green.select is replacement
    assert green.dispatcher is not asyncore.dispatcher
    assert green.socket_map is not asyncore.socket_map

    near, far = closing(*pair())
    far.send(b"x")

    class Closing(green.dispatcher_with_send):
        def handle_read(self):
            self.got = self.recv(10)
            self.close()

    channel = Closing(near, channels)
    green.loop(use_poll=use_poll, map=channels)
    assert channel.got == b"x"
    assert module.calls


def test_the_source_executed_with_a_dict_of_the_programs(use_poll, channels, channel):
    class Globals(dict):
        pass

    green = Globals(__name__="green_asyncore", __builtins__=__builtins__)
    with open(asyncore.__file__, "rb") as source:
        exec(compile(source.read(), asyncore.__file__, "exec"), green)
    green["loop"](LIMIT, use_poll, channels, 1)
    assert channel.events == ["read"]


def test_a_replaced_socket_module_makes_the_sockets(channels, monkeypatch):
    made = []

    class Socket(socket.socket):
        def __init__(self, *args, **kwargs):
            made.append(args)
            super().__init__(*args, **kwargs)

    module = types.ModuleType("socket")
    module.__dict__.update(vars(socket))
    module.socket = Socket
    monkeypatch.setattr(asyncore, "socket", module)
    channel = asyncore.dispatcher(map=channels)
    channel.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
    assert type(channel.socket) is Socket
    assert made == [(socket.AF_INET, socket.SOCK_DGRAM)]


def test_methods_replaced_on_dispatcher(use_poll, channels, channel, monkeypatch):
    told = []
    one_pass(use_poll, channels)
    monkeypatch.setattr(asyncore.dispatcher, "handle_read_event", lambda self: told.append(self))
    one_pass(use_poll, channels)
    assert told == [channel]
    monkeypatch.setattr(asyncore.dispatcher, "recv", lambda self, size: b"replaced")
    assert channel.recv(3) == b"replaced"
    monkeypatch.setattr(asyncore.dispatcher, "send", lambda self, data: 7)
    sender = asyncore.dispatcher_with_send(map={})
    sender.out_buffer = b"0123456789"
    sender.initiate_send()
    assert sender.out_buffer == b"789"
    monkeypatch.undo()
    one_pass(use_poll, channels)
    assert channel.events == ["read"] * 2


_SENDERS = ["readable", "writable", "handle_read_event", "handle_write_event", "recv", "send"]
_CHATS = ["readable", "writable", "initiate_send", "get_terminator", "push", "handle_read"]


@pytest.mark.parametrize(
    ("base", "name"),
    [(asyncore.dispatcher_with_send, name) for name in [*_SENDERS, "initiate_send"]]
    + [(asynchat.async_chat, name) for name in _CHATS],
)
def test_other_code_of_a_method(base, name, use_poll, channels, closing, monkeypatch):
    """The function stays the same object: so do tools that put changed sources into force."""
    near, far = closing(*pair())

    class Channel(base):
        seen = False
        instead = {"recv": b"", "send": 1, "get_terminator": b"\n"}.get(name, True)

        def collect_incoming_data(self, data):
            pass

        def found_terminator(self):
            self.push(b"found")

    if base is asyncore.dispatcher_with_send:
        Channel.handle_read = lambda self: self.send(self.recv(10))
    channel = Channel(near, channels)
    if base is asynchat.async_chat:
        channel.set_terminator(b"\n")
    for _ in range(3):  # until as much is known of the class as can be
        far.send(b"x\n")
        one_pass(use_poll, channels)
    assert far.recv(100) in (b"x\n" * 3, b"found" * 3)

    def replacement(self, *args):
        self.seen = True
        return self.instead

    monkeypatch.setattr(getattr(base, name), "__code__", replacement.__code__)
    if name == "handle_write_event":
        channel.out_buffer = b"x"
    far.send(b"x\n")
    one_pass(use_poll, channels)
    assert channel.seen
