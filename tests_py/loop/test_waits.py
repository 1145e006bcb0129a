"""A wait ends by an event, its timeout or a signal. What another thread changes meanwhile ends
none.

The next pass sees it, as in 3.11: programs rely on that without knowing.
"""

import asynchat
import asyncore
import os
import threading
import time

import pytest
from support import LIMIT, pair, run_python, until_it_waits

REPETITIONS = 2_000 if os.environ.get("GOASYNCORE_SOAK") else 20
FOREVER = 10 * LIMIT  # seconds: a wait that nothing ends takes longer than a test may
A_MOMENT = 0.03  # seconds in which a loop that looked too early would have looked


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


class Ringer(Channel):
    """Counts the passes: it is asked once in each."""

    asked = 0

    def readable(self):
        self.asked += 1
        return True


class Chat(asynchat.async_chat):
    def collect_incoming_data(self, data):
        pass


class Loop:
    """A loop in a thread of its own, which waits as soon as `ring` has returned."""

    def __init__(self, channels, use_poll):
        self.channels, self.rung = channels, threading.Event()
        near, self.bell = pair()
        self.ringer = Ringer(near, channels, self.rung)
        self.raised = None
        self.thread = threading.Thread(target=self.run, args=(use_poll,), daemon=True)
        self.thread.start()

    def run(self, use_poll):
        try:
            asyncore.loop(FOREVER, use_poll, self.channels)
        except BaseException as why:
            self.raised = why

    def ring(self):
        """End the wait, and return when the next has begun."""
        self.rung.clear()
        asked = self.ringer.asked
        self.bell.send(b"x")
        assert self.rung.wait(LIMIT)
        deadline = time.monotonic() + LIMIT
        while self.ringer.asked == asked and self.thread.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        asked = self.ringer.asked
        until_it_waits(self.thread, unless=lambda: self.ringer.asked > asked)

    def waits_on(self):
        """Whether the wait that is under way goes on: then the passes are counted by the bell
        alone.
        """
        asked = self.ringer.asked
        time.sleep(A_MOMENT)
        return self.ringer.asked == asked and self.thread.is_alive()

    def end(self):
        self.channels.clear()
        self.bell.send(b"x")
        self.thread.join(LIMIT)
        assert self.raised is None
        assert not self.thread.is_alive()
        self.ringer.socket.close()
        self.bell.close()


@pytest.fixture
def loop(channels, closing, use_poll):
    # `closing` first: what it closes is open until the loop has ended.
    loop = Loop(channels, use_poll)
    loop.ring()
    yield loop
    loop.end()


@pytest.fixture
def served():
    return threading.Event()


@pytest.fixture
def channel(loop, channels, served, closing):
    near, far = closing(*pair())
    channel = Channel(near, channels, served)
    loop.ring()
    return channel


def seen_by_the_next_pass(loop, served):
    assert loop.waits_on()
    assert not served.is_set()
    loop.ring()
    assert served.wait(LIMIT)


def test_new_channel(loop, channels, served, closing):
    near, far = closing(*pair())
    far.send(b"x")
    Channel(near, channels, served)
    seen_by_the_next_pass(loop, served)


def test_out_buffer(loop, channel, served):
    channel.out_buffer = b"x"
    seen_by_the_next_pass(loop, served)


def test_out_buffer_through_the_dict(loop, channel, served):
    vars(channel).update(out_buffer=b"x")
    seen_by_the_next_pass(loop, served)


def test_connected(loop, channel, served):
    channel.handle_connect_event = lambda: None
    channel.connected = False
    seen_by_the_next_pass(loop, served)


def test_replaced_dict(loop, channel, served):
    channel.__dict__ = {**vars(channel), "out_buffer": b"x"}
    seen_by_the_next_pass(loop, served)


def test_predicate_on_the_instance(loop, channel, served):
    channel.writable = lambda: not served.is_set()
    seen_by_the_next_pass(loop, served)


def test_predicate_on_the_class(loop, channels, served, closing):
    class Sub(Channel):
        pass

    near, far = closing(*pair())
    Sub(near, channels, served)
    loop.ring()
    Sub.writable = lambda self: not served.is_set()
    seen_by_the_next_pass(loop, served)


def test_class_assigned(loop, channel, served):
    class Other(Channel):
        def writable(self):
            return not served.is_set()

    channel.__class__ = Other
    seen_by_the_next_pass(loop, served)


