"""A job: commands in processes of their own, with one log, a time limit and a count of tests."""

from __future__ import annotations

import collections
import os
import re
import resource
import shlex
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

# What the person who calls `make test` has set must not decide what is tested.
FOREIGN = re.compile(r"^(PYTHON(?!IOENCODING|UTF8)|PYTEST_|VIRTUAL_ENV$|GOASYNCORE_(?!SEEDS))")
TAIL = 60


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what would lead Python or the module elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    return {**kept, "PYTHONNOUSERSITE": "1", **more}


class Job:
    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.counts: collections.Counter[str] = collections.Counter()
        self.reasons: collections.Counter[str] = collections.Counter()
        self.began = self.used()
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")

    @staticmethod
    def used() -> float:
        """The seconds of CPU time of all commands so far."""
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        return spent.ru_utime + spent.ru_stime

    def run(
        self,
        *command: str | Path,
        cwd: Path,
        seconds: float,
        env: dict[str, str] | None = None,
        status: int | None = 0,
    ) -> str:
        """Run a command and return what it printed; fail the job on another exit status.

        `status` None takes any. A command that takes longer than `seconds` is ended together
        with all that it started.
        """
        words = [str(word) for word in command]
        with self.log.open("a+", encoding="utf-8", errors="replace") as log:
            log.write(f"$ {shlex.join(words)}\n")
            log.flush()
            start = log.tell()
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=clean_environment() if env is None else env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                got = process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.fail(f"not finished after {seconds:.0f} s: {shlex.join(words)}")
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            log.seek(start)
            output = log.read()
        if status is not None and got != status:
            self.fail(f"status {got}: {shlex.join(words)}")
        return output

    def fail(self, sentence: str) -> None:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(lines[-TAIL:])
        pytest.fail(f"{sentence}\n--- the end of {self.log}:\n{shown}", pytrace=False)

    def pytest(self, python: Path, *arguments: str | Path, env: dict[str, str], **run) -> None:
        """Run pytest with `python` and count; a run in which nothing passes or skips fails."""
        report = self.log.with_suffix(".xml")
        report.unlink(missing_ok=True)
        # -P: the installed package is what is tested, so no folder of the checkout leads the path.
        self.run(
            python, "-P", "-m", "pytest", "-q", f"--junitxml={report}", *arguments,
            env=env, status=None, **run,
        )  # fmt: skip
        if report.is_file():
            self.count(report)
        if self.counts["failed"] or not sum(self.counts.values()):
            self.fail(f"{self.counts['failed']} of {sum(self.counts.values())} tests failed")

    def count(self, report: Path) -> None:
        for case in ElementTree.parse(report).iter("testcase"):
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                self.counts["failed"] += 1
            elif skipped is not None:
                self.skip(skipped.get("message", ""))
            else:
                self.counts["passed"] += 1

    def skip(self, reason: str) -> None:
        self.counts["skipped"] += 1
        self.reasons[reason.removeprefix("Skipped: ").strip() or "no reason given"] += 1
