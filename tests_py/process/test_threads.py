"""Several threads, several loops."""

import asyncore
import sys
import threading

import pytest
from support import LIMIT, Recorder, pair, receive_exactly, until_it_waits


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(4096)
        if data:
            self.send(data)


def run_threads(targets):
    """Run them all; what one of them raises is raised here."""
    failures = []

    def guarded(target):
        try:
            target()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(each,), daemon=True) for each in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    if failures:
        raise failures[0]
    assert not [thread for thread in threads if thread.is_alive()]


def test_loops_over_different_maps_at_once(use_poll):
    loops = []
    talks = []

    def talk(sock, number):
        for step in range(50):
            message = b"%d-%d" % (number, step)
            sock.sendall(message)
            assert receive_exactly(sock, len(message)) == message
        sock.close()

    for number in range(4):
        near, far = pair()
        channels = {}
        Echo(near, channels)
        loops.append(lambda channels=channels: asyncore.loop(LIMIT, use_poll, channels))
        talks.append(lambda far=far, number=number: talk(far, number))
    run_threads(loops + talks)


def test_loops_over_the_same_map_at_once(use_poll, channels, closing):
    near, far = closing(*pair())
    done = threading.Event()
    received = []

    class Counting(Recorder):
        def handle_read(self):
            try:
                data = self.recv(1)
            except BlockingIOError:
                return  # another thread was first
            received.append(data)
            if len(received) == 200:
                done.set()

    Counting(near, channels)
    far.send(b"x" * 200)

    def loop():
        while not done.is_set():
            asyncore.loop(0.05, use_poll, channels, 5)

    run_threads([loop] * 3)
    assert len(received) == 200


def test_a_loop_in_a_thread_while_the_main_thread_loops(use_poll, channels, closing):
    other = {}
    (near, far), (main_near, main_far), (last, last_far) = pair(), pair(), pair()
    closing(far, main_far, last, last_far)

    class Relay(asyncore.dispatcher_with_send):
        """Passes on what it reads, then closes."""

        def handle_read(self):
            self.target.sendall(self.recv(100))
            self.close()

    # The test wakes the thread's loop, whose relay wakes the main thread's.
    Relay(near, other).target = main_far
    Relay(main_near, channels).target = last
    thread = threading.Thread(target=asyncore.loop, args=(LIMIT, use_poll, other))
    thread.start()
    far.send(b"go")
    asyncore.loop(LIMIT, use_poll, channels)
    thread.join(LIMIT)
    assert last_far.recv(100) == b"go"


def test_a_channel_added_by_another_thread_is_served(use_poll, channels, closing):
    (idle, idle_far), (near, far) = pair(), pair()
    closing(idle_far, far)
    Recorder(idle, channels)
    far.send(b"x")
    looping = threading.Event()
    served = threading.Event()

    class Served(Recorder):
        def handle_read(self):
            served.set()
            self.close()

    def loop():
        while not served.is_set():
            asyncore.loop(0.05, use_poll, channels, 1)
            looping.set()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    assert looping.wait(LIMIT)
    Served(near, channels)
    assert served.wait(LIMIT)
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_interest_changed_by_another_thread_counts(use_poll, channels, closing):
    near, far = closing(*pair())
    looping = threading.Event()
    written = threading.Event()

    class Writing(Recorder):
        def handle_write(self):
            written.set()
            self.wants = ""

    channel = Writing(near, channels, wants="")

    def loop():
        while not written.is_set():
            # Nothing to wait for: poll sleeps.
            asyncore.loop(0.02, use_poll, channels, 1)
            looping.set()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    assert looping.wait(LIMIT)
    channel.wants = "w"
    assert written.wait(LIMIT)
    thread.join(LIMIT)
    assert not thread.is_alive()


