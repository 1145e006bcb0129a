"""A loop over few channels while another thread has a loop as well."""

import asyncore
import contextlib
import os
import resource
import signal
import threading
import time

import pytest
from looping import Loop
from support import LIMIT, Recorder, pair, receive_exactly, run_python


@pytest.fixture(autouse=True)
def other(closing):
    loop = Loop(False)
    yield loop
    loop.end()


class Reading(Recorder):
    def writable(self):
        return False


def readers(channels, closing, count):
    made = []
    for _ in range(count):
        near, far = closing(*pair())
        made.append((Reading(near, channels), far))
    return made


def test_channels_are_told_in_map_order(use_poll, channels, closing):
    made = readers(channels, closing, 5)
    for _, far in reversed(made):
        far.send(b"x")
    told = []
    for channel, _ in made:
        channel.handle_read = lambda channel=channel: told.append(channel.recv(10) and channel)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert told == [channel for channel, _ in made]


@pytest.mark.parametrize("many", [31, 40, 200])
def test_more_channels_come_and_go(use_poll, channels, closing, many):
    told = []

    def add():
        channel, far = readers(channels, closing, 1)[0]
        channel.handle_read = lambda: told.append(channel.recv(10))
        far.send(b"x")
        return channel

    def more():
        first.recv(10)
        for _ in range(many):
            add()

    first, far = readers(channels, closing, 1)[0]
    first.handle_read = more
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 2)
    assert told == [b"x"] * many
    for channel in list(channels.values()):
        if channel is not first:
            channel.close()
    far.send(b"x")
    many = 1
    asyncore.loop(LIMIT, use_poll, channels, 2)
    assert told[-2:] == [b"x"] * 2


def test_what_the_engine_had_registered_is_forgotten(use_poll, channels, closing, other):
    first, far = readers(channels, closing, 1)[0]
    gone, gone_far = readers(channels, closing, 1)[0]
    made = readers(channels, closing, 40)
    asyncore.loop(0, use_poll, channels, 1)
    for channel, _ in made:
        channel.close()
    copy = closing(gone.socket.dup())
    gone.close()
    far.send(b"x")
    first.handle_read = lambda: first.recv(10)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    gone_far.send(b"x")  # what is left of it is ready for ever
    readers(channels, closing, 40)
    began = time.process_time()
    asyncore.loop(0.2, use_poll, channels, 2)
    assert time.process_time() - began < 0.2
    assert copy.recv(10) == b"x"


def test_a_wait_ends_when_a_call_is_due(use_poll, channels, closing):
    goasyncore = pytest.importorskip("goasyncore")
    readers(channels, closing, 1)
    called = []
    goasyncore.call_later(0.01, called.append, 1, map=channels)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert called == [1]


@pytest.mark.parametrize("how", ["wake", "call_soon_threadsafe"])
def test_another_thread_ends_a_wait(use_poll, channels, closing, how):
    goasyncore = pytest.importorskip("goasyncore")
    ((channel, _),) = readers(channels, closing, 1)
    waits = threading.Event()
    channel.readable = lambda: waits.set() or True
    called = []

    def end():
        assert waits.wait(LIMIT)
        time.sleep(0.01)
        if how == "wake":
            goasyncore.wake(channels)
        else:
            goasyncore.call_soon_threadsafe(called.append, 1, map=channels)

    thread = threading.Thread(target=end)
    thread.start()
    began = time.monotonic()
    asyncore.loop(LIMIT, use_poll, channels, 1)
    thread.join()
    assert time.monotonic() - began < LIMIT / 2
    assert called == ([] if how == "wake" else [1])


@contextlib.contextmanager
def a_signal_comes(handler):
    """The main thread gets one, with this handler, soon."""
    before = signal.signal(signal.SIGUSR1, handler)
    main = threading.main_thread().ident
    timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_ends_a_wait(use_poll, channels, closing):
    readers(channels, closing, 1)

    class Stop(Exception):
        pass

    def stop(number, frame):
        raise Stop

    began = time.monotonic()
    with a_signal_comes(stop), pytest.raises(Stop):
        asyncore.loop(LIMIT, use_poll, channels, 1)
    assert time.monotonic() - began < LIMIT / 2
    assert signal.set_wakeup_fd(-1) == -1


