"""The first pass, in a process that is not what it was when asyncore was imported."""

import importlib.util
import os
import shutil
import sys
import zipfile

import pytest
from passing import A_PASS, SITE, with_extension
from support import run_python

pytestmark = pytest.mark.ours_only("3.11 loads nothing late")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's own means")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes root")

PRELUDE = (
    A_PASS
    + """
import os, select, time  # and no more

def reason():
    import goasyncore
    name, _, why = goasyncore.backend()
    return f"{name}: {why}"
"""
)

AUTO = {"GOASYNCORE_BACKEND": "auto"}


def run(code, *args, **options):
    options.setdefault("env", AUTO)
    return run_python(PRELUDE + code, *args, **options)


@root
@linux
@pytest.mark.parametrize("backend", ["auto", "portable"])
def test_a_pass_after_chroot(backend, tmp_path):
    ran = run(
        """
os.chroot(sys.argv[1])
os.chdir("/")
a_pass()
a_pass(False)
import goasyncore
assert goasyncore.stats({}).passes == 0
print(goasyncore.backend().name)
""",
        tmp_path,
        env={"GOASYNCORE_BACKEND": backend},
    )
    assert (ran.stdout, ran.stderr) == ("portable\n", "")


@root
@linux
@with_extension
def test_loaded_before_chroot_it_is_native(tmp_path):
    ran = run(
        """
import goasyncore
goasyncore.backend()
os.chroot(sys.argv[1])
a_pass()
print(goasyncore.backend().name)
""",
        tmp_path,
    )
    assert ran.stdout == "native\n"


@linux
def test_a_pass_without_descriptors():
    run(
        """
import resource
near, far = socket.socketpair()
channels = {}
class Channel(asyncore.dispatcher):
    got = b""
    def handle_read(self):
        self.got = self.recv(10)
channel = Channel(near, channels)
far.send(b"x")
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
asyncore.loop(20, True, channels, 1)
assert channel.got == b"x"
import goasyncore
assert goasyncore.stats(channels).passes == 1
assert goasyncore.backend().name == "portable"
while held:
    os.close(held.pop())
a_pass()
""",
        flags=("-W", "error"),
    )


def test_a_class_is_first_seen_with_no_descriptor_left():
    """What a look at its predicates needs is there by then."""
    run(
        """
import asynchat, resource
a_pass()
class Own(asyncore.dispatcher_with_send):
    wanted = True
    def readable(self):
        return self.wanted and len(self.out_buffer) < 100
    def handle_read(self):
        self.got = self.recv(10)
class Chat(asynchat.async_chat):
    def writable(self):
        return self.connected and asynchat.async_chat.writable(self)
    def collect_incoming_data(self, data):
        self.got = data
    def found_terminator(self):
        pass
pairs = [socket.socketpair() for _ in range(2)]
channels = {}
served = [Own(pairs[0][0], channels), Chat(pairs[1][0], channels)]
served[1].set_terminator(None)
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
held = []
try:
    while True:
        held.append(os.dup(0))
except OSError:
    pass
for _, far in pairs:
    far.send(b"x")
asyncore.loop(20, True, channels, 1)
asyncore.loop(0, True, channels, 1)
assert [channel.got for channel in served] == [b"x", b"x"]
"""
    )


def test_a_pass_with_another_path():
    run(
        """
sys.path[:] = ["/nowhere"]
sys.meta_path[:] = []
sys.path_hooks[:] = []
sys.path_importer_cache.clear()
a_pass()
a_pass(False)
import goasyncore
assert goasyncore.stats({}).passes == 0
assert goasyncore.backend().name == "portable"
"""
    )


@with_extension
def test_without_a_path_the_engine_loads():
    ran = run(
        """
import resource  # without it nobody knows how much room there is
sys.path[:] = []
a_pass()
a_pass(False)
import goasyncore
print(goasyncore.backend().name)
"""
    )
    assert (ran.stdout, ran.stderr) == ("native\n", "")


