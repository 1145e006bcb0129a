"""The channels of the programs that play.py plays: each says what it is asked and told."""

import asynchat
import asyncore
import fcntl
import select
import socket


class _Numbered:
    """New numbers: what a channel with a reused number gets differs on purpose."""

    def restart(self):
        self.next = 100

    def __call__(self, sock):
        self.next = fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, self.next) + 1
        moved = socket.socket(sock.family, sock.type, sock.proto, self.next - 1)
        moved.setblocking(False)
        sock.close()
        return moved


numbered = _Numbered()


def pair():
    near, far = socket.socketpair()
    return numbered(near), numbered(far)


class Told:
    """What all of them share."""

    state = "in"
    wants_write = False

    def __init__(self, program, sock, name):
        self.program, self.name = program, name
        self.begin(sock)

    def begin(self, sock):
        self.base.__init__(self, sock, self.program.map)

    @classmethod
    def half(cls, program, sock, name):
        """One whose __init__() goes on after it has joined the map; complete() is the rest."""
        channel = cls.__new__(cls)
        channel.program, channel.name = program, name
        channel.begin(sock)
        del channel.name  # its predicates and handlers need it
        channel.complete = lambda: setattr(channel, "name", name)
        return channel

    def say(self, what):
        self.program.wait_for_deed()
        self.program.say(f"{self.name} {what}")

    def reads(self):
        return True

    def change_class(self):
        self.__class__ = self.other

    def fill(self, data):
        self.wants_write = True

    def handle_close(self):
        self.say("close")
        self.state = "closed"
        self.close()

    def handle_connect(self):
        self.say("connect")

    def handle_expt(self):
        self.say("expt")

    def handle_error(self):
        self.say(f"error {asyncore.compact_traceback()[1].__name__}")
        self.state = "closed"
        self.close()


class Sender(Told, asyncore.dispatcher_with_send):
    """Known predicates."""

    base = asyncore.dispatcher_with_send

    def handle_read(self):
        data = self.recv(100)
        self.say(f"read {data!r}")
        if data:
            self.send(data)

    def handle_write(self):
        self.say("write")
        self.initiate_send()

    def fill(self, data):
        self.out_buffer = self.out_buffer + data


class Asking(Told, asyncore.dispatcher):
    """Predicates of its own, which say that they were asked."""

    base = asyncore.dispatcher

    def readable(self):
        self.say("readable?")
        return True

    def writable(self):
        self.say("writable?")
        return self.wants_write

    def handle_read(self):
        self.say(f"read {self.recv(100)!r}")

    def handle_write(self):
        self.say("write")
        self.wants_write = False


class Quiet(Told, asyncore.dispatcher):
    """A predicate that returns a constant, and one that reads an attribute."""

    base = asyncore.dispatcher

    def readable(self):
        return False

    def writable(self):
        return self.wants_write

    def reads(self):
        return False

    def handle_write(self):
        self.say("write")
        self.wants_write = False


class Chat(Told, asynchat.async_chat):
    base = asynchat.async_chat

    def begin(self, sock):
        asynchat.async_chat.__init__(self, sock, self.program.map)
        self.ac_out_buffer_size = 8
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self.say(f"collects {data!r}")

    def found_terminator(self):
        self.say("line")
        self.push(b"answer\n")

    def handle_write(self):
        self.say("write")
        self.initiate_send()

    def fill(self, data):
        if len(data) % 2:
            self.push(data * 3)
        else:
            self.producer_fifo.append(data)


def _other(kind):
    class Other(kind):
        def writable(self):
            self.say("other writable?")
            return kind.writable(self)

    Other.other, kind.other, kind.first, Other.first = kind, Other, kind, kind
    return kind


KINDS = [_other(kind) for kind in (Sender, Asking, Quiet, Chat)]


class Bell(asyncore.dispatcher):
    """The first in the map: what was put off for a predicate or a handler is done in its own."""

    asked = 0
    asked_of = ()  # the channels that were in the map when the pass began

    def __init__(self, program, sock):
        self.program = program
        asyncore.dispatcher.__init__(self, sock, program.map)

    def readable(self):
        self.program.wait_for_deed()
        self.program.say("pass")
        if self.program.inside:
            return True
        self.asked += 1
        self.asked_of = [c for c in self.program.all if c.state == "in"]
        self.work(self.program.in_predicate)
        return True

    def writable(self):
        return False

    def handle_read(self):
        self.program.wait_for_deed()
        self.program.say(f"bell {self.recv(100)!r}")
        if not self.program.inside:
            self.work(self.program.in_handler)

    def work(self, deeds):
        while deeds:
            self.program.do(deeds.pop(0))


class Listener(asyncore.dispatcher):
    def __init__(self, program):
        self.program, self.visitors = program, []
        asyncore.dispatcher.__init__(self, None, program.map)
        self.set_socket(numbered(socket.create_server(("127.0.0.1", 0))), program.map)
        self.accepting = True
        self.address = self.socket.getsockname()

    def visit(self):
        """A client, in the map while it connects."""
        visitor = Client(self.program, None, f"v{len(self.visitors)}")
        self.visitors.append(visitor.socket)
        visitor.buffer = b"GET\n"
        visitor.connect(self.address)
        # The kernel may deliver either event late.
        select.select([self.socket], [], [], 20)
        select.select([], [visitor.socket], [], 20)

    def handle_accept(self):
        self.program.wait_for_deed()
        asyncore.dispatcher.handle_accept(self)

    def handle_accepted(self, sock, addr):
        self.program.say("accepted")
        self.visitors.append(numbered(sock))


class Client(Told, asyncore.dispatcher):
    base = asyncore.dispatcher

    def begin(self, sock):
        asyncore.dispatcher.__init__(self, None, self.program.map)
        self.set_socket(numbered(socket.socket()), self.program.map)

    def writable(self):
        return len(self.buffer) > 0

    def handle_write(self):
        self.say("write")
        self.buffer = self.buffer[self.send(self.buffer) :]

    def handle_read(self):
        self.say(f"read {self.recv(100)!r}")
