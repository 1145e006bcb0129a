"""Programs whose signals are for other threads, come often, or end in a descriptor of theirs."""

import asyncore
import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time

import pytest
from support import LIMIT, Recorder, full, pair, receive_exactly, until_it_waits

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="the platform has no pthread_kill"
)

A_WAIT = 0.3  # seconds
MAIN = threading.main_thread().ident


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


@contextlib.contextmanager
def handled(number, handler):
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def kilohertz(handler):
    with handled(signal.SIGALRM, handler):
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


@contextlib.contextmanager
def killed_soon(number, times=1, handled=None):
    """The main thread gets signals, when it waits or on a busy machine before that. With `handled`,
    which the handler appends to, each comes when the one before was handled: two that come together
    are one.
    """

    def kill():
        for count in range(times):
            time.sleep(0.02)
            if handled is not None:
                until(lambda count=count: len(handled) >= count)
            signal.pthread_kill(MAIN, number)

    thread = threading.Thread(target=kill, daemon=True)
    try:
        thread.start()
        yield
    finally:
        thread.join(LIMIT)


def until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def takes(seconds, function, *args):
    began = time.monotonic()
    function(*args)
    assert seconds - 0.01 <= time.monotonic() - began < seconds + LIMIT / 4


# -- for other threads ----------------------------------------------------------------------------


def test_a_loop_in_another_thread_waits_on_when_its_thread_is_signalled(use_poll, idle):
    """The handler runs in the main thread."""
    ran_in, ended, signalled = [], [], threading.Event()

    def wait():
        began = time.monotonic()
        asyncore.loop(A_WAIT, use_poll, idle, 1)
        ended.append(time.monotonic() - began)
        signalled.wait(LIMIT)  # a thread that is over cannot get a signal

    with handled(signal.SIGUSR1, lambda *_: ran_in.append(threading.get_ident())):
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        signal.pthread_kill(thread.ident, signal.SIGUSR1)
        while not ended:
            time.sleep(0.005)
            signal.pthread_kill(thread.ident, signal.SIGUSR1)
        signalled.set()
        thread.join(LIMIT)
    assert A_WAIT - 0.01 <= ended[0] < A_WAIT + LIMIT / 4
    assert set(ran_in) == {MAIN}


def test_a_loop_in_another_thread_serves_while_it_is_signalled(use_poll, channels, closing):
    near, far = closing(*pair())
    Echo(near, channels)
    with handled(signal.SIGUSR1, lambda *_: None):
        serves = threading.Thread(
            target=asyncore.loop, args=(LIMIT, use_poll, channels), daemon=True
        )
        serves.start()
        for number in range(200):
            signal.pthread_kill(serves.ident, signal.SIGUSR1)
            far.sendall(b"%04d" % number)
            assert receive_exactly(far, 4) == b"%04d" % number
        far.close()
        serves.join(LIMIT)
        assert not serves.is_alive()


def test_a_thread_that_waits_for_signals_gets_them(use_poll, channels, closing):
    near, far = closing(*pair())
    Echo(near, channels)
    numbers = {signal.SIGUSR1, signal.SIGUSR2}
    got = []

    def wait_for_signals():
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        begun.set()
        while signal.SIGUSR2 not in got:
            got.append(signal.sigwait(numbers))
        far.close()

    begun = threading.Event()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        thread = threading.Thread(target=wait_for_signals, daemon=True)
        thread.start()
        assert begun.wait(LIMIT)

        def kill():
            for count in range(5):
                signal.pthread_kill(thread.ident, signal.SIGUSR1)
                until(lambda count=count: len(got) > count)
            signal.pthread_kill(thread.ident, signal.SIGUSR2)

        threading.Thread(target=kill, daemon=True).start()
        asyncore.loop(LIMIT, use_poll, channels)
        thread.join(LIMIT)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert got == [signal.SIGUSR1] * 5 + [signal.SIGUSR2]


# -- often ----------------------------------------------------------------------------------------


def test_a_timeout_is_kept_beside_a_thousand_signals_a_second(use_poll, idle):
    alarms = []
    with kilohertz(lambda *_: alarms.append(1)):
        takes(A_WAIT, asyncore.loop, A_WAIT, use_poll, idle, 1)
    assert alarms  # on a busy machine many of them come together


def test_channels_are_served_beside_a_thousand_signals_a_second(use_poll, channels, closing):
    near, far = closing(*pair())
    Echo(near, channels)
    answers = []

    def ask():
        for number in range(300):
            far.sendall(b"%04d" % number)
            answers.append(receive_exactly(far, 4))
        far.close()

    asking = threading.Thread(target=ask, daemon=True)
    with kilohertz(lambda *_: None):
        asking.start()
        asyncore.loop(LIMIT, use_poll, channels)
        asking.join(LIMIT)
    assert answers == [b"%04d" % number for number in range(300)]


def test_many_children_that_end_at_once_are_all_reaped(use_poll, channels, closing):
    near, far = closing(*pair())
    reaped = set()

    class Last(Echo):
        def handle_read(self):
            self.close()

    Last(near, channels)
    children = set()

    def reap(*_):
        with contextlib.suppress(ChildProcessError):
            while True:
                child, _status = os.waitpid(-1, os.WNOHANG)
                if child == 0:
                    break
                reaped.add(child)
        if ended and reaped >= children:
            ended.clear()
            far.send(b"x")

    def spawn():
        for _ in range(50):
            children.add(os.posix_spawn("/bin/true", ["true"], {}))
        ended.append(True)
        signal.pthread_kill(MAIN, signal.SIGCHLD)  # the last may have ended before

    ended = []
    with handled(signal.SIGCHLD, reap):
        spawning = threading.Thread(target=spawn, daemon=True)
        spawning.start()
        asyncore.loop(LIMIT, use_poll, channels)
        spawning.join(LIMIT)
    assert children <= reaped


