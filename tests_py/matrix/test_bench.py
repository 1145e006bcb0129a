"""The benchmark, once and tiny: every case measures something on every server that can take it."""

from __future__ import annotations

import json
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from job import Job
from workshop import BUILD, PIP, ROOT, Interpreter, make_venv, venv_of

BENCH = ROOT / "bench"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")


def test_bench(job: Job, first_python: Interpreter, tmp_path: Path) -> None:
    loadgen = tmp_path / "loadgen"
    job.run("go", "vet", ".", cwd=BENCH / "loadgen", seconds=300)
    job.run("go", "build", "-o", loadgen, ".", cwd=BENCH / "loadgen", seconds=300)
    ours = venv_of(first_python)
    peers = make_venv(job, first_python, tmp_path / "peers")
    job.run(peers, *PIP, "install", "-r", BENCH / "requirements.txt", cwd=BUILD, seconds=600)

    command = [
        peers, "-B", BENCH / "bench.py", "--ours", ours, "--loadgen", loadgen, "--into", tmp_path,
        "--quick", "--rounds", "2", "--window", "0.1",
        "--active", "1,5", "--idle", "0,5000", "--passes", "20",
    ]  # fmt: skip
    limited = f"ulimit -n 300; exec {shlex.join(map(str, command))}"
    told = job.run("sh", "-c", limited, cwd=BUILD, seconds=600)

    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert "native" in results["servers"]["goasyncore"]
    assert "scales idle down from 5,000 to 200" in told
    titles = [case["title"] for case in results["cases"]]
    for begin in (
        "echo, 5 active", "echo, 1 active beside 200 idle", "connect", "stream in", "stream out",
        "lines", "echo, a message every 20 ms", "UDP", "TLS", "echo, 16 loops",
                  "pass over 20 idle, own", "import", "memory",
    ):  # fmt: skip
        assert any(title.startswith(begin) for title in titles), begin
    for case in results["cases"]:
        assert told.count(f"\n{case['title']}  ") == (2 if case["rate_unit"] else 1)
        takes = set(results["servers"])
        if case["key"].startswith(("pass-", "udp", "tls", "threads-")):
            takes -= {"asyncio", "uvloop"}
        for taken in results["rounds"]:
            assert set(taken[case["key"]]) == takes
            # So few idle connections may cost less than a page of memory.
            assert case["key"] == "memory" or all(
                measured["cost"] > 0 for measured in taken[case["key"]].values()
            )
    for plot in ("idle.svg", "active.svg"):
        shown = "".join(ElementTree.parse(tmp_path / plot).getroot().itertext())
        assert all(name in shown for name in results["servers"]), plot
