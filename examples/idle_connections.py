"""Times a message on one connection beside idle ones: python idle_connections.py 5000"""

import asyncore
import resource
import socket
import sys
import time

import goasyncore

MESSAGE = b"x" * 64


class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(8192))


def room(count):
    """Return how many of `count` connections are possible; each needs two descriptors here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 100
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(count, (soft - 100) // 2)


def measure(idle, seconds=0.5):
    """Return the CPU time of an echoed message beside `idle` connections, in microseconds."""
    pairs = [socket.socketpair() for _ in range(idle + 1)]
    for near, _ in pairs:
        Echo(near)
    client = pairs[0][1]

    def message():
        client.send(MESSAGE)
        asyncore.loop(count=1)
        assert client.recv(100) == MESSAGE

    for _ in range(20):
        message()
    began, used, count = time.monotonic(), time.process_time(), 0
    while time.monotonic() - began < seconds:
        message()
        count += 1
    used = time.process_time() - used
    asyncore.close_all()
    for _, far in pairs:
        far.close()
    return 1e6 * used / count


def main():
    counts = [room(int(word)) for word in sys.argv[1:] or ["1", "5000"]]
    times = [f"{measure(idle):,.1f} µs beside {idle:,} idle" for idle in counts]
    print(f"{goasyncore.backend().name}: {', '.join(times)}")


if __name__ == "__main__":
    main()
