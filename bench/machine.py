"""The machine under the benchmark: its cores, its limit of open files, its name."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

SPARE_FILES = 100
"""Descriptors that a server or generator needs in addition to the connections."""


@dataclass(frozen=True)
class Machine:
    server_core: int
    generator_core: int
    open_files: int
    name: str

    @property
    def shared_core(self) -> bool:
        return self.server_core == self.generator_core

    def connections(self, wanted: int) -> int:
        """Return as many of the wanted connections as a process may have open."""
        return min(wanted, self.open_files - SPARE_FILES)


def siblings(core: int) -> set[int]:
    """Return the numbers that the system has for one physical core."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        text = path.read_text()
    except OSError:
        return {core}
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def find_machine() -> Machine:
    """Choose the cores and raise this process's limit, which those it starts inherit."""
    cores = sorted(os.sched_getaffinity(0))
    server = cores[0]
    others = [core for core in cores if core != server]
    apart = [core for core in others if core not in siblings(server)]
    generator = (apart or others or [server])[-1]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    number = "1 core" if len(cores) == 1 else f"{len(cores)} cores"
    name = f"{processor()}, {number}, Linux {platform.release()}"
    return Machine(server, generator, hard, name)
