"""A scheduler that puts its functions into the select and time modules while a loop runs."""

import asyncore
import select
import time

import pytest
from support import Recorder, pair


@pytest.mark.parametrize("module, name", [(select, "select"), (select, "poll"), (time, "sleep")])
def test_a_function_replaced_by_a_handler_counts_from_the_next_pass(
    module, name, channels, closing, monkeypatch
):
    near, far = closing(*pair())
    genuine = getattr(module, name)
    calls = []

    def replacement(*args):
        calls.append(name)
        return genuine(*args)

    channel = Recorder(near, channels)

    def replace():
        near.recv(10)
        monkeypatch.setattr(module, name, replacement)
        channel.wants = "" if name == "sleep" else "r"

    channel.handle_read = replace
    far.send(b"x")
    asyncore.loop(0, name == "poll", channels, 3)
    monkeypatch.undo()
    assert calls == [name] * 2
