"""Memory, descriptors, threads and references stay where they are, however much comes and goes."""

import asyncore
import gc
import os
import resource
import socket
import sys
import sysconfig
import weakref

import pytest
from soak import times
from support import LIMIT, listener, one_pass, pair, receive_exactly

pytestmark = [
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the numbers are Linux's"),
    pytest.mark.timeout(times(300, 1800)),
]
ROUNDS = 5  # of which the first is to warm up
ALLOWED = 3 << 20  # bytes of growth after that, for what allocators keep


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def threads():
    return len(os.listdir("/proc/self/task"))


def figures():
    gc.collect()
    return {
        "resident": resident(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threads(),
        "objects": len(gc.get_objects()),
    }


def stays_flat(work, rounds=ROUNDS):
    """Call work() so often; the process holds no more at the end than after the first time."""
    work()
    for _ in range(3):
        before = figures()
        for _ in range(rounds - 1):
            work()
        after = figures()
        print({name: (before[name], after[name]) for name in before})
        if after["resident"] - before["resident"] < ALLOWED:
            break  # a leak takes its share each time; the allocators' arenas grow once
    # Go's scheduler opens an epoll and an eventfd of its own when it first sets a timer.
    assert after["descriptors"] <= before["descriptors"] + 2
    assert after["objects"] - before["objects"] < 100
    assert after["threads"] <= before["threads"] + 2, "Go starts one when it sees need"
    assert after["resident"] - before["resident"] < ALLOWED


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


def test_events(use_poll, channels, closing):
    near, far = closing(*pair())
    channel = Echo(near, channels)

    def work():
        for _ in range(times(2000, 200_000)):
            far.send(b"x")
            one_pass(use_poll, channels)
            far.recv(1)

    one_pass(use_poll, channels)
    gc.collect()  # channels of other tests are of this class as well
    references = sys.getrefcount(channel), sys.getrefcount(Echo), sys.getrefcount(None)
    stays_flat(work)
    now = sys.getrefcount(channel), sys.getrefcount(Echo), sys.getrefcount(None)
    assert now[:2] == references[:2]
    assert abs(now[2] - references[2]) < 1000


def test_connections(use_poll):
    channels = {}

    class Server(asyncore.dispatcher):
        def handle_accepted(self, sock, addr):
            Echo(sock, channels)

    server = Server(listener(), channels)
    server.accepting = True
    address = server.socket.getsockname()

    def work():
        for _ in range(times(100, 20_000)):
            with socket.socket() as client:
                # The port is free again at once, so that there are enough of them.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.connect(address)
                client.send(b"x")
                while len(channels) < 2:
                    one_pass(use_poll, channels, LIMIT)
                one_pass(use_poll, channels, LIMIT)
                assert receive_exactly(client, 1) == b"x"
            while len(channels) > 1:
                one_pass(use_poll, channels, LIMIT)

    stays_flat(work)
    server.close()


def test_maps(use_poll):
    def work():
        for _ in range(times(200, 2000)):
            channels = {}
            near, far = pair()
            Echo(near, channels)
            far.send(b"x")
            one_pass(use_poll, channels)
            assert far.recv(1) == b"x"
            near.close()
            far.close()

    stays_flat(work)


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") == 1 and sys.version_info < (3, 14),
    reason="a free-threaded 3.13 makes classes immortal once a thread has been started",
)
def test_classes_are_collected(use_poll, closing):
    gone = []
    for _ in range(20):
        channels = {}
        near, _ = closing(*pair())
        kind = type("Kind", (Echo,), {"readable": lambda self: True})
        gone.append(weakref.ref(kind))
        kind(near, channels)
        one_pass(use_poll, channels)
        one_pass(not use_poll, channels)
        channels.clear()
        del kind
    one_pass(use_poll, {near.fileno(): Echo(near, {})})
    gc.collect()
    # The last one may stay until the next pass over anything.
    assert sum(reference() is not None for reference in gone) <= 1


@pytest.mark.parametrize("cycle", [False, True], ids=["alone", "in a cycle"])
@pytest.mark.parametrize("event", [False, True], ids=["idle", "told"])
def test_a_channel_that_left_the_map_is_collected(use_poll, channels, closing, cycle, event):
    deleted = []

    class Mortal(Echo):
        def __del__(self):
            deleted.append(True)

    near, far = closing(*pair())
    channel = Mortal(near, channels)
    if cycle:
        channel.itself = [channel, channel.handle_read]
    if event:
        far.send(b"x")
    one_pass(use_poll, channels)
    reference = weakref.ref(channel)
    channel.del_channel()
    del channel
    if cycle:
        assert reference() is not None
        gc.collect()
    assert reference() is None
    assert deleted == [True]
    one_pass(use_poll, channels)


def test_a_map_in_a_cycle_with_its_channel_is_collected(use_poll, closing):
    near, _ = closing(*pair())
    channels = {}
    channel = Echo(near, channels)
    reference = weakref.ref(channel)
    one_pass(use_poll, channels)
    del channels, channel
    gc.collect()
    assert reference() is None


def test_an_exception_keeps_no_channel(use_poll, channels, closing):
    class Raising(Echo):
        def handle_read(self):
            self.recv(1)
            raise ValueError

        def handle_error(self):
            pass

    near, far = closing(*pair())
    channel = Raising(near, channels)
    reference = weakref.ref(channel)
    for _ in range(3):
        far.send(b"x")
        one_pass(use_poll, channels)
    channel.del_channel()
    del channel
    gc.collect()
    assert reference() is None
