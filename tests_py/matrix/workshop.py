"""What the jobs share: for each Python one wheel and one venv, each made when first asked for."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from job import Job, clean_environment

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "tests"
LOGS = ROOT / "build" / "logs"
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


def make_venv(job: Job, interpreter: Interpreter, where: Path) -> Path:
    """Make an empty venv at `where` and return its Python."""
    job.run(interpreter.path, "-m", "venv", "--clear", where, cwd=BUILD, seconds=180)
    return where / "bin" / "python"


def build_wheel(
    job: Job, interpreter: Interpreter, source: Path, into: Path, **environment: str
) -> Path:
    """Build a wheel of the tree at `source` with pip's build isolation."""
    shutil.rmtree(into, ignore_errors=True)
    job.run(
        interpreter.path, *PIP, "wheel", "-v", "--no-deps", "-w", into, source,
        cwd=BUILD, seconds=900, env=clean_environment(**environment),
    )  # fmt: skip
    (wheel,) = into.glob("*.whl")
    return wheel


class Workshop:
    def __init__(self) -> None:
        self.made: dict[tuple[str, str], Path | BaseException] = {}
        BUILD.mkdir(parents=True, exist_ok=True)

    def once(self, what: str, version: str, make: Callable[[], Path]) -> Path:
        """Make a thing for the first who asks; who asks later gets it, or the same failure."""
        key = (what, version)
        if key not in self.made:
            try:
                self.made[key] = make()
            except BaseException as error:
                self.made[key] = error
                raise
        made = self.made[key]
        if isinstance(made, BaseException):
            raise made
        return made

    def wheel(self, python: Interpreter) -> Path:
        """The native wheel for `python`, built from the checkout."""

        def make() -> Path:
            job = Job(f"build {python.version}", LOGS / f"build-{python.version}.log")
            into = BUILD / "wheels" / python.version
            return build_wheel(job, python, ROOT, into, GOASYNCORE_BUILD="native")

        return self.once("wheel", python.version, make)

    def venv(self, python: Interpreter) -> Path:
        """The Python of a venv that holds the wheel and what the tests need."""

        def make() -> Path:
            wheel = self.wheel(python)
            job = Job(f"venv {python.version}", LOGS / f"venv-{python.version}.log")
            executable = make_venv(job, python, BUILD / f"venv-{python.version}")
            job.run(
                executable, *PIP, "install", "-r", ROOT / "tests_py" / "requirements.txt", wheel,
                cwd=BUILD, seconds=600,
            )  # fmt: skip
            return executable

        return self.once("venv", python.version, make)