@pytest.mark.parametrize("backend", [pytest.param("native", marks=with_extension), "portable"])
@pytest.mark.parametrize(
    "name", ["select.select", "select.poll", "time.sleep", "socket.socket", "socket.socketpair"]
)
def test_what_is_replaced_during_the_first_pass_alone(name, backend):
    run(
        """
near, far = socket.socketpair()
class Channel(asyncore.dispatcher):
    def handle_read(self):
        self.recv(10)
channels = {}
channel = Channel(near, channels)
module, function = sys.argv[1].split(".")
module = globals()[module]
calls = []
genuine = getattr(module, function)
def stand_in(*args):
    calls.append(args)
    return genuine(*args)
for use_poll in (False, True):
    import unittest.mock
    with unittest.mock.patch.object(module, function, stand_in):
        asyncore.loop(0.01, use_poll, channels, 1)
seen = len(calls)
assert seen or sys.argv[1] not in ("select.select", "select.poll"), seen
for use_poll in (False, True):
    asyncore.loop(0.01, use_poll, channels, 1)
    a_pass(use_poll)
assert len(calls) == seen
assert reason().startswith(sys.argv[2]), reason()
import goasyncore
assert goasyncore._native.stats(channels)[0] == 4
if sys.argv[2] == "native":
    assert goasyncore._native._binding.stats(channels)[0] >= 2
""",
        name,
        backend,
        env={"GOASYNCORE_BACKEND": backend},
    )


@pytest.mark.parametrize("backend", [pytest.param("native", marks=with_extension), "portable"])
@pytest.mark.parametrize(
    "name",
    [
        *(
            "os.close",
            "os.pipe",
            "os.eventfd",
            "os.read",
            "os.write",
            "os.fstat",
            "os.set_blocking",
        ),
        *("os.register_at_fork", "select.epoll", "fcntl.fcntl", "builtins.open", "atexit.register"),
    ],
)
def test_a_mock_around_the_first_pass_sees_no_call_of_ours(name, backend):
    run(
        """
import atexit, builtins, fcntl, unittest.mock
module, function = sys.argv[1].split(".")
if not hasattr(globals()[module], function):
    sys.exit()
with unittest.mock.patch(sys.argv[1]) as mock:
    a_pass()
assert not mock.mock_calls, mock.mock_calls
assert reason().startswith(sys.argv[2]), reason()
""",
        name,
        backend,
        env={"GOASYNCORE_BACKEND": backend},
        flags=("-W", "error"),
    )


REFUSING = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
def refuse(*numbers):
    # A filter that answers EPERM to these system calls (x86-64).
    code = [(0x20, 0, 0, 0)]
    code += [(0x15, len(numbers) - i, 0, n) for i, n in enumerate(numbers)]
    code += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050000 | 1)]
    program = b"".join(struct.pack("HBBI", *each) for each in code)
    buffer = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    )
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, head, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
"""
CALLS = {
    "clone": [56, 435],
    "epoll": [213, 233, 232, 281, 291, 441],
    "eventfd": [284, 290],
    "all": [56, 435, 213, 233, 232, 281, 291, 441, 284, 290],
}
x86 = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine != "x86_64", reason="its numbers"
)


@x86
@with_extension
@pytest.mark.parametrize("calls", CALLS)
def test_where_a_filter_refuses_what_the_engine_needs_passes_are_portable(calls):
    ran = run(
        REFUSING
        + """
refuse(*map(int, sys.argv[1].split()))
a_pass()
a_pass(False)
print(reason())
""",
        " ".join(map(str, CALLS[calls])),
        flags=("-W", "error"),
    )
    assert ran.stdout.startswith("portable: the engine "), ran.stdout


NO_THREADS = """
import ctypes, resource
if os.geteuid() == 0:  # the limit is not for root, but its folders may be for nobody else
    os.setresuid(65534, 65534, 0)
    ctypes.CDLL(None).setfsuid(0)
