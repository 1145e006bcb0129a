"""What is measured: each case knows its unit and how to measure it on one server."""

from __future__ import annotations

import json
import os
import socket
import ssl
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from machine import Machine
from servers import Server, run, run_program, serving

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    loadgen: Path
    machine: Machine
    warm: float  # seconds
    window: float  # seconds
    starts: int  # fresh processes for one measurement of an import


@dataclass(frozen=True)
class Measurement:
    """The cost of one operation, and how it was measured."""

    cost: float  # seconds of the server's CPU time; of memory, bytes
    rate: float | None = None  # operations per second
    server_busy: float | None = None  # parts of the window that the process was on its core
    generator_busy: float | None = None
    memory: int | None = None  # resident bytes of the server when the window closed
    about: str | None = None


@dataclass(frozen=True)
class Traffic:
    """Load from outside, over the loopback network."""

    key: str
    title: str
    unit: str
    load: str
    active: int = 1
    idle: int = 0
    per: int = 1  # what the generator counts, in one operation
    rate_unit: str = "1/s"

    def possible(self, server: Server) -> bool:
        return server.limit is None or self.active + self.idle < server.limit

    def measure(self, server: Server, settings: Settings) -> Measurement:
        machine = settings.machine
        # An asyncore server accepts the idle ones before its loop begins, so none are checked.
        blind = ["-blind"] if server.is_asyncore else []
        preaccepted = self.idle if server.is_asyncore else 0
        with serving(server, machine.server_core, self.load, preaccepted) as running:
            command = [
                str(settings.loadgen), *blind,
                "-load", self.load,
                "-port", str(running.port),
                "-server", str(running.pid),
                "-active", str(self.active),
                "-idle", str(self.idle),
                "-warm", f"{settings.warm}s",
                "-duration", f"{settings.window}s",
                "-at-least", "5",
            ]  # fmt: skip
            told = json.loads(run(command, machine.generator_core, dict(os.environ), 60))
        operations, seconds = told["operations"] / self.per, told["seconds"]
        return Measurement(
            cost=told["server_cpu"] / operations,
            rate=operations / seconds,
            server_busy=told["server_cpu"] / seconds,
            generator_busy=told["generator_cpu"] / seconds,
            memory=told["server_memory"],
            about=running.about,
        )


def ran(pid: int) -> float:
    """Return the seconds that all threads of a process have run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@dataclass(frozen=True)
class Sparse:
    """A message from time to time, because a busy server hides the cost of a wait."""

    key: str
    title: str
    gap: float  # seconds
    unit: str = "µs/message"

    def possible(self, server: Server) -> bool:
        return True

    def measure(self, server: Server, settings: Settings) -> Measurement:
        messages = max(4, int(settings.window / self.gap))
        serve = serving(server, settings.machine.server_core, "echo", 0)
        with serve as running, socket.create_connection(("127.0.0.1", running.port)) as client:
            for number in range(messages + 1):
                if number == 1:  # the first is for what a server does once
                    began = ran(running.pid)
                client.sendall(b"x")
                client.recv(1)
                time.sleep(self.gap)
            return Measurement((ran(running.pid) - began) / messages, about=running.about)


@dataclass(frozen=True)
class Exchange:
    """A message on each of some sockets, then the answers: for what the generator cannot do."""

    key: str
    title: str
    load: str  # udp, tls, threads-N
    sockets: int = 8
    unit: str = "µs/message"

    def possible(self, server: Server) -> bool:
        return server.is_asyncore

    def connect(self, port: int) -> socket.socket:
        kind = socket.SOCK_DGRAM if self.load == "udp" else socket.SOCK_STREAM
        client = socket.socket(type=kind)
        client.settimeout(30)
        client.connect(("127.0.0.1", port))
        return client

    def shake_hands(self, client: socket.socket) -> socket.socket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("AECDH:@SECLEVEL=0")  # as in programs/serve_asyncore.py
        return context.wrap_socket(client)

    def measure(self, server: Server, settings: Settings) -> Measurement:
        accepted = 0 if self.load == "udp" else self.sockets  # before the loop begins
        with (
            serving(server, settings.machine.server_core, self.load, accepted) as running,
            ExitStack() as stack,
        ):
            clients = [self.connect(running.port) for _ in range(self.sockets)]
            if self.load == "tls":
                clients = [self.shake_hands(client) for client in clients]
            for client in clients:
                stack.enter_context(client)
            exchanges = -1  # the first is for what a server does once
            began = ended = 0.0
            while exchanges < 1 or time.monotonic() < ended:
                if exchanges == 0 and not ended:
                    began, ended = ran(running.pid), time.monotonic() + settings.window
                for client in clients:
                    client.send(b"x" * 64)
                for client in clients:
                    client.recv(64)
                exchanges += 1
            spent = ran(running.pid) - began
            return Measurement(spent / exchanges / self.sockets, about=running.about)


@dataclass(frozen=True)
class Passes:
    """Passes of asyncore's loop over idle channels."""

    key: str
    title: str
    kind: str
    number: int
    unit: str = "µs/pass"

    def possible(self, server: Server) -> bool:
        return server.is_asyncore and (server.limit is None or self.number < server.limit)

    def measure(self, server: Server, settings: Settings) -> Measurement:
        told = run_program(
            server, settings.machine.server_core, "time_passes.py",
            self.kind, server.mode, str(self.number), str(settings.window),
        )  # fmt: skip
        return Measurement(float(told))


