"""Objects whose use runs code of the program's in places where nobody expects any."""

import array
import asynchat
import asyncore
import collections
import gc
import os
import socket

import pytest
from support import LIMIT, one_pass, pair, receive_exactly, run_python, run_until


class Chat(asynchat.async_chat):
    def handle_error(self):
        raise


KEYS = """
import asynchat, asyncore, itertools, socket, sys
use_poll = sys.argv[1] == "True"

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))

class Chat(asynchat.async_chat):
    collect_incoming_data = asynchat.async_chat._collect_incoming_data
    terminator = b"\\n"
    def found_terminator(self):
        self._get_data()

class Key:
    '''Hashes as a name, and does something when it is compared with one.'''
    def __init__(self, name, deed):
        self.hash, self.deed = hash(name), deed
    def __hash__(self):
        return self.hash
    def __eq__(self, other):
        if type(other) is str and self.deed:
            self.left -= 1
            if self.left == 0:
                self.deed()
        return False

NAMES = '''readable writable accepting connected out_buffer producer_fifo handle_read_event
    handle_write_event handle_read handle_write socket debug initiate_send incoming ac_in_buffer
    ac_out_buffer_size terminator get_terminator send recv'''.split()

def clear_map():
    channels.clear()

def replace_dict():
    channel.__dict__ = {name: v for name, v in vars(channel).items() if type(name) is str}

def clear_dict():
    vars(channel).clear()

def raise_error():
    raise ArithmeticError

def replace_channel():
    channels[near.fileno()] = Echo(None, {})

deeds = (clear_map, replace_dict, clear_dict, raise_error, replace_channel)
for cls, name, deed, left in itertools.product((Echo, Chat), NAMES, deeds, (1, 2, 5)):
    channels = {}
    near, far = socket.socketpair()
    far.send(b"some\\nthing")
    channel = cls(near, channels)
    attributes = dict(vars(channel))
    vars(channel).clear()
    key = Key(name, None)
    vars(channel)[key] = 1  # before the name, so that it stands in the way
    vars(channel).update(attributes)
    attributes.clear()
    key.left, key.deed = left, deed
    for act in (
        lambda: asyncore.loop(0, use_poll, channels, 2),
        lambda: channel.send(b"x"),
        lambda: channel.recv(10),
        lambda: channel.push(b"x"),
        lambda: channel.handle_read(),
    ):
        try:
            act()
        except (ArithmeticError, AttributeError, BlockingIOError, SystemError):
            pass  # SystemError is CPython's own (its specializer's) for a key that raises
    key.deed = None
    near.close()
    far.close()
print("done")
"""


def test_a_key_that_changes_everything_when_compared_is_survived(use_poll):
    assert run_python(KEYS, use_poll, flags=("-X", "faulthandler")).stdout.endswith("done\n")


def test_a_buffer_that_closes_the_socket_sends_nothing_elsewhere(use_poll, channels, closing):
    near, far = closing(*pair())
    other, peer = closing(*pair())
    channel = asyncore.dispatcher(near, channels)
    channel.handle_close = lambda: None
    one_pass(use_poll, channels)

    class Closing:
        def __buffer__(self, flags):
            number = near.fileno()
            near.close()
            os.dup2(other.fileno(), number)
            return memoryview(b"secret")

    number = near.fileno()
    channel.send(Closing())
    channels.clear()
    os.close(number)
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)


@pytest.mark.parametrize("items", [10, 100_000])
def test_wide_items_of_a_memoryview_all_arrive(use_poll, channels, closing, items):
    near, far = closing(*pair())
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    chat = Chat(near, channels)
    chat.handle_read = lambda: None
    one_pass(use_poll, channels)
    numbers = array.array("I", range(items))
    chat.push(memoryview(numbers))
    received = bytearray()

    def all_there():
        far.setblocking(False)
        try:
            received.extend(far.recv(1 << 20))
        except BlockingIOError:
            pass
        return len(received) >= len(numbers.tobytes()) or not chat.producer_fifo

    run_until(all_there, channels, use_poll)
    far.settimeout(LIMIT)
    received += receive_exactly(far, len(numbers.tobytes()) - len(received))
    assert received == numbers.tobytes()


def test_properties_that_store_under_their_own_name_are_asked(use_poll, channels, closing):
    near, far = closing(*pair())
    asked = []

    def through_property(name):
        def get(self):
            asked.append(name)
            return self.__dict__[name]

        def store(self, value):
            self.__dict__[name] = value

        return property(get, store)

    class Sender(asyncore.dispatcher_with_send):
        out_buffer = through_property("out_buffer")
        socket = through_property("socket")

    class Talker(Chat):
        incoming = through_property("incoming")
        producer_fifo = through_property("producer_fifo")

    sender = Sender(near, channels)
    one_pass(use_poll, channels)
    asked.clear()
    sender.send(b"x")
    assert {"out_buffer", "socket"} <= set(asked)
    talker = Talker()
    asked.clear()
    talker._collect_incoming_data(b"y")
    assert talker._get_data() == b"y"
    assert asked.count("incoming") >= 2
    asked.clear()
    talker.push(b"z")
    assert "producer_fifo" in asked


def test_a_producer_that_changes_the_queue_loses_nothing(use_poll, channels, closing):
    near, far = closing(*pair())
    chat = Chat(near, channels)

    class Changing:
        def more(self):
            chat.producer_fifo = collections.deque([b"second"])
            chat.__dict__ = dict(vars(chat))
            gc.collect()
            return b"first "

    one_pass(use_poll, channels)
    chat.push_with_producer(Changing())
    run_until(lambda: not chat.producer_fifo, channels, use_poll)
    assert receive_exactly(far, 12) == b"first second"
