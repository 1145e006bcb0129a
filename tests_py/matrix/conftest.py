"""Runs everything there is to run, as jobs: pytest starts them, and a table ends the run.

A test of this folder is a job. `python` makes it one job for each interpreter, `backend` one for
each backend. The tests of the package itself run in the venvs that the jobs make.
"""

from __future__ import annotations

import re
import signal
import sys
import time

import pytest
from job import Job
from workshop import BUILD, LOGS, Interpreter, Workshop, interpreters

PYTHONS = interpreters()
JOB = pytest.StashKey[Job]()
BEGAN = time.monotonic()
JOBS: list[tuple[Job, str, float]] = []


def pytest_configure() -> None:
    # A job leads a session of its own, so it outlives us unless we unwind and end it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "python" in metafunc.fixturenames:
        metafunc.parametrize("python", PYTHONS, ids=[python.version for python in PYTHONS])
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", ["native", "portable"])


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    return Workshop()


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
        JOBS.append((made, report.outcome, call.duration))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    if not JOBS:
        return
    whole = not terminalreporter.config.getoption("keyword") and exitstatus in (0, 1)
    if whole:  # .ci/tests tells the next who waits
        (BUILD / "seconds").write_text(f"{time.monotonic() - BEGAN:.0f}\n")
    write = terminalreporter.write_line
    terminalreporter.section("jobs")
    width = max(len(job.name) for job, _, _ in JOBS)
    write(f"{'job':{width}}  result   passed  failed  skipped  seconds")
    reasons: dict[str, int] = {}
    for job, outcome, seconds in JOBS:
        # A job that is no test suite counts as itself, in its result alone.
        counted = ["passed", "failed", "skipped"] if job.counts else []
        numbers = "".join(f"{job.counts[kind]:8}" for kind in counted) or " " * 24
        write(
            f"{job.name:{width}}  {outcome:6} {numbers}{seconds:10.1f}",
            red=outcome == "failed",
            yellow=outcome == "skipped",
        )
        for reason, number in job.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + number
    if reasons:
        write("")
        write("not run within the jobs, because this machine or this Python lacks something:")
        for reason, number in sorted(reasons.items()):
            write(f"{number:5}  {reason}")
    write("")
    write(f"logs: {LOGS}")