resource.setrlimit(resource.RLIMIT_NPROC, (int(sys.argv[1]), int(sys.argv[1])))
"""


@linux
@with_extension
@pytest.mark.parametrize("backend", ["auto", "native"])
def test_where_no_thread_can_be_had_passes_are_portable(backend):
    ran = run(
        NO_THREADS
        + """
try:
    a_pass()
except ImportError as why:
    print(why)
else:
    print(reason())
""",
        0,
        env={"GOASYNCORE_BACKEND": backend},
        flags=("-W", "error"),
    )
    begins = {"auto": "portable: ", "native": "GOASYNCORE_BACKEND is native, but "}[backend]
    assert (
        ran.stdout == f"{begins}the engine needs 8 threads, and the system refuses to start them\n"
    )


def test_from_an_archive_passes_are_portable(tmp_path):
    archive = tmp_path / "program.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for package in ("asyncore", "asynchat", "goasyncore"):
            for source in (SITE / package).glob("*.py"):
                file.write(source, f"{package}/{source.name}")
        file.writestr("__main__.py", PRELUDE + "a_pass()\na_pass(False)\nprint(reason())\n")
    ran = run_python(
        "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='x')",
        archive,
        env=AUTO,
        flags=("-S", "-E", "-W", "error"),
    )
    assert ran.stdout.startswith("portable: the engine is not part of this installation"), ran


def test_from_a_folder_without_the_extension_passes_are_portable(tmp_path):
    for package in ("asyncore", "asynchat", "goasyncore"):
        shutil.copytree(
            SITE / package,
            tmp_path / package,
            ignore=lambda folder, names: [name for name in names if name.startswith("_binding")],
        )
    ran = run(
        "a_pass()\nprint(reason())\n",
        env={**AUTO, "PYTHONPATH": str(tmp_path)},
        flags=("-S", "-W", "error"),
    )
    assert ran.stdout.startswith("portable: the engine is not part of this installation"), ran


GREENLETS = """
import greenlet
{patch}
def serve(name, other, done):
    near, far = socket.socketpair()
    channels = {{}}
    left = 20
    class Channel(asyncore.dispatcher_with_send):
        def handle_read(self):
            nonlocal left
            assert self.recv(1) == b"x"
            left -= 1
            far.send(b"x")
            if not done[0]:
                other().switch()
            if not left:
                self.close()
    Channel(near, channels)
    far.send(b"x")
    asyncore.loop(0.01, name == "first", channels)
    assert not left
    done[0] += 1
done = [0]
first = greenlet.greenlet(lambda: serve("first", lambda: second, done))
second = greenlet.greenlet(lambda: serve("second", lambda: first, done))
first.switch()
while not (first.dead and second.dead):
    (second if first.dead else first).switch()
assert done == [2]
a_pass()
"""


@pytest.mark.skipif(importlib.util.find_spec("greenlet") is None, reason="greenlet is not here")
def test_loops_in_greenlets_that_switch_in_their_handlers():
    run(GREENLETS.format(patch=""))


GEVENT = """
import gevent, gevent.monkey
def patch():
    gevent.monkey.patch_all()
when = sys.argv[1]
if when == "late":
    a_pass()
    patch()
elif when == "after the import":
    patch()
near, far = socket.socketpair()
got = []
class Channel(asyncore.dispatcher):
    def handle_read(self):
        got.append(self.recv(1))
        gevent.sleep(0)
        if len(got) == 3:
            self.close()
channels = {}
Channel(near, channels)
def send():
    for _ in range(3):
        far.send(b"x")
def serve():
    asyncore.loop(0.05, False, channels)
gevent.joinall([gevent.spawn(f) for f in (send, serve, a_pass, a_pass)], raise_error=True)
assert got == [b"x"] * 3, got
"""


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not here")
@pytest.mark.parametrize("when", ["never", "at the start", "after the import", "late"])
def test_loops_beside_gevent(when):
    start = "import gevent.monkey; gevent.monkey.patch_all()\n" if when == "at the start" else ""
    run_python(start + PRELUDE + GEVENT, when, env=AUTO)
