"""What another thread changes while the loop waits is served at once, not after the timeout.

GOASYNCORE_SOAK=1 repeats the races ten thousand times.
"""

import asynchat
import asyncore
import os
import threading

import pytest
from support import LIMIT, pair

pytestmark = pytest.mark.ours_only("3.11 sees a change when the wait is over")

REPETITIONS = 10_000 if os.environ.get("GOASYNCORE_SOAK") else 200
FOREVER = 10 * LIMIT  # seconds: a wait that nobody wakes takes longer than a test may


@pytest.fixture(autouse=True)
def native_only():
    import goasyncore

    if goasyncore.backend().name != "native":
        pytest.skip(
            "a portable pass waits in select or poll: it sees changes afterwards, as in 3.11"
        )


class Channel(asyncore.dispatcher_with_send):
    def __init__(self, sock, channels, served):
        self.served = served
        asyncore.dispatcher_with_send.__init__(self, sock, channels)

    def handle_read(self):
        self.recv(100)
        self.served.set()

    def handle_write(self):
        self.out_buffer = b""
        self.served.set()


class Chat(asynchat.async_chat):
    def collect_incoming_data(self, data):
        pass


class Loop:
    """A loop in a thread of its own, which waits as soon as `waits` has returned."""

    def __init__(self, channels, use_poll):
        self.channels, self.passed = channels, threading.Event()
        near, self.bell = pair()
        self.ringer = Channel(near, channels, self.passed)
        self.raised = None
        self.thread = threading.Thread(target=self.run, args=(use_poll,), daemon=True)
        self.thread.start()

    def run(self, use_poll):
        try:
            asyncore.loop(FOREVER, use_poll, self.channels)
        except BaseException as why:
            self.raised = why

    def waits(self):
        """Go through a pass: the thread is in the next wait, or on its way, when this returns."""
        self.passed.clear()
        self.bell.send(b"x")
        assert self.passed.wait(LIMIT)

    def end(self):
        self.channels.clear()
        self.thread.join(LIMIT)
        assert self.raised is None
        assert not self.thread.is_alive()
        self.ringer.socket.close()
        self.bell.close()


@pytest.fixture
def loop(channels, closing, use_poll):
    # `closing` first: what it closes is open until the loop has ended.
    loop = Loop(channels, use_poll)
    yield loop
    loop.end()


@pytest.fixture
def served():
    return threading.Event()


@pytest.fixture
def channel(loop, channels, served, closing):
    near, far = closing(*pair())
    channel = Channel(near, channels, served)
    loop.waits()
    return channel


def test_new_channel(loop, channels, served, closing):
    near, far = closing(*pair())
    far.send(b"x")
    loop.waits()
    Channel(near, channels, served)
    assert served.wait(LIMIT)


def test_out_buffer(loop, channel, served):
    channel.out_buffer = b"x"
    assert served.wait(LIMIT)


def test_out_buffer_through_the_dict(loop, channel, served):
    vars(channel).update(out_buffer=b"x")
    assert served.wait(LIMIT)


def test_connected(loop, channel, served):
    channel.handle_connect_event = lambda: None
    channel.connected = False
    assert served.wait(LIMIT)


def test_replaced_dict(loop, channel, served):
    kept = vars(channel)
    channel.__dict__ = {**kept, "out_buffer": b"x"}
    assert served.wait(LIMIT)


def test_predicate_on_the_instance(loop, channel, served):
    channel.writable = lambda: not served.is_set()
    assert served.wait(LIMIT)


def test_predicate_on_the_class(loop, channels, served, closing):
    class Sub(Channel):
        pass

    near, far = closing(*pair())
    Sub(near, channels, served)
    loop.waits()
    Sub.writable = lambda self: not served.is_set()
    assert served.wait(LIMIT)


def test_class_assigned(loop, channel, served):
    class Other(Channel):
        def writable(self):
            return not served.is_set()

    channel.__class__ = Other
    assert served.wait(LIMIT)


def test_channel_taken_out_gets_nothing_from_then_on(loop, channels, channel, served, closing):
    fd = channel._fileno
    asked = threading.Event()
    channel.readable = lambda: (asked.set(), True)[1]
    loop.waits()
    del channels[fd]
    loop.waits()
    asked.clear()
    loop.waits()
    assert not asked.is_set()


def test_key_that_equals_the_number(loop, channels, channel, served, closing):
    """`map[7.0]` is the channel under 7."""
    near, far = closing(*pair())
    fd = channel._fileno
    other = Channel(near, {}, served)
    del channels[float(fd)]
    loop.waits()
    channels[fd] = channel
    loop.waits()
    other.out_buffer = b"x"
    channels[float(fd)] = other
    # It stands under a number that is ready for writing.
    assert served.wait(LIMIT)


@pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])
@pytest.mark.parametrize("way", ["clear", "pop", "close"])
def test_emptied_map_ends_the_loop(channels, use_poll, way):
    loop = Loop(channels, use_poll)
    loop.waits()
    if way == "clear":
        channels.clear()
    elif way == "pop":
        channels.pop(loop.ringer._fileno)
    else:
        loop.ringer.close()
    loop.thread.join(LIMIT)
    assert not loop.thread.is_alive()
    loop.end()


def test_push_sends_by_itself(loop, channels, closing):
    near, far = closing(*pair())
    chat = Chat(near, channels)
    loop.waits()
    chat.push(b"hello")
    assert far.recv(10) == b"hello"


def test_queue_changed_in_place_counts_from_the_next_pass_on(loop, channels, closing):
    """As in 3.11: nothing tells of an append() to a deque. push() is what asks for a pass."""
    near, far = closing(*pair())
    chat = Chat(near, channels)
    loop.waits()
    chat.producer_fifo.append(b"hello")
    loop.waits()
    assert far.recv(10) == b"hello"


def test_what_push_leaves_is_sent_when_there_is_room(loop, channels, closing):
    near, far = closing(*pair())
    chat = Chat(near, channels)
    loop.waits()
    size = 1 << 22
    chat.push(b"x" * size)
    loop.waits()  # the queue was filled in place
    while size:
        size -= len(far.recv(1 << 20))


def test_no_wakeup_is_lost(loop, channel, served):
    for _ in range(REPETITIONS):
        served.clear()
        channel.out_buffer = b"x"
        assert served.wait(LIMIT)


def test_no_new_channel_is_lost(loop, channels, served, closing):
    near, far = closing(*pair())
    far.send(b"x")

    class Greedy(Channel):
        def handle_read(self):
            del channels[self._fileno]
            self.served.set()

    greedy = Greedy(near, {}, served)
    for _ in range(REPETITIONS):
        served.clear()
        channels[greedy._fileno] = greedy
        assert served.wait(LIMIT)


@pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])
def test_no_change_is_lost_at_the_beginning_of_a_loop(use_poll, served, closing):
    """Between the first look at a new map and its first wait."""
    near, far = closing(*pair())
    far.send(b"x")

    class Once(Channel):
        def handle_read(self):
            self._map.clear()

    for _ in range(REPETITIONS):
        idle, peer = pair()
        channels = {}
        Channel(idle, channels, served)
        thread = threading.Thread(target=asyncore.loop, args=(FOREVER, use_poll, channels))
        thread.daemon = True
        thread.start()
        Once(near, channels, served)
        thread.join(LIMIT)
        assert not thread.is_alive()
        idle.close()
        peer.close()
