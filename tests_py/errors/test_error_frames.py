"""The frames that handle_error() sees: the program's, and asyncore's as 3.11 names them."""

import asynchat
import asyncore
import re
import traceback

import pytest
from support import one_pass, pair


def fail():
    raise ValueError("asked for")


class Failing(asyncore.dispatcher):
    line = printed = None

    def writable(self):
        return "write" in self.fails

    def handle_read(self):
        if self.fails == "read":
            fail()
        self.recv(10)

    def handle_write(self):
        fail()

    def handle_error(self):
        self.line = asyncore.compact_traceback()[3]
        self.printed = traceback.format_exc()
        self.close()


@pytest.mark.parametrize("fails", ["read", "write"])
def test_the_frames_of_a_failed_handler(fails, use_poll, closing):
    near, far = closing(*pair())
    channels = {}
    channel = Failing(near, channels)
    channel.fails = fails
    if fails == "read":
        far.send(b"x")
    one_pass(use_poll, channels, 5)
    frames = re.findall(r"\[([^|\]]*)\|([^|]*)\|\d+\]", channel.line)
    outer = "readwrite" if use_poll else fails
    assert [name for _, name in frames] == [
        outer,
        f"handle_{fails}_event",
        f"handle_{fails}",
        "fail",
    ]
    assert [file for file, _ in frames] == [asyncore.__file__] * 2 + [__file__] * 2
    assert "goasyncore" not in channel.printed.replace(asyncore.__file__, "")


@pytest.mark.parametrize("overrides", ["handle_read_event", "handle_error"])
def test_the_default_line_names_nothing_of_ours_but_asyncore(overrides, use_poll, closing, capsys):
    near, far = closing(*pair())
    channels = {}

    class Own(asyncore.dispatcher):
        def writable(self):
            return False

        def handle_read_event(self):
            fail()

        def handle_error(self):
            asyncore.dispatcher.handle_error(self)

    if overrides == "handle_error":
        Own.handle_read = Own.handle_read_event
        del Own.handle_read_event
    else:
        del Own.handle_error
    Own(near, channels)
    far.send(b"x")
    one_pass(use_poll, channels, 5)
    printed = capsys.readouterr().out
    assert printed.startswith("error: uncaptured python exception, closing channel <")
    files = re.findall(r"\[([^|\]]*)\|[^|]*\|\d+\]", printed)
    assert set(files) == {asyncore.__file__, __file__}


def names_of(info):
    return re.findall(r"\[([^|\]]*)\|([^|]*)\|\d+\]", info)


@pytest.mark.parametrize("where", ["collect_incoming_data", "found_terminator"])
@pytest.mark.parametrize("terminator", [b"\n", b"\n" * 70, 1, None])
@pytest.mark.parametrize(
    "watched",
    [
        pytest.param(False, id=""),
        pytest.param(True, id="slow_handler", marks=pytest.mark.ours_only("3.11 has none")),
    ],
)
def test_the_frames_of_failed_input(where, terminator, watched, use_poll, closing, request):
    if where == "found_terminator" and terminator is None:
        pytest.skip("there is none to find")
    if watched:
        goasyncore = request.getfixturevalue("goasyncore")
        goasyncore.slow_handler(20)
        request.addfinalizer(lambda: goasyncore.slow_handler(None))

    class Lines(asynchat.async_chat):
        info = None

        def collect_incoming_data(self, data):
            if where == "collect_incoming_data":
                fail()

        def found_terminator(self):
            fail()

        def handle_error(self):
            self.info = asyncore.compact_traceback()[3]
            self.close()

    near, far = closing(*pair())
    channels = {}
    chat = Lines(near, channels)
    chat.set_terminator(terminator)
    far.send(b"x" + b"\n" * 80)
    one_pass(use_poll, channels, 5)
    frames = names_of(chat.info)
    names = ["handle_read_event", "handle_read", where, "fail"]
    assert [name for _, name in frames] == ["readwrite" if use_poll else "read", *names]
    files = [asyncore.__file__] * 2 + [asynchat.__file__] + [__file__] * 2
    assert [file for file, _ in frames] == files


def test_the_line_ends_where_3_11_would_have_failed(use_poll, closing, capsys):
    near, far = closing(*pair())
    channels = {}
    chat = asynchat.async_chat(near, channels)
    chat.set_terminator(object())  # it has no length
    far.send(b"x")
    one_pass(use_poll, channels, 5)
    names = [name for _, name in names_of(capsys.readouterr().out)]
    assert names == ["readwrite" if use_poll else "read", "handle_read_event", "handle_read"]


class Refusing:
    """A socket of another kind, as a TLS socket is."""

    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def recv(self, size):
        fail()

    send = recv


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("call", ["recv", "send"])
@pytest.mark.parametrize("base", [asyncore.dispatcher, asyncore.dispatcher_with_send])
def test_the_frames_of_a_failed_socket(base, call, foreign, use_poll, closing):
    near, far = closing(*pair())
    channels = {}

    class Own(base):
        info = None

        def handle_read(self):
            if foreign:
                getattr(self, call)(b"x" if call == "send" else 10)
            else:
                getattr(self, call)("wrong")

        def writable(self):
            return False

        def handle_error(self):
            self.info = asyncore.compact_traceback()[3]
            self.close()

    Own(Refusing(near) if foreign else near, channels)
    channel = next(iter(channels.values()))
    far.send(b"x")
    one_pass(use_poll, channels, 5)
    names = [name for _, name in names_of(channel.info)]
    own = [call]
    if call == "send" and base is asyncore.dispatcher_with_send:
        own = ["send", "initiate_send", "send"] if foreign else ["send"]
    expected = ["readwrite" if use_poll else "read", "handle_read_event", "handle_read", *own]
    if foreign:
        expected += [call if call == "recv" else "recv", "fail"]
    assert names == expected
