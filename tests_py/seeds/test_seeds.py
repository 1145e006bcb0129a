"""The code blocks of the documentation run unchanged.

The texts lie in a folder beside the checkout, or in GOASYNCORE_SEEDS. Their programs name a web
server and a port; where these lead to is changed from outside, in a sitecustomize module.
"""

import http.server
import os
import pathlib
import select
import socket
import subprocess
import sys
import textwrap
import threading

import pytest
from blocks import blocks_of, kind_of
from support import LIMIT, receive_exactly

FOLDER = pathlib.Path(
    os.environ.get("GOASYNCORE_SEEDS")
    or pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "seeds"
)
BLOCKS = [
    pytest.param(block, id=f"{path.stem}-{number}")
    for path in sorted(FOLDER.glob("*.txt"))
    for number, block in enumerate(blocks_of(path.read_text(encoding="utf-8")), 1)
]
if not BLOCKS:
    reason = f"the documentation's texts are not here: {FOLDER}"
    BLOCKS = [pytest.param("", marks=pytest.mark.skip(reason=reason), id="none")]

# Runs in the child before its program: www.python.org is our server, 8080 is a free port.
ELSEWHERE = """
import os, socket

web = "127.0.0.1", int(os.environ["SEEDS_WEB_PORT"])

def connect_ex(self, address, original=socket.socket.connect_ex):
    return original(self, web if address == ("www.python.org", 80) else address)

def bind(self, address, original=socket.socket.bind):
    assert address == ("localhost", 8080), address
    original(self, ("127.0.0.1", 0))

def listen(self, number, original=socket.socket.listen):
    original(self, number)
    os.write(int(os.environ["SEEDS_REPORT"]), b"%d\\n" % self.getsockname()[1])

socket.socket.connect_ex = connect_ex
socket.socket.bind = bind
socket.socket.listen = listen
"""

PAGE = b"<p>a page</p>" * 2000


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append((self.path, self.headers["Host"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args):
        pass


@pytest.fixture
def web():
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def start(web, tmp_path):
    """start(code) runs a program and gives (process, the descriptor it reports its port to)."""
    (tmp_path / "sitecustomize.py").write_text(ELSEWHERE)
    running = []
    report, told = os.pipe()

    def start(code):
        program = tmp_path / "program.py"
        program.write_text(code, encoding="utf-8")
        path = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-u", "-W", "ignore::DeprecationWarning", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[told],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(part for part in path if part),
                "SEEDS_WEB_PORT": str(web.server_port),
                "SEEDS_REPORT": str(told),
            },
        )
        running.append(process)
        return process, report

    yield start
    for process in running:
        process.kill()
        process.communicate()
    os.close(report)
    os.close(told)


def fetches_a_page(block, start, web):
    process, _ = start(block)
    output, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, output
    # The program prints the bytes as it reads them, a chunk a line.
    lines = [eval(line) for line in output.decode().splitlines() if line.startswith("b'")]
    assert b"".join(lines).endswith(PAGE), output
    assert web.requests == [("/", "www.python.org")]


def echoes(block, start, web):
    process, report = start(block)
    ready, _, _ = select.select([report], [], [], LIMIT)
    assert ready, "the server does not listen"
    port = int(os.read(report, 100))
    message = os.urandom(50_000)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            sender = threading.Thread(target=client.sendall, args=(message,))
            sender.start()
            assert receive_exactly(client, len(message)) == message
            sender.join()
            address = client.getsockname()
        line = process.stdout.readline()
        assert line.decode() == f"Incoming connection from {address!r}\n"
    assert process.poll() is None


def sends_its_buffer(block, start, web):
    """A method by itself: defined in a channel, run by the loop."""
    import asyncore

    space = {"asyncore": asyncore}
    exec("class Channel(asyncore.dispatcher):\n" + textwrap.indent(block, "    "), space)
    near, far = socket.socketpair()
    far.settimeout(LIMIT)
    channels = {}
    channel = space["Channel"](near, channels)
    channel.buffer = os.urandom(1000)
    expected = channel.buffer
    channel.readable = lambda: False
    channel.writable = lambda: bool(channel.buffer)
    asyncore.loop(LIMIT, map=channels, count=1)
    assert receive_exactly(far, 1000) == expected
    assert channel.buffer == b""
    channel.close()
    far.close()


@pytest.mark.parametrize("block", BLOCKS)
def test_the_documented_program_runs(block, start, web):
    kind = kind_of(block)
    if kind == "python 2":
        pytest.skip("a Python 2 program: it has print statements")
    {"client": fetches_a_page, "server": echoes, "method": sends_its_buffer}[kind](
        block, start, web
    )