def test_queue_filled_in_place(loop, channels, closing):
    near, far = closing(*pair())
    chat = Chat(near, channels)
    loop.ring()
    chat.producer_fifo.append(b"hello")
    assert loop.waits_on()
    loop.ring()
    assert far.recv(10) == b"hello"


def test_push_sends_what_the_socket_takes_and_leaves_the_rest_to_the_next_pass(
    loop, channels, closing
):
    near, far = closing(*pair())
    chat = Chat(near, channels)
    loop.ring()
    size = 1 << 22
    chat.push(b"x" * size)
    assert loop.waits_on()
    loop.ring()
    while size:
        size -= len(far.recv(1 << 20))


def test_an_attribute_that_a_predicate_reads(loop, channels, served, closing):
    class Eager(Channel):
        eager = False

        def writable(self):
            return self.eager and not served.is_set()

    near, far = closing(*pair())
    eager = Eager(near, channels, served)
    loop.ring()
    eager.eager = True
    seen_by_the_next_pass(loop, served)


def test_channel_taken_out_is_told_nothing(loop, channels, channel, served):
    del channels[channel._fileno]
    assert loop.waits_on()
    channel.out_buffer = b"x"
    loop.ring()
    loop.ring()
    assert not served.is_set()


def test_key_that_equals_the_number(loop, channels, channel, served, closing):
    """`map[7.0]` is the channel under 7."""
    near, far = closing(*pair())
    fd = channel._fileno
    other = Channel(near, {}, served)
    other.out_buffer = b"x"
    channels[float(fd)] = other
    # It stands under a number that is ready for writing.
    seen_by_the_next_pass(loop, served)


def test_a_map_that_is_empty_for_a_moment_ends_nothing(loop, channels):
    """A watchdog closes a client and makes a new one."""
    kept = dict(channels)
    for _ in range(REPETITIONS):
        channels.clear()
        time.sleep(0)
        channels.update(kept)
    assert loop.waits_on()
    loop.ring()
    assert loop.thread.is_alive()


def test_a_reconnecting_client_is_served(loop, channels, served, closing):
    kept = loop.ringer
    near, far = closing(*pair())
    first = Channel(near, channels, served)
    loop.ring()
    for _ in range(REPETITIONS):
        del channels[kept._fileno]
        first.close()  # now the map is empty
        served.clear()
        near, far = closing(*pair())
        first = Channel(near, channels, served)
        channels[kept._fileno] = kept
        far.send(b"x")
        loop.ring()
        assert served.wait(LIMIT)


@pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])
@pytest.mark.parametrize("way", ["clear", "pop", "close"])
def test_an_emptied_map_ends_the_loop_when_the_wait_is_over(channels, use_poll, way):
    near, far = pair()
    ringer = Ringer(near, channels, threading.Event())
    waits = threading.Event()

    def readable():
        waits.set()
        return True

    def other():
        assert waits.wait(LIMIT)
        until_it_waits()
        if way == "clear":
            channels.clear()
        elif way == "pop":
            channels.pop(ringer._fileno)
        else:
            ringer.close()

    ringer.readable = readable
    thread = threading.Thread(target=other)
    thread.start()
    began = time.monotonic()
    asyncore.loop(0.2, use_poll, channels)
    assert time.monotonic() - began >= 0.19
    thread.join()
    near.close()
    far.close()


