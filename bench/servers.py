"""The servers that are compared, and the processes they run in."""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
LIFETIME = 120  # seconds after which a server exits, even if its parent is gone
START = 30  # seconds within which one must start


class Failed(Exception):
    """A process of the benchmark failed."""


@dataclass(frozen=True)
class Server:
    name: str
    python: str
    module: str  # asyncore, asyncio or uvloop
    use_poll: bool = False
    limit: int | None = None  # descriptors that it can wait for
    backend: str | None = None  # of ours

    @property
    def is_asyncore(self) -> bool:
        return self.module == "asyncore"

    @property
    def mode(self) -> str:
        if self.is_asyncore:
            return "use_poll" if self.use_poll else "default"
        return self.module

    def environment(self) -> dict[str, str]:
        """Return the environment without Python's own variables; ours selects the backend."""
        mine = ("PYTHON", "GOASYNCORE_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
        return {**kept, "GOASYNCORE_BACKEND": self.backend} if self.backend else kept


BASELINE = "pyasyncore poll"


def servers(ours: str, peers: str) -> list[Server]:
    """Return all servers; `ours` and `peers` are the Pythons that have them installed."""
    return [
        Server("goasyncore", ours, "asyncore", backend="native"),
        Server("goasyncore portable", ours, "asyncore", use_poll=True, backend="portable"),
        Server(BASELINE, peers, "asyncore", use_poll=True),
        # select() refuses descriptors above this number; some belong to the interpreter.
        Server("pyasyncore select", peers, "asyncore", limit=1010),
        Server("asyncio", peers, "asyncio"),
        Server("uvloop", peers, "uvloop"),
    ]


def start(command: list[str], core: int, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # The core is selected before there are threads, which would have to be moved one by one.
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )


def run(command: list[str], core: int, env: dict[str, str], seconds: float) -> str:
    """Run a program of the benchmark to its end and return what it printed."""
    with start(command, core, env) as process:
        try:
            told, complaint = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"not done after {seconds:.0f} s: {' '.join(command)}") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise Failed(f"status {process.returncode}: {' '.join(command)}\n{complaint}")
    return told


def run_program(server: Server, core: int, program: str, *arguments: str) -> str:
    """Run one of the programs that measure themselves, in the server's Python."""
    command = [server.python, str(PROGRAMS / program), *arguments]
    return run(command, core, server.environment(), LIFETIME)


@dataclass(frozen=True)
class Running:
    pid: int
    port: int
    about: str


@contextmanager
def serving(server: Server, core: int, load: str, idle: int) -> Iterator[Running]:
    """Let `server` serve `load` for the time of the block."""
    program = "serve_asyncore.py" if server.is_asyncore else "serve_asyncio.py"
    command = [server.python, str(PROGRAMS / program), load, server.mode, str(idle), str(LIFETIME)]
    with start(command, core, server.environment()) as process:
        assert process.stdout and process.stderr
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                line = process.stdout.readline() if selector.select(START) else ""
            if not line:
                raise Failed(f"it did not start serving {load}")
            port, about = line.split(maxsplit=1)
            yield Running(process.pid, int(port), about.strip())
        except Failed as failed:
            process.kill()
            said = process.stdout.read() + process.stderr.read()
            raise Failed(f"{failed}\n{server.name} said:\n{said}") from None
        finally:
            process.kill()