def test_a_channel_that_is_a_thread_and_is_initialised_late(use_poll, closing):
    near, far = pair()
    closing(far)

    class Server(asyncore.dispatcher_with_send, threading.Thread):
        def __init__(self):
            threading.Thread.__init__(self, daemon=True)
            self.channels = {}

        def run(self):
            asyncore.dispatcher_with_send.__init__(self, near, self.channels)
            asyncore.loop(LIMIT, use_poll, self.channels)

        def handle_read(self):
            data = self.recv(100)
            if data:
                self.send(data)

    server = Server()
    server.start()
    far.sendall(b"hello")
    assert receive_exactly(far, 5) == b"hello"
    far.close()
    server.join(LIMIT)
    assert not server.is_alive()
    assert server.channels == {}


def test_a_channel_in_the_map_before_its_init(use_poll, channels, closing):
    """The map may hold a channel whose __init__ comes later, as long as it answers the loop."""
    near, far = closing(*pair())
    channel = Recorder.__new__(Recorder)
    channel.seen, channel.name, channel.wants = [], "", "r"
    channels[near.fileno()] = channel
    far.send(b"x")
    asyncore.loop(0, use_poll, channels, 1)
    asyncore.dispatcher.__init__(channel, near, channels)
    asyncore.loop(0, use_poll, channels, 1)
    assert channel.events == ["read"] * 2


def test_map_set_before_init_is_what_an_own_add_channel_sees(closing):
    near, far = closing(*pair())
    mine = {}

    class Own(asyncore.dispatcher):
        def __init__(self, sock):
            self._map = mine
            asyncore.dispatcher.__init__(self, sock, self._map)

        def add_channel(self, map=None):
            assert map is mine
            asyncore.dispatcher.add_channel(self, map)

    own = Own(near)
    assert mine == {near.fileno(): own}
    own.close()
    assert mine == {}


def test_init_decides_the_map(closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher.__new__(asyncore.dispatcher)
    channel._map = {}
    channel.__init__(near)
    assert channel._map is asyncore.socket_map
    channel.close()


def test_an_exception_leaves_the_loop_of_its_thread(use_poll, closing):
    near, far = pair()
    closing(near, far)
    far.send(b"x")
    caught = []

    class Ending(Recorder):
        def handle_read(self):
            raise SystemExit(3)

    def loop():
        try:
            asyncore.loop(LIMIT, use_poll, channels)
        except SystemExit as error:
            caught.append(error.code)

    channels = {}
    Ending(near, channels)
    run_threads([loop])
    assert caught == [3]


def switches(thread):
    """How often the thread has given the processor away."""
    with open(f"/proc/self/task/{thread.native_id}/status") as file:
        (line,) = [line for line in file if line.startswith("voluntary_ctxt_switches")]
    return int(line.split()[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts of a thread are Linux's")
def test_a_loop_is_not_late_because_others_wait(use_poll, closing):
    """Loops that wait hold nothing that another one needs to go on, so none of them wakes up."""
    exchanges, waiting = 200, 15
    talking, *silent = [closing(*pair()) for _ in range(1 + waiting)]
    threads = []
    for near, _ in [talking, *silent]:
        channels = {}
        Echo(near, channels)
        loop = threading.Thread(target=asyncore.loop, args=(LIMIT, use_poll, channels), daemon=True)
        loop.start()
        threads.append(loop)
    for _, far in [talking, *silent]:  # all of them are in their loops
        far.sendall(b"x")
        assert receive_exactly(far, 1) == b"x"
    for loop in threads:
        until_it_waits(loop)
    before = [switches(loop) for loop in threads]
    for _ in range(exchanges):
        talking[1].sendall(b"x")
        assert receive_exactly(talking[1], 1) == b"x"
    busy, *others = [switches(loop) - at for loop, at in zip(threads, before, strict=True)]
    for (_, far), loop in zip([talking, *silent], threads, strict=True):
        far.close()
        loop.join(LIMIT)
        assert not loop.is_alive()
    # One for the wait, others for the interpreter's lock.
    assert busy < 6 * exchanges
    assert max(others) < 5  # a long wait begins with a short one
