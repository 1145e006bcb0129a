"""The two ends of a TLS connection: a channel that begins it, and a peer that works in memory."""

import asynchat
import asyncore
import ssl
import sys


class Secure:
    """A channel that wraps its socket in mid-connection and shakes hands within the loop."""

    size, shaking, wanted = 10, False, "r"

    def begin(self, context):
        self.events = []
        self.del_channel()
        wrapped = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        wrapped.setblocking(False)
        self.set_socket(wrapped)
        self.shaking = True

    def readable(self):
        return self.wanted == "r" if self.shaking else super().readable()

    def writable(self):
        return self.wanted == "w" if self.shaking else super().writable()

    def shake(self):
        self.events.append("shakes")
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.wanted = "r"
        except ssl.SSLWantWriteError:
            self.wanted = "w"
        else:
            self.events.append(f"shook {self.socket.version()}")
            self.shaking = False

    def handle_read(self):
        if self.shaking:
            self.shake()
        else:
            super().handle_read()

    def handle_write(self):
        if self.shaking:
            self.shake()
        else:
            super().handle_write()

    def recv(self, size):
        try:
            return super().recv(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None

    def handle_error(self):
        error = sys.exc_info()[1]
        self.events.append(f"{type(error).__name__} {getattr(error, 'reason', None)}")
        self.close()

    def handle_close(self):
        self.events.append("close")
        self.close()


class Reader(asyncore.dispatcher_with_send):
    def handle_read(self):
        try:
            self.events.append(f"reads {self.recv(self.size)!r}")
        except BlockingIOError:
            self.events.append("nothing yet")


class Bytes(Secure, Reader):
    pass


class Lines(Secure, asynchat.async_chat):
    terminator = b"\n"

    @property
    def ac_in_buffer_size(self):
        return self.size

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        line = self._get_data()
        self.events.append(f"line {len(line)} {line[:20]!r}")
        self.push(b"you said " + line[:1000] + b"\n")


class Peer:
    """The other end, by hand: what TLS has to say is sent when the scene says so."""

    def __init__(self, sock, context):
        self.sock, self.come, self.go = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.come, self.go, server_hostname="localhost")
        self.got = b""

    def step(self, deed=None):
        """What it would send now."""
        try:
            while data := self.sock.recv(1 << 20):
                self.come.write(data)
        except OSError:
            pass
        try:
            if deed is None:
                self.tls.do_handshake()
            else:
                deed()
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return self.go.read()

    def read(self):
        def receive():
            while data := self.tls.read(1 << 16):
                self.got += data

        reply = self.step(receive)
        if reply:
            self.sock.send(reply)
