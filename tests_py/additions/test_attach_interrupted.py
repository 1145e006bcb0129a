"""Signal handlers change an attached map, and the service ends and begins again in the middle.

What a signal handler changes counts when control is back in the asyncio loop.
"""

import asyncio
import asyncore
import signal
import threading

import pytest
from attaching import (
    A_MOMENT,
    CHANGES,
    Echo,
    all_answer,
    answers,
    in_a_thread,
    make,
    passes,
    settled,
    until,
)
from support import LIMIT, Recorder, pair

pytestmark = pytest.mark.ours_only("3.11 has no attach()")


@pytest.fixture
def on_signal():
    """on_signal(act): have a handler do it, in the loop's thread."""
    before = signal.getsignal(signal.SIGUSR1)

    def act_in_handler(act):
        signal.signal(signal.SIGUSR1, lambda *_: act())
        signal.raise_signal(signal.SIGUSR1)

    yield act_in_handler
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("where", ["coroutine", "thread", "handler", "predicate", "signal"])
def test_detach_in_the_middle_and_attach_again(
    goasyncore, attached, run, closing, kept, where, on_signal
):
    near, far = closing(*pair())

    class Detaching(Recorder):
        def readable(self):
            if where == "predicate" and self.armed:
                goasyncore.detach(attached)
            return True

        def handle_read(self):
            self.recv(100)
            if where == "handler":
                goasyncore.detach(attached)

    def detach():
        goasyncore.detach(attached)

    async def main():
        for _ in range(3):
            Detaching.armed = False
            goasyncore.attach(attached)
            assert await answers(kept[1])
            await settled(goasyncore, attached)
            if where == "coroutine":
                detach()
            elif where == "thread":
                in_a_thread(detach)
            elif where == "signal":
                on_signal(detach)
            Detaching.armed = True
            far.send(b"x")
            goasyncore.wake(attached)
            await asyncio.sleep(A_MOMENT)
            before = passes(goasyncore, attached)
            kept[1].send(b"nobody looks")
            await asyncio.sleep(A_MOMENT)
            assert passes(goasyncore, attached) == before
            Detaching.armed = False
            asyncore.loop(0, map=attached, count=2)
            assert kept[1].recv(100) == b"nobody looks"

    Detaching(near, attached)
    run(main())
    assert run.loop.failures == []


def test_a_map_that_is_emptied_and_filled_again_is_served(goasyncore, attached, run, closing):
    async def main():
        goasyncore.attach(attached)
        for way in ("close", "clear", "thread") * 3:
            far = make(attached, None, closing)
            if way == "thread":
                goasyncore.wake(attached)
            assert await answers(far)
            there = dict(attached)
            if way == "close":
                asyncore.close_all(attached)
            elif way == "clear":
                attached.clear()
                goasyncore.wake(attached)
            else:
                in_a_thread(attached.clear)
                in_a_thread(goasyncore.wake, attached)
            await settled(goasyncore, attached)
            for channel in there.values():
                channel.socket.close()

    run(main())
    assert run.loop.failures == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_a_signal_handler_changes_counts_when_control_is_back(
    goasyncore, attached, run, closing, kept, change
):
    """The signal comes while the asyncio loop waits, from another thread."""
    near, far = closing(*pair())
    far.setblocking(False)
    main_thread = threading.main_thread().ident
    new = []

    def handler(*_):
        new.append(change(attached, channel_of[0], closing))

    channel_of = []

    async def main():
        goasyncore.attach(attached)
        channel_of.append(Echo(near, attached))
        assert await answers(far) and await answers(kept[1])
        await settled(goasyncore, attached)
        timer = threading.Timer(0.02, signal.pthread_kill, (main_thread, signal.SIGUSR1))
        timer.start()
        await until(lambda: new)
        timer.join()
        await all_answer(change, kept[1], far, new[0])

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert run.loop.failures == []


def test_a_signal_handler_ends_the_wait_of_an_attached_map(
    goasyncore, attached, run, closing, kept
):
    """Nothing else happens then: the change alone has to bring the pass."""
    new, served = [], []
    main_thread = threading.main_thread().ident

    class Served(Echo):
        def handle_read(self):
            served.append(self.recv(100))
            done.set_result(None)

    def handler(*_):
        near, far = closing(*pair())
        far.send(b"x")
        new.append(Served(near, attached))

    async def main():
        nonlocal done
        done = asyncio.get_running_loop().create_future()
        goasyncore.attach(attached)
        await settled(goasyncore, attached)
        timer = threading.Timer(0.02, signal.pthread_kill, (main_thread, signal.SIGUSR1))
        timer.start()
        await asyncio.wait_for(done, LIMIT / 2)
        timer.join()
        assert served == [b"x"]

    done = None
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert run.loop.failures == []
