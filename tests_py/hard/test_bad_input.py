"""Wrong arguments, broken channels and handlers that do their worst, as pyasyncore takes them."""

import json
import os
import pathlib
import subprocess
import sys

import goasyncore
import pytest
from support import LIMIT, run_python

BAD = pathlib.Path(__file__).parent / "bad"


def outcomes(program, backend, folder, *path):
    folder.mkdir()  # names given as addresses become files there
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", BAD / program, backend],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("program", ["values.py", "handlers.py"])
def test_the_outcomes_are_those_of_pyasyncore(peer, tmp_path, program):
    theirs = outcomes(program, "reference", tmp_path / "theirs", peer)
    ours = outcomes(program, goasyncore.backend().name, tmp_path / "ours")
    differing = {
        name: (ours.get(name), theirs[name]) for name in theirs if ours.get(name) != theirs[name]
    }
    assert list(ours) == list(theirs)
    if sys.maxsize < 2**32:  # a time_t of 32 bits may refuse what ours waits for in pieces
        for function in ("poll", "loop"):
            differing.pop(f"{function} timeout: more than an int32", None)
    assert not differing


@pytest.mark.parametrize("names", ["read readwrite", "select", "time", "poll poll2", "everything"])
def test_a_module_without_its_globals_raises_name_errors(use_poll, names):
    run_python(
        """
import asyncore, socket, sys
use_poll, names = sys.argv[1] == "True", sys.argv[2]
loop, namespace = asyncore.loop, vars(asyncore)
class Deleting(asyncore.dispatcher):
    def handle_read(self):
        for name in list(namespace) if names == "everything" else names.split():
            namespace.pop(name, None)
        raise ValueError("reported by what is left")
    def handle_error(self):
        raise
channels = {}
near, far = socket.socketpair()
Deleting(near, channels)
far.send(b"x")
for _ in range(2):
    try:
        loop(1, use_poll, channels, 2)
    except (NameError, ValueError) as error:
        print(type(error).__name__)
    else:
        raise AssertionError("no error")
""",
        use_poll,
        names,
    )


def test_the_suite_runs_with_pythons_own_checks():
    """PYTHONMALLOC=debug finds writes out of bounds, -X dev what else Python can check."""
    here = pathlib.Path(__file__).parents[1]
    files = ["predicates/test_predicates.py", "loop/test_map.py", "loop/test_nesting.py"]
    files += ["chat/test_asynchat_input.py", "chat/test_asynchat_output.py"]
    files += ["channels/test_sender.py", "errors/test_exceptions.py", "process/test_threads.py"]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-P", "-m", "pytest", "-q", *(here / name for name in files)],
        env={**os.environ, "PYTHONMALLOC": "debug"},
        capture_output=True,
        text=True,
        timeout=6 * LIMIT,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_thread_with_a_small_stack_can_loop(use_poll):
    run_python(
        """
import asyncore, socket, sys, threading
class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(10))
def work():
    channels = {}
    near, far = socket.socketpair()
    Echo(near, channels)
    far.send(b"x")
    asyncore.loop(1, sys.argv[1] == "True", channels, 1)
    done.append(far.recv(10))
done = []
threading.stack_size(128 * 1024)
for _ in range(20):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
assert done == [b"x"] * 20, done
""",
        use_poll,
    )
