"""Scheduled calls: in due order, by shortening the wait, from threads and handlers."""

import asyncore
import collections
import gc
import logging
import os
import select
import threading
import time
import types
import weakref

import pytest
from support import LIMIT, Recorder, full, pair, run_python

pytestmark = pytest.mark.ours_only("3.11 puts nothing off")

FOREVER = 10 * LIMIT  # seconds: a wait that nothing shortens takes longer than a test may


def loop(channels, use_poll, count, timeout=FOREVER):
    asyncore.loop(timeout, use_poll, channels, count)


def test_calls_come_in_due_order_and_not_early(goasyncore, idle, use_poll):
    called = []
    handles = {}
    for seconds in (0.06, 0.01, 0.03):
        handles[seconds] = goasyncore.call_later(
            seconds, lambda s=seconds: called.append((s, time.monotonic())), map=idle
        )
    while len(called) < 3:
        loop(idle, use_poll, 1)
    assert [seconds for seconds, _ in called] == [0.01, 0.03, 0.06]
    assert all(at >= handles[seconds].when() for seconds, at in called)


def test_calls_due_together_come_as_they_were_put_off(goasyncore, idle, use_poll):
    called = []
    when = time.monotonic() + 0.01
    for number in range(20):
        goasyncore.call_at(when, called.append, number, map=idle)
    loop(idle, use_poll, 1)
    assert called == list(range(20))


def test_a_due_call_belongs_to_the_pass_that_it_shortens(goasyncore, idle, use_poll):
    called = []
    goasyncore.call_later(0.01, called.append, "due", map=idle)
    loop(idle, use_poll, 1)
    assert called == ["due"]


def test_a_call_in_the_past_is_made_in_a_pass_that_does_not_wait(goasyncore, idle, use_poll):
    called = []
    goasyncore.call_at(time.monotonic() - 1, called.append, "past", map=idle)
    goasyncore.call_later(-5, called.append, "before", map=idle)
    loop(idle, use_poll, 1, timeout=0)
    assert called == ["before", "past"]


def test_channels_are_told_before_what_is_due_is_called(goasyncore, idle, use_poll):
    idle_channel = next(iter(idle.values()))
    goasyncore.call_later(0, idle_channel.note, "called", map=idle)
    idle_channel.peer.send(b"x")
    loop(idle, use_poll, 1)
    assert idle_channel.events == ["read", "called"]


def test_the_default_map_is_the_one_of_the_moment(goasyncore, use_poll, closing, monkeypatch):
    near, far = closing(*pair())
    other = {}
    monkeypatch.setattr(asyncore, "socket_map", other)
    channel = Recorder(near)
    called = []
    goasyncore.call_later(0.01, called.append, 1)
    goasyncore.call_soon_threadsafe(called.append, 0)
    while len(called) < 2:
        asyncore.loop(FOREVER, use_poll, count=1)
    assert called == [0, 1]
    channel.close()


@pytest.mark.parametrize("make", [collections.UserDict, collections.OrderedDict])
def test_maps_of_other_kinds_have_calls_too(goasyncore, use_poll, closing, make):
    near, far = closing(*pair())
    channels = make()
    channel = Recorder(near, channels)
    called = []
    goasyncore.call_later(0.01, called.append, 1, map=channels)
    loop(channels, use_poll, 1)
    assert called == [1]
    channel.close()


def test_a_wait_that_goes_through_a_replaced_select_is_shortened(
    goasyncore, idle, use_poll, monkeypatch
):
    names = {name: getattr(select, name) for name in dir(select) if not name.startswith("__")}
    monkeypatch.setattr(asyncore, "select", types.SimpleNamespace(**names))
    called = []
    goasyncore.call_later(0.01, called.append, 1, map=idle)
    loop(idle, use_poll, 1)
    assert called == [1]


def test_a_wait_for_nothing_is_shortened(goasyncore, idle, use_poll):
    next(iter(idle.values())).wants = ""
    called = []
    goasyncore.call_later(0.01, called.append, 1, map=idle)
    loop(idle, use_poll, 1)
    assert called == [1]


def test_an_exception_is_logged_and_the_loop_goes_on(goasyncore, idle, use_poll, caplog):
    called = []

    def fail():
        raise LookupError("what was put off")

    goasyncore.call_later(0, fail, map=idle)
    goasyncore.call_later(0, called.append, 1, map=idle)
    loop(idle, use_poll, 1)
    assert called == [1]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("goasyncore", logging.ERROR)
    assert "what was put off" in caplog.text
    assert "Traceback" in caplog.text
    assert "fail" in record.getMessage()


class OddError(BaseException):
    pass


def test_what_is_no_exception_is_logged_too(goasyncore, idle, use_poll, caplog):
    def fail():
        raise OddError

    goasyncore.call_soon_threadsafe(fail, map=idle)
    loop(idle, use_poll, 1)
    assert "OddError" in caplog.text


@pytest.mark.parametrize("leaving", [asyncore.ExitNow, KeyboardInterrupt, SystemExit])
def test_what_leaves_the_loop_leaves_it(goasyncore, idle, use_poll, leaving, caplog):
    called = []

    def leave():
        raise leaving

    goasyncore.call_later(0, leave, map=idle)
    goasyncore.call_later(0, called.append, "after", map=idle)
    with pytest.raises(leaving):
        loop(idle, use_poll, None)
    assert called == []
    loop(idle, use_poll, 1)
    assert called == ["after"]
    assert not caplog.records


