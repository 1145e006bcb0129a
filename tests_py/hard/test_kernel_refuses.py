"""The kernel has no descriptors, memory or room left: who asked is told, all else goes on."""

import errno
import pathlib
import subprocess
import sys

import goasyncore
import pytest
from echoes import ECHO
from support import run_python

HERE = pathlib.Path(__file__).parent
PRELUDE = f"""{ECHO}
import asynchat, errno, goasyncore, os, sys
sys.path.insert(0, {str(HERE)!r})
from kernel import refuse

use_poll = sys.argv[1] == "True"

def served(channels, *pairs):
    for _ in range(3):
        for channel, far in pairs:
            far.sendall(b"hello")
        asyncore.loop(0, use_poll, channels, 1)
        for channel, far in pairs:
            assert far.recv(100) == b"hello"
"""


@pytest.fixture(scope="module", autouse=True)
def _filters_work():
    probe = subprocess.run([sys.executable, HERE / "kernel.py"], capture_output=True, timeout=60)
    if probe.returncode:
        pytest.skip("this system takes no seccomp filters")


def run(code, *args):
    return run_python(PRELUDE + code, *args, flags=("-X", "faulthandler"))


@pytest.mark.parametrize("error", ["ENFILE", "EMFILE", "ENOMEM", "ENOBUFS"])
def test_accept_that_is_refused_tells_the_listener_alone(use_poll, error):
    run(
        """
class Server(asyncore.dispatcher):
    refused = accepted = 0
    def handle_accept(self):
        try:
            sock, address = self.accept()
        except OSError as why:
            assert why.errno == getattr(errno, sys.argv[2]), why
            self.refused += 1
        else:
            sock.close()
            self.accepted += 1

def listen(channels):
    server = Server(map=channels)
    server.create_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(5)
    return server

channels = {}
unlucky, lucky, echo = listen(channels), listen(channels), connect(channels)
clients = [socket.create_connection(s.socket.getsockname()) for s in (unlucky, lucky)]
refuse("accept4", sys.argv[2], fd=(0, unlucky.socket.fileno()))
served(channels, echo)
assert unlucky.refused == 3 and not unlucky.accepted, (unlucky.refused, unlucky.accepted)
assert lucky.accepted == 1
# The number stays cursed; the socket does not: under another one it takes who waited.
number = os.dup(unlucky.socket.fileno())
again = Server(socket.socket(fileno=number), channels)
again.accepting = True
unlucky.close()
served(channels, echo)
assert again.accepted == 1
# What handle_accept raises closes the listener, as in 3.11, and no one else.
closing = listen(channels)
refuse("accept4", sys.argv[2], fd=(0, closing.socket.fileno()))
closing.handle_accept = lambda: asyncore.dispatcher.handle_accept(closing)
clients += [socket.create_connection(closing.socket.getsockname())]
served(channels, echo)
assert closing not in channels.values() and lucky in channels.values()
""",
        use_poll,
        error,
    )


@pytest.mark.parametrize("error", ["ENOMEM", "ENOSPC"])
@pytest.mark.parametrize("when", ["at the first", "later"])
def test_a_descriptor_that_the_kernel_will_not_watch_is_served(use_poll, error, when):
    """epoll's own limits (max_user_watches, memory): the engine goes on with poll(2)."""
    done = run(
        """
channels = {}
first = connect(channels)
second = connect(channels)
if sys.argv[3] == "later":
    del channels[second[0].socket.fileno()]
    served(channels, first)
refuse("epoll_ctl", sys.argv[2], add=(1, 1), fd=(2, second[0].socket.fileno()))
channels[second[0].socket.fileno()] = second[0]
served(channels, first, second)
for channel, far in (first, second):
    far.close()
asyncore.loop(1, use_poll, channels, 1)
assert not channels
third, fourth = connect(channels), connect(channels)
served(channels, third, fourth)
""",
        use_poll,
        error,
        when,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOMEM"])
def test_an_engine_without_its_poller_serves_with_another(use_poll, error):
    done = run(
        """
refuse("epoll_create1", sys.argv[2])
channels = {}
pairs = [connect(channels) for _ in range(3)]
served(channels, *pairs)
maps = [{} for _ in range(5)]
for other in maps:
    served(other, connect(other))
print(goasyncore.backend().poller)
""",
        use_poll,
        error,
    )
    if goasyncore.backend().name == "native":
        assert done.stdout == "poll\n"


@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_a_sandbox_without_epoll_gets_portable_passes(use_poll, error):
    """Go's runtime wants epoll some time, and ends the process where it gets none."""
    done = run(
        """
refuse("epoll_create1", sys.argv[2])
os.environ["GOASYNCORE_BACKEND"] = "native"
try:
    goasyncore.backend()
except ImportError as why:
    print(why)
os.environ["GOASYNCORE_BACKEND"] = "auto"
channels = {}
served(channels, *[connect(channels) for _ in range(3)])
print(goasyncore.backend().reason)
""",
        use_poll,
        error,
    )
    if goasyncore.backend().name == "native":
        reason = f"the engine needs a system call that is refused: [Errno {getattr(errno, error)}]"
        refused, portable = done.stdout.splitlines()
        assert refused.startswith(f"GOASYNCORE_BACKEND is native, but {reason}"), refused
        assert portable.startswith(reason), portable


ERRORS = {
    **dict.fromkeys(("ENOMEM", "ENOBUFS", "EIO", "EINVAL", "ETIMEDOUT", "EFAULT"), "raises"),
    **dict.fromkeys(("ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ECONNABORTED", "EPIPE"), "closes"),
    "EBADF": "closes",
    "EAGAIN": "waits",
}


@pytest.mark.parametrize("error", ERRORS)
def test_recv_and_send_that_fail_say_so(use_poll, error):
    run(
        """
error, meaning = sys.argv[2:]
events = []

class Lines(asynchat.async_chat):
    terminator = b"\\n"
    def collect_incoming_data(self, data):
        events.append(data)
    def found_terminator(self):
        pass
    def handle_close(self):
        events.append("close")
    def handle_error(self):
        events.append(sys.exc_info()[1].errno)

class Sender(asyncore.dispatcher_with_send):
    def handle_read(self):
        events.append(self.recv(100))
    def handle_close(self):
        events.append("close")
    def handle_error(self):
        events.append(sys.exc_info()[1].errno)

number = getattr(errno, error)
kept = []
for cls in (Sender, Lines):
    channels = {}
    channel, far = connect(channels, cls)
    channel.writable = lambda: False
    far.send(b"first")
    asyncore.loop(0, use_poll, channels, 1)
    refuse("recvfrom", error, fd=(0, channel.socket.fileno()))
    refuse("sendto", error, fd=(0, channel.socket.fileno()))
    far.send(b"second")
    asyncore.loop(0, use_poll, channels, 1)
    received, events[:] = events[:], []
    try:
        channel.push(b"data") if cls is Lines else channel.send(b"data")
    except OSError as why:
        events.append(why.errno)
    sent, events[:] = events[:], []
    told = {"raises": [number], "closes": ["close"], "waits": []}[meaning]
    if meaning == "waits":
        assert received == ([b"first"] if cls is Lines else [b"first", number]), received
    elif meaning == "closes":
        assert received == [b"first", "close", b""][: 2 if cls is Lines else 3], received
    else:
        assert received == [b"first", number], received
    assert sent == told, sent
    # Nothing was sent, so nothing is lost.
    assert b"data" in (channel.producer_fifo if cls is Lines else [channel.out_buffer])
    kept.append(channel)  # open, so that its number is not another's
    far.close()
""",
        use_poll,
        error,
        ERRORS[error],
    )
