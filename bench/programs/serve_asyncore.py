"""The asyncore servers: serve_asyncore.py LOAD use_poll|default IDLE SECONDS

Serves LOAD (echo, churn, in, out, lines, udp, tls, threads-N) on whichever asyncore is installed,
the way a program for asyncore would. IDLE connections are accepted before the loop begins: in the
loop each of them would cost pyasyncore a pass over all of them. Ends by itself after SECONDS.
"""

import asynchat
import asyncore
import contextlib
import signal
import socket
import ssl
import sys
import threading

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


class Udp(asyncore.dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket(type=socket.SOCK_DGRAM)
        self.bind(("127.0.0.1", 0))

    def writable(self):
        return False

    def handle_connect(self):
        pass

    def handle_read(self):
        self.socket.sendto(*self.socket.recvfrom(8192))


# What needs no certificate. How the two agreed on a key makes no difference to a message.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
TLS.maximum_version = ssl.TLSVersion.TLSv1_2
TLS.set_ciphers("AECDH:@SECLEVEL=0")


class Tls(Echo):
    def __init__(self, sock):
        sock.settimeout(30)
        super().__init__(TLS.wrap_socket(sock, server_side=True))

    def handle_read(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            super().handle_read()


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


def loop_in_threads(number, use_poll):
    """Serve the channels in as many loops, each in a thread with a map."""
    maps = [{} for _ in range(number)]
    for at, (fd, channel) in enumerate(asyncore.socket_map.items()):
        maps[at % number][fd] = channel
        channel._map = maps[at % number]
    for served in maps:
        threading.Thread(
            target=asyncore.loop, kwargs={"use_poll": use_poll, "map": served}, daemon=True
        ).start()
    threading.Event().wait()


CHANNELS = {"churn": Echo, "in": Sink, "out": Source, "lines": Lines, "tls": Tls}


def main(load, meaning, idle, seconds):
    signal.alarm(seconds)
    server = Udp() if load == "udp" else Server(CHANNELS.get(load, Echo))
    print(server.socket.getsockname()[1], about(), flush=True)
    server.socket.setblocking(True)
    for _ in range(idle):
        server.handle_accepted(*server.accept())
    server.socket.setblocking(False)
    kind, _, number = load.partition("-")
    if kind == "threads":
        server.del_channel()
        loop_in_threads(int(number), meaning == "use_poll")
    asyncore.loop(use_poll=meaning == "use_poll")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
