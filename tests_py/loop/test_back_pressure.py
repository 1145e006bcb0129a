"""Servers with back-pressure: open channels that wait for nothing, and peers that send all the
same.

No event of theirs may keep the loop from signals, timeouts and the other channels.
"""

import pytest
from support import run_python

PEERS = 200

SERVER = f"""
import asyncore, signal, socket, sys

use_poll, size, leave = sys.argv[1] == "poll", int(sys.argv[2]), sys.argv[3] == "leave"
count = {PEERS}


class Busy(asyncore.dispatcher):
    wants = False

    def readable(self):
        return self.wants

    def writable(self):
        return False

    def handle_read(self):
        self.recv(1)
        self.wants = False


class Server(asyncore.dispatcher):
    def __init__(self):
        super().__init__()
        self.create_socket()
        self.bind(("127.0.0.1", 0))
        self.listen(count)
        self.served = []

    def handle_accepted(self, sock, address):
        channel = Busy(sock)
        channel.wants = True
        self.served.append(channel)

    def writable(self):
        return False


server = Server()
peers = [socket.create_connection(server.socket.getsockname()) for _ in range(count)]
while len(server.served) < count:
    asyncore.loop(0.1, use_poll, count=1)
asyncore.loop(0, use_poll, count=100)
for channel in server.served:  # registered, and then not waited for
    channel.wants = False
asyncore.loop(0, use_poll, count=100)
for peer in peers:
    peer.sendall(b"x" * size)
    if leave:
        peer.close()


def tell(*what):
    raise asyncore.ExitNow


signal.signal(signal.SIGALRM, tell)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    asyncore.loop(30, use_poll)
except asyncore.ExitNow:
    sys.exit()
sys.exit("nobody was told")
"""


@pytest.mark.parametrize("size", [1, 3000])
@pytest.mark.parametrize("then", ["stay", "leave"])
def test_what_peers_send_to_channels_that_wait_for_nothing_does_not_hold_up_a_signal(
    use_poll, size, then
):
    run_python(SERVER, "poll" if use_poll else "select", size, then)


def test_other_channels_are_served_meanwhile():
    run_python(
        SERVER.replace("signal.setitimer(signal.ITIMER_REAL, 0.2)", "server.add_timer()").replace(
            "class Server(asyncore.dispatcher):",
            """class Server(asyncore.dispatcher):
    def add_timer(self):
        near, far = socket.socketpair()
        far.send(b"x")
        self.far = far

        class Other(asyncore.dispatcher):
            def writable(self):
                return False

            def handle_read(self):
                tell()

        Other(near)
""",
        ),
        "select",
        3000,
        "leave",
    )
