"""Go's runtime opens no descriptors, and starts no threads, that a program could take from it."""

import os
import sys

import pytest
from passing import with_extension
from support import run_python

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's own means"),
    pytest.mark.skipif(
        os.environ.get("GOASYNCORE_BACKEND") == "portable", reason="portable passes need no Go"
    ),
    with_extension,
]

# Go's runtime writes a line to descriptor 2 at each collection of its heap.
PROGRAM = """
import asyncore, os, re, resource, socket, sys, time

resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
os.dup2(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND), 2)
sys.stderr = sys.stdout

class Channel(asyncore.dispatcher):
    def writable(self):
        return False
    def handle_read(self):
        self.recv(100)

def traced(pattern):
    return re.findall(pattern, os.pread(2, 1 << 20, 0), re.M)

def collect(times):
    "Make garbage for Go until it has been collected so often, without a new descriptor."
    channels = {}
    ends = [end for _ in range(50) for end in socket.socketpair()]
    several = {end.fileno(): Channel(end, channels) for end in ends}
    first = dict(list(several.items())[:1])
    asyncore.loop(0, False, channels, 1)
    yield
    end, wanted = time.monotonic() + 20, len(traced(rb"^gc \\d+ @")) + times
    while len(traced(rb"^gc \\d+ @")) < wanted:
        assert time.monotonic() < end, traced(rb"(?s).+")
        for _ in range(30):
            channels.clear()
            channels.update(first)
            asyncore.loop(0, False, channels, 1)
            channels.update(several)
            asyncore.loop(0, False, channels, 1)
        asyncore.loop(0.005, False, channels, 1)  # Go's other threads get a chance
    assert not traced(rb"^scav [^0].* KiB work \\(bg\\)"), traced(rb"^scav.+")
    asyncore.close_all(channels)

def fill():
    try:
        while True:
            held.append(os.dup(0))
    except OSError:
        pass

held = []
"""


@pytest.fixture(params=[{}, {"GOGC": "20", "GOMEMLIMIT": "16MiB"}])
def run(request, tmp_path):
    trace = tmp_path / "trace"

    def program(code, *args):
        env = {"GODEBUG": "gctrace=1,scavtrace=1", **request.param}
        ran = run_python(PROGRAM + code + "print('alive')", trace, *args, env=env, check=False)
        assert (ran.stdout, ran.returncode) == ("alive\n", 0), trace.read_text()

    return program


def test_no_descriptor_is_left_for_go(run):
    run(
        """
work = collect(12)
next(work)
fill()
for _ in work:
    pass
"""
    )


@pytest.mark.parametrize("blocking", [True, False])
def test_a_program_closes_all_descriptors(run, blocking):
    run(
        """
for stream in (0, 1):
    os.set_blocking(stream, sys.argv[2] == "True")
for _ in collect(6):
    pass
os.closerange(3, 400)
for _ in collect(6):
    pass
""",
        blocking,
    )


def test_no_thread_is_left_for_gos_collector(run):
    run(
        """
import _thread, ctypes
if os.geteuid() == 0:  # the limit is not for root, but its folders may be for nobody else
    os.setresuid(65534, 65534, 0)
    ctypes.CDLL(None).setfsuid(0)
work = collect(6)
next(work)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    _thread.start_new_thread(print, ("a thread",))
except RuntimeError:
    pass
for _ in work:
    pass
"""
    )
