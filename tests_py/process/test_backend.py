"""Which backend serves: chosen by GOASYNCORE_BACKEND, at the first pass, told by backend()."""

import shutil
import sysconfig

import pytest
from passing import A_PASS, SITE, with_extension
from support import run_python

pytestmark = pytest.mark.ours_only("3.11 has no backends")

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

PRELUDE = (
    A_PASS
    + """
import os, warnings

def loaded():
    return [name for name in sys.modules if "_binding" in name]
"""
)


def run(code, backend, **options):
    return run_python(PRELUDE + code, env={"GOASYNCORE_BACKEND": backend}, **options)


def test_portable_serves_without_the_extension():
    run(
        """
import goasyncore
a_pass(False)
a_pass()
served = goasyncore.backend()
assert served.name == "portable", served
assert served.poller in ("poll", "select"), served
assert "GOASYNCORE_BACKEND" in served.reason, served
assert not loaded()
""",
        "portable",
    )


@with_extension
@pytest.mark.parametrize("backend", ["native", "auto", ""])
def test_native_serves_where_the_extension_loads(backend):
    run(
        """
warnings.simplefilter("error")
import goasyncore
assert not loaded()
a_pass(False)
assert loaded()
a_pass()
served = goasyncore.backend()
assert served.name == "native", served
assert served.poller in ("epoll", "kqueue", "poll", "select"), served
assert served.reason
""",
        backend,
    )


@with_extension
def test_the_extension_is_loaded_by_the_first_pass_and_not_before():
    run(
        """
import asynchat, goasyncore
near, far = socket.socketpair()
channels = {}
chat = asynchat.async_chat(near, channels)
asyncore.loop(map={})
chat.push(b"x")
asyncore.close_all(channels)
assert not loaded()
a_pass(False)
assert loaded()
""",
        "native",
    )


@pytest.mark.parametrize("backend", ["portable", pytest.param("native", marks=with_extension)])
def test_backend_told_before_any_loop_is_the_one_that_serves(backend):
    run(
        """
import goasyncore
before = goasyncore.backend()
assert before.name == os.environ["GOASYNCORE_BACKEND"]
a_pass(False)
assert goasyncore.backend() == before
""",
        backend,
    )


def test_backend_is_a_named_tuple():
    run(
        """
import goasyncore
served = goasyncore.backend()
assert isinstance(served, tuple)
assert tuple(served) == (served.name, served.poller, served.reason)
assert served._fields == ("name", "poller", "reason")
assert all(type(part) is str and part for part in served)
""",
        "portable",
    )


@pytest.mark.parametrize("call", ["a_pass(False)", "a_pass()", "asyncore.poll(0, {0: None})",
                                  "import goasyncore; goasyncore.backend()"])  # fmt: skip
def test_an_unknown_choice_is_a_value_error_that_names_the_choices(call):
    run(
        f"""
try:
    {call}
except ValueError as error:
    for word in ("GOASYNCORE_BACKEND", "fast", "native", "portable", "auto"):
        assert word in str(error), error
else:
    raise SystemExit("no error")
""",
        "fast",
    )


def test_an_unknown_choice_does_not_keep_from_importing():
    run("import asynchat, goasyncore", "fast")


@pytest.fixture
def without_extension(tmp_path):
    """A copy of the packages as a portable wheel installs them."""
    for name in ("asyncore", "asynchat", "goasyncore"):
        shutil.copytree(
            SITE / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("_binding*", "__pycache__"),
        )
    return tmp_path


@pytest.fixture
def broken_extension(without_extension):
    name = "_binding" + sysconfig.get_config_var("EXT_SUFFIX")
    (without_extension / "goasyncore" / name).write_bytes(b"no extension")
    return without_extension


def run_in(folder, backend, code, **env):
    code = PRELUDE + f"assert asyncore.__file__.startswith({str(folder)!r})\n" + code
    return run_python(code, env=env | {"GOASYNCORE_BACKEND": backend, "PYTHONPATH": str(folder)})


NO_NATIVE = """
import goasyncore
for call in (a_pass, a_pass, goasyncore.backend):
    try:
        call()
    except ImportError as error:
        assert "GOASYNCORE_BACKEND" in str(error) or "native" in str(error), error
    else:
        raise SystemExit("no error")
"""


def test_native_without_an_extension_is_an_import_error(without_extension):
    run_in(without_extension, "native", NO_NATIVE)


def test_auto_without_an_extension_is_portable_without_a_warning(without_extension):
    run_in(
        without_extension,
        "auto",
        """
warnings.simplefilter("error")
import goasyncore
a_pass(False)
assert goasyncore.backend().name == "portable"
assert goasyncore.backend().reason
""",
    )


def test_native_with_a_broken_extension_is_an_import_error(broken_extension):
    run_in(broken_extension, "native", NO_NATIVE)


@pytest.mark.skipif(FREE_THREADED, reason="a free-threaded build tries no extension")
def test_auto_with_a_broken_extension_warns_once_and_is_portable(broken_extension):
    run_in(
        broken_extension,
        "auto",
        """
import goasyncore
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    a_pass(False)
    a_pass()
    a_pass(False)
    served = goasyncore.backend()
assert [warning.category for warning in caught] == [RuntimeWarning], caught
assert served.name == "portable", served
assert served.reason in str(caught[0].message), (served, caught[0])
""",
    )


@pytest.mark.parametrize("gil", ["0", "1"], ids=["without the GIL", "with it"])
def test_a_free_threaded_build_tries_no_extension_and_says_why(broken_extension, gil):
    pretend, env = "", {"PYTHON_GIL": gil}
    if not FREE_THREADED:
        pretend, env = "sys.abiflags = 't'", {}
    code = f"""
{pretend}
warnings.simplefilter("error")
import goasyncore
a_pass(False)
assert goasyncore.backend().name == "portable"
assert "free-threaded" in goasyncore.backend().reason, goasyncore.backend()
assert not loaded()
assert getattr(sys, "_is_gil_enabled", lambda: True)() == {not env or gil == "1"}
"""
    run_in(broken_extension, "auto", code, **env)
    run_in(broken_extension, "native", pretend + NO_NATIVE, **env)


def test_portable_with_a_broken_extension_says_nothing(broken_extension):
    run_in(broken_extension, "portable", "warnings.simplefilter('error'); a_pass(False)")


@pytest.mark.parametrize("backend", ["portable", pytest.param("native", marks=with_extension)])
def test_first_loops_on_several_threads_at_once(backend):
    run(
        """
import threading
import goasyncore
barrier = threading.Barrier(8)
done = []
def first():
    barrier.wait()
    a_pass(False)
    done.append(goasyncore.backend())
threads = [threading.Thread(target=first) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 8 and len(set(done)) == 1, done
""",
        backend,
    )


@with_extension
def test_loading_leaves_the_process_as_it_was():
    """What gopy's own wrapper module does at import: change directory, watch the collector."""
    run(
        """
import gc, signal, tempfile
os.chdir(tempfile.gettempdir())
def state():
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGPIPE
    handlers = [signal.getsignal(number) for number in numbers]
    return os.getcwd(), list(gc.callbacks), handlers, list(sys.path)
before = state()
a_pass(False)
assert state() == before
""",
        "native",
    )
