"""Signals during the wait."""

import asyncore
import contextlib
import gc
import signal
import threading

import pytest
from support import LIMIT, Recorder, one_pass, pair

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="the platform has no pthread_kill"
)


@contextlib.contextmanager
def signalled(handler):
    """Signal the main thread again and again: one signal alone may come just before the wait."""
    previous = signal.signal(signal.SIGUSR1, handler)
    done = threading.Event()
    main = threading.main_thread().ident

    def send():
        while not done.wait(0.01):
            signal.pthread_kill(main, signal.SIGUSR1)

    sender = threading.Thread(target=send, daemon=True)
    # What a handler raises inside a finaliser is lost: let none run for what earlier tests left.
    gc.collect()
    gc.disable()
    try:
        sender.start()
        yield
    finally:
        gc.enable()
        # The sender must have ended before the handler goes: the default action is to die.
        done.set()
        while sender.is_alive():
            with contextlib.suppress(BaseException):
                sender.join()
        signal.signal(signal.SIGUSR1, previous)


class Stop(Exception):
    pass


def once(error):
    """A handler that raises the first time and is quiet afterwards."""
    left = [error]

    def handler(number, frame):
        if left:
            raise left.pop()

    return handler


@pytest.mark.parametrize("error", [KeyboardInterrupt, Stop, SystemExit, asyncore.ExitNow])
@pytest.mark.parametrize("timeout", [None, 3600])
def test_what_a_signal_handler_raises_leaves_the_wait_at_once(
    use_poll, channels, closing, error, timeout
):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    with pytest.raises(error), signalled(once(error)):
        asyncore.loop(timeout, use_poll, channels)
    assert channel.events == []
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["read"]


def test_what_a_signal_handler_raises_leaves_a_wait_for_nothing(use_poll, channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels, wants="")
    with pytest.raises(KeyboardInterrupt), signalled(once(KeyboardInterrupt)):
        asyncore.loop(3600, use_poll, channels)


def test_the_interrupt_key_leaves_the_loop(use_poll, channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            with signalled(lambda *args: signal.raise_signal(signal.SIGINT)):
                asyncore.loop(3600, use_poll, channels)
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize("timeout", [None, LIMIT])
def test_a_handler_that_returns_lets_the_wait_go_on(use_poll, channels, closing, timeout):
    near, far = closing(*pair())
    handled = []
    asked = []

    class Counting(Recorder):
        def readable(self):
            asked.append("readable")
            return True

    def handler(number, frame):
        handled.append(number)
        if len(handled) == 3:
            far.send(b"x")

    channel = Counting(near, channels)
    with signalled(handler):
        one_pass(use_poll, channels, timeout)
    assert len(handled) >= 3
    # One pass that waited on, not several: it asked once, and has the event.
    assert asked == ["readable"]
    assert channel.events == ["read"]


def test_interrupted_waits_end_with_the_timeout(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    handled = []
    with signalled(lambda number, frame: handled.append(number)):
        while len(handled) < 3:
            # Shorter than three signals take to come, were each to start the wait again.
            asyncore.loop(0.05, use_poll, channels, 1)
    assert channel.events == []


def test_the_handler_may_change_the_map(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Recorder(near, channels)

    def handler(number, frame):
        if channels:
            channel.del_channel()
            far.send(b"x")

    with signalled(handler):
        asyncore.loop(LIMIT, use_poll, channels)
    assert channel.events == []


def test_poll2_lets_the_handler_close_a_channel_it_waits_for(channels, closing):
    (near, far), (other, other_far) = pair(), pair()
    closing(far, other_far)
    quiet = Recorder(near, channels)
    waking = Recorder(other, channels)

    def handler(number, frame):
        if quiet._fileno in channels:  # further signals may come when all is over
            quiet.close()
            other_far.send(b"x")

    waking.handle_read = waking.close
    with signalled(handler):
        asyncore.loop(LIMIT, True, channels)
    assert channels == {}
    assert quiet.events == []


def test_a_signal_in_a_handler_of_a_channel_leaves_from_there(use_poll, channels, closing):
    near, far = closing(*pair())
    far.send(b"x")

    class Busy(Recorder):
        def handle_read(self):
            signal.raise_signal(signal.SIGUSR1)
            self.note("after")

    def handler(number, frame):
        raise KeyboardInterrupt

    channel = Busy(near, channels)
    previous = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncore.loop(LIMIT, use_poll, channels)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert channel.events == []


def test_a_loop_that_never_waits_hears_signals_too(use_poll, channels, closing):
    near, far = closing(*pair())
    Recorder(near, channels, wants="w")
    with pytest.raises(KeyboardInterrupt), signalled(once(KeyboardInterrupt)):
        asyncore.loop(3600, use_poll, channels)
