"""Random programs over threads do on our module what they do on pyasyncore.

Several threads make, connect, close, reconnect, fill and lose channels while one loops, each change
at a defined point; see threaded/play.py. The programs avoid what differs on purpose, see
docs/differences.md: descriptors that a handler or another thread closes while their channel stays
in the map, and numbers that belong to another channel before the pass is over.
"""

import os
import pathlib
import platform
import sys

import goasyncore
import pytest
from soak import times
from test_differential import AT_ONCE, show, traces
from test_differential import play as play_program

PLAY = pathlib.Path(__file__).parent / "threaded" / "play.py"
PROGRAMS = times(200, 5_000)
FIRST = int(os.environ.get("GOASYNCORE_FIRST_PROGRAM", "0"))

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64",
    reason="a wait is known by the number of its system call",
)


def differing(backend, folder, first, last):
    ours = play_program(backend, first, last, PLAY, GOASYNCORE_BACKEND=backend)
    theirs = play_program("reference", first, last, PLAY, reference=str(folder))
    ours, theirs = traces(ours), traces(theirs)
    assert list(ours) == list(theirs) == list(range(first, last))
    return {seed: (ours[seed], theirs[seed]) for seed in ours if ours[seed] != theirs[seed]}


@pytest.mark.timeout(times(300, 1800))
def test_random_programs_over_threads_do_what_they_do_on_pyasyncore(peer):
    backend = goasyncore.backend().name
    problems = []
    for first in range(FIRST, FIRST + PROGRAMS, AT_ONCE):
        pairs = differing(backend, peer, first, min(first + AT_ONCE, FIRST + PROGRAMS))
        problems += [show(seed, *pair) for seed, pair in pairs.items()]
    assert not problems, "\n\n".join(problems[:5])
