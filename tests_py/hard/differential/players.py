"""The channels of a random program, each with a socket whose other end the program holds."""

import asynchat
import asyncore
import fcntl
import socket
import sys


class Stop(BaseException):
    """Neither an Exception nor one of those that asyncore raises on."""


def reports(events):
    """A class decorator: each of these handlers notes that it was called, and acts."""

    def decorate(cls):
        for event in events:

            def handler(self, event=event):
                self.program.handler(self.name, event)
                consume = getattr(self, f"on_{event}", None)
                if consume is not None:
                    consume()

            setattr(cls, f"handle_{event}", handler)
        return cls

    return decorate


class Common:
    """What all kinds have: bounded reads, errors written down."""

    def __init__(self, program, name, *args):
        self.program, self.name = program, name
        super().__init__(*args)

    def on_read(self):
        self.program.note(self.name, "got", len(self.recv(self.program.rng.choice((1, 10, 9999)))))

    def handle_error(self):
        self.program.handler(self.name, f"error {sys.exc_info()[0].__name__}")
        if self.program.rng.random() < 0.3:
            raise
        self.close()

    def log_info(self, message, type="info"):
        self.program.note(self.name, "log", type)


@reports(["read", "write", "expt", "close", "connect"])
class Known(Common, asyncore.dispatcher):
    """Predicates as the module has them."""

    def on_close(self):
        self.close()


class Own(Known):
    """Predicates of its own, that say what they are told to say."""

    wants_read, wants_write = True, False

    def readable(self):
        self.program.note(self.name, "readable?")
        return self.wants_read

    def writable(self):
        self.program.note(self.name, "writable?")
        return self.wants_write


class Busybody(Own):
    """Predicates that act."""

    def readable(self):
        self.program.note(self.name, "readable?")
        if self.program.rng.random() < 0.5:
            self.program.act(1, asked=True)
        return self.wants_read


@reports(["read", "close", "connect"])
class Sender(Common, asyncore.dispatcher_with_send):
    def on_close(self):
        self.close()


@reports(["close"])
class Chat(Common, asynchat.async_chat):
    ac_in_buffer_size = 37

    def __init__(self, *args):
        super().__init__(*args)
        self.set_terminator(b"\r\n")

    def on_close(self):
        self.close()

    def collect_incoming_data(self, data):
        self.program.note(self.name, "collected", len(data))
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.program.note(self.name, "line", len(self._get_data()))
        self.program.handler(self.name, "terminator")


@reports(["accept", "close"])
class Server(Common, asyncore.dispatcher):
    def on_accept(self):
        pair = self.accept()
        self.program.note(self.name, "accepted", pair is not None)
        if pair is not None:
            self.program.cast.join(Known, pair[0], None, self._map)

    def on_close(self):
        self.close()


class Duck:
    """Has the methods that the loop calls, and is no dispatcher."""

    accepting = False

    def __init__(self, program, name, sock, channels):
        self.program, self.name, self.socket = program, name, sock
        self._map, self._fileno = channels, sock.fileno()
        channels[self._fileno] = self

    def readable(self):
        return 1

    def writable(self):
        return []

    def handle_read_event(self):
        self.program.handler(self.name, "read event")
        self.socket.recv(5)

    def handle_error(self):
        self.program.note(self.name, f"error {sys.exc_info()[0].__name__}")

    def close(self):
        self._map.pop(self._fileno, None)
        self.socket.close()


class Cast:
    def __init__(self, program):
        self.program = program
        self.channels = []
        self.peers = []  # by channel; None where the program does not hold the other end
        self.next_number = 100

    def join(self, kind, sock, peer, channels):
        name = f"{kind.__name__}{len(self.channels)}"
        # No number comes twice: who gets an old event under it is a known difference.
        number = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, self.next_number)
        self.next_number = number + 1
        sock.close()
        sock = socket.socket(fileno=number)
        sock.setblocking(False)
        self.channels.append(None)
        self.peers.append(peer)
        self.channels[-1] = kind(self.program, name, sock, channels)
        self.program.note("new", name)

    def enter(self):
        """A new channel of any kind."""
        rng = self.program.rng
        channels = rng.choice(self.program.maps)
        kind = rng.choice((Known, Own, Own, Busybody, Sender, Sender, Chat, Chat, Server, Duck))
        if kind is Server:
            sock = socket.socket()
            self.join(Server, sock, None, channels)
            self.channels[-1].bind(("127.0.0.1", 0))
            self.channels[-1].listen(5)
            return
        near, far = socket.socketpair()
        for sock in (near, far):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        far.setblocking(False)
        self.join(kind, near, far, channels)

    def pick(self):
        """Any channel, and the peer it may have."""
        present = [at for at, channel in enumerate(self.channels) if channel is not None]
        if not present:
            return None, None
        at = self.program.rng.choice(present)
        return self.channels[at], self.peers[at]

    def names_in(self, maps):
        return [[getattr(channel, "name", "?") for channel in one.values()] for one in maps]

    def end(self):
        for channels in self.program.maps:
            channels.clear()
        for channel in filter(None, self.channels):
            if isinstance(channel.socket, socket.socket) and channel.socket.fileno() >= 0:
                channel.socket.close()
        for peer in filter(None, self.peers):
            peer.close()
