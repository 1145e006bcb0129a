"""Exceptions out of handlers, in the loop and in read(), write(), readwrite()."""

import asyncore
import errno
import select
import sys
import traceback

import pytest
from support import Recorder, one_pass, pair

CALLS = [
    (asyncore.read, "handle_read_event"),
    (asyncore.write, "handle_write_event"),
    (asyncore._exception, "handle_expt_event"),
    (lambda obj: asyncore.readwrite(obj, select.POLLIN), "handle_read_event"),
    (lambda obj: asyncore.readwrite(obj, select.POLLOUT), "handle_write_event"),
    (lambda obj: asyncore.readwrite(obj, select.POLLPRI), "handle_expt_event"),
    (lambda obj: asyncore.readwrite(obj, select.POLLHUP), "handle_close"),
]
IDS = ["read", "write", "_exception", "POLLIN", "POLLOUT", "POLLPRI", "POLLHUP"]


class Fake:
    """Has the event methods and nothing else of a dispatcher."""

    def __init__(self, **raises):
        self.raises = raises
        self.calls = []
        self.info = None

    def handle_read_event(self):
        self.called("handle_read_event")

    def handle_write_event(self):
        self.called("handle_write_event")

    def handle_expt_event(self):
        self.called("handle_expt_event")

    def handle_close(self):
        self.called("handle_close")

    def handle_error(self):
        self.info = sys.exc_info()
        self.compact = asyncore.compact_traceback()
        self.printed = traceback.format_exc()
        self.called("handle_error")

    def called(self, name):
        self.calls.append(name)
        if name in self.raises:
            raise self.raises[name]


@pytest.mark.parametrize("call, method", CALLS, ids=IDS)
def test_the_function_calls_the_event_method(call, method):
    obj = Fake()
    assert call(obj) is None
    assert obj.calls == [method]


@pytest.mark.parametrize("error", [asyncore.ExitNow, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("call, method", CALLS, ids=IDS)
def test_what_is_meant_to_end_the_program_passes(call, method, error):
    raised = error("stop")
    obj = Fake(**{method: raised})
    with pytest.raises(error) as caught:
        call(obj)
    assert caught.value is raised
    assert obj.calls == [method]


class OutOfTheOrdinary(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, OSError, OutOfTheOrdinary, GeneratorExit])
@pytest.mark.parametrize("call, method", CALLS, ids=IDS)
def test_any_other_exception_goes_to_handle_error_while_it_is_handled(call, method, error):
    raised = error("wrong")
    obj = Fake(**{method: raised})
    call(obj)
    assert obj.calls == [method, "handle_error"]
    assert obj.info[1] is raised
    assert obj.compact[1:3] == (error, raised)
    assert obj.printed.rstrip().endswith("wrong")
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("call, method", CALLS, ids=IDS)
def test_what_handle_error_raises_passes(call, method):
    second = LookupError("from handle_error")
    obj = Fake(**{method: ValueError("first"), "handle_error": second})
    with pytest.raises(LookupError) as caught:
        call(obj)
    assert caught.value is second
    assert isinstance(second.__context__, ValueError)


@pytest.mark.parametrize("number", sorted(asyncore._DISCONNECTED))
def test_readwrite_turns_a_lost_connection_into_handle_close(number):
    obj = Fake(handle_read_event=OSError(number, "lost"))
    asyncore.readwrite(obj, select.POLLIN | select.POLLOUT)
    assert obj.calls == ["handle_read_event", "handle_close"]


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.EAGAIN, errno.EINVAL])
def test_readwrite_gives_other_os_errors_to_handle_error(number):
    obj = Fake(handle_read_event=OSError(number, "other"))
    asyncore.readwrite(obj, select.POLLIN | select.POLLOUT)
    assert obj.calls == ["handle_read_event", "handle_error"]


@pytest.mark.parametrize("number", sorted(asyncore._DISCONNECTED))
def test_read_and_write_give_a_lost_connection_to_handle_error(number):
    obj = Fake(handle_read_event=OSError(number, ""), handle_write_event=OSError(number, ""))
    asyncore.read(obj)
    asyncore.write(obj)
    assert obj.calls == ["handle_read_event", "handle_error", "handle_write_event", "handle_error"]


