"""Runs the other examples against each other on the loopback interface and prints the results."""

import asyncore
import filecmp
import functools
import http.server
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import goasyncore
from echo_client import EchoClient
from file_copy import copy
from http_client import HTTPClient

HERE = Path(__file__).resolve().parent


def echo():
    """Start the echo server as a separate program and talk to it."""
    command = [sys.executable, HERE / "echo_server.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            host, port = server.stdout.readline().split()[-1].split(":")
            message = b"Hello, asyncore! " * 4096
            clients = [EchoClient(host, int(port), message) for _ in range(10)]
            asyncore.loop(timeout=10)
        finally:
            server.terminate()
    good = all(client.received == message for client in clients)
    size = sum(len(client.received) for client in clients)
    return good, f"{len(clients)} clients sent and got back {size} bytes ({host}:{port})"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def page(folder):
    """Fetch a page from the standard library's HTTP server."""
    body = "<h1>It works</h1>\n"
    (folder / "index.html").write_text(body)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = HTTPClient("127.0.0.1", "/index.html", server.server_port)
        asyncore.loop(timeout=10)
        server.shutdown()
    header, _, got = client.response.decode().partition("\r\n\r\n")
    status = header.partition("\r\n")[0]
    return " 200 " in status and got == body, f"{status}, {len(got)} bytes of body"


def files(folder):
    """Copy a file through two file_dispatchers and compare."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(bytes(range(256)) * 8192)
    copy(source, target)
    good = filecmp.cmp(source, target, shallow=False)
    verdict = "identical" if good else "DIFFERENT"
    return good, f"{target.stat().st_size} bytes copied, {verdict}"


def timer():
    """Let a loop that waits call a function after a quarter of a second."""
    near, far = socket.socketpair()
    channel = asyncore.dispatcher_with_send(near)
    began = time.monotonic()
    goasyncore.call_later(0.25, channel.close)
    asyncore.loop(timeout=10)
    seconds = time.monotonic() - began
    far.close()
    return 0.25 <= seconds < 5, f"asked for 0.250 s, called after {seconds:.3f} s"


def idle(backend):
    """Time a message beside 1 and beside 5,000 idle connections, in a separate process."""
    done = subprocess.run(
        [sys.executable, HERE / "idle_connections.py", "1", "5000"],
        env={**os.environ, "GOASYNCORE_BACKEND": backend}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode == 0, (done.stdout or done.stderr).strip().rpartition("\n")[2]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = {
            "echo server": echo(),
            "HTTP client": page(folder),
            "file_dispatcher": files(folder),
            "timer": timer(),
        }
    for subject, (good, told) in results.items():
        print(f"{subject:16} {'ok' if good else 'FAILED':7} {told}")
    backend = goasyncore.backend()
    print(
        f"{'served by':16} {backend.name} backend, {backend.poller} "
        f"({platform.python_implementation()} {platform.python_version()}; {backend.reason})"
    )
    print("\nWhat a message costs, there and back, on one of many connections:", flush=True)
    for name in dict.fromkeys([backend.name, "portable"]):
        results[name] = idle(name)
        print(f"  {results[name][1]}", flush=True)
    return 0 if all(good for good, _ in results.values()) and not asyncore.socket_map else 1


if __name__ == "__main__":
    sys.exit(main())
