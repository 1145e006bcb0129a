"""Channels that are no dispatchers, and sockets that are no sockets."""

import asyncore
import gc
import os
import sys

import pytest
from support import Recorder, one_pass, pair, run_until


class Duck:
    """The methods that the loop uses, and nothing else."""

    def __init__(self, wants="rw"):
        self.wants = wants
        self.events = []

    def readable(self):
        return "r" in self.wants

    def writable(self):
        return "w" in self.wants

    accepting = False

    def handle_read_event(self):
        self.events.append("read")

    def handle_write_event(self):
        self.events.append("write")

    def handle_expt_event(self):
        self.events.append("expt")

    def handle_close(self):
        self.events.append("close")

    def handle_error(self):
        raise


@pytest.fixture
def ready(closing):
    near, far = closing(*pair())
    far.send(b"x")
    return near


def test_any_object_with_the_methods_is_a_channel(use_poll, channels, ready):
    duck = channels[ready.fileno()] = Duck()
    one_pass(use_poll, channels)
    assert duck.events == ["read", "write"]
    del channels[ready.fileno()]


def test_a_reader_needs_no_accepting(use_poll, channels, ready):
    class Bare:
        events = ()

        def readable(self):
            return True

        def writable(self):
            return False

        def handle_read_event(self):
            self.events += ("read",)

    bare = channels[ready.fileno()] = Bare()
    one_pass(use_poll, channels)
    assert bare.events == ("read",)
    del channels[ready.fileno()]


def test_a_channel_with_slots(use_poll, channels, ready):
    class Slotted(Duck):
        __slots__ = ()

    class Slots:
        __slots__ = ("events", "wants")
        __init__ = Duck.__init__
        readable, writable, accepting = Duck.readable, Duck.writable, False
        handle_read_event, handle_write_event = Duck.handle_read_event, Duck.handle_write_event

    for kind in (Slotted, Slots):
        duck = channels[ready.fileno()] = kind()
        one_pass(use_poll, channels)
        assert duck.events == ["read", "write"]
    del channels[ready.fileno()]


def test_a_channel_whose_methods_come_from_getattr(use_poll, channels, ready):
    class Proxy:
        def __init__(self, target):
            self.target = target

        def __getattr__(self, name):
            return getattr(self.target, name)

    duck = Duck()
    channels[ready.fileno()] = Proxy(duck)
    one_pass(use_poll, channels)
    assert duck.events == ["read", "write"]
    del channels[ready.fileno()]


def test_a_class_as_a_channel(use_poll, channels, ready):
    class Static:
        accepting = False
        events = []

        @staticmethod
        def readable():
            return True

        @classmethod
        def writable(cls):
            return True

        @classmethod
        def handle_read_event(cls):
            cls.events.append("read")

        @staticmethod
        def handle_write_event():
            Static.events.append("write")

    channels[ready.fileno()] = Static
    one_pass(use_poll, channels)
    assert Static.events == ["read", "write"]
    del channels[ready.fileno()]


def test_a_class_as_a_channel_keeps_its_namespace_as_it_was(use_poll, channels, ready):
    class Static:
        readable = writable = classmethod(lambda cls: False)
        accepting = False

    (namespace,) = gc.get_referents(vars(Static))
    # Of a dict all of whose keys were always strings, which is what CPython makes a class's.
    size = sys.getsizeof(namespace)
    channels[ready.fileno()] = Static
    one_pass(use_poll, channels)
    assert sys.getsizeof(namespace) == size
    del channels[ready.fileno()]


@pytest.mark.parametrize("missing", ["readable", "writable"])
def test_a_channel_without_a_predicate_leaves_the_loop(use_poll, channels, ready, missing):
    class Partial:
        def __getattr__(self, name):
            if name == missing:
                raise AttributeError(name)
            return lambda: False

    channels[ready.fileno()] = Partial()
    with pytest.raises(AttributeError, match=missing):
        one_pass(use_poll, channels)
    del channels[ready.fileno()]


def test_a_channel_without_the_event_method_hears_of_it_in_handle_error(use_poll, channels, ready):
    class Deaf:
        def readable(self):
            return True

        def writable(self):
            return False

        def handle_error(self):
            self.compact = asyncore.compact_traceback()

    deaf = channels[ready.fileno()] = Deaf()
    one_pass(use_poll, channels)
    assert deaf.compact[1] is AttributeError
    del channels[ready.fileno()]


def test_event_methods_overridden_on_the_class_and_on_the_instance(use_poll, channels, ready):
    class Overriding(Recorder):
        def handle_read_event(self):
            self.note("class")

    channel = Overriding(ready, channels)
    one_pass(use_poll, channels)
    channel.handle_read_event = lambda: channel.note("instance")
    one_pass(use_poll, channels)
    del channel.handle_read_event
    one_pass(use_poll, channels)
    assert channel.events == ["class", "instance", "class"]


def test_handlers_set_on_the_instance(use_poll, channels, ready):
    channel = asyncore.dispatcher(ready, channels)
    events = []
    channel.handle_read = lambda: events.append("read")
    channel.handle_write = lambda: events.append("write")
    one_pass(use_poll, channels)
    assert events == ["read", "write"]


class Mock:
    """A pipe in a socket's clothes."""

    def __init__(self, incoming, outgoing):
        self.incoming, self.outgoing = incoming, outgoing

    def fileno(self):
        return self.incoming

    def setblocking(self, flag):
        os.set_blocking(self.incoming, bool(flag))

    def recv(self, size):
        return os.read(self.incoming, size)

    def send(self, data):
        return os.write(self.outgoing, data)

    def close(self):
        os.close(self.incoming)
        os.close(self.outgoing)


def test_a_socket_that_is_a_pipe(use_poll, channels):
    incoming, feed = os.pipe()
    drain, outgoing = os.pipe()
    try:

        class Echo(asyncore.dispatcher_with_send):
            def handle_read(self):
                self.send(self.recv(100))

        echo = Echo(map=channels)
        echo.set_socket(Mock(incoming, outgoing))
        echo.connected = True
        assert channels == {incoming: echo}
        os.write(feed, b"through a pipe")
        received = []
        run_until(lambda: received or poll_one(drain, received), channels, use_poll)
        assert received == [b"through a pipe"]
        echo.close()
        assert channels == {}
    finally:
        os.close(feed)
        os.close(drain)


def poll_one(fd, received):
    os.set_blocking(fd, False)
    try:
        received.append(os.read(fd, 100))
    except BlockingIOError:
        return False
    return True


def test_sendings_go_through_the_methods_of_the_socket(channels):
    class Socket:
        sent = b""

        def fileno(self):
            return 0

        def send(self, data):
            self.sent += bytes(data[:3])
            return len(data[:3])

        def recv(self, size):
            return b"r" * size

        def close(self):
            pass

    channel = asyncore.dispatcher_with_send(map=channels)
    channel.set_socket(Socket())
    channel.connected = True
    channel.send(b"abcdefg")
    assert (channel.socket.sent, channel.out_buffer) == (b"abc", b"defg")
    assert channel.recv(4) == b"rrrr"