def test_what_handle_close_raises_while_handling_a_lost_connection_passes():
    obj = Fake(handle_read_event=OSError(errno.EPIPE, ""), handle_close=LookupError())
    with pytest.raises(LookupError):
        asyncore.readwrite(obj, select.POLLIN)


def test_readwrite_order_is_read_write_priority_close():
    obj = Fake()
    asyncore.readwrite(obj, select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLHUP)
    assert obj.calls == [
        "handle_read_event", "handle_write_event", "handle_expt_event", "handle_close",
    ]  # fmt: skip


@pytest.mark.parametrize("flags", [select.POLLHUP, select.POLLERR, select.POLLNVAL])
def test_each_end_of_a_descriptor_is_one_handle_close(flags):
    for others in (0, select.POLLHUP, select.POLLERR, select.POLLNVAL):
        obj = Fake()
        asyncore.readwrite(obj, flags | others)
        assert obj.calls == ["handle_close"]


def test_no_flags_no_call():
    obj = Fake()
    asyncore.readwrite(obj, 0)
    assert obj.calls == []


@pytest.fixture
def ready(channels, closing):
    def make(kind):
        near, far = pair()
        closing(far)
        far.send(b"x")
        return kind(near, channels)

    return make


@pytest.mark.parametrize("error", [asyncore.ExitNow, KeyboardInterrupt, SystemExit])
def test_what_is_meant_to_end_the_program_leaves_the_loop(use_poll, channels, ready, error):
    raised = error(3)

    class Ending(Recorder):
        def handle_read(self):
            raise raised

    channel = ready(Ending)
    with pytest.raises(error) as caught:
        asyncore.loop(use_poll=use_poll, map=channels)
    assert caught.value is raised
    assert channel.events == []
    assert channels == {channel._fileno: channel}
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "handle_read"


def test_handle_error_runs_while_the_exception_is_handled(use_poll, channels, ready):
    class Failing(Recorder):
        def handle_read(self):
            raise ValueError("wrong")

        def handle_error(self):
            self.info = sys.exc_info()
            self.compact = asyncore.compact_traceback()
            self.printed = traceback.format_exc()

    channel = ready(Failing)
    one_pass(use_poll, channels)
    assert channel.info[0] is ValueError
    assert channel.compact[0][1] == "handle_read"
    assert "in handle_read" in channel.printed
    assert "ValueError: wrong" in channel.printed
    assert sys.exc_info() == (None, None, None)


def test_a_bare_raise_in_handle_error_leaves_the_loop(use_poll, channels, ready):
    raised = ValueError("wrong")

    class Failing(Recorder):
        def handle_read(self):
            raise raised

        def handle_error(self):
            raise

    ready(Failing)
    with pytest.raises(ValueError) as caught:
        asyncore.loop(use_poll=use_poll, map=channels)
    assert caught.value is raised


def test_later_channels_are_not_told_after_an_exception_left_the_loop(use_poll, channels, ready):
    class Ending(Recorder):
        def handle_read(self):
            raise asyncore.ExitNow

    ready(Ending)
    later = ready(Recorder)
    with pytest.raises(asyncore.ExitNow):
        asyncore.loop(use_poll=use_poll, map=channels)
    assert later.events == []


def test_later_channels_are_told_after_an_error(use_poll, channels, ready):
    class Failing(Recorder):
        def handle_read(self):
            raise ValueError

        def handle_error(self):
            self.note("error")

    failing = ready(Failing)
    later = ready(Recorder)
    one_pass(use_poll, channels)
    assert failing.events == ["error"]
    assert later.events == ["read"]


def test_a_loop_within_an_except_block_keeps_the_outer_exception(use_poll, channels, ready):
    class Failing(Recorder):
        def handle_read(self):
            self.outer = sys.exc_info()[1]
            raise ValueError

        def handle_error(self):
            self.inner = sys.exc_info()[1]

    channel = ready(Failing)
    outer = KeyError("outer")
    try:
        raise outer
    except KeyError:
        one_pass(use_poll, channels)
        assert sys.exc_info()[1] is outer
    assert channel.outer is outer
    assert isinstance(channel.inner, ValueError)
    assert channel.inner.__context__ is outer
