"""A server on all cores: python prefork_server.py [PORT] [WORKERS]   (0 selects a free port).

Each worker is a process with its own loop and its own listening socket. All of them use one port
(SO_REUSEPORT), and the kernel distributes the connections over them. The server answers each line
with a key derived from it, which takes about a millisecond, so one core would soon be busy.

Linux distributes the connections evenly; on other systems the last worker may get them all.

The parent imports asyncore and forks before any loop has run, so that each worker loads its own
engine. It restarts a worker that has died, and ends all of them on SIGTERM or Ctrl-C.
"""

import asynchat
import asyncore
import hashlib
import os
import signal
import socket
import sys
import time

ROUNDS = 2000


def cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def work(line):
    return hashlib.pbkdf2_hmac("sha256", line, b"salt", ROUNDS).hex().encode()


class Client(asynchat.async_chat):
    """One connection: a line in, a line out."""

    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(b"\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.push(work(self._get_data()) + b"\n")


class Listener(asyncore.dispatcher):
    """The listening channel of a worker."""

    def __init__(self, address):
        super().__init__(bound(address))
        self.listen(1024)

    def handle_accepted(self, sock, addr):
        Client(sock)


def bound(address):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    return sock


def start(address, ready):
    """Fork a worker; it writes a byte to `ready` when it listens. Returns its process number."""
    worker = os.fork()
    if worker:
        return worker
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        Listener(address)
        os.write(ready, b".")
        asyncore.loop()
        status = 0
    finally:
        os._exit(status)


def serve(port, count):
    """Keep `count` workers running until a signal raises SystemExit."""
    # Reserves the port and never listens: it gets no connection, and no other user can bind it.
    holder = bound(("127.0.0.1", port))
    address = holder.getsockname()
    heard, ready = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, lambda *_: sys.exit())
    workers = set()
    try:
        for _ in range(count):
            add(workers, address, ready)
        for _ in range(count):
            os.read(heard, 1)
        print(f"{count} workers listening on {address[0]}:{address[1]}", flush=True)
        while True:
            died, status = os.wait()
            workers.discard(died)
            code = os.waitstatus_to_exitcode(status)
            print(f"worker {died} ended ({code}); starting another", flush=True)
            time.sleep(0.1)  # a worker that cannot start must not keep a core busy
            add(workers, address, ready)
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGTERM)
        for worker in workers:
            os.waitpid(worker, 0)


def add(workers, address, ready):
    # A signal between the fork and the addition would leave a worker that is never ended.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        workers.add(start(address, ready))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


if __name__ == "__main__":
    serve(
        int(sys.argv[1]) if len(sys.argv) > 1 else 8080,
        int(sys.argv[2]) if len(sys.argv) > 2 else cores(),
    )
