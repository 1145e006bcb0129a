"""The cost of a pass in which nothing happens: time_passes.py KIND use_poll|default N SECONDS

Prints the CPU time in seconds that a pass over N channels takes, measured over SECONDS of it.
The channels are of KIND send (dispatcher_with_send), own (a dispatcher with readable() and
writable() of its own) or chat (async_chat). They are UDP sockets that nobody sends to, because such
a channel takes one descriptor where a connection takes two.
"""

import asynchat
import asyncore
import signal
import socket
import sys
import time


class Own(asyncore.dispatcher):
    asleep = True

    def readable(self):
        return self.asleep

    def writable(self):
        return not self.asleep


def main(kind, meaning, number, seconds):
    signal.alarm(60)
    channel = {"send": asyncore.dispatcher_with_send, "own": Own, "chat": asynchat.async_chat}[kind]
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1", 0))
    for _ in range(number):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(peer.getsockname())
        channel(sock)
    passes, spent = 1, 0.0
    # The runs before the last are the warm-up.
    while spent < seconds:
        passes *= 2
        start = time.process_time()
        asyncore.loop(timeout=0, use_poll=meaning == "use_poll", count=passes)
        spent = time.process_time() - start
    print(spent / passes)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
