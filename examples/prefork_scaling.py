"""Measures prefork_server.py with 1, 2, ... workers: python prefork_scaling.py [WORKERS] [SECONDS].

Prints for each number of workers the requests per second, the CPU time of a request, and the ratio
to one worker. This process generates the load, over connections that each have one request in
progress, so it needs a part of a core too.
"""

import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from prefork_server import cores

SERVER = Path(__file__).resolve().with_name("prefork_server.py")
CONNECTIONS = 64  # for each worker: a few would be distributed unevenly


def requests_in(seconds, address, connections):
    """Keep all connections busy; return the number of responses and the seconds it took."""
    selector = selectors.DefaultSelector()
    for number in range(connections):
        sock = socket.create_connection(address, timeout=20)
        sock.sendall(b"password %d\n" % number)
        selector.register(sock, selectors.EVENT_READ)
    answers = 0
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for key, _ in selector.select(1):
            if not key.fileobj.recv(4096).endswith(b"\n"):
                continue  # the rest of the line is on its way
            answers += 1
            key.fileobj.sendall(b"password %d\n" % answers)
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    selector.close()
    return answers, passed


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(workers, seconds):
    """Return requests per second, and the server's CPU seconds per request, start included."""
    before = children_cpu()
    command = [sys.executable, SERVER, "0", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(re.search(r":(\d+)$", server.stdout.readline().strip()).group(1))
            answers, passed = requests_in(seconds, ("127.0.0.1", port), CONNECTIONS * workers)
        finally:
            server.send_signal(signal.SIGTERM)
    return answers / passed, (children_cpu() - before) / max(answers, 1)


def main(most, seconds):
    print("workers  requests/s  CPU a request  ratio")
    one = None
    for workers in range(1, most + 1):
        rate, cpu = measure(workers, seconds)
        one = one or rate
        print(f"{workers:7} {rate:11.0f} {cpu * 1e6:11.0f} µs {rate / one:6.2f}", flush=True)


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else cores(),
        float(sys.argv[2]) if len(sys.argv) > 2 else 5.0,
    )
