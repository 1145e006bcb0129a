"""Go's monitor thread sleeps as long as the kernel lets it, whatever policy the program has."""

import os
import sys

import pytest
from passing import A_PASS, with_extension
from support import run_python

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timer slack is Linux's"),
    pytest.mark.skipif(
        os.environ.get("GOASYNCORE_BACKEND") == "portable", reason="portable passes start no thread"
    ),
    with_extension,
]

PROGRAM = (
    A_PASS
    + """
import os, time
policy = getattr(os, sys.argv[1])
try:
    os.sched_setscheduler(0, policy, os.sched_param(1 if policy == os.SCHED_FIFO else 0))
except PermissionError:
    print("refused")
    raise SystemExit
a_pass()
a_pass()

def slack(task):
    with open(f"/proc/{task}/timerslack_ns") as file:
        return int(file.read())

SECOND = 10**9
end, lazy = time.monotonic() + 10, []
while not lazy and time.monotonic() < end:  # the kernel has perhaps not run the new thread yet
    time.sleep(0.001)
    lazy = [task for task in map(int, os.listdir("/proc/self/task")) if slack(task) >= SECOND]
assert len(lazy) == 1, lazy
assert os.sched_getscheduler(lazy[0]) == os.SCHED_OTHER
assert os.sched_getscheduler(0) == policy
"""
)


@pytest.mark.parametrize("policy", ["SCHED_OTHER", "SCHED_FIFO"])
def test_the_monitor_has_slack_whatever_the_programs_policy_is(policy):
    if run_python(PROGRAM, policy).stdout.strip() == "refused":
        pytest.skip("this user may not change the policy")
