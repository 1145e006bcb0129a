"""CPython's own tests of asyncore, asynchat and smtpd, unchanged, against the installed modules.

    python -P suites.py SDISTS REPORT

SDISTS is a folder with the sdists of standard-asyncore, standard-asynchat and standard-smtpd. Each
suite runs twice, in a process of its own: on the installed modules, and on those of the sdists (the
reference). What the reference runs has to run and pass here too. REPORT is a JSON
file: numbers `passed` and `failed`, the reasons of what was `skipped`, and `problems`, sentences.
A suite that needs a module of CPython's package `test` that is not installed counts as skipped.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import unittest
from pathlib import Path

SUITES = ["asyncore", "asynchat", "smtpd"]


class Recorder(unittest.TextTestResult):
    """Remembers each test's outcome; of subtests that differ, the worst."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.outcomes = {}

    def startTest(self, test):
        super().startTest(test)
        self.outcomes[test.id()] = "passed"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[test.id()] = f"skipped: {reason}"

    def addError(self, test, err):
        super().addError(test, err)
        self.outcomes[test.id()] = "failed"

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.outcomes[test.id()] = "failed"

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcomes[test.id()] = "failed"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = "failed"


def run_one(name: str, sources: Path, which: str, outcomes: Path) -> None:
    """Run the suite `name` in this process on `which` modules: installed or reference."""
    folder = {path.name.split("-")[0]: path for path in sources.iterdir()}
    wanted = {}
    if which == "reference":
        wanted = {module: folder[f"standard_{module}"] for module in SUITES}
    sys.path[:0] = [str(path) for path in wanted.values()]
    sys.path.append(str(folder[f"standard_{name}"] / "tests"))

    try:
        importlib.import_module(f"test_{name}")
    except ImportError as why:
        # Debian's libpython3.x-stdlib has a part of the package, libpython3.x-testsuite the rest.
        if not f"{why.name}.".startswith("test."):
            raise
        outcomes.write_text(json.dumps({f"test_{name}": f"skipped: test_{name}: {why}"}))
        return
    suite = unittest.defaultTestLoader.loadTestsFromName(f"test_{name}")
    result = unittest.TextTestRunner(verbosity=2, resultclass=Recorder).run(suite)

    import asynchat
    import asyncore

    site = Path(sysconfig.get_path("platlib")).resolve()
    for module in filter(None, [asyncore, asynchat, sys.modules.get("smtpd")]):
        home = wanted.get(module.__name__, site).resolve()
        assert Path(module.__file__).resolve().is_relative_to(home), module.__file__
    if which == "installed":
        import goasyncore

        asked = os.environ.get("GOASYNCORE_BACKEND", "auto")
        serves = goasyncore.backend()
        assert asked in ("auto", serves.name), serves
    outcomes.write_text(json.dumps(result.outcomes))


def outcomes_of(name: str, sources: Path, which: str) -> dict[str, str]:
    print(f"\n=== test_{name} on the {which} modules", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcomes"
        # Warnings would be the reference's own deprecations.
        command = [sys.executable, "-P", "-W", "ignore", __file__, name, sources, which, path]
        subprocess.run(command, cwd=folder, stderr=subprocess.STDOUT, check=False)
        return json.loads(path.read_text()) if path.is_file() else {}


def run_all(sdists: Path, report: Path) -> bool:
    told = {"passed": 0, "failed": 0, "skipped": [], "problems": []}
    with tempfile.TemporaryDirectory() as folder:
        for archive in sorted(sdists.glob("standard_*.tar.gz")):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        for name in SUITES:
            ours = outcomes_of(name, Path(folder), "installed")
            reference = outcomes_of(name, Path(folder), "reference")
            if not reference:
                told["problems"].append(f"test_{name} does not run on the reference")
            for test, outcome in reference.items():
                if test not in ours:
                    told["problems"].append(f"{test} did not run")
                elif ours[test].startswith("skipped") and not outcome.startswith("skipped"):
                    told["problems"].append(f"{test} is skipped here alone ({ours[test]})")
            for outcome in ours.values():
                if outcome.startswith("skipped: "):
                    told["skipped"].append(outcome.removeprefix("skipped: "))
                else:
                    told[outcome] += 1
    report.write_text(json.dumps(told))
    skipped = len(told["skipped"])
    print(f"\n{told['passed']} passed, {told['failed']} failed, {skipped} skipped")
    print(*told["problems"], sep="\n")
    return not told["failed"] and not told["problems"]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(0 if run_all(Path(sys.argv[1]), Path(sys.argv[2])) else 1)
    run_one(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
