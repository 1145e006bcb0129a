"""The programs in examples/, each run as its first line tells and talked to."""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import LIMIT, listener, receive_exactly

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.ours_only("3.11 warns of the modules on its way")


class Program:
    """An example that runs until the test ends; what it prints comes line by line."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            # A debug build of CPython would tell of the sockets that a signal left open.
            [sys.executable, "-W", "ignore::ResourceWarning", "-uP", EXAMPLES / name]
            + [str(argument) for argument in arguments],
            # -P: what is installed is what runs; an example may build on another one, though.
            env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.watchdog = threading.Timer(LIMIT, self.process.kill)
        self.watchdog.start()

    def line(self):
        """The next line; a program that ended, or is stuck and was killed, fails the test."""
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the program ended:\n{self.process.stderr.read()}")
        return line.rstrip("\n")

    def address(self):
        host, port = re.search(r" ([\d.]+):(\d+)$", self.line()).groups()
        return host, int(port)

    def end(self, number=signal.SIGTERM):
        """End the program; what it said on standard error."""
        self.process.send_signal(number)
        told = self.process.communicate()[1]
        self.watchdog.cancel()
        return told


@pytest.fixture
def program():
    started = []

    def start(name, *arguments):
        started.append(Program(name, *arguments))
        return started[-1]

    yield start
    # What is told here is a traceback or a log line: each example has none when all goes well.
    told = [each.end() for each in started if each.process.returncode is None]
    assert told == [""] * len(told)


@pytest.fixture
def connect(closing):
    return lambda address: closing(socket.create_connection(address, timeout=LIMIT))


def lines_of(sock):
    return sock.makefile("rw", encoding="utf-8", newline="\r\n")


def test_chat_server_passes_lines_to_the_others(program, connect):
    address = program("chat_server.py", 0).address()
    guests = {}
    for name in ("Ann", "Bob"):
        guests[name] = lines_of(connect(address))
        assert guests[name].readline() == "Your name?\r\n"
        guests[name].write(f"{name}\r\n")
        guests[name].flush()
        assert guests[name].readline() == f"* {name} is here\r\n"
    assert guests["Ann"].readline() == "* Bob is here\r\n"
    guests["Ann"].write("hello\r\n")
    guests["Ann"].flush()
    assert guests["Bob"].readline() == "Ann: hello\r\n"
    guests["Bob"].write("/quit\r\n")
    guests["Bob"].flush()
    assert guests["Bob"].read() == "Bye.\r\n"
    # Her own line did not come back to her.
    assert guests["Ann"].readline() == "* Bob has left\r\n"


def test_chat_server_shows_endless_lines_the_door(program, connect):
    address = program("chat_server.py", 0).address()
    guest = connect(address)
    guest.sendall(b"x" * 5000)
    with contextlib.suppress(ConnectionResetError):  # it hung up on what we were still saying
        assert receive_exactly(guest, 100) == b"Your name?\r\n"


def test_beside_asyncio_serves_old_and_new(program, connect):
    server = program("beside_asyncio.py", 0, 0)
    chat, page = server.address(), server.address()
    guest = lines_of(connect(chat))
    assert guest.readline() == "Your name?\r\n"
    guest.write("Ann\r\n")
    guest.flush()
    assert guest.readline() == "* Ann is here\r\n"
    client = connect(page)
    client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    status, _, rest = client.makefile("rb").read().partition(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert b"guests: 1\n" in rest
    assert int(re.search(rb"passes: (\d+)", rest).group(1)) > 0
    assert guest.readline() == "* somebody looks at the status page\r\n"
    connect(page).close()  # one that asks nothing
    client = connect(page)
    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert b"guests: 1\n" in client.makefile("rb").read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl program to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    # As the example's own text says.
    text = (EXAMPLES / "tls_echo_server.py").read_text()
    command = re.search(r"^ +(openssl .*)$", text, re.MULTILINE).group(1).split()
    files = {"KEY": folder / "key", "CERTIFICATE": folder / "certificate"}
    command = [files.get(word, word) for word in command]
    more = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *more], check=True, capture_output=True, timeout=LIMIT)
    return files["CERTIFICATE"], files["KEY"]


def test_tls_echo_server_echoes(program, certificate, connect):
    address = program("tls_echo_server.py", *certificate, 0).address()
    context = ssl.create_default_context(cafile=certificate[0])
    idle = connect(address)  # one that never shakes hands holds nobody up
    message = bytes(range(256)) * 2048
    with context.wrap_socket(connect(address), server_hostname="localhost") as client:
        # Both ways at once, in one thread: two cannot share a TLS connection (openssl#17377).
        client.setblocking(False)
        sent, received = 0, b""
        while len(received) < len(message):
            waits = [client], [client] if sent < len(message) else [], []
            assert any(select.select(*waits, LIMIT)), (sent, len(received))
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sent += client.send(message[sent : sent + 65536]) if sent < len(message) else 0
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while True:
                    part = client.recv(65536)
                    assert part, (sent, len(received))
                    received += part
        assert received == message
    idle.close()


def test_tls_echo_server_survives_a_plain_client(program, certificate, connect):
    server = program("tls_echo_server.py", *certificate, 0)
    address = server.address()
    plain = connect(address)
    plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        while plain.recv(4096):  # TLS's alert
            pass
    assert server.line().startswith("error: no handshake: ")
    context = ssl.create_default_context(cafile=certificate[0])
    with context.wrap_socket(connect(address), server_hostname="localhost") as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"


def test_tcp_proxy_passes_both_directions_and_their_ends(program, connect, closing):
    server = closing(listener())
    address = program("tcp_proxy.py", *server.getsockname(), 0).address()
    client = connect(address)
    far = closing(server.accept()[0])
    far.settimeout(LIMIT)
    question, answer = b"q" * 3_000_000, b"a" * 3_000_000  # more than is kept in memory

    def ask():
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)

    asking = threading.Thread(target=ask)
    asking.start()
    assert receive_exactly(far, len(question) + 1) == question  # and the end
    asking.join()
    # One direction has ended; the other is still open.
    answering = threading.Thread(target=lambda: (far.sendall(answer), far.close()))
    answering.start()
    assert receive_exactly(client, len(answer) + 1) == answer
    answering.join()


def test_tcp_proxy_hangs_up_when_nobody_answers(program, connect):
    with listener() as server:
        target = server.getsockname()
    proxy = program("tcp_proxy.py", *target, 0)
    address = proxy.address()
    for _ in range(2):
        assert connect(address).recv(1) == b""
        assert proxy.line().startswith("error: ")


def test_prefork_server_answers_from_each_worker(program, connect):
    count = 2
    server = program("prefork_server.py", 0, count)
    address = server.address()
    answers = set()
    for _ in range(8):
        with connect(address) as client:
            client.sendall(b"password\n")
            answers.add(client.makefile("rb").readline())
    (answer,) = answers
    assert re.fullmatch(rb"[0-9a-f]{64}\n", answer)
    workers = children(server.process.pid)
    if workers is not None:
        assert len(workers) == count
        os.kill(workers[0], signal.SIGKILL)
        assert server.line() == f"worker {workers[0]} ended (-9); starting another"
    assert server.end() == ""
    # The last worker has gone with its parent.
    with pytest.raises(ConnectionRefusedError):
        connect(address)


def children(parent):
    """The numbers of a process's children, where the system tells."""
    try:
        return [
            int(number)
            for number in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        ]
    except OSError:
        return None


