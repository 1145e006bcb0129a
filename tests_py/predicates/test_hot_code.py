"""Changes made by code that CPython has specialised or compiled count as soon as any others.

From 3.14 on there are builds with a JIT, off unless PYTHON_JIT=1 asks for it.
"""

import os

import pytest
from support import run_python

PROGRAM = """
import asyncore, socket, sys

class Sender(asyncore.dispatcher_with_send):
    def handle_write(self):
        heard.append(self)
    def put(self, data):
        self.out_buffer = data

def attribute(times, data):
    for _ in range(times):
        sender.out_buffer = data

def method(times, data):
    for _ in range(times):
        sender.put(data)

def alternating(times, data):
    for i in range(times):
        sender.out_buffer = b"y" if i & 1 else b""
    sender.put(data)

def through_the_dict(times, data):
    attributes = vars(sender)
    for _ in range(times):
        attributes["out_buffer"] = data

def with_passes_between(times, data):
    for i in range(times):
        sender.put(b"y" if i & 1 else b"")
        if not i & 1023:
            asyncore.loop(0, use_poll, channels, 1)
    sender.put(data)

def into_the_map(times, data):
    for _ in range(times):
        del channels[number]
        channels[number] = sender
    sender.put(data)

use_poll = sys.argv[1] == "True"
store = globals()[sys.argv[2]]
channels, heard = {}, []
near, far = socket.socketpair()
sender = Sender(near, channels)
number = near.fileno()
for times in (1, 10000, 1, 10000, 3):
    for data in (b"x", b""):
        store(times, data)
        heard.clear()
        asyncore.loop(0, use_poll, channels, 1)
        assert heard == [sender] * bool(data), (times, data, heard)
"""

WAYS = [
    "attribute",
    "method",
    "alternating",
    "through_the_dict",
    "with_passes_between",
    "into_the_map",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_change_by_hot_code_counts_in_the_next_pass(use_poll, way):
    env = {"GOASYNCORE_BACKEND": os.environ.get("GOASYNCORE_BACKEND", ""), "PYTHON_JIT": "1"}
    run_python(PROGRAM, use_poll, way, env=env)
