"""What dispatcher writes: log(), log_info(), repr(), handle_error()."""

import asyncore
import re
import sys

import pytest
from support import pair


@pytest.fixture
def channel():
    return asyncore.dispatcher(map={})


def test_log_writes_to_standard_error(channel, capsys):
    channel.log("message")
    channel.log(7)
    assert capsys.readouterr() == ("", "log: message\nlog: 7\n")


def test_log_info_prints_type_and_message(channel, capsys):
    channel.log_info("message")
    channel.log_info("other", "error")
    channel.log_info("third", type="debug")
    assert capsys.readouterr() == ("info: message\nerror: other\ndebug: third\n", "")


def test_log_info_ignores_the_types_it_is_told_to(channel, capsys):
    channel.log_info("message", "warning")
    channel.ignore_log_types = ["info", "error"]
    channel.log_info("message")
    channel.log_info("message", "error")
    channel.log_info("message", "warning")
    assert capsys.readouterr() == ("warning: message\n", "")


def test_repr_of_a_bare_channel(channel):
    assert re.fullmatch(r"<asyncore\.dispatcher at 0x[0-9a-f]+>", repr(channel))
    assert repr(channel).endswith(f"at {id(channel):#x}>")


@pytest.mark.parametrize(
    "state, expected",
    [
        ({"connected": True}, " connected"),
        ({"accepting": True, "addr": ("host", 25)}, " listening host:25"),
        ({"accepting": True, "connected": True}, " connected"),
        ({"accepting": True}, ""),
        ({"addr": ("host", 25)}, " host:25"),
        ({"connected": True, "addr": ("::1", 25, 0, 0)}, " connected ('::1', 25, 0, 0)"),
        ({"connected": True, "addr": "/path"}, " connected '/path'"),
        ({"connected": True, "addr": ""}, " connected ''"),
        ({"addr": b"\0abstract"}, r" b'\x00abstract'"),
        ({"addr": ("host", "port")}, " ('host', 'port')"),
        ({"addr": (1, 2)}, " 1:2"),
    ],
)
def test_repr_says_state_and_address(channel, state, expected):
    vars(channel).update(state)
    assert repr(channel) == f"<asyncore.dispatcher{expected} at {id(channel):#x}>"


class Outer:
    class Inner(asyncore.dispatcher):
        pass


def test_repr_says_module_and_qualified_name():
    assert repr(Outer.Inner(map={})).startswith(f"<{__name__}.Outer.Inner at ")


def test_repr_of_a_connected_socket(closing):
    near, far = closing(*pair())
    channel = asyncore.dispatcher(near, {})
    assert " connected '' at " in repr(channel)


def failing(channel):
    """Have handle_error() handle an exception."""
    try:
        raise ValueError("wrong")
    except ValueError:
        channel.handle_error()


def test_handle_error_logs_one_line_and_closes(channel, capsys):
    closed = []
    channel.handle_close = lambda: closed.append(True)
    failing(channel)
    out, err = capsys.readouterr()
    assert re.fullmatch(
        r"error: uncaptured python exception, closing channel <asyncore\.dispatcher at 0x\w+> "
        r"\(<class 'ValueError'>:wrong \[.*test_dispatcher_log\.py\|failing\|\d+\]\)\n",
        out,
    )
    assert err == ""
    assert closed == [True]


def test_handle_error_logs_through_log_info(channel):
    logged = []
    channel.log_info = lambda *args, **kwargs: logged.append((args, kwargs))
    failing(channel)
    args, kwargs = logged[0]
    assert (list(args) + list(kwargs.values()))[1] == "error"


def test_handle_error_survives_a_failing_repr(capsys):
    class Broken(asyncore.dispatcher):
        def __repr__(self):
            raise RuntimeError("no repr")

    channel = Broken(map={})
    failing(channel)
    line = capsys.readouterr().out
    assert f"closing channel <__repr__(self) failed for object at {id(channel):x}> (" in line
    assert "ValueError" in line


def test_handle_error_without_an_exception_is_an_assertion_error(channel):
    assert sys.exc_info() == (None, None, None)
    with pytest.raises(AssertionError):
        channel.handle_error()


def test_an_error_in_a_handler_is_logged_and_closes_the_channel(
    channels, closing, capsys, use_poll
):
    near, far = pair()
    closing(far)
    far.send(b"x")

    class Failing(asyncore.dispatcher):
        def handle_read(self):
            raise ValueError("wrong")

        def writable(self):
            return False

    Failing(near, channels)
    asyncore.loop(use_poll=use_poll, map=channels)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert re.search(
        r"closing channel <.*Failing connected '' at 0x\w+> \(<class 'ValueError'>:wrong "
        r"(\[[^|]+\|\w+\|\d+\] )*\[[^|]+test_dispatcher_log\.py\|handle_read\|\d+\]\)",
        out,
    )
    assert channels == {}
