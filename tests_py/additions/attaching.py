"""What the tests of attach() share: old channels, and how coroutines wait for what they do."""

import asynchat
import asyncio
import asyncore
import threading
import time

from support import LIMIT, pair

A_MOMENT = 0.03  # seconds in which a pass that comes too early would have come


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(65536))

    def handle_close(self):
        self.close()


class Lines(asynchat.async_chat):
    def __init__(self, sock, channels):
        asynchat.async_chat.__init__(self, sock, channels)
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        line = self._get_data()
        self.push(line.upper() + b"\n")
        if line == b"quit":
            self.close_when_done()


class Server(asyncore.dispatcher):
    def __init__(self, kind, channels):
        asyncore.dispatcher.__init__(self, None, channels)
        self.kind, self.served = kind, []
        self.create_socket()
        self.set_reuse_addr()
        self.bind(("127.0.0.1", 0))
        self.listen(100)
        self.address = self.socket.getsockname()

    def handle_accepted(self, sock, addr):
        self.served.append(self.kind(sock, self._map))


async def until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "what was waited for has not happened"
        await asyncio.sleep(0.005)


def passes(goasyncore, channels):
    return goasyncore.stats(channels).passes


def in_a_thread(function, *args):
    """Call it in another thread, and return what it returns."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    thread.start()
    thread.join()
    return results[0]


async def answers(far, data=b"hello"):
    """Whether the echo at the other end of `far` is served."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(far, data)
    got = b""
    while len(got) < len(data):
        part = await loop.sock_recv(far, len(data))
        assert part, got
        got += part
    return got == data


async def settled(goasyncore, channels):
    """Wait until no pass is planned any more."""
    before = -1
    while passes(goasyncore, channels) != before:
        before = passes(goasyncore, channels)
        await asyncio.sleep(A_MOMENT)
    return before


# -- changes that others than the loop may make --------------------------------------------------


def make(channels, channel, closing):
    near, far = closing(*pair())
    far.setblocking(False)
    Echo(near, channels)
    return far


def close(channels, channel, closing):
    channel.close()


def reconnect(channels, channel, closing):
    near, far = closing(*pair())
    far.setblocking(False)
    channel.close()
    channel.set_socket(near, channels)
    channel.connected = True
    return far


def refill(channels, channel, closing):
    there = dict(channels)
    channels.clear()
    channels.update(there)


def empty_and_make(channels, channel, closing):
    asyncore.close_all(channels)
    return make(channels, None, closing)


def move(channels, channel, closing):
    """Out of the map and in again, under another number."""
    channel.del_channel()
    near = channel.socket.dup()
    channel.socket.close()
    channel.set_socket(near, channels)


CHANGES = [make, close, reconnect, refill, empty_and_make, move]


async def all_answer(change, kept, old, new):
    """Whoever is in the map after the change."""
    if change is not empty_and_make:
        assert await answers(kept)
    if new is not None:
        assert await answers(new)
    elif change is not close:
        assert await answers(old)