def test_prefork_scaling_prints_a_line_for_each_number_of_workers():
    command = [sys.executable, EXAMPLES / "prefork_scaling.py", "2", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * LIMIT)
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split()[0] == "workers"
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert all(float(line.split()[1]) > 0 for line in lines)


def test_tail_file_prints_what_is_appended(program, tmp_path):
    if shutil.which("tail") is None:
        pytest.skip("no tail program")
    file = tmp_path / "log"
    file.write_text("first\n")
    tail = program("tail_file.py", file)
    assert tail.line() == "first"
    with file.open("a") as log:
        log.write("second\nhalf a")
        log.flush()
        assert tail.line() == "second"
        log.write(" line\n")
        log.flush()
        assert tail.line() == "half a line"
    assert tail.end(signal.SIGINT) == ""


def test_echo_server_and_client():
    server = Program("echo_server.py", 0)
    host, port = server.address()
    command = [sys.executable, "-P", EXAMPLES / "echo_client.py", host, str(port), "Hello there"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    server.end()
    assert (done.stdout, done.stderr) == ("Hello there\n", "")


def test_each_example_is_tested_here():
    names = {path.name for path in EXAMPLES.glob("*.py")} - {"demo.py"}
    told = Path(__file__).read_text() + (EXAMPLES / "demo.py").read_text()
    assert names
    assert [name for name in names if name.removesuffix(".py") not in told] == []
