"""Whatever a program does to its channels, the engine tells them what a pass in Python would.

Random programs, see programs.py. GOASYNCORE_EXAMPLES makes it more of them, and others each time.
"""

import os

import hypothesis.strategies as st
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from traced_channels import KINDS

goasyncore = pytest.importorskip("goasyncore", reason="3.11 has no goasyncore")

pytestmark = pytest.mark.ours_only("there is one backend in 3.11")

MORE = int(os.environ.get("GOASYNCORE_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=MORE or 300,
    deadline=None,
    derandomize=not MORE,
    database=None,
    suppress_health_check=list(HealthCheck),
)

number = st.integers(0, 3)
kind = st.sampled_from(KINDS)
predicate = st.sampled_from(programs.PREDICATES)
name = st.sampled_from(list(programs.VALUES))
holder = st.sampled_from(["instance", "class", "base"])

STORES = ["setattr", "object", "item", "update", "dict", "held", "class"]
MAPS = ["clear", "refill", "pop", "popitem", "again", "move", "replace", "union", "setdefault"]


def action(kind_of_action, *parts):
    return st.tuples(st.just(kind_of_action), *parts)


# What a handler may do, too. A descriptor lost within a run is found within a second, not at once.
change = st.one_of(
    action("store", st.sampled_from(STORES), number, name, number),
    action("delete", st.sampled_from(["attribute", "item", "pop", "class"]), number, name),
    action("predicate", holder, number, predicate, st.booleans()),
    action("take_back", holder, number, predicate),
    action("become", number, kind),
    action(
        "change", number, st.sampled_from(["out_buffer", "producer_fifo"]),
        st.sampled_from(["add", "clear", "rotate"]),
    ),
    action("push", number, st.sampled_from([b"", b"x", b"y" * 200])),
    action("map", st.sampled_from(MAPS), number, number),
    action("peer", number, st.sampled_from(["send", "send", "drain", "shutdown", "close"])),
    action("fill", number),
    action("close", number),
    action("open", kind),
    action("reopen", number),
    action("elsewhere", number, st.booleans()),
)  # fmt: skip
run = action("run", st.booleans(), st.integers(1, 3))
planned = st.one_of(change, change, change, change, run)
step = st.one_of(change, change, run, action("lose", number))
# What a predicate may do to others on the way, once.
store = action("store", st.sampled_from(STORES), number, name, number)


@SETTINGS
@given(
    chosen=st.lists(kind, min_size=1, max_size=4),
    plans=st.lists(st.lists(planned, max_size=3), max_size=4),
    questions=st.lists(st.lists(store, max_size=1), max_size=4),
    actions=st.lists(st.tuples(step, run), min_size=2, max_size=12),
)
def test_random_programs_run_alike(chosen, plans, questions, actions):
    if goasyncore.backend().name != "native":
        pytest.skip("the portable backend is what the other one is held against")
    steps = [one for both in actions for one in both]
    expected = programs.run(False, chosen, plans, questions, steps)
    assert programs.run(True, chosen, plans, questions, steps) == expected
