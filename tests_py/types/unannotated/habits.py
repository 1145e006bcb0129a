"""Habits of old programs: predicates that are no bools, replaced methods, numbers for flags."""

import asyncore
import logging
import socket
import threading


class LoggingMixin:
    def log(self, *args, **options):
        logging.getLogger("habits").info(*args)

    def log_info(self, message, type="info"):
        self.log(message)


class Channel(LoggingMixin, asyncore.dispatcher):
    debug = 1
    ignore_log_types = ("info", "warning")

    def __init__(self, sock=None, map=None, server=None, timeout=5):
        self.channels = {}
        self.server = server
        self.timeout = timeout
        self.addr = ("nowhere", 0)
        self.out = []
        self.events = 0
        asyncore.dispatcher.__init__(self, sock, map)

    def readable(self):
        return not self.closing

    def writable(self):
        return self.out

    def add_channel(self, map=None):
        self.channels[self._fileno] = self
        asyncore.dispatcher.add_channel(self, map)

    def del_channel(self, map=None):
        self.channels.pop(self._fileno, None)
        asyncore.dispatcher.del_channel(self, map)

    def handle_accepted(self, *pair):
        pass

    def send(self, what, *more):
        return asyncore.dispatcher.send(self, what)

    def handle_read(self):
        data = self.recv(100)
        if data:
            self.out.append(data)
            self.events += 1

    def handle_write(self):
        self.send(self.out.pop(0))

    def handle_close(self):
        self.closing = 1
        self.close()

    handle_expt = handle_close


class Quiet(asyncore.dispatcher):
    debug, connected = 0, 1
    readable = writable = lambda self: 0
    log = lambda self, *args: None  # noqa: E731
    handle_read = handle_write = handle_close = handle_expt = lambda self: None


class Buffered(asyncore.dispatcher_with_send):
    """Puts other things where asyncore has its own."""

    ac_in_buffer_size = 1 << 10

    def __init__(self, sock, wrap=None):
        asyncore.dispatcher_with_send.__init__(self, sock)
        self.out_buffer = bytearray()
        if wrap:
            self.socket = wrap(self.socket)

    def initiate_send(self):
        sent = asyncore.dispatcher.send(self, self.out_buffer[: self.ac_in_buffer_size])
        del self.out_buffer[:sent]

    def send(self, data):
        self.out_buffer.extend(data)
        self.initiate_send()

    def handle_read(self):
        try:
            self.send(self.socket.recv(10))
            while self.socket.pending():
                self.send(self.socket.recv(self.socket.pending()))
        except AttributeError:
            self.log("no TLS")

    def handle_close(self):
        self.shutdown = self.socket.shutdown
        self.close()


def pump(map=None):
    for channel in list((map or asyncore.socket_map).values()):
        if channel.writable():
            channel.handle_write_event()
    asyncore.loop(timeout=0.5, map=map, count=1)


if __name__ == "__main__":
    near, far = socket.socketpair()
    channel = Channel(near)
    far.send(b"once")
    thread = threading.Thread(target=pump)
    thread.start()
    thread.join()
    pump()
    assert far.recv(10) == b"once"
    assert channel.events == 1
    far.close()
    asyncore.loop(1, 1)
    assert not asyncore.socket_map
    near, far = socket.socketpair()
    quiet = Quiet(near, {})
    quiet.close()
    far.close()

    near, far = socket.socketpair()
    buffered = Buffered(near)
    far.send(b"buffered")
    pump()
    assert far.recv(10) == b"buffered"
    asyncore.close_all(None, 1)
    far.close()
