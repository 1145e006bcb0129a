"""Forking after the import, after loops have run, and in a handler: the loop works in the child."""

import os

import pytest
from support import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")

# In the child, echo() loops on a fresh pair of sockets; 0 is the exit status of a child whose
# echo came back, and 7 that of one that did something else.
PRELUDE = """
import os, socket, sys, threading, traceback
import asyncore

use_poll = sys.argv[1] == "True"
LIMIT = 20

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        data = self.recv(100)
        if data:
            self.send(data)

def echo(channels=None):
    channels = {} if channels is None else channels
    near, far = socket.socketpair()
    far.settimeout(LIMIT)
    Echo(near, channels)
    for message in (b"one", b"two"):
        far.sendall(message)
        asyncore.loop(LIMIT, use_poll, channels, 1)
        assert far.recv(100) == message
    far.close()
    asyncore.loop(LIMIT, use_poll, channels)
    assert not channels

def in_child(function):
    '''Fork, run function in the child, give back its exit status.'''
    child = os.fork()
    if child:
        return child
    status = 7
    try:
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)

def wait(child):
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
"""


def run(code, use_poll):
    run_python(PRELUDE + code, use_poll)


def test_the_child_loops_after_the_import(use_poll):
    run("wait(in_child(echo)); echo()", use_poll)


def test_the_child_loops_after_a_loop_has_run(use_poll):
    run("echo(); wait(in_child(echo)); echo()", use_poll)


def test_the_grandchild_loops_too(use_poll):
    run(
        """
def child():
    echo()
    wait(in_child(echo))
    echo()
echo()
wait(in_child(child))
echo()
""",
        use_poll,
    )


def test_parent_and_children_loop_at_once(use_poll):
    run(
        """
echo()
children = [in_child(echo) for _ in range(4)]
echo()
for child in children:
    wait(child)
echo()
""",
        use_poll,
    )


def test_the_child_forked_in_a_handler_goes_on_in_its_loop(use_poll):
    run(
        """
near, far = socket.socketpair()
far.settimeout(LIMIT)
channels = {}
pid = None
class Forking(asyncore.dispatcher_with_send):
    def handle_read(self):
        global pid
        self.recv(1)
        if pid is None:
            pid = os.fork()
            # Each process goes on with a connection of its own.
            mine, self.peer = socket.socketpair()
            Echo(mine, channels)
            self.peer.settimeout(LIMIT)
            self.peer.sendall(b"hello")
            self.del_channel()
forking = Forking(near, channels)
far.send(b"x")
status = 7
try:
    asyncore.loop(LIMIT, use_poll, channels, 2)
    assert forking.peer.recv(100) == b"hello"
    forking.peer.close()
    asyncore.loop(LIMIT, use_poll, channels)
    echo()
    status = 0
except BaseException:
    traceback.print_exc()
    raise
finally:
    if pid == 0:
        os._exit(status)
wait(pid)
""",
        use_poll,
    )


def test_the_childs_changes_leave_the_parents_channels_served(use_poll):
    """A kernel-side registration is shared across a fork: the child must not touch it."""
    run(
        """
channels = {}
near, far = socket.socketpair()
far.settimeout(LIMIT)
parents = Echo(near, channels)
far.sendall(b"x")
asyncore.loop(LIMIT, use_poll, channels, 1)
assert far.recv(10) == b"x"
def child():
    asyncore.close_all(channels)
    echo(channels)
wait(in_child(child))
far.sendall(b"y")
asyncore.loop(LIMIT, use_poll, channels, 1)
assert far.recv(10) == b"y"
""",
        use_poll,
    )


def test_the_parents_changes_leave_the_childs_channels_served(use_poll):
    run(
        """
channels = {}
near, far = socket.socketpair()
far.settimeout(LIMIT)
Echo(near, channels)
far.sendall(b"x")
asyncore.loop(LIMIT, use_poll, channels, 1)
assert far.recv(10) == b"x"
ready, go = os.pipe()
def child():
    assert os.read(ready, 1) == b"g"
    far.sendall(b"y")
    asyncore.loop(LIMIT, use_poll, channels, 1)
    assert far.recv(10) == b"y"
pid = in_child(child)
asyncore.close_all(channels)
os.write(go, b"g")
wait(pid)
echo(channels)
""",
        use_poll,
    )


def test_a_fork_while_another_thread_loops(use_poll):
    run(
        """
channels = {}
near, far = socket.socketpair()
far.settimeout(LIMIT)
Echo(near, channels)
thread = threading.Thread(target=asyncore.loop, args=(LIMIT, use_poll, channels))
thread.start()
far.sendall(b"x")
assert far.recv(10) == b"x"
children = [in_child(echo) for _ in range(3)]
for child in children:
    wait(child)
far.sendall(b"y")
assert far.recv(10) == b"y"
far.close()
thread.join(LIMIT)
assert not thread.is_alive()
""",
        use_poll,
    )


def test_a_daemon_that_forks_twice_before_it_loops(use_poll):
    run(
        """
report, result = os.pipe()
def session():
    os.setsid()
    pid = in_child(lambda: (echo(), os.write(result, b"fine")))
    # The first child ends without waiting: the daemon goes on alone.
    assert pid
pid = in_child(session)
wait(pid)
os.close(result)
assert os.read(report, 100) == b"fine"
""",
        use_poll,
    )


def test_multiprocessing_by_fork(use_poll):
    run(
        """
import multiprocessing
echo()
process = multiprocessing.get_context("fork").Process(target=echo)
process.start()
process.join(LIMIT)
assert process.exitcode == 0
""",
        use_poll,
    )


def test_a_daemon_thread_in_the_loop_at_the_end_of_the_program(use_poll):
    run(
        """
waiting = threading.Event()
class Waiting(Echo):
    def readable(self):
        waiting.set()
        return True
channels = {}
near, far = socket.socketpair()
Waiting(near, channels)
threading.Thread(target=asyncore.loop, args=(None, use_poll, channels), daemon=True).start()
assert waiting.wait(LIMIT)
""",
        use_poll,
    )


@pytest.mark.ours_only("3.11 has no backends")
def test_the_backend_of_a_child_forked_after_a_loop_is_portable_and_says_why(use_poll):
    run(
        """
import goasyncore
echo()
parents = goasyncore.backend()
def child():
    served = goasyncore.backend()
    assert served.name == "portable", served
    assert parents.name == "portable" or "fork" in served.reason, served
    echo()
    assert goasyncore.backend() == served
wait(in_child(child))
assert goasyncore.backend() == parents
""",
        use_poll,
    )


@pytest.mark.ours_only("3.11 has no backends")
def test_the_backend_of_a_child_forked_before_the_first_loop_is_the_parents(use_poll):
    run(
        """
import goasyncore
report, result = os.pipe()
def child():
    echo()
    os.write(result, repr(goasyncore.backend()).encode())
wait(in_child(child))
echo()
assert os.read(report, 10_000) == repr(goasyncore.backend()).encode()
""",
        use_poll,
    )
