"""Regular files in the map: always ready, in both directions."""

import asyncore
import os
import socket

import pytest
from support import Recorder, one_pass, pair


class File(asyncore.file_dispatcher):
    def __init__(self, fd, channels, wants):
        self.events, self.wants = [], wants
        asyncore.file_dispatcher.__init__(self, fd, channels)

    def readable(self):
        return "r" in self.wants

    def writable(self):
        return "w" in self.wants

    def handle_read(self):
        self.events.append("read")

    def handle_write(self):
        self.events.append("write")

    def handle_close(self):
        self.events.append("close")


@pytest.mark.parametrize(
    "wants, events", [("r", ["read"]), ("w", ["write"]), ("rw", ["read", "write"])]
)
def test_a_regular_file_is_always_ready(use_poll, channels, tmp_path, wants, events):
    (tmp_path / "file").write_bytes(b"")
    with open(tmp_path / "file", "r+b") as file:
        channel = File(file, channels, wants)
    for passes in (1, 2, 3):
        one_pass(use_poll, channels)
        assert channel.events == events * passes


def test_a_regular_file_does_not_keep_the_others_waiting(use_poll, channels, closing, tmp_path):
    near, far = pair()
    closing(far)
    (tmp_path / "file").write_bytes(b"")
    channel = Recorder(near, channels)
    with open(tmp_path / "file", "rb") as file:
        regular = File(file, channels, "r")
    one_pass(use_poll, channels, 3600)
    assert (channel.events, regular.events) == ([], ["read"])
    far.send(b"x")
    one_pass(use_poll, channels, 3600)
    assert (channel.events, regular.events) == (["read"], ["read"] * 2)


def test_a_socket_that_takes_the_number_of_a_regular_file(use_poll, channels, closing, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with open(tmp_path / "file", "rb") as file:
        regular = File(file, channels, "r")
    one_pass(use_poll, channels)
    fd = regular._fileno
    near, far = pair()
    closing(far)
    regular.close()
    os.dup2(near.fileno(), fd)
    near.close()
    channel = Recorder(socket.socket(fileno=fd), channels)
    one_pass(use_poll, channels)
    assert (channel.events, regular.events) == ([], ["read"])