# -- in a descriptor ------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["warning", "quiet"])
def warns(request):
    return request.param


@pytest.fixture
def wakeup(closing, warns):
    """The descriptor of signal.set_wakeup_fd(), and its other end."""
    near, far = closing(*socket.socketpair())
    near.setblocking(False)
    far.setblocking(False)
    before = signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=warns)
    yield near, far
    signal.set_wakeup_fd(before)


@pytest.fixture
def unraised(monkeypatch):
    """What CPython reports on standard error."""
    errors = []
    monkeypatch.setattr(sys, "unraisablehook", lambda why: errors.append(why.exc_type))
    return errors


def warn_during_waits(use_poll, idle, times):
    came = []
    with handled(signal.SIGUSR1, lambda *_: came.append(1)):
        with killed_soon(signal.SIGUSR1, times, came):
            asyncore.loop(0.02 * times + 0.1, use_poll, idle, 1)


def test_a_full_wakeup_descriptor_warns_for_each_signal(use_poll, idle, wakeup, warns, unraised):
    full(wakeup[0])
    warn_during_waits(use_poll, idle, 5)
    assert unraised == ([BlockingIOError] * 5 if warns else [])


def test_whether_it_warns_stays_as_it_was(use_poll, idle, wakeup, warns, unraised):
    asyncore.loop(0.01, use_poll, idle, 2)
    full(wakeup[0])
    with handled(signal.SIGUSR1, lambda *_: None):
        signal.raise_signal(signal.SIGUSR1)
    assert unraised == ([BlockingIOError] if warns else [])


def test_a_wakeup_descriptor_that_is_lost_warns_in_any_case(use_poll, idle, wakeup, unraised):
    wakeup[1].close()
    warn_during_waits(use_poll, idle, 2)
    assert unraised == [BrokenPipeError] * 2


def test_the_other_end_may_be_a_channel(use_poll, channels, wakeup):
    got = []

    class Signals(asyncore.dispatcher):
        def writable(self):
            return False

        def handle_read(self):
            got.extend(self.recv(100))
            if len(got) >= 3:
                raise asyncore.ExitNow

    Signals(wakeup[1], channels)
    came = []
    with (
        handled(signal.SIGUSR1, lambda *_: came.append(1)),
        killed_soon(signal.SIGUSR1, 3, came),
        pytest.raises(asyncore.ExitNow),
    ):
        asyncore.loop(LIMIT, use_poll, channels)
    assert got == [signal.SIGUSR1] * 3


# -- interrupts and dumps -------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["readable", "writable", "handle_read", "handle_write"])
def test_an_interrupt_leaves_from_where_it_comes(use_poll, channels, closing, where):
    near, far = closing(*pair())
    armed = []

    class Interrupted(Recorder):
        pass

    def method(self):
        if armed:
            armed.pop()
            signal.raise_signal(signal.SIGINT)
        return getattr(Recorder, where)(self)

    setattr(Interrupted, where, method)
    channel = Interrupted(near, channels, wants="rw")
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    channel.seen.clear()
    armed.append(1)
    with handled(signal.SIGINT, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        asyncore.loop(LIMIT, use_poll, channels)
    channel.seen.clear()
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["read", "write"]


def test_interrupts_at_any_point_leave_the_map_usable(use_poll, channels, closing):
    near, far = closing(*pair())
    Echo(near, channels)
    with handled(signal.SIGINT, signal.default_int_handler):
        for _ in range(20):
            with pytest.raises(KeyboardInterrupt), killed_soon(signal.SIGINT):
                while True:
                    asyncore.loop(0, use_poll, channels, 100)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert receive_exactly(far, 1) == b"x"


@pytest.mark.parametrize("interrupting", [False, True])
def test_siginterrupt_changes_nothing(use_poll, idle, interrupting):
    """select(2) and its like are never begun again by the kernel."""
    with handled(signal.SIGUSR1, lambda *_: 1 / 0):
        signal.siginterrupt(signal.SIGUSR1, interrupting)
        with pytest.raises(ZeroDivisionError), killed_soon(signal.SIGUSR1):
            asyncore.loop(LIMIT, use_poll, idle, 1)


@pytest.mark.parametrize("chain", [False, True])
def test_faulthandler_shows_a_loop_that_waits(use_poll, idle, tmp_path, chain):
    handled_too = []
    with (
        (tmp_path / "dump").open("w+") as dump,
        handled(signal.SIGUSR1, lambda *_: handled_too.append(1)),
    ):
        faulthandler.register(signal.SIGUSR1, dump, all_threads=False, chain=chain)
        try:
            killer = threading.Thread(
                target=lambda: (until_it_waits(), signal.pthread_kill(MAIN, signal.SIGUSR1))
            )
            killer.start()
            while killer.is_alive():
                takes(A_WAIT, asyncore.loop, A_WAIT, use_poll, idle, 1)
        finally:
            faulthandler.unregister(signal.SIGUSR1)
        dump.seek(0)
        assert "asyncore" in dump.read()
    assert bool(handled_too) == chain