def test_a_pending_call_does_not_keep_the_loop_going(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    channel = Recorder(near, channels)
    called = []
    handle = goasyncore.call_later(FOREVER, int, map=channels)
    later = goasyncore.call_later(0, called.append, 1, map=channels)
    far.close()
    channel.handle_read = channel.close
    loop(channels, use_poll, None)
    assert not channels
    loop(channels, use_poll, None)
    handle.cancel()
    later.cancel()
    assert called in ([], [1])  # the pass that emptied the map was one to make it in


def test_a_call_waits_for_the_next_loop_over_its_map(goasyncore, channels, closing, use_poll):
    called = []
    goasyncore.call_later(0, called.append, 1, map=channels)
    loop(channels, use_poll, None)
    assert called == []
    near, far = closing(*pair())
    Recorder(near, channels)
    loop(channels, use_poll, 1)
    assert called == [1]


def test_each_loop_makes_the_calls_of_its_own_map(goasyncore, idle, closing, use_poll):
    near, far = closing(*pair())
    other = {}
    Recorder(near, other)
    called = []
    goasyncore.call_later(0, called.append, "other", map=other)
    loop(idle, use_poll, 2, timeout=0)
    assert called == []
    loop(other, use_poll, 1)
    assert called == ["other"]
    asyncore.close_all(other)


def test_a_map_with_nothing_to_call_is_let_go(goasyncore, use_poll):
    near, far = pair()
    channels = {}
    channel = Recorder(near, channels)
    gone = weakref.ref(channel)
    goasyncore.call_later(0, int, map=channels)
    goasyncore.call_later(FOREVER, int, map=channels).cancel()
    goasyncore.call_soon_threadsafe(int, map=channels)
    goasyncore.wake(channels)
    loop(channels, use_poll, 2, timeout=0)
    near.close()
    far.close()
    del channels, channel, near
    gc.collect()
    assert gone() is None


def test_a_call_that_puts_itself_off_again_starves_nobody(goasyncore, idle, use_poll):
    passes = []

    def again():
        passes.append(None)
        goasyncore.call_later(0, again, map=idle)
        goasyncore.call_soon_threadsafe(int, map=idle)

    again()
    idle_channel = next(iter(idle.values()))
    idle_channel.peer.send(b"x")
    loop(idle, use_poll, 5)
    assert len(passes) == 6
    assert idle_channel.events == ["read"] * 5


def test_a_call_may_loop_over_its_own_map(goasyncore, idle, use_poll):
    called = []

    def nested():
        called.append("in")
        goasyncore.call_soon_threadsafe(called.append, "deep", map=idle)
        loop(idle, use_poll, 1)
        called.append("out")

    goasyncore.call_later(0, nested, map=idle)
    goasyncore.call_later(0, called.append, "next", map=idle)
    loop(idle, use_poll, 1)
    assert called == ["in", "next", "deep", "out"]


def test_a_call_may_close_everything(goasyncore, idle, use_poll):
    goasyncore.call_later(0.01, asyncore.close_all, idle, map=idle)
    loop(idle, use_poll, None)
    assert not idle


def test_a_handler_may_put_off(goasyncore, idle, use_poll):
    called = []
    channel = next(iter(idle.values()))

    def handle_read():
        channel.recv(1)
        goasyncore.call_later(0.01, called.append, "later", map=idle)
        called.append("handled")

    channel.handle_read = handle_read
    channel.peer.send(b"x")
    while len(called) < 2:  # in this pass already, if it takes longer than that
        loop(idle, use_poll, 1)
    assert called == ["handled", "later"]


def test_a_predicate_may_put_off(goasyncore, idle, use_poll):
    called = []
    channel = next(iter(idle.values()))

    def readable():
        if not called:
            goasyncore.call_later(0, called.append, 1, map=idle)
        return True

    channel.readable = readable
    loop(idle, use_poll, 1)
    assert called == [1]


@pytest.mark.parametrize("use_poll", ["False", "True"])
def test_a_forked_child_makes_the_calls_that_were_pending(use_poll):
    run_python(
        f"""
        import asyncore, goasyncore, os, socket
        near, far = socket.socketpair()
        asyncore.dispatcher(near).writable = lambda: False
        asyncore.loop(0, {use_poll}, count=1)
        called = []
        goasyncore.call_later(0.01, called.append, "pending")
        pid = os.fork()
        if pid == 0:
            goasyncore.call_soon_threadsafe(called.append, "new")
            while len(called) < 2:
                asyncore.loop({FOREVER}, {use_poll}, count=1)
            os._exit(0 if called == ["new", "pending"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        asyncore.loop({FOREVER}, {use_poll}, count=1)
        assert called == ["pending"]
        """
    )


def descriptors():
    """The numbers that are open; none where the system does not list them."""
    gc.collect()  # maps of other tests let go of theirs
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


def test_pending_calls_take_no_descriptor_and_no_thread(goasyncore, idle, use_poll):
    loop(idle, use_poll, 1, timeout=0.001)
    before, threads = descriptors(), threading.active_count()
    handles = [goasyncore.call_later(FOREVER + i, int, map=idle) for i in range(1000)]
    loop(idle, use_poll, 1, timeout=0.001)
    assert len(descriptors() - before) <= 2  # Go's runtime may open two of its own at any time
    assert threading.active_count() == threads
    for handle in handles:
        handle.cancel()


def test_a_loop_that_only_sends_is_shortened(goasyncore, channels, closing, use_poll):
    near, far = closing(*pair())
    full(near)
    Recorder(near, channels, wants="w")
    called = []
    goasyncore.call_later(0.01, called.append, 1, map=channels)
    loop(channels, use_poll, 1)
    assert called == [1]
