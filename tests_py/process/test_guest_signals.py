"""What signals do, and which threads see them: as in a process without the engine's threads."""

import signal
import sys

import pytest
from passing import A_PASS
from support import run_python

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads /proc, and Linux alone has SIGSTKFLT"
)

PRELUDE = (
    A_PASS
    + """
import faulthandler, os, signal, subprocess, threading, time

def status(task="self", *names):
    with open(f"/proc/self/task/{task}/status") as file:
        lines = dict(line.split(":\\t") for line in file if line.startswith("Sig"))
    return {name: int(lines[name], 16) for name in names}

def threads():
    return set(map(int, os.listdir("/proc/self/task")))

def mask(*numbers):
    return sum(1 << number - 1 for number in numbers)

FAULTS = mask(signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE)
"""
)


def run(code, *args, check=True):
    return run_python(PRELUDE + code, *args, check=check)


@pytest.mark.parametrize("blocked", ["", "all", "2 17 27 10"])
def test_the_calling_thread_keeps_its_mask(blocked):
    run(
        """
given = sys.argv[1]
numbers = signal.valid_signals() if given == "all" else map(int, given.split())
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

def compare():
    before = status(threading.get_native_id(), "SigBlk", "SigPnd")
    a_pass()
    a_pass()
    assert status(threading.get_native_id(), "SigBlk", "SigPnd") == before, before

compare()
for _ in range(3):
    failed = []
    thread = threading.Thread(target=lambda: (compare(), failed.append(False)))
    thread.start()
    thread.join()
    assert failed == [False]
""",
        blocked,
    )


def test_other_threads_block_all_signals_but_faults():
    run(
        """
own = os.getpid()
a_pass()
def unblocked():
    # C libraries keep some signals below SIGRTMIN for themselves, in every thread.
    internal = mask(*range(32, signal.SIGRTMIN)) | mask(signal.SIGKILL, signal.SIGSTOP)
    masks = [status(task, "SigBlk")["SigBlk"] for task in threads() - {own}]
    return {hex((1 << 64) - 1 & ~internal & ~blocked) for blocked in masks}
deadline = time.monotonic() + 10
while unblocked() - {hex(FAULTS)} and time.monotonic() < deadline:
    time.sleep(0.01)  # one that is just starting
assert not unblocked() - {hex(FAULTS)}, unblocked()
"""
    )


@pytest.mark.parametrize("pipe", ["SIG_DFL", "SIG_IGN"])
def test_dispositions_stay(pipe):
    run(
        """
signal.signal(signal.SIGPIPE, getattr(signal, sys.argv[1]))
signal.signal(signal.SIGURG, lambda *args: None)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
threading.Thread(target=int).start()  # the C library's own signals
before = status(os.getpid(), "SigIgn", "SigCgt")
handlers = {s: signal.getsignal(s) for s in signal.valid_signals()}
a_pass()
after = status(os.getpid(), "SigIgn", "SigCgt")
assert after["SigIgn"] == before["SigIgn"], (before, after)
assert after["SigCgt"] & ~FAULTS == before["SigCgt"] & ~FAULTS, (before, after)
assert handlers == {s: signal.getsignal(s) for s in signal.valid_signals()}
""",
        pipe,
    )


def test_a_broken_pipe_ends_a_program_that_wants_that():
    ended = run(
        """
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
a_pass()
r, w = os.pipe()
os.close(r)
os.write(w, b"x")
print("still here")
""",
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGPIPE, ""), ended


@pytest.mark.parametrize("way", ["exec", "spawn"])
@pytest.mark.parametrize("name", ["SIGPIPE", "SIGURG", "SIGSEGV", "SIGUSR1"])
def test_a_child_inherits_what_is_ignored_and_blocked(way, name):
    run(
        """
way, number = sys.argv[1], getattr(signal, sys.argv[2])
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGUSR2})
a_pass()
# No Python: that ignores SIGPIPE itself.
r, w = os.pipe()
command = ["cat", "/proc/self/status"]
if way == "spawn":
    actions = [(os.POSIX_SPAWN_DUP2, w, 1)]
    os.waitpid(os.posix_spawnp("cat", command, os.environ, file_actions=actions), 0)
else:
    pid = os.fork()
    if not pid:
        os.dup2(w, 1)
        os.execvp("cat", command)
    os.waitpid(pid, 0)
os.close(w)
lines = dict(line.split(":\\t") for line in os.fdopen(r) if line.startswith("Sig"))
assert int(lines["SigIgn"], 16) & mask(number), lines
assert int(lines["SigBlk"], 16) == mask(signal.SIGCHLD, signal.SIGUSR2), lines
""",
        way,
        name,
    )


