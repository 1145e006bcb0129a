"""A chat server: python chat_server.py [PORT]   (0 selects a free port).

Talk to it with telnet or nc. The first line a client sends is its name; each further line goes to
all the others. `/quit` leaves.
"""

import asynchat
import asyncore
import sys


class Guest(asynchat.async_chat):
    """One client: a line at a time, because the terminator is the end of a line."""

    LONGEST = 1000  # bytes; a client that sends no line end must not fill our memory

    def __init__(self, sock, room):
        super().__init__(sock)
        self.room = room
        self.name = None
        self.size = 0
        self.set_terminator(b"\n")
        self.push(b"Your name?\r\n")

    def collect_incoming_data(self, data):
        self.size += len(data)
        if self.size > self.LONGEST:
            self.leave()
        else:
            self._collect_incoming_data(data)

    def found_terminator(self):
        line = self._get_data().decode("utf-8", "replace").strip()
        self.size = 0
        if line == "/quit":
            self.push(b"Bye.\r\n")
            self.leave()
        elif self.name is None:
            self.name = line or "somebody"
            self.room.enter(self)
        elif line:
            self.room.say(f"{self.name}: {line}", but=self)

    def leave(self):
        self.room.leave(self)
        self.close_when_done()

    def handle_close(self):
        self.room.leave(self)
        self.close()


class Room:
    """The guests. This class knows nothing about sockets."""

    def __init__(self):
        self.guests = []

    def enter(self, guest):
        self.guests.append(guest)
        self.say(f"* {guest.name} is here")

    def leave(self, guest):
        if guest in self.guests:
            self.guests.remove(guest)
            self.say(f"* {guest.name} has left")

    def say(self, text, but=None):
        # A copy, because push() may find that a guest has hung up, and then the guest leaves.
        for guest in self.guests[:]:
            if guest is not but:
                guest.push(text.encode() + b"\r\n")


class ChatServer(asyncore.dispatcher):
    """Listens, and makes a guest in the room for each connection."""

    def __init__(self, host, port):
        super().__init__()
        self.room = Room()
        self.create_socket()
        self.set_reuse_addr()
        self.bind((host, port))
        self.listen(100)

    def handle_accepted(self, sock, addr):
        Guest(sock, self.room)


if __name__ == "__main__":
    server = ChatServer("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 6666)
    host, port = server.socket.getsockname()
    print(f"listening on {host}:{port}", flush=True)
    asyncore.loop()
