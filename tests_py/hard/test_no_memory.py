"""There is no memory left: MemoryError, for whoever needed it, and the loop goes on."""

import pathlib
import subprocess
import sys

import goasyncore
import pytest
from soak import times
from support import LIMIT, run_python

SCENES = pathlib.Path(__file__).parent / "memory" / "scenes.py"
NAMES = ["a_first_pass", "a_later_pass", "a_new_class", "a_changed_class", "many_channels"]
NAMES += ["a_chat", "changes_between_passes", "handlers_that_raise"]


@pytest.mark.timeout(times(300, 900))
@pytest.mark.parametrize("scene", NAMES)
def test_whichever_allocation_fails_the_loop_goes_on(scene):
    pytest.importorskip("_testcapi", reason="this Python cannot be made to run out of memory")
    last = times(250, 500)
    for width in times((1, 5), (1, 2, 3, 5, 8)):
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", SCENES, scene, str(last), str(width)],
            capture_output=True,
            text=True,
            timeout=times(2, 20) * LIMIT,
        )
        again = f"{SCENES.name} {scene} {last} {width}"
        assert done.returncode == 0, f"{again}: {done.stderr[-2000:]}"
        print(scene, width, done.stdout.strip())
        assert "no memory" in done.stdout  # else nothing was tried


LIMITED = """
import asyncore, goasyncore, resource, socket, sys

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))

class Greedy(Echo):
    refused = 0
    def handle_read(self):
        self.recv(4 << 30)
    def handle_error(self):
        assert isinstance(sys.exc_info()[1], MemoryError), sys.exc_info()
        self.refused += 1

use_poll = sys.argv[1] == "True"
def limit(megabytes):
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))

channels = {}
pairs = [socket.socketpair() for _ in range(3)]
greedy = Greedy(pairs[1][0], channels)
others = [Echo(pairs[0][0], channels), Echo(pairs[2][0], channels)]
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts address space")
def test_a_channel_that_gets_no_memory_disturbs_nobody(use_poll):
    run_python(
        LIMITED
        + """
asyncore.loop(0, use_poll, channels, 1)
limit(2000)  # less than what it asks for, and more than what a few new threads reserve
for _ in range(3):
    for near, far in pairs:
        far.send(b"x")
    asyncore.loop(0, use_poll, channels, 1)
    assert [pairs[i][1].recv(10) for i in (0, 2)] == [b"x", b"x"]
assert greedy.refused == 3, greedy.refused
greedy.__class__ = Echo
asyncore.loop(0, use_poll, channels, 1)
assert pairs[1][1].recv(10) == b"xxx"
""",
        use_poll,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts address space")
@pytest.mark.parametrize("megabytes", [20, 200, 1000])
def test_a_process_short_of_address_space_is_served(use_poll, megabytes):
    """Go would end a process in which it cannot reserve what it always reserves."""
    done = run_python(
        LIMITED
        + """
limit(int(sys.argv[2]))
pairs[0][1].send(b"x")
asyncore.loop(0, use_poll, channels, 1)
assert pairs[0][1].recv(10) == b"x"
print(goasyncore.backend())
""",
        use_poll,
        megabytes,
        env={"GOASYNCORE_BACKEND": "auto"},
    )
    assert "portable" in done.stdout
    if goasyncore.backend().name == "native":
        assert "RLIMIT_AS" in done.stdout
