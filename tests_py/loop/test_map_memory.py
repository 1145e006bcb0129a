"""What a map costs goes by its channels, whatever their numbers."""

import sys

import pytest
from support import run_python

MAPS = """
import asyncore, os, resource, socket

hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
top = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
resource.setrlimit(resource.RLIMIT_NOFILE, (top, hard))
count = min(1000, top // 5)  # each takes its own descriptor, and two for a poller

class Channel(asyncore.dispatcher):
    def writable(self):
        return False

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

near, far = socket.socketpair()
near.setblocking(False)
first = {}
Channel(near, first)
asyncore.loop(0, use_poll, first, 2)  # loads what has to be loaded
socks = []
for number in range(top - count, top):
    os.dup2(near.fileno(), number)
    socks.append(socket.socket(fileno=number))
before, maps = resident(), []
for sock in socks:
    maps.append({})
    Channel(sock, maps[-1])
    asyncore.loop(0, use_poll, maps[-1], 2)
print((resident() - before) // count)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_maps_of_one_channel_with_a_large_number(use_poll, reference):
    if reference and not use_poll:
        pytest.skip("3.11's select() ends at 1023")
    each = int(run_python(f"use_poll = {use_poll}\n" + MAPS).stdout)
    assert each < 4500  # bytes: of which the channel itself takes some 550
