"""What the programs of these tests begin with: a pass in which a channel is told something."""

import asyncore
import importlib.machinery
import pathlib

import pytest

# It imports as little as it can: what a pass imports late has to show.
A_PASS = """
import asyncore, socket, sys

def a_pass(use_poll=True):
    near, far = socket.socketpair()
    channels = {}
    class Channel(asyncore.dispatcher_with_send):
        got = b""
        def handle_read(self):
            self.got = self.recv(10)
    channel = Channel(near, channels)
    far.send(b"x")
    asyncore.loop(20, use_poll, channels, 1)
    assert channel.got == b"x"
    channel.close()
    far.close()
"""

# Where the packages are installed, and the extension in them.
SITE = pathlib.Path(asyncore.__file__).parent.parent
EXTENSION = [
    path
    for suffix in importlib.machinery.EXTENSION_SUFFIXES
    for path in (SITE / "goasyncore").glob("_binding" + suffix)
]
with_extension = pytest.mark.skipif(not EXTENSION, reason="this installation has no extension")
