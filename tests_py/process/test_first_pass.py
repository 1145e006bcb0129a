"""The first pass makes do with what asyncore's import has read, if the files are gone by then."""

import compileall
import os
import shutil
import zipfile

import pytest
from passing import A_PASS, SITE
from support import run_python

pytestmark = pytest.mark.ours_only("3.11 loads nothing late")

PRELUDE = (
    A_PASS
    + """
import goasyncore, os, time

def lose(how):
    if how == "files":
        os.rename(os.environ["PYTHONPATH"], os.environ["PYTHONPATH"] + "-gone")
    elif how == "path":
        for places in (sys.path, sys.meta_path, sys.path_hooks):
            places.clear()
        sys.path_importer_cache.clear()

def pair(kind=asyncore.dispatcher):
    near, far = socket.socketpair()
    channels = {}
    kind(near, channels)
    return channels, far
"""
)
PACKAGES = ("asyncore", "asynchat", "goasyncore")
ways_to_lose = pytest.mark.parametrize("how", ["nothing", "files", "path"])


@pytest.fixture
def installed(tmp_path):
    """A copy of the installation, without the extension."""
    for package in PACKAGES:
        leave_out = shutil.ignore_patterns("_binding*", "__pycache__")
        shutil.copytree(SITE / package, tmp_path / "site" / package, ignore=leave_out)
    return tmp_path / "site"


def run(code, place, *args):
    env = {"PYTHONPATH": str(place), "GOASYNCORE_BACKEND": "auto"}
    return run_python(PRELUDE + code, *args, env=env, flags=("-S",))


def test_the_import_of_asyncore_imports_little():
    ran = run_python(
        "import sys; import asyncore; print(*sorted(n for n in sys.modules if 'asyn' in n))"
    )
    wanted = "asyncore goasyncore goasyncore._first_pass goasyncore._genuine"
    assert ran.stdout.split() == wanted.split()


@ways_to_lose
def test_scheduled_calls_are_made(how, installed):
    ran = run(
        """
lose(sys.argv[1])
channels, _ = pair()
made = []
def fail():
    made.append("fail")
    1 / 0
now = time.monotonic()
for seconds in (0.03, 0.01, 0.02, 0.025):
    handle = goasyncore.call_at(now + seconds, made.append, seconds, map=channels)
handle.cancel()
goasyncore.call_soon_threadsafe(fail, map=channels)
while len(made) < 4:
    asyncore.loop(10, len(made) % 2, channels, 1)
assert made == ["fail", 0.01, 0.02, 0.03], made
goasyncore.wake(channels)
asyncore.loop(10, False, channels, 1)
""",
        installed,
        how,
    )
    first, *_, last = ran.stderr.splitlines()
    assert first.startswith("exception in callback <function fail")
    assert last == "ZeroDivisionError: division by zero"


@ways_to_lose
def test_a_slow_handler_is_reported(how, installed):
    ran = run(
        """
lose(sys.argv[1])
class Slow(asyncore.dispatcher):
    def writable(self):
        return False
    def handle_read(self):
        time.sleep(0.02)
goasyncore.slow_handler(0.01)
channels, far = pair(Slow)
far.send(b"x")
asyncore.loop(10, False, channels, 1)
""",
        installed,
        how,
    )
    assert "<__main__.Slow connected " in ran.stderr
    assert ".handle_read() blocked the loop for " in ran.stderr


@ways_to_lose
def test_a_traceback_has_files_and_lines(how, installed):
    ran = run(
        """
lose(sys.argv[1])
class Broken(asyncore.dispatcher):
    def readable(self):
        1 / 0
channels, _ = pair(Broken)
try:
    asyncore.loop(10, False, channels, 1)
except ZeroDivisionError as why:
    frame = why.__traceback__
    while frame.tb_next.tb_next:
        frame = frame.tb_next
    print(frame.tb_frame.f_code.co_filename, frame.tb_lineno)
""",
        installed,
        how,
    )
    file, line = ran.stdout.split()
    assert file == str(installed / "goasyncore" / "_portable_select.py")
    if how == "files":
        file = file.replace("/site/", "/site-gone/")
    with open(file, encoding="utf-8") as source:
        assert ".readable()" in source.read().splitlines()[int(line) - 1]


def test_each_module_is_imported_after_those_that_it_imports(installed):
    ran = run(
        """
import goasyncore._first_pass
class Watch:
    def find_spec(self, name, path=None, target=None):
        print(name.removeprefix("goasyncore."))
sys.meta_path.insert(0, Watch())
goasyncore._first_pass.load()
sys.meta_path.clear()
print(*goasyncore._first_pass._NEEDED)
""",
        installed,
    )
    *found, needed = ran.stdout.splitlines()
    assert found == ["fcntl", *needed.split()]


