"""A panic of Go code within a pass: RuntimeError with Go's stack, and the loop goes on afterwards.

Takes an extension built with GOFLAGS=-tags=goasyncore_faults, in which Go code panics when told to;
the job `panics` of `make test` builds one, as does `make sanitize`.
"""

import pytest
from echoes import ECHO
from soak import times
from support import run_python

PROGRAM = (
    ECHO
    + """
import ctypes, faulthandler, goasyncore, os, sys, threading
from goasyncore import _native
use_poll, nil, rounds = sys.argv[1] == "True", sys.argv[2] == "True", int(sys.argv[3])
goasyncore.backend()
panic_in = _native._binding.pybind_PanicIn
holds_gil = ctypes.PyDLL(None).PyGILState_Check

def panics(call):
    try:
        call()
    except RuntimeError as error:
        text = str(error)
        assert text.startswith("the engine failed: "), text
        assert ("nil pointer" if nil else "asked for") in text, text
        assert "goroutine" in text and "dictSource).Step" in text, text
        assert holds_gil() == 1
        return
    raise AssertionError("no panic")

def descriptors():
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []

def serve(channels, pairs):
    for channel, far in pairs:
        far.sendall(b"hello")
    for _ in range(2):
        asyncore.loop(0, use_poll, channels, 1)
    for channel, far in pairs:
        assert far.recv(100) == b"hello"
"""
)


@pytest.fixture(autouse=True)
def _can_panic():
    from goasyncore import _native

    if not hasattr(_native._binding, "pybind_PanicIn"):
        pytest.skip("the extension was not built for this: see the job `panics`")


@pytest.fixture(params=[False, True], ids=["a panic", "a nil pointer"])
def nil(request):
    return request.param


def run(code, use_poll, nil):
    run_python(PROGRAM + code, use_poll, nil, times(20, 500), flags=("-X", "faulthandler"))


def test_the_other_channels_live_on_and_no_byte_is_lost(use_poll, nil):
    run(
        """
channels = {}
pairs = [connect(channels) for _ in range(5)]
serve(channels, pairs)
before = descriptors()
for number in range(1, rounds + 1):
    for _, far in pairs:
        far.sendall(b"sent before")
    panic_in(1 + number % 4, nil, False)
    panics(lambda: asyncore.loop(1, use_poll, channels, 3))
    for _ in range(3):
        asyncore.loop(0, use_poll, channels, 1)
    for _, far in pairs:
        assert far.recv(100) == b"sent before"
    serve(channels, pairs)
    leaving, far = pairs.pop()
    leaving.close()
    far.close()
    pairs.append(connect(channels))
    serve(channels, pairs)
assert len(channels) == 5
assert descriptors() == before, (before, descriptors())
""",
        use_poll,
        nil,
    )


def test_a_panic_in_a_nested_run_ends_that_alone(use_poll, nil):
    run(
        """
inner = {}
inner_pairs = [connect(inner) for _ in range(2)]

class Nesting(Echo):
    def handle_read(self):
        panic_in(1 + self.count % 4, nil, False)
        inner_pairs[0][1].sendall(b"in")
        panics(lambda: asyncore.loop(1, use_poll, inner, 3))
        asyncore.loop(0, use_poll, inner, 2)
        assert inner_pairs[0][1].recv(100) == b"in"
        self.count += 1
        super().handle_read()

outer = {}
nesting, echo = connect(outer, Nesting), connect(outer)
nesting[0].count = 0
for _ in range(rounds):
    serve(outer, [nesting, echo])
assert nesting[0].count == rounds
serve(inner, inner_pairs)
""",
        use_poll,
        nil,
    )


def test_a_panic_in_a_thread_leaves_the_others_alone(use_poll, nil):
    run(
        """
def served(channels):
    try:
        asyncore.loop(0, use_poll, channels, 2)
    except RuntimeError:
        return False
    return True

def work():
    channels = {}
    pairs = [connect(channels) for _ in range(3)]
    number = 0
    while number < rounds or not caught:  # the main thread asks for panics when it gets its turn
        number += 1
        try:
            pairs[0][1].sendall(b"x")
            asyncore.loop(0, use_poll, channels, 2)
        except RuntimeError as error:
            assert holds_gil() == 1
            caught.append(str(error))
            while not served(channels):
                pass
        assert pairs[0][1].recv(100) == b"x"
    while not served(channels):
        pass
    done.append(True)

caught, done = [], []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    panic_in(5, nil, False)
    threads[0].join(0.001)
assert len(done) == 4, done
assert caught
panic_in(0, nil, False)
work()
""",
        use_poll,
        nil,
    )
