"""Random programs do on our module what they do on pyasyncore, the pure-Python backport.

The differences that are on purpose are in docs/differences.md; the programs stay clear of them.
"""

import json
import os
import pathlib
import subprocess
import sys

import goasyncore
import pytest
from soak import SOAK, times

HERE = pathlib.Path(__file__).parent
PLAY = HERE / "differential" / "play.py"
PROGRAMS = times(300, 10_000)
FIRST = int(os.environ.get("GOASYNCORE_FIRST_PROGRAM", "0"))
AT_ONCE = 1000  # programs per process


def play(backend, first, last, script=PLAY, **env):
    """Start playing the programs from `first` to `last`."""
    path = os.pathsep.join(filter(None, [env.pop("reference", ""), str(script.parent)]))
    return subprocess.Popen(
        [
            sys.executable,
            "-X",
            "faulthandler",
            "-W",
            "ignore",
            script,
            backend,
            str(first),
            str(last),
        ],
        env={**os.environ, **env, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def traces(process):
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, f"status {process.returncode}\n{err[-3000:]}"
    return dict(map(json.loads, out.splitlines()))


def show(seed, ours, theirs):
    """The first difference, with what led to it."""
    at = 0
    while ours[at : at + 1] == theirs[at : at + 1] != []:
        at += 1
    lines = [f"program {seed}:", *ours[max(0, at - 15) : at]]
    lines += ["-- ours:", *ours[at : at + 3], "-- pyasyncore's:", *theirs[at : at + 3]]
    return "\n".join(lines)


def differing(backend, folder, first, last):
    """The programs whose traces differ, by seed: (ours, theirs)."""
    ours = play(backend, first, last, GOASYNCORE_BACKEND=backend)
    theirs = play("reference", first, last, reference=str(folder))
    ours, theirs = traces(ours), traces(theirs)
    assert list(ours) == list(theirs) == list(range(first, last))
    return {seed: (ours[seed], theirs[seed]) for seed in ours if ours[seed] != theirs[seed]}


@pytest.mark.timeout(times(300, 1800))
def test_random_programs_do_what_they_do_on_pyasyncore(peer):
    backend = goasyncore.backend().name
    problems = []
    for first in range(FIRST, FIRST + PROGRAMS, AT_ONCE):
        last = min(first + AT_ONCE, FIRST + PROGRAMS)
        for seed in differing(backend, peer, first, last):
            # A TCP handshake on a loaded machine may take longer than a pass: once more, alone.
            problems += [
                show(seed, *pair) for pair in differing(backend, peer, seed, seed + 1).values()
            ]
    print(f"{PROGRAMS} programs, {len(problems)} differ{'' if SOAK else ' (short)'}")
    assert not problems, "\n\n".join(problems[:5])
