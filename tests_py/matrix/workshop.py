"""What the jobs share: for each Python one wheel and one venv, each made when first asked for.

Jobs run in several processes, so files tell them what has been made, and locks who is making it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job import Job, clean_environment

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "tests"
LOGS = ROOT / "build" / "logs"
MADE = BUILD / "made"  # what this run has made so far
PIP = ["-m", "pip", "--disable-pip-version-check"]


@dataclasses.dataclass(frozen=True)
class Interpreter:
    version: str  # "3.12"
    path: str

    @property
    def tag(self) -> str:
        return "cp" + self.version.replace(".", "")


def interpreters() -> list[Interpreter]:
    """Those that .ci/pythons finds, oldest first."""
    found = os.environ.get("GOASYNCORE_PYTHONS")
    if not found:
        found = subprocess.run(
            [ROOT / ".ci" / "pythons"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    return [Interpreter(*line.split(maxsplit=1)) for line in found.splitlines()]


@contextlib.contextmanager
def alone(with_what: str) -> Iterator[None]:
    """Let one job at a time have it, of all processes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{with_what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(what: str, make: Callable[[], Path]) -> Path:
    """Make a thing for the first who asks; who asks later gets it, or the same failure."""
    record = MADE / f"{what}.json"
    with alone(f"made-{what}"):
        if not record.is_file():
            MADE.mkdir(exist_ok=True)
            try:
                told = {"path": str(make())}
            except (Exception, pytest.fail.Exception) as error:
                told = {"failure": str(error)}
            record.write_text(json.dumps(told))
        told = json.loads(record.read_text())
    if "failure" in told:
        pytest.fail(told["failure"], pytrace=False)
    return Path(told["path"])


def make_venv(job: Job, interpreter: Interpreter, where: Path) -> Path:
    """Make an empty venv at `where` and return its Python.

    pip comes from the first of each interpreter: to install it takes longer than all the rest.
    """

    def make() -> Path:
        first = Job(f"pip {interpreter.version}", LOGS / f"pip-{interpreter.version}.log")
        folder = BUILD / f"pip-{interpreter.version}"
        first.run(interpreter.path, "-m", "venv", "--clear", folder, cwd=BUILD, seconds=180)
        return next(folder.glob("lib/python*/site-packages"))

    pip = once(f"pip-{interpreter.version}", make)
    venv = ["-m", "venv", "--clear", "--without-pip", where]
    job.run(interpreter.path, *venv, cwd=BUILD, seconds=180)
    shutil.copytree(pip, next(where.glob("lib/python*/site-packages")), dirs_exist_ok=True)
    return where / "bin" / "python"


def build_wheel(
    job: Job, interpreter: Interpreter, source: Path, into: Path, **environment: str
) -> Path:
    """Build a wheel of the tree at `source` with pip's build isolation."""
    shutil.rmtree(into, ignore_errors=True)
    # A build leaves files in its tree, and those in the checkout have the same names.
    with alone("checkout") if source == ROOT else contextlib.nullcontext():
        job.run(
            interpreter.path, *PIP, "wheel", "-v", "--no-deps", "-w", into, source,
            cwd=BUILD, seconds=900, env=clean_environment(**environment),
        )  # fmt: skip
    (wheel,) = into.glob("*.whl")
    return wheel


def wheel_of(python: Interpreter) -> Path:
    """The native wheel for `python`, built from the checkout."""

    def make() -> Path:
        job = Job(f"build {python.version}", LOGS / f"build-{python.version}.log")
        into = BUILD / "wheels" / python.version
        return build_wheel(job, python, ROOT, into, GOASYNCORE_BUILD="native")

    return once(f"wheel-{python.version}", make)


def venv_of(python: Interpreter) -> Path:
    """The Python of a venv that holds the wheel and what the tests need."""

    def make() -> Path:
        wheel = wheel_of(python)
        job = Job(f"venv {python.version}", LOGS / f"venv-{python.version}.log")
        executable = make_venv(job, python, BUILD / f"venv-{python.version}")
        job.run(
            executable, *PIP, "install", "-r", ROOT / "tests_py" / "requirements.txt", wheel,
            cwd=BUILD, seconds=600,
        )  # fmt: skip
        return executable

    return once(f"venv-{python.version}", make)