SIGNALS = ["SIGUSR1", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGPROF", "SIGURG", "SIGRTMIN", "SIGABRT"]


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_that_is_blocked_waits_until_it_is_unblocked(name):
    run(
        """
number = getattr(signal, sys.argv[1])
seen = []
signal.signal(number, lambda *args: seen.append(1))
a_pass()
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
os.kill(os.getpid(), number)
a_pass()
time.sleep(0.05)  # for a thread that should not
assert not seen
assert number in signal.sigpending()
signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
a_pass()
assert seen == [1]
""",
        name,
    )


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_signal_that_is_blocked_and_waited_for_comes(name, when):
    run(
        """
number, when = getattr(signal, sys.argv[1]), sys.argv[2]
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
if when == "before":
    os.kill(os.getpid(), number)
a_pass()
if when == "after":
    for _ in range(20):
        os.kill(os.getpid(), number)
        a_pass()
        assert signal.sigtimedwait({number}, 10).si_signo == number
else:
    assert signal.sigtimedwait({number}, 10) is not None
    os.kill(os.getpid(), number)
    assert signal.sigwait({number}) == number
""",
        name,
        when,
    )


def test_a_signalfd_gets_the_end_of_a_child():
    run(
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
a_pass()
wanted = (ctypes.c_ulong * 16)(mask(signal.SIGCHLD))
fd = libc.signalfd(-1, wanted, 0o4000)
assert fd >= 0
channels = {}
class Children(asyncore.file_dispatcher):
    seen = 0
    def writable(self):
        return False
    def handle_read(self):
        self.seen += len(self.recv(128))
watcher = Children(fd, channels)
for i in range(1, 21):
    subprocess.run(["true"], check=True)
    deadline = time.monotonic() + 10
    while watcher.seen < 128 * i and time.monotonic() < deadline:
        asyncore.loop(0.1, True, channels, 1)
    assert watcher.seen == 128 * i, watcher.seen
"""
    )


CAUSES = {
    "SIGSEGV": "ctypes.string_at(8)",
    "SIGBUS": "os.kill(os.getpid(), signal.SIGBUS)",
    "SIGFPE": "signal.raise_signal(signal.SIGFPE)",
    "SIGABRT": "os.abort()",
    "SIGILL": "signal.raise_signal(signal.SIGILL)",
}


@pytest.mark.parametrize("name", CAUSES)
@pytest.mark.parametrize("faulthandler", ["never", "before", "after"])
def test_a_fault_of_the_programs_ends_it_as_ever(name, faulthandler):
    ended = run(
        f"""
import ctypes, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if sys.argv[1] == "before":
    faulthandler.enable()
a_pass()
if sys.argv[1] == "after":
    faulthandler.enable()
thread = threading.Thread(target=a_pass)
thread.start()
thread.join()
a_pass()
def here_it_happens():
    {CAUSES[name]}
here_it_happens()
time.sleep(10)
""",
        faulthandler,
        check=False,
    )
    assert ended.returncode == -getattr(signal, name), ended
    assert ("here_it_happens" in ended.stderr) == (faulthandler != "never"), ended
    assert "goroutine" not in ended.stderr


def test_a_handler_of_a_fault_that_was_sent_is_called():
    run(
        """
seen = []
signal.signal(signal.SIGSEGV, lambda *args: seen.append("before"))
a_pass()
signal.raise_signal(signal.SIGSEGV)
assert seen == ["before"]
signal.signal(signal.SIGSEGV, lambda *args: seen.append("after"))
a_pass()
signal.raise_signal(signal.SIGSEGV)
assert seen == ["before", "after"]
"""
    )


def test_user_ids_can_be_changed_in_all_threads():
    # The C library does it by a signal to each thread, and waits for all of them.
    run(
        """
a_pass()
os.setgid(os.getgid())
os.setuid(os.getuid())
"""
    )
