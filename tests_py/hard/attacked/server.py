"""An HTTP server with worker threads, in the manner of those that were built on asyncore.

    python server.py USE_POLL

It prints its port, a line for each SIGTERM, and what leaves its loop. A channel waits for nothing
while a worker has its request, so peers that go on sending do so to a channel that is muted.
"""

import asyncore
import os
import queue
import signal
import socket
import sys
import threading
import time


class Quiet:
    def log_info(self, message, type="info"):
        pass


class Trigger(Quiet, asyncore.file_dispatcher):
    """Ends the loop's wait for the workers."""

    def __init__(self):
        read_end, self.write_end = os.pipe()
        asyncore.file_dispatcher.__init__(self, read_end)
        os.close(read_end)

    def writable(self):
        return False

    def pull(self):
        os.write(self.write_end, b"x")

    def handle_read(self):
        self.recv(8192)


class Channel(Quiet, asyncore.dispatcher):
    def __init__(self, sock):
        self.received, self.unsent, self.requests = b"", b"", []
        self.lock = threading.Lock()
        asyncore.dispatcher.__init__(self, sock)

    def readable(self):
        return not (self.requests or self.unsent)

    def writable(self):
        return bool(self.unsent)

    def handle_read(self):
        self.received += self.recv(8192)
        while b"\r\n\r\n" in self.received:
            request, self.received = self.received.split(b"\r\n\r\n", 1)
            self.requests.append(request)
        if self.requests:
            jobs.put(self)

    def work(self):
        while self.requests:
            if b"/slow" in self.requests[0]:
                time.sleep(0.02)
            size = 4 << 20 if b"/big" in self.requests[0] else 5
            with self.lock:
                self.unsent += b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * size
            self.requests.pop(0)
        trigger.pull()

    def handle_write(self):
        with self.lock:
            self.unsent = self.unsent[self.send(self.unsent[:65536]) :]

    def handle_close(self):
        self.close()

    def handle_error(self):
        self.close()


class Listener(Quiet, asyncore.dispatcher):
    def __init__(self):
        asyncore.dispatcher.__init__(self)
        self.set_socket(socket.create_server(("127.0.0.1", 0), backlog=1024))
        self.accepting = True

    def handle_accepted(self, sock, address):
        Channel(sock)


def work():
    while True:
        jobs.get().work()


def tell(line):
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    jobs, trigger, listener = queue.Queue(), Trigger(), Listener()
    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: tell("signal"))
    tell(listener.socket.getsockname()[1])
    while True:
        try:
            asyncore.loop(1000, sys.argv[1] == "True")
        except Exception as why:
            tell(repr(why))
