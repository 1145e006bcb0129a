"""The frames that handle_error() sees: the program's, and asyncore's as 3.11 names them."""

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
