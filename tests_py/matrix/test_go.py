"""The engine's own tests, with the race detector."""

from __future__ import annotations

import re

from job import Job
from workshop import ROOT


def test_go_tests(job: Job) -> None:
    command = ["go", "test", "-race", "-tags", "engine_calls", "-count=1", "-v", "./..."]
    output = job.run(*command, cwd=ROOT, seconds=1800, status=None)
    for outcome, kind in [("PASS", "passed"), ("FAIL", "failed"), ("SKIP", "skipped")]:
        job.counts[kind] = len(re.findall(rf"(?m)^--- {outcome}: ", output))
    # A package that does not build has no "--- FAIL" line, only one of its own.
    if re.search(r"(?m)^FAIL\b", output) or not job.counts["passed"]:
        job.fail("go test failed")
