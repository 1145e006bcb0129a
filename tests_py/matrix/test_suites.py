"""The test suites, on each Python and each backend, against the installed wheel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from job import Job, clean_environment
from workshop import BUILD, LOGS, PIP, ROOT, Interpreter, build_wheel, make_venv, once, venv_of

TESTS = ROOT / "tests_py"


def test_conformance(job: Job, python: Interpreter, backend: str) -> None:
    job.pytest(
        venv_of(python), TESTS, f"--ignore={TESTS / 'matrix'}", f"--ignore={TESTS / 'seeds'}",
        cwd=BUILD, seconds=1800, env=clean_environment(GOASYNCORE_BACKEND=backend),
    )  # fmt: skip
    if not job.counts["passed"]:
        job.fail("not one test ran")


def test_seeds(job: Job, python: Interpreter, backend: str) -> None:
    job.pytest(
        venv_of(python), TESTS / "seeds",
        cwd=BUILD, seconds=300, env=clean_environment(GOASYNCORE_BACKEND=backend),
    )  # fmt: skip


@pytest.fixture(scope="session")
def sdists(first_python: Interpreter) -> Path:
    """The sources of the backports, which carry CPython's own tests of these modules."""

    def make() -> Path:
        job = Job("fetch sdists", LOGS / "fetch-sdists.log")
        into = BUILD / "sdists"
        requirements = TESTS / "cpython" / "requirements.txt"
        job.run(
            first_python.path, *PIP, "download", "--no-binary", ":all:", "--no-deps",
            "--require-hashes", "-d", into, "-r", requirements,
            cwd=BUILD, seconds=600,
        )  # fmt: skip
        return into

    return once("sdists", make)


def test_cpython(job: Job, sdists: Path, python: Interpreter, backend: str) -> None:
    report = job.log.with_suffix(".json")
    report.unlink(missing_ok=True)
    job.run(
        venv_of(python), "-P", TESTS / "cpython" / "suites.py", sdists, report,
        cwd=BUILD, seconds=300, env=clean_environment(GOASYNCORE_BACKEND=backend), status=None,
    )  # fmt: skip
    if not report.is_file():
        job.fail("the suites did not end")
    told = json.loads(report.read_text())
    job.counts.update(passed=told["passed"], failed=told["failed"])
    for reason in told["skipped"]:
        job.skip(reason)
    if told["problems"] or told["failed"] or not told["passed"]:
        job.fail("; ".join(told["problems"]) or f"{told['failed']} tests failed")


def test_panics(job: Job, first_python: Interpreter, tmp_path: Path) -> None:
    """Go code that panics within a pass takes a build of its own; the wheel has nothing to ask."""
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("build", "dist", ".git", ".venv", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=skipped)
    wheel = build_wheel(
        job, first_python, source, tmp_path / "wheel",
        GOASYNCORE_BUILD="native", GOFLAGS="-tags=goasyncore_faults",
    )  # fmt: skip
    python = make_venv(job, first_python, tmp_path / "venv")
    job.run(
        python, *PIP, "install", "-r", TESTS / "requirements.txt", wheel, cwd=BUILD, seconds=600
    )
    job.pytest(
        python, TESTS / "hard" / "test_panics.py",
        cwd=BUILD, seconds=300, env=clean_environment(GOASYNCORE_BACKEND="native"),
    )  # fmt: skip
    if not job.counts["passed"]:
        job.fail("not one test ran")
