"""The watch on handlers that block the loop for too long."""

import asyncore
import logging
import re
import time

import pytest
from support import LIMIT, Recorder, pair, run_python, tcp_pair

pytestmark = pytest.mark.ours_only("3.11 watches nobody")

SLOW = 0.03  # seconds that the slow ones take
BOUND = 0.02


@pytest.fixture
def goasyncore():
    import goasyncore

    yield goasyncore
    goasyncore.slow_handler(None)


class Slow(Recorder):
    """Takes its time in the handlers named in `slow`."""

    slow = ()

    def note(self, event):
        Recorder.note(self, event)
        if event in self.slow:
            time.sleep(SLOW)

    def handle_read(self):
        Recorder.handle_read(self)
        self.recv(100)


def messages(caplog):
    assert all((r.name, r.levelno) == ("goasyncore", logging.WARNING) for r in caplog.records)
    return [record.getMessage() for record in caplog.records]


def test_a_slow_handler_is_named(goasyncore, channels, closing, use_poll, caplog):
    near, far = closing(*pair())
    channel = Slow(near, channels)
    channel.slow = ("read",)
    goasyncore.slow_handler(BOUND)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    (message,) = messages(caplog)
    assert repr(channel) in message
    assert "handle_read()" in message
    assert float(re.search(r" blocked the loop for (\d+\.\d+) seconds", message)[1]) >= BOUND


def test_a_quick_one_is_not(goasyncore, channels, closing, use_poll, caplog):
    near, far = closing(*pair())
    channel = Slow(near, channels)
    goasyncore.slow_handler(LIMIT)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["read"]
    assert messages(caplog) == []


@pytest.mark.parametrize("event", ["write", "close"])
def test_other_handlers_are_watched_too(goasyncore, channels, closing, event, caplog):
    near, far = closing(*pair())
    channel = Slow(near, channels, wants="w")
    channel.slow = (event,)
    if event == "close":
        far.close()
    goasyncore.slow_handler(BOUND)
    asyncore.loop(LIMIT, True, channels, 1)
    # On a busy machine the others may be slow as well.
    assert f"handle_{event}()" in messages(caplog)[-1]


def test_priority_data_is_watched_too(goasyncore, channels, closing, use_poll, caplog):
    near, far = closing(*tcp_pair())
    channel = Slow(near, channels)
    channel.slow = ("expt",)
    far.send(b"!", 1)  # MSG_OOB
    goasyncore.slow_handler(BOUND)
    while "expt" not in channel.events:
        asyncore.loop(LIMIT, use_poll, channels, 1)
    assert "handle_expt()" in messages(caplog)[-1]


def test_a_slow_accept_is_named_as_such(goasyncore, channels, closing, use_poll, caplog):
    import socket

    server = Slow(None, channels)
    server.slow = ("accept",)
    server.create_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    closing(socket.create_connection(server.socket.getsockname()))
    goasyncore.slow_handler(BOUND)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    (message,) = messages(caplog)
    assert "handle_accept()" in message


def test_an_overridden_event_is_named_itself(goasyncore, channels, closing, use_poll, caplog):
    class Own(Slow):
        def handle_read_event(self):
            self.note("read")
            self.recv(1)

    near, far = closing(*pair())
    channel = Own(near, channels)
    channel.slow = ("read",)
    far.send(b"x")
    goasyncore.slow_handler(BOUND)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    (message,) = messages(caplog)
    assert "handle_read_event()" in message


def test_a_handler_that_raises_is_reported_and_handled(
    goasyncore, channels, closing, use_poll, caplog
):
    near, far = closing(*pair())
    channel = Slow(near, channels)
    caught = []

    def fail():
        time.sleep(SLOW)
        raise ZeroDivisionError

    def handle_error():
        caught.append(asyncore.compact_traceback()[1])
        channel.close()

    channel.handle_read, channel.handle_error = fail, handle_error
    far.send(b"x")
    goasyncore.slow_handler(BOUND)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert caught == [ZeroDivisionError]
    (message,) = messages(caplog)
    assert "handle_read()" in message


def test_a_repr_that_fails_spoils_no_report(goasyncore, channels, closing, use_poll, caplog):
    class Nameless(Slow):
        slow = ("read",)

        def __repr__(self):
            raise RuntimeError

    near, far = closing(*pair())
    Nameless(near, channels)
    far.send(b"x")
    goasyncore.slow_handler(BOUND)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    (message,) = messages(caplog)
    assert "Nameless" in message


def test_scheduled_calls_are_watched(goasyncore, channels, closing, use_poll, caplog):
    near, far = closing(*pair())
    Slow(near, channels)
    goasyncore.slow_handler(BOUND)
    goasyncore.call_later(0, time.sleep, SLOW, map=channels)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    (message,) = messages(caplog)
    assert "sleep" in message


@pytest.mark.parametrize("off", [None, 0])
def test_it_can_be_turned_off(goasyncore, channels, closing, use_poll, caplog, off):
    near, far = closing(*pair())
    channel = Slow(near, channels)
    channel.slow = ("read",)
    goasyncore.slow_handler(BOUND)
    goasyncore.slow_handler(off)
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert channel.events == ["read"]
    assert messages(caplog) == []


def test_a_handler_may_turn_it_on_and_off(goasyncore, channels, closing, use_poll, caplog):
    near, far = closing(*pair())
    channel = Slow(near, channels)
    channel.slow = ("read",)
    goasyncore.slow_handler(BOUND)
    channel.handle_read = lambda: (channel.recv(1), goasyncore.slow_handler(None), time.sleep(SLOW))
    far.send(b"x")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert messages(caplog) == []


@pytest.mark.parametrize(
    ("wrong", "error"), [(-1, ValueError), (float("nan"), ValueError), ("soon", ValueError)]
)
def test_wrong_limits_are_refused(goasyncore, wrong, error):
    with pytest.raises(error):
        goasyncore.slow_handler(wrong)


@pytest.mark.parametrize("wrong", [object(), [], 1j])
def test_what_is_no_number_is_refused(goasyncore, wrong):
    with pytest.raises(TypeError):
        goasyncore.slow_handler(wrong)


@pytest.mark.parametrize("use_poll", ["False", "True"])
def test_it_holds_when_it_is_set_before_the_first_loop(use_poll):
    ended = run_python(
        f"""
        import asyncore, goasyncore, socket, time
        class Slow(asyncore.dispatcher):
            def handle_read(self):
                self.recv(1)
                time.sleep({SLOW})
            def handle_write(self): pass
        near, far = socket.socketpair()
        Slow(near)
        far.send(b"x")
        goasyncore.slow_handler({BOUND})
        asyncore.loop(1, {use_poll}, count=1)
        """
    )
    assert "handle_read() blocked the loop for" in ended.stderr
