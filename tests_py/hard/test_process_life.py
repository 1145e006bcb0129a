"""Forks with other threads in the loop, servers that fork, multiprocessing, and other programs."""

import multiprocessing
import os
import socket

import pytest
from processes import PRELUDE, run
from soak import times
from support import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")


def test_a_child_forked_in_a_handler_leaves_the_loop_whatever_other_threads_do(use_poll):
    run(
        """
class Forking(asyncore.dispatcher):
    def handle_read(self):
        self.recv(1)
        self.child = os.fork()
        if not self.child:
            watchdog()
            raise asyncore.ExitNow
start_busy_loops(6)
for _ in range(times):
    channels = {}
    near, far = socket.socketpair()
    far.send(b"x")
    forking = Forking(near, channels)
    try:
        asyncore.loop(LIMIT, use_poll, channels, 1)
    except asyncore.ExitNow:
        echo()
        os._exit(7)
    ended_well(forking.child)
    near.close()
    far.close()
echo()
""",
        use_poll,
        times(40, 1000),
    )


def test_a_child_forked_in_a_nested_loop_unwinds_through_both(use_poll):
    run(
        """
class Forking(asyncore.dispatcher):
    def handle_read(self):
        self.recv(1)
        self.child = os.fork()

class Nesting(asyncore.dispatcher):
    def handle_read(self):
        self.recv(1)
        inner = {}
        near, far = socket.socketpair()
        far.send(b"x")
        self.forking = Forking(near, inner)
        asyncore.loop(LIMIT, not use_poll, inner, 1)
        far.close()
        near.close()

def work():
    channels = {}
    near, far = socket.socketpair()
    far.send(b"xx")
    nesting = Nesting(near, channels)
    asyncore.loop(LIMIT, use_poll, channels, 1)
    if not nesting.forking.child:
        watchdog()
        asyncore.loop(LIMIT, use_poll, {**channels, near.fileno(): Echo(near, {})}, 1)
        assert far.recv(10) == b"x"
        os._exit(7)
    ended_well(nesting.forking.child)

start_busy_loops(2)
for _ in range(times):
    work()
    # A child whose thread was not the main one has to end that thread, too.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
""",
        use_poll,
        times(10, 200),
    )


def test_what_the_child_closes_in_the_pass_gets_nothing_more_of_it(use_poll):
    run(
        """
class Reader(asyncore.dispatcher):
    told = []
    def handle_read(self):
        self.told.append(self)
        self.recv(1)
        if self.first:
            Reader.child = os.fork()
            if not Reader.child:
                asyncore.close_all(self._map)
    def handle_error(self):
        raise

channels = {}
pairs = [socket.socketpair() for _ in range(3)]
for near, far in pairs:
    Reader(near, channels).first = near is pairs[0][0]
    far.send(b"x")
asyncore.loop(LIMIT, use_poll, channels, 1)
if not Reader.child:
    os._exit(7 if len(Reader.told) == 1 else 8)
ended_well(Reader.child)
assert len(Reader.told) == 3
""",
        use_poll,
    )


@pytest.mark.parametrize("shared", ["inherited", "SO_REUSEPORT"])
def test_preforked_servers_serve_and_so_does_the_parent(use_poll, shared):
    """The parent has looped before; the children share its listening socket, or its port."""
    if shared == "SO_REUSEPORT" and not hasattr(socket, "SO_REUSEPORT"):
        pytest.skip("the platform has no SO_REUSEPORT")
    run(
        f"""
shared = {shared!r}

class Server(asyncore.dispatcher):
    def handle_accepted(self, sock, addr):
        Answer(sock, self._map)

class Answer(asyncore.dispatcher_with_send):
    def handle_read(self):
        if self.recv(100):
            self.send(str(os.getpid()).encode())

def listen(address):
    channels = {{}}
    server = Server(map=channels)
    server.create_socket()
    if shared == "SO_REUSEPORT":
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(address)
    server.listen(50)
    return channels, server

def ask(address):
    with socket.create_connection(address, LIMIT) as sock:
        sock.sendall(b"who?")
        return int(sock.recv(100))

echo()
channels, server = listen(("127.0.0.1", 0))
address = server.socket.getsockname()
asyncore.loop(0, use_poll, channels, 1)
children = []
for _ in range(3):
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        watchdog()
        if shared == "SO_REUSEPORT":
            asyncore.close_all(channels)
            channels, server = listen(address)
        os.write(tell, b"x")
        asyncore.loop(LIMIT, use_poll, channels)
        os._exit(9)
    os.read(ready, 1)
    children.append(child)
thread = threading.Thread(target=asyncore.loop, args=(LIMIT, use_poll, channels), daemon=True)
thread.start()
answered = {{ask(address) for _ in range(times)}}
assert answered <= {{os.getpid(), *children}}, answered
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
if shared == "inherited":
    assert ask(address) == os.getpid()
""",
        use_poll,
        times(40, 2000),
    )


def test_a_daemon_that_forks_twice_serves(use_poll):
    run(
        """
echo()
near, far = socket.socketpair()
far.settimeout(LIMIT)
if not os.fork():
    os.setsid()
    if not os.fork():
        watchdog()
        channels = {}
        Echo(near, channels)
        far.close()
        asyncore.loop(LIMIT, use_poll, channels)
        os._exit(0)
    os._exit(0)
near.close()
far.sendall(b"are you there?")
assert far.recv(100) == b"are you there?"
""",
        use_poll,
    )


def test_handlers_start_programs_and_become_others(use_poll):
    ended = run(
        """
class Starting(asyncore.dispatcher):
    def handle_read(self):
        data = self.recv(1)
        if data == b"s":
            done = subprocess.run([sys.executable, "-c", "print(6*7)"], stdout=subprocess.PIPE)
            print(done.stdout.decode().strip(), flush=True)
        else:
            os.execv(sys.executable, [sys.executable, "-c", "print('another')"])

start_busy_loops(2)
channels = {}
near, far = socket.socketpair()
Starting(near, channels)
for byte in b"sse":
    far.send(bytes([byte]))
    asyncore.loop(LIMIT, use_poll, channels, 1)
print("not reached")
""",
        use_poll,
    )
    assert ended.stdout == "42\n42\nanother\n"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_multiprocessing(tmp_path, use_poll, method):
    program = tmp_path / "program.py"
    program.write_text(
        PRELUDE
        + f"""
import multiprocessing

def work(number):
    echo()
    return number

if __name__ == "__main__":
    echo()
    context = multiprocessing.get_context({method!r})
    with context.Pool(2) as pool:
        assert pool.map(work, range(8)) == list(range(8))
    echo()
"""
    )
    # By its path: the processes that are spawned import it again.
    start = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"
    run_python(start, program, use_poll, 1)