@pytest.mark.parametrize("backend", ["auto", "portable"])
def test_signal_handlers_may_raise_in_the_first_passes(backend):
    """Of two threads, one of which is interrupted all the time; none waits for ever."""
    run_python(
        A_PASS
        + """
import faulthandler, signal, threading
faulthandler.dump_traceback_later(60, exit=True)
class Alarm(Exception):
    pass
armed = False
def handler(number, frame):
    if armed:
        raise Alarm
signal.signal(signal.SIGALRM, handler)
ended = threading.Event()
def serve():
    a_pass()
    ended.set()
near, far = socket.socketpair()
channels = {}
class Channel(asyncore.dispatcher):
    def readable(self):
        global armed
        armed = False  # modules are imported
        return False
    writable = readable
Channel(near, channels)
threading.Thread(target=serve, daemon=True).start()
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
interval = 0.0005
while not ended.is_set():
    try:
        armed = True
        asyncore.loop(0.01, False, channels, 1)
    except Alarm:
        # Longer and longer, because a module is begun again.
        interval *= 1.02
        armed = False
        signal.setitimer(signal.ITIMER_REAL, interval, interval)
armed = False
signal.setitimer(signal.ITIMER_REAL, 0)
""",
        env={"GOASYNCORE_BACKEND": backend},
    )


@ways_to_lose
def test_threads_may_begin_together(how, installed):
    run(
        """
lose(sys.argv[1])
import _thread
gate, ends, failed = _thread.allocate_lock(), [], []
gate.acquire()
def serve(ended):
    with gate:
        pass
    try:
        a_pass()
    except BaseException as why:
        failed.append(why)
    ended.release()
for _ in range(8):
    ended = _thread.allocate_lock()
    ended.acquire()
    ends.append(ended)
    _thread.start_new_thread(serve, (ended,))
gate.release()
for ended in ends:
    ended.acquire()
assert not failed, failed
assert not any(type(finder).__module__ == "goasyncore._first_pass" for finder in sys.meta_path)
""",
        installed,
        how,
    )


def test_modules_that_were_taken_out_of_sys_modules(installed):
    ran = run(
        """
for name in [*sys.modules]:
    if name.partition(".")[0] in ("asyncore", "goasyncore"):
        del sys.modules[name]
for use_poll in (False, True):
    a_pass(use_poll)
print("served")
""",
        installed,
    )
    assert ran.stdout == "served\n"


@pytest.mark.parametrize("where", ["_logger", "_native", "_installed", "_obstacles"])
def test_a_pass_in_the_middle_of_the_first(where, installed):
    ran = run(
        """
class Finder:
    def find_spec(self, name, *_):
        if name == "goasyncore." + sys.argv[1]:
            sys.meta_path.remove(self)
            a_pass()  # as a signal handler may do it here
            print(goasyncore.backend().name)
sys.meta_path.insert(0, Finder())
a_pass()
assert "still" not in goasyncore.backend().reason
""",
        installed,
        where,
    )
    assert ran.stdout == "portable\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_another_thread_makes_the_first_pass(installed):
    ran = run(
        """
import _thread
reached, go_on = _thread.allocate_lock(), _thread.allocate_lock()
reached.acquire(), go_on.acquire()
class Finder:
    def find_spec(self, name, *_):
        if name.endswith("_native") and go_on.locked() and os.getpid() == parent:
            reached.release()
            with go_on:
                pass
class WithoutFindSpec:
    pass
parent = os.getpid()
sys.meta_path[:0] = [Finder(), WithoutFindSpec()]
ended = _thread.allocate_lock()
ended.acquire()
_thread.start_new_thread(lambda: (a_pass(), ended.release()), ())
reached.acquire()
child = os.fork()
if not child:
    a_pass()
    os._exit(0)
status = os.waitpid(child, 0)[1]
go_on.release()
ended.acquire()
print(status)
""",
        installed,
    )
    assert ran.stdout == "0\n"


def test_a_first_pass_while_the_interpreter_ends():
    """CPython 3.12 starts no thread any more then; a later one does."""
    ran = run(
        """
import atexit
def late():
    a_pass()
    print("served by", goasyncore.backend().name)
os.environ["GOASYNCORE_BACKEND"] = sys.argv[1]
atexit.register(late)
""",
        SITE,
        os.environ.get("GOASYNCORE_BACKEND", "auto"),
    )
    assert ran.stdout.startswith("served by ")


def test_from_an_archive_that_is_gone(installed, tmp_path):
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for package in PACKAGES:
            for source in (installed / package).glob("*.py"):
                file.write(source, f"{package}/{source.name}")
    run("lose('files')\na_pass()\na_pass(False)\n", archive)


@ways_to_lose
def test_without_sources_all_is_imported_at_once(how, installed):
    assert compileall.compile_dir(installed, quiet=1, legacy=True)
    for source in installed.rglob("*.py"):
        source.unlink()
    run("lose(sys.argv[1])\na_pass()\na_pass(False)\n", installed, how)
