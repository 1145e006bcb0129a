"""Runs everything there is to run, as jobs: pytest starts them, and a table ends the run.

A test of this folder is a job. `python` makes it one job for each interpreter, `backend` one for
each backend. The tests of the package itself run in the venvs that the jobs make. Under
pytest-xdist each core has a process that takes one job after the other, the longest first.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import time
from typing import Any, NoReturn

import pytest
from job import Job
from workshop import BUILD, LOGS, MADE, Interpreter, interpreters

PYTHONS = interpreters()
JOB = pytest.StashKey[Job]()
BEGAN = time.monotonic()
# What each job was, how it ended, and after how many seconds.
ENDED: list[tuple[dict[str, Any], str, float]] = []

# These take minutes, in this order; the others are about equal.
LONGEST = ["test_conformance", "test_go_tests", "test_bench", "test_panics", "test_sdist"]


def pytest_configure(config: pytest.Config) -> None:
    # A job leads a session of its own, so it outlives us unless we unwind and end it. The first
    # process runs no job, and lets those unwind that do.
    first = not hasattr(config, "workerinput")
    if first:
        shutil.rmtree(MADE, ignore_errors=True)
    else:
        MADE.mkdir(parents=True, exist_ok=True)
        (MADE / f"{os.getpid()}.pid").touch()

    def end(number: int, frame: object) -> NoReturn:
        for worker in MADE.glob("*.pid") if first else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker.stem), number)
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        found = [at for at, name in enumerate(LONGEST) if item.name.startswith(name)]
        return found[0] if found else len(LONGEST)

    items.sort(key=rank)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" in metafunc.fixturenames:
        metafunc.parametrize("python", PYTHONS, ids=[python.version for python in PYTHONS])
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", ["native", "portable"])


@pytest.fixture(scope="session")
def first_python() -> Interpreter:
    """The interpreter of the jobs that one is enough for."""
    return PYTHONS[0]


@pytest.fixture
def job(request: pytest.FixtureRequest) -> Job:
    words = re.sub(r"[\W_]+$", "", re.sub(r"[\[\]_-]+", " ", request.node.name)).split()[1:]
    made = Job(" ".join(words), LOGS / ("-".join(words) + ".log"))
    request.node.stash[JOB] = made
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    made = item.stash.get(JOB, None)
    if made is not None and (report.when == "call" or report.failed or report.skipped):
        told = {
            "name": made.name,
            "counts": dict(made.counts),
            "reasons": dict(made.reasons),
            "used": made.used() - made.began,
        }
        report.user_properties.append(("job", told))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, told in report.user_properties:
        if name == "job":
            ENDED.append((told, report.outcome, report.duration))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if not ENDED:
        return
    whole = not terminalreporter.config.getoption("keyword") and exitstatus in (0, 1)
    if whole:  # .ci/tests tells the next who waits
        (BUILD / "seconds").write_text(f"{time.monotonic() - BEGAN:.0f}\n")
    write = terminalreporter.write_line
    terminalreporter.section("jobs")
    width = max(len(job["name"]) for job, _, _ in ENDED)
    write(f"{'job':{width}}  result   passed  failed  skipped  seconds  of CPU")
    reasons: dict[str, int] = {}
    for job, outcome, seconds in ENDED:
        # A job that is not a test suite counts as itself, in its result alone.
        counted = ["passed", "failed", "skipped"] if job["counts"] else []
        numbers = "".join(f"{job['counts'].get(kind, 0):8}" for kind in counted) or " " * 24
        write(
            f"{job['name']:{width}}  {outcome:6} {numbers}{seconds:9.1f}{job['used']:8.1f}",
            red=outcome == "failed",
            yellow=outcome == "skipped",
        )
        for reason, number in job["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + number
    if reasons:
        write("")
        write("not run within the jobs, because this machine or this Python lacks something:")
        for reason, number in sorted(reasons.items()):
            write(f"{number:5}  {reason}")
    write("")
    write(f"logs: {LOGS}")
