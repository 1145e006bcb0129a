"""The interpreter ends while other threads are in the loop: same status and output, every time."""

import itertools
import os
import signal

import pytest
from soak import times
from support import run_python

PROGRAM = """
import asyncore, atexit, os, signal, socket, sys, threading

threads, ending = sys.argv[1:]

class Echo(asyncore.dispatcher_with_send):
    def __init__(self, sock, channels):
        super().__init__(sock, channels)
        self.seen = threading.Event()

    def handle_read(self):
        data = self.recv(100)
        if threads == "in a handler":
            for _ in range(200):
                sum(range(50))
        self.seen.set()
        self.send(data)

def serve(begun):
    channels = {}
    near, far = socket.socketpair()
    echo = Echo(near, channels)
    if threads != "idle":
        Echo(far, channels)
        far.send(b"x")
    while not echo.seen.is_set() and threads != "idle":
        asyncore.loop(0.01, False, channels, 1)
    begun.set()
    while threads == "calling loop again and again":
        asyncore.loop(0, True, channels, 1)
    while threads == "with ever new maps":
        short_lived = {}
        a, b = socket.socketpair()
        Echo(a, short_lived)
        b.send(b"x")
        asyncore.loop(0, True, short_lived, 2)
        a.close()
        b.close()
    asyncore.loop(0.001 if threads == "with a short timeout" else 30, False, channels)

def ask_once():
    channels = {}
    near, far = socket.socketpair()
    Echo(near, channels)
    far.send(b"still served")
    asyncore.loop(10, False, channels, 1)
    print(far.recv(100).decode(), flush=True)

for _ in range(4):
    begun = threading.Event()
    threading.Thread(target=serve, args=(begun,), daemon=True).start()
    begun.wait()
if ending == "atexit":
    atexit.register(ask_once)
print("printed")
if ending == "sys.exit":
    sys.exit(3)
if ending == "a signal":
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)
if ending == "an interrupt":
    signal.raise_signal(signal.SIGINT)
if ending == "in a handler of the main thread":
    class Last(Echo):
        def handle_read(self):
            sys.exit(4)
    channels = {}
    near, far = socket.socketpair()
    Last(near, channels)
    far.send(b"x")
    asyncore.loop(10, True, channels)
"""

THREADS = [
    "idle",
    "busy",
    "in a handler",
    "with a short timeout",
    "calling loop again and again",
    "with ever new maps",
]
# A debug build of CPython would tell of the sockets that the threads leave open.
QUIET = ["-W", "ignore::ResourceWarning"]
ENDINGS = {
    "the end of the program": (0, "printed\n"),
    "sys.exit": (3, "printed\n"),
    "atexit": (0, "printed\nstill served\n"),
    "a signal": (-signal.SIGTERM, "printed\n"),
    "an interrupt": (-signal.SIGINT, "printed\n"),
    "in a handler of the main thread": (4, "printed\n"),
}


@pytest.mark.timeout(times(300, 900))
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_process_ends_as_it_would_without_threads(ending):
    status, output = ENDINGS[ending]
    for threads in itertools.chain.from_iterable(itertools.repeat(THREADS, times(1, 34))):
        ended = run_python(PROGRAM, threads, ending, check=False, flags=QUIET)
        assert (ended.returncode, ended.stdout) == (status, output), (threads, ended.stderr)
        if ending != "an interrupt":
            assert ended.stderr == "", threads


OPEN = """
import asynchat, asyncore, os, socket, sys
left, ending, path = sys.argv[1:]
file = open(path, "w")

def end():
    file.write("never lost")
    if ending == "sys.exit in a handler":
        sys.exit(5)
    if ending == "a child" and os.fork():
        os.wait()
        os._exit(0)

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))
        end()

class Chat(asynchat.async_chat):
    terminator = b"x"
    def found_terminator(self):
        self.push(b"y")
        end()

class Deleted:
    def __del__(self, write=os.write):
        write(1, b"deleted")

near, far = socket.socketpair()
deleted = Deleted()
channels = {} if left == "in a map of its own" else asyncore.socket_map
channel = (Chat if left == "a chat" else Echo)(near, channels)
kept = asyncore.dispatcher.recv, channel.recv
far.send(b"x")
asyncore.loop(0, map=channels, count=1)
if left == "closed":
    channel.close()
"""


@pytest.mark.parametrize("left", ["in the global map", "in a map of its own", "a chat", "closed"])
@pytest.mark.parametrize("ending", ["the end", "sys.exit in a handler", "a child"])
def test_what_is_open_at_the_end_is_written_out(tmp_path, left, ending):
    """Python's last act is to let go of the program's globals: nothing of ours may hold them."""
    if ending == "a child" and "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a lock of the sanitizer's allocator does not survive a fork")
    path = tmp_path / "file"
    done = run_python(OPEN, left, ending, path, flags=("-W", "ignore"), check=False)
    assert (path.read_text(), done.stdout) == ("never lost", "deleted"), done.stderr


@pytest.mark.parametrize("use_poll", ["False", "True"])
def test_a_first_pass_evaluates_no_string(use_poll):
    """With that CPython would forget an interrupt, and end with another status."""
    run_python(
        f"""
import asyncore, asynchat, socket, sys
near, far = socket.socketpair()
asynchat.async_chat(near)
evaluated = []
sys.addaudithook(
    lambda event, args: event == "compile" and args[1] == "<string>" and evaluated.append(args[0])
)
eval("1")
assert len(evaluated) == 1
asyncore.loop(0, {use_poll}, count=2)
assert len(evaluated) == 1, evaluated
"""
    )
