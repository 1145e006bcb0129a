"""The asyncore servers: serve_asyncore.py LOAD use_poll|default IDLE SECONDS

Serves LOAD (echo, churn, in, out, lines) on whichever asyncore is installed, the way a program for
asyncore would. IDLE connections are accepted before the loop begins: in the loop each of them would
cost pyasyncore a pass over all of them. Ends by itself after SECONDS.
"""

import asynchat
import asyncore
import signal
import socket
import sys

BLOCK = bytes(65536)


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(8192)
        if data:
            self.send(data)


class Sink(asyncore.dispatcher):
    def writable(self):
        return False

    def handle_read(self):
        self.recv(65536)


class Endless:
    """A producer that has always more."""

    def more(self):
        return BLOCK


class Lines(asynchat.async_chat):
    def __init__(self, sock):
        # As asyncio does by itself: a line must not wait until the last one is acknowledged.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.push(self._get_data() + b"\r\n")


class Source(Lines):
    def found_terminator(self):
        self.push_with_producer(Endless())


class Server(asyncore.dispatcher):
    def __init__(self, channel):
        super().__init__()
        self.channel = channel
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(4096)

    def handle_accepted(self, sock, addr):
        self.channel(sock)


def about():
    """What serves, so that no result is taken for another's."""
    try:
        import goasyncore
    except ImportError:
        return "pyasyncore"
    name, poller, _ = goasyncore.backend()
    return f"goasyncore {goasyncore.__version__}, {name}, {poller}"


def main(load, meaning, idle, seconds):
    signal.alarm(seconds)
    channel = {"echo": Echo, "churn": Echo, "in": Sink, "out": Source, "lines": Lines}[load]
    server = Server(channel)
    print(server.socket.getsockname()[1], about(), flush=True)
    server.socket.setblocking(True)
    for _ in range(idle):
        server.handle_accepted(*server.accept())
    server.socket.setblocking(False)
    asyncore.loop(use_poll=meaning == "use_poll")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
