"""What putting a call off returns, how it is cancelled, and what is refused."""

import asyncore
import gc
import sys
import time
import weakref

import pytest
from support import LIMIT

pytestmark = pytest.mark.ours_only("3.11 puts nothing off")

FOREVER = 10 * LIMIT


def loop(channels, use_poll, count, timeout=FOREVER):
    asyncore.loop(timeout, use_poll, channels, count)


def test_a_cancelled_call_is_not_made(goasyncore, idle, use_poll):
    called = []
    first = goasyncore.call_later(0, called.append, "cancelled", map=idle)
    goasyncore.call_later(0.01, called.append, "made", map=idle)
    first.cancel()
    first.cancel()
    assert first.cancelled()
    loop(idle, use_poll, 1)
    assert called == ["made"]


def test_a_call_can_cancel_another_of_the_same_pass(goasyncore, idle, use_poll):
    called = []
    goasyncore.call_later(0, lambda: handle.cancel(), map=idle)
    handle = goasyncore.call_later(0, called.append, "cancelled", map=idle)
    soon = goasyncore.call_soon_threadsafe(called.append, "cancelled", map=idle)
    soon.cancel()
    loop(idle, use_poll, 1)
    assert called == []


def test_cancelling_after_the_call_does_nothing(goasyncore, idle, use_poll):
    handle = goasyncore.call_later(0, int, map=idle)
    assert "int() at" in repr(handle)
    loop(idle, use_poll, 1)
    handle.cancel()
    assert not handle.cancelled()
    assert "called" in repr(handle)


def test_a_cancelled_call_holds_nothing(goasyncore, idle):
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    handle = goasyncore.call_later(FOREVER, lambda it: None, thing, map=idle)
    del thing
    assert gone() is not None
    handle.cancel()
    assert gone() is None
    assert "cancelled" in repr(handle)


def test_cancelled_calls_do_not_pile_up(goasyncore, idle):
    kept = [goasyncore.call_later(FOREVER, int, map=idle) for _ in range(10)]
    handles = weakref.WeakSet()
    for _ in range(10_000):
        handle = goasyncore.call_later(2 * FOREVER, int, map=idle)
        handles.add(handle)
        handle.cancel()
    del handle
    gc.collect()
    assert len(handles) < 200
    for handle in kept:
        handle.cancel()


@pytest.mark.parametrize("wrong", [None, "soon", object(), b"1", 1j])
def test_what_is_no_number_is_refused(goasyncore, idle, wrong):
    with pytest.raises(TypeError):
        goasyncore.call_later(wrong, int, map=idle)
    with pytest.raises(TypeError):
        goasyncore.call_at(wrong, int, map=idle)


def test_not_a_number_and_too_large_a_number_are_refused(goasyncore, idle):
    with pytest.raises(ValueError, match="not a number"):
        goasyncore.call_later(float("nan"), int, map=idle)
    with pytest.raises(OverflowError):
        goasyncore.call_later(10**400, int, map=idle)


@pytest.mark.parametrize("wrong", [None, 1, "print"])
def test_what_cannot_be_called_is_refused(goasyncore, idle, wrong):
    for put_off in (
        lambda: goasyncore.call_later(0, wrong, map=idle),
        lambda: goasyncore.call_at(0, wrong, map=idle),
        lambda: goasyncore.call_soon_threadsafe(wrong, map=idle),
    ):
        with pytest.raises(TypeError, match="a function is needed"):
            put_off()


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, sys.float_info.max])
def test_a_time_that_does_not_come_shortens_nothing(goasyncore, idle, use_poll, seconds):
    called = []
    handle = goasyncore.call_later(seconds, called.append, "never", map=idle)
    loop(idle, use_poll, 2, timeout=0.01)
    assert called == []
    assert handle.when() > time.monotonic()
    handle.cancel()
