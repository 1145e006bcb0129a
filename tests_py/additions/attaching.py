"""What the tests of attach() share: old channels, and how coroutines wait for what they do."""

import asynchat
import asyncio
import asyncore
import time

from support import LIMIT


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
