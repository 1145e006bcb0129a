"""Loops in many threads, changes from others, locks held in handlers, and signals all the while."""

import asyncore
import errno
import os
import signal
import threading

import pytest
from soak import times
from support import LIMIT, pair, receive_exactly, run_python

# `send()` in Python can be cut in two, by another thread or a signal handler that raises, between
# what the socket takes and what the buffer loses.
native = pytest.mark.skipif(
    os.environ.get("GOASYNCORE_BACKEND") == "portable", reason="no more than 3.11 promises"
)


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


class Stopping(asyncore.dispatcher):
    """Ends its loop when something is written to its other end."""

    def writable(self):
        return False

    def handle_read(self):
        raise asyncore.ExitNow


class Threads:
    """Starts threads; join() raises what one of them raised."""

    def __init__(self):
        self.threads = []
        self.problems = []

    def start(self, function, *args):
        def work():
            try:
                function(*args)
            except asyncore.ExitNow:
                pass
            except BaseException as problem:
                self.problems.append(problem)

        thread = threading.Thread(target=work, daemon=True)
        self.threads.append(thread)
        thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(times(LIMIT, 600))
            assert not thread.is_alive(), "a thread is stuck"
        if self.problems:
            raise self.problems[0]


@native
@pytest.mark.timeout(times(300, 900))
def test_no_wake_up_is_lost(use_poll, channels, closing):
    """Each message waits for the answer to the last, so one lost wake-up would stop it all."""
    import goasyncore

    threads = Threads()
    near, stop = closing(*pair())
    Stopping(near, channels)
    threads.start(asyncore.loop, None, use_poll, channels)
    near, far = closing(*pair())

    sender = Echo(near, channels)
    for number in range(times(3000, 500_000)):
        # A known predicate changes by an attribute alone; so does the map.
        if number % 2:
            sender.out_buffer = b"w"
            goasyncore.wake(channels)
            assert receive_exactly(far, 1) == b"w"
        else:
            channels.pop(sender._fileno)
            channels[sender._fileno] = sender
            goasyncore.wake(channels)
            far.send(b"r")
            assert receive_exactly(far, 1) == b"r"
    stop.send(b"x")
    threads.join()


@pytest.mark.timeout(times(300, 900))
def test_many_maps_in_many_threads(use_poll):
    threads = Threads()

    def serve(letter):
        for _ in range(times(30, 2000)):
            channels = {}
            near, far = pair()
            Echo(near, channels)
            for size in (1, 100, 5000):
                far.sendall(letter * size)
                got = b""
                while len(got) < size:
                    asyncore.loop(LIMIT, use_poll, channels, 1)
                    got += far.recv(size)
                assert got == letter * size, "what another thread received"
            far.close()
            asyncore.loop(LIMIT, use_poll, channels)

    for number in range(16):
        threads.start(serve, b"%c" % (ord("a") + number))
    threads.join()


@native
@pytest.mark.timeout(times(300, 900))
def test_several_threads_over_one_map_while_others_add_and_close(use_poll, channels, closing):
    threads = Threads()
    pairs = [closing(*pair()) for _ in range(4)]
    lock = threading.Lock()

    class Locking(Echo):
        def handle_read(self):
            with lock:
                try:
                    data = self.recv(8192)
                except BlockingIOError:
                    return  # another of the loops was first
            if data:
                self.send(data)

    for near, _ in pairs:
        Locking(near, channels)
    done = threading.Event()

    def serve():
        while not done.is_set():
            try:
                asyncore.loop(0.05, use_poll, channels, 1)
            except OSError as error:
                # select found a number that another thread had just closed, as in 3.11.
                assert error.errno == errno.EBADF and not use_poll

    def ask(far):
        for number in range(times(100, 20_000)):
            message = b"%08d" % number
            far.sendall(message)
            assert receive_exactly(far, 8) == message

    def come_and_go():
        for _ in range(times(100, 20_000)):
            near, far = pair()
            with lock:
                channel = Locking(near, channels)
                far.close()
                channel.close()

    servers = Threads()
    for _ in range(3):
        servers.start(serve)
    for _, far in pairs:
        threads.start(ask, far)
    threads.start(come_and_go)
    try:
        threads.join()
    finally:
        done.set()
    servers.join()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the platform has no interval timers")
@pytest.mark.timeout(times(300, 900))
@pytest.mark.parametrize(
    "raising", [False, pytest.param(True, marks=native)], ids=["quiet", "raising"]
)
def test_a_signal_storm(use_poll, raising):
    """SIGALRM a thousand times a second, with a wake-up descriptor, over other busy threads."""
    run_python(
        """
import asyncore, os, signal, socket, sys, threading
use_poll, raising, rounds = sys.argv[1] == "True", sys.argv[2] == "True", int(sys.argv[3])
class Alarm(Exception): pass
class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        global handling
        # A handler that raises between recv and send loses data, in any module.
        handling = True
        data = self.recv(100)
        if data:
            self.send(data)
        handling = False
    def handle_error(self):
        if not isinstance(sys.exc_info()[1], Alarm):
            raise
def handler(number, frame):
    global alarms
    alarms += 1
    if raising and armed and not handling:
        raise Alarm
alarms, armed, handling = 0, False, False
signal.signal(signal.SIGALRM, handler)
wake, tell = os.pipe()
os.set_blocking(wake, False)
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
channels = {}
near, far = socket.socketpair()
far.setblocking(False)
Echo(near, channels)
busy = {}
a, b = socket.socketpair()
class Other(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))
Other(a, busy), Other(b, busy)
b.send(b"x")
threading.Thread(target=asyncore.loop, args=(30, False, busy), daemon=True).start()
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
interrupted = 0
for number in range(rounds):
    far.send(b"%08d" % number)
    got = b""
    while len(got) < 8:
        try:
            armed = True
            asyncore.loop(1, use_poll, channels, 1)
            armed = False
        except Alarm:
            armed = False
            interrupted += 1
        try:
            got += far.recv(100)
        except BlockingIOError:
            pass
    assert got == b"%08d" % number, got
# An idle wait is interrupted by each, and goes on.
armed = False
before = alarms
asyncore.loop(0.2, use_poll, channels, 1)
signal.setitimer(signal.ITIMER_REAL, 0)
assert alarms > before
assert os.read(wake, 10)
""",
        use_poll,
        raising,
        times(2000, 50_000),
    )