def test_a_client_is_not_asked_before_it_is_made(loop, channels, closing):
    """The HTTPClient of the documentation has its buffer set after connect()."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    closing(listener)
    failures = []

    class Client(asyncore.dispatcher):
        def __init__(self):
            asyncore.dispatcher.__init__(self, None, channels)
            self.create_socket()
            self.connect(listener.getsockname())
            time.sleep(0.001)
            self.buffer = b"GET / HTTP/1.0\r\n\r\n"

        def handle_connect(self):
            if not hasattr(self, "buffer"):
                failures.append("handle_connect")

        def writable(self):
            if not hasattr(self, "buffer"):
                failures.append("writable")
                return False
            return len(self.buffer) > 0

        def handle_write(self):
            self.buffer = self.buffer[self.send(self.buffer) :]

        def handle_read(self):
            self.recv(8192)

    clients = []
    for _ in range(REPETITIONS):
        clients.append(Client())
        closing(listener.accept()[0])
        assert failures == []
    loop.ring()
    loop.ring()
    for client in clients:
        client.close()
    loop.ring()


# -- what is closed during a wait -----------------------------------------------------------------


def during_the_wait(channels, use_poll, act, timeout=0.3, count=1):
    """Make passes, and have another thread act when the first wait has begun."""
    waits, over = threading.Event(), threading.Event()
    first = next(iter(channels.values()))
    asked = first.readable
    first.readable = lambda: waits.set() or asked()
    failures = []

    def other():
        try:
            assert waits.wait(LIMIT)
            until_it_waits(unless=over.is_set)
            act()
        except BaseException as why:
            failures.append(why)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        asyncore.loop(timeout, use_poll, channels, count)
    finally:
        over.set()
        thread.join()
    assert failures == []


@pytest.fixture(params=[2, 100], ids=["few", "many"])
def others(request, channels, served, closing):
    """Other channels in the map, and the far end of the first."""
    fars = []
    for _ in range(request.param):
        near, far = closing(*pair())
        Channel(near, channels, served)
        fars.append(far)
    return fars


def test_the_last_channel_closed_during_the_wait_ends_the_loop(use_poll, channels, served):
    near, far = pair()
    channel = Channel(near, channels, served)
    during_the_wait(channels, use_poll, channel.close, count=None)
    far.close()


def test_a_channel_closed_during_the_wait_is_no_bad_descriptor(use_poll, channels, served, others):
    near, far = pair()
    channel = Channel(near, channels, served)
    during_the_wait(channels, use_poll, channel.close)
    assert not served.is_set()
    far.close()


def test_events_of_the_others_in_that_pass_are_served(use_poll, channels, served, others):
    near, far = pair()
    channel = Channel(near, channels, threading.Event())

    def act():
        channel.close()
        others[0].send(b"x")

    began = time.monotonic()
    during_the_wait(channels, use_poll, act, timeout=LIMIT)
    assert served.is_set()
    assert time.monotonic() - began < LIMIT / 2
    far.close()


def test_a_number_that_is_anothers_before_the_wait_is_over(use_poll, channels, served, others):
    near, far = pair()
    channel = Channel(near, channels, served)
    told = threading.Event()
    new = []

    def act():
        channel.close()
        new.extend(pair())
        Channel(new[0], channels, told)
        new[1].send(b"x")

    during_the_wait(channels, use_poll, act)
    assert not served.is_set()
    told.clear()  # 3.11 gives it what its predecessor was waited for
    new[1].send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert told.is_set()
    for sock in (*new, far):
        sock.close()


def test_a_descriptor_closed_behind_the_map_shows_in_the_next_pass(
    use_poll, channels, served, closing
):
    near, far = pair()
    closing(far)
    kept, peer = closing(*pair())
    Channel(kept, channels, threading.Event())
    closed = []
    channel = Channel(near, channels, served)
    fd = channel._fileno
    channel.handle_close = lambda: closed.append(1) or channels.pop(fd, None)
    channel.handle_read = channel.handle_write = int  # Linux ends select(2) with both for it
    during_the_wait(channels, use_poll, near.close, timeout=0.1)
    channels[fd] = channel  # where poll(2) has told it of the end at once
    if use_poll:
        asyncore.loop(0, True, channels, 1)
        assert closed
    else:
        with pytest.raises(OSError, match="Bad file"):
            asyncore.loop(0, False, channels, 1)


@pytest.mark.parametrize("use_poll", [False, True], ids=["select", "poll"])
def test_a_signal_handler_that_closes_the_last_channel_ends_the_wait(use_poll, channels, served):
    """As 3.11, which calls select(2) again after a signal; that raised EBADF, and here it ends."""
    import signal

    near, far = pair()
    channel = Channel(near, channels, served)
    old = signal.signal(signal.SIGALRM, lambda *_: channel.close())
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    began = time.monotonic()
    try:
        asyncore.loop(LIMIT, use_poll, channels)
    except OSError as why:
        assert not use_poll and why.errno == 9
    finally:
        signal.signal(signal.SIGALRM, old)
    assert time.monotonic() - began < LIMIT / 2
    far.close()


def test_nothing_is_loaded_between_asking_and_the_first_wait(use_poll):
    """That takes milliseconds, in which another thread may close a channel: EBADF in the wait."""
    result = run_python(
        """
        import asyncore, socket, sys

        class Channel(asyncore.dispatcher):
            def writable(self):
                loaded.clear()
                return False

            def handle_read(self):
                print(loaded)

        loaded = []
        near, far = socket.socketpair()
        Channel(near)
        far.send(b"x")
        sys.addaudithook(lambda event, args: event in ("import", "open") and loaded.append(args[0]))
        asyncore.loop(1, sys.argv[1] == "True", count=1)
        """,
        use_poll,
    )
    assert result.stdout == "[]\n"