@dataclass(frozen=True)
class Start:
    """Fresh processes that import, and perhaps run one pass."""

    key: str
    title: str
    what: str  # import or pass
    unit: str = "ms"

    def possible(self, server: Server) -> bool:
        return True

    def measure(self, server: Server, settings: Settings) -> Measurement:
        core = settings.machine.server_core
        arguments = ("time_import.py", self.what, server.module)
        told = [run_program(server, core, *arguments) for _ in range(settings.starts)]
        return Measurement(statistics.median(map(float, told)))


Case = Traffic | Sparse | Exchange | Passes | Start


@dataclass(frozen=True)
class Sizes:
    active: list[int]
    idle: list[int]  # ascending, from 0
    passes: list[int]


def cases(sizes: Sizes) -> list[Case]:
    """Return all cases, in the order of each round."""
    message = "µs/message"
    found: list[Case] = [
        Traffic(f"echo-{n}", f"echo, {n:,} active", message, "echo", n) for n in sizes.active
    ]
    found += [
        Traffic(f"idle-{n}", f"echo, 1 active beside {n:,} idle", message, "echo", 1, n)
        for n in sizes.idle
    ]
    found += [
        Traffic("churn", "connect, echo, close", "µs/connection", "churn", 10),
        Traffic("in", "stream in", "µs/MiB", "in", per=MIB, rate_unit="MiB/s"),
        Traffic("out", "stream out", "µs/MiB", "out", per=MIB, rate_unit="MiB/s"),
        Traffic("lines", "lines, 100 active, 16 under way each", "µs/line", "lines", 100),
    ]
    found += [
        Sparse(f"sparse-{gap}", f"echo, a message every {gap} ms", gap / 1000)
        for gap in (5, 20, 100)
    ]
    found += [
        Exchange("udp", "UDP echo, 8 sockets", "udp"),
        Exchange("tls", "TLS echo, 8 connections", "tls"),
    ]
    found += [
        Exchange(f"threads-{n}", f"echo, {n} loops in {n} threads", f"threads-{n}", max(8, n))
        for n in (2, 4, 8, 16)
    ]
    kinds = {"send": "dispatcher_with_send", "chat": "async_chat", "own": "own predicates"}
    found += [
        Passes(f"pass-{kind}-{n}", f"pass over {n:,} idle, {name}", kind, n)
        for n in sizes.passes
        for kind, name in kinds.items()
    ]
    found += [
        Start("import", "import", "import"),
        Start("start", "import and first pass", "pass"),
    ]
    return found
