"""Calls scheduled, and waits ended, by other threads and by signal handlers."""

import asyncore
import collections
import signal
import threading
import time

import pytest
from support import LIMIT, run_python

pytestmark = pytest.mark.ours_only("3.11 puts nothing off")

FOREVER = 10 * LIMIT  # seconds: a wait that nothing ends takes longer than a test may


def loop(channels, use_poll, count, timeout=FOREVER):
    asyncore.loop(timeout, use_poll, channels, count)


def in_the_wait(act, channels, use_poll, count=1):
    """Loop, and have another thread act when the loop is sure to wait."""
    waits = threading.Event()
    channel = next(iter(channels.values()))
    channel.readable = lambda: waits.set() or True

    def other():
        waits.wait(LIMIT)
        time.sleep(0.02)  # the wait begins; whichever comes first, the promise is the same
        act()

    thread = threading.Thread(target=other)
    thread.start()
    loop(channels, use_poll, count)
    thread.join()


def test_a_call_from_another_thread_ends_the_wait(goasyncore, idle, use_poll):
    called = []
    in_the_wait(
        lambda: goasyncore.call_soon_threadsafe(
            lambda: called.append(threading.current_thread()), map=idle
        ),
        idle,
        use_poll,
    )
    assert called == [threading.current_thread()]


def test_a_timer_from_another_thread_shortens_the_wait(goasyncore, idle, use_poll):
    called = []
    in_the_wait(lambda: goasyncore.call_later(0.01, called.append, 1, map=idle), idle, use_poll)
    assert called == [1]


def test_wake_ends_a_wait_and_the_pass(goasyncore, idle, use_poll):
    in_the_wait(lambda: goasyncore.wake(idle), idle, use_poll)


def test_wake_before_the_wait_ends_the_next_one_alone(goasyncore, idle, use_poll):
    goasyncore.wake(idle)
    goasyncore.wake(idle)
    loop(idle, use_poll, 1)
    # Were the next wait ended too, the timer would not be the one to do it.
    handle = goasyncore.call_later(0.02, int, map=idle)
    loop(idle, use_poll, 1)
    assert "called" in repr(handle)


def test_calls_from_many_threads_are_each_made_once_and_in_order(goasyncore, idle, use_poll):
    called = collections.defaultdict(list)
    threads, calls = 4, 500

    def other(name):
        for number in range(calls):
            goasyncore.call_soon_threadsafe(called[name].append, number, map=idle)
            if number % 50 == 0:
                goasyncore.call_later(0, int, map=idle).cancel()

    started = [threading.Thread(target=other, args=(name,)) for name in range(threads)]
    for thread in started:
        thread.start()
    deadline = time.monotonic() + LIMIT
    while sum(map(len, called.values())) < threads * calls:
        assert time.monotonic() < deadline
        loop(idle, use_poll, 1)
    for thread in started:
        thread.join()
    assert [called[name] for name in range(threads)] == [list(range(calls))] * threads


@pytest.fixture
def alarm():
    """alarm(function): called by SIGALRM, once armed."""
    old = signal.getsignal(signal.SIGALRM)
    yield lambda function: signal.signal(signal.SIGALRM, lambda *_: function())
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def test_a_call_from_a_signal_handler_ends_the_wait(goasyncore, idle, use_poll, alarm):
    called = []
    alarm(lambda: goasyncore.call_soon_threadsafe(called.append, 1, map=idle))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    loop(idle, use_poll, 1)
    assert called == [1]


def test_wake_from_a_signal_handler_ends_the_pass(goasyncore, idle, use_poll, alarm):
    alarm(lambda: goasyncore.wake(idle))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    loop(idle, use_poll, 1)


def test_a_signal_in_the_middle_of_a_call_loses_neither(goasyncore, idle, use_poll, alarm):
    """The handler puts off while the main thread is in the middle of putting off or of a pass."""
    from_handler, called = [], []
    alarm(
        lambda: from_handler.append(
            goasyncore.call_soon_threadsafe(called.append, "handler", map=idle)
        )
    )
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    for number in range(3000):
        handle = goasyncore.call_later(0, called.append, number, map=idle)
        if number % 3 == 0:
            handle.cancel()
        if number % 10 == 0:
            loop(idle, use_poll, 1, timeout=0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for _ in range(3):
        loop(idle, use_poll, 1, timeout=0)
    assert from_handler
    assert called.count("handler") == len(from_handler)
    assert [n for n in called if n != "handler"] == [n for n in range(3000) if n % 3]


@pytest.mark.parametrize("by", ["a thread", "a signal handler"])
@pytest.mark.parametrize("act", ["wake()", "call_soon_threadsafe(called.append, 1)"])
def test_the_first_use_of_all_comes_during_a_wait(use_poll, by, act):
    run_python(
        f"""
import asyncore, signal, socket, sys, threading, time

near, far = socket.socketpair()
called = []


class Channel(asyncore.dispatcher):
    def writable(self):
        return False


Channel(near)
asyncore.loop(0.01, {use_poll}, count=2)


def act(*args):
    import goasyncore

    goasyncore.{act}


if {by!r} == "a thread":
    threading.Timer(0.1, act).start()
else:
    signal.signal(signal.SIGALRM, act)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
began = time.monotonic()
asyncore.loop(20, {use_poll}, count=1)
assert time.monotonic() - began < 10
assert called == ([1] if "called" in {act!r} else [])
"""
    )