def test_a_wait_goes_on_after_a_signal(use_poll, channels, closing):
    readers(channels, closing, 1)
    handled = []
    began = time.monotonic()
    with a_signal_comes(lambda *args: handled.append(1)):
        asyncore.loop(0.2, use_poll, channels, 1)
    assert handled == [1]
    assert 0.19 < time.monotonic() - began < LIMIT / 2


def test_a_wait_uses_no_cpu(use_poll, channels, closing):
    """Not even if a channel has a hang-up that means nothing to it."""
    read_end, write_end = os.pipe()
    os.close(write_end)
    channel = asyncore.file_dispatcher(read_end, channels)
    os.close(read_end)
    channel.readable = lambda: False
    channel.handle_close = channel.handle_write = lambda: None
    readers(channels, closing, 1)
    began = resource.getrusage(resource.RUSAGE_THREAD)
    asyncore.loop(0.3, False, channels, 1)
    ended = resource.getrusage(resource.RUSAGE_THREAD)
    assert ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime < 0.15
    channel.close()


def test_closed_descriptors(channels, closing):
    ((channel, _),) = readers(channels, closing, 1)
    os.close(channel.socket.detach())
    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncore.loop(LIMIT, False, channels, 1)
    closed = []
    channel.handle_close = lambda: closed.append(channels.clear())
    asyncore.loop(LIMIT, True, channels, 1)
    assert closed == [None]


def test_what_another_thread_closes_during_a_wait_is_no_error(use_poll, channels, closing):
    ((channel, _),) = readers(channels, closing, 1)
    timer = threading.Timer(0.05, channel.close)
    timer.start()
    asyncore.loop(0.2, use_poll, channels)
    timer.join()
    assert channels == {}


def test_echoes_in_many_threads(use_poll, closing):
    loops = [Loop(use_poll) for _ in range(6)]
    talks = []
    for loop in loops:
        near, far = closing(*pair())
        loop.call(lambda near=near, loop=loop: Echoing(near, loop.channels))
        talks.append(far)
    for step in range(100):
        for number, far in enumerate(talks):
            far.sendall(b"%d-%03d" % (number, step))
        for number, far in enumerate(talks):
            assert receive_exactly(far, 5) == b"%d-%03d" % (number, step)
    for loop in loops:
        loop.end()


class Echoing(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


@pytest.mark.ours_only("3.11 sends some of it twice")
def test_what_two_threads_send_arrives_once(goasyncore, loop, closing):
    """Plain sockets, with no room for all of it, while the loop sends the rest."""
    near, far = closing(*pair())
    channel = loop.call(lambda: asyncore.dispatcher_with_send(near, loop.channels))
    loop.call(lambda: setattr(channel, "handle_read", lambda: channel.recv(10)))

    def work(name):
        for number in range(500):
            channel.send(b"%d%05d" % (name, number) + b"x" * 994)
            goasyncore.wake(loop.channels)

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in range(2)]
    for thread in threads:
        thread.start()
    data = receive_exactly(far, 2 * 500 * 1000)
    for thread in threads:
        thread.join(LIMIT)
    messages = [data[at : at + 6] for at in range(0, len(data), 1000)]
    for name in range(2):
        mine = [int(each[1:]) for each in messages if each[0] == ord("0") + name]
        assert mine == list(range(500))
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_a_child_that_is_forked_in_a_handler():
    run_python(
        """
        import asyncore, os, socket, threading, warnings
        warnings.simplefilter("ignore")
        near, far = socket.socketpair()
        others = {}
        idle = asyncore.dispatcher(near, others)
        threading.Thread(target=asyncore.loop, args=(20, True, others), daemon=True).start()
        near, far = socket.socketpair()
        channels, children = {}, []

        class Forking(asyncore.dispatcher):
            def writable(self):
                return False

            def handle_read(self):
                data = self.recv(1)
                if data == b"a":
                    children.append(os.fork())
                    far.send(b"b")
                else:
                    self.close()

        Forking(near, channels)
        far.send(b"a")
        asyncore.loop(20, True, channels)
        if children[0]:
            assert os.waitpid(children[0], 0)[1] == 0
        assert not channels
        os._exit(0)
        """
    )
