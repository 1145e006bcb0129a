"""`python -m goasyncore`, and the warning where another distribution took a module's place."""

import asyncore
import os
import shutil
import sysconfig
from pathlib import Path

import pytest
from support import run_python

goasyncore = pytest.importorskip("goasyncore", reason="3.11 has no goasyncore")
_installed = pytest.importorskip("goasyncore._installed")
_selftest = pytest.importorskip("goasyncore._selftest")

# As the backports are, as far as this goes: a module of the name, without what the engine wants.
FOREIGN = "import asyncore\nclass async_chat(asyncore.dispatcher):\n    pass\n"

LOOP = """
import asyncore, socket, sys, warnings
near, far = socket.socketpair()
asyncore.dispatcher(near)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(3):
        asyncore.loop(timeout=0, count=1)
for warning in caught:
    print(warning.category.__name__, warning.filename, warning.message)
"""

REPORT = "import runpy; runpy.run_module('goasyncore', run_name='__main__', alter_sys=True)"
MODULES = ("asyncore", "asynchat", "smtpd")


@pytest.fixture
def copies(tmp_path):
    """Our packages in a folder of the test's own; the environment that imports them."""
    installed = Path(goasyncore.__file__).parents[1]
    for name in (*MODULES, "goasyncore"):
        shutil.copytree(installed / name, tmp_path / name)
    return tmp_path


def with_path(folder):
    return {"PYTHONPATH": str(folder)}


def test_whole_installation_gives_no_warning(copies):
    assert run_python(LOOP, env=with_path(copies)).stdout == ""


def test_overwritten_module_warns_once_at_the_first_loop(copies):
    (copies / "asynchat" / "__init__.py").write_text(FOREIGN)
    (line,) = run_python(LOOP, env=with_path(copies)).stdout.splitlines()
    # Of the program's own line, and with the command that says more.
    assert line.startswith("RuntimeWarning <string> asynchat beside goasyncore")
    assert "-m goasyncore" in line


def test_removed_module_warns(copies):
    # As pip leaves it: py.typed is in no other distribution, so the folder stays.
    (copies / "asynchat" / "__init__.py").unlink()
    assert "RuntimeWarning" in run_python(LOOP, env=with_path(copies)).stdout


def test_asynchat_works_on_a_foreign_asyncore_and_warns(copies):
    # The names that the two of ours share are not in anybody else's.
    module = copies / "asyncore" / "__init__.py"
    text = module.read_text().replace("_own_predicates", "_predicates")
    module.write_text(text.replace("_Backlog", "_Rest").replace("_hide_annotations", "_hide"))
    program = """
        import asynchat
        import socket
        class Chat(asynchat.async_chat):
            def collect_incoming_data(self, data):
                self._collect_incoming_data(data)
            def found_terminator(self):
                print(self._get_data())
        near, far = socket.socketpair()
        chat = Chat(near)
        chat.set_terminator(b"!")
        far.send(b"hello" + b"x" * 9000 + b"!" + b"y" * 20000)
        chat.handle_read()
        chat.push(b"back")
        assert far.recv(10) == b"back"
    """
    result = run_python(program, env=with_path(copies))
    assert result.stdout == f"{b'hello' + b'x' * 9000!r}\n"
    assert result.stderr.count("RuntimeWarning: asyncore beside goasyncore") == 1


def test_programs_own_module_of_the_name_is_its_own_affair(copies, tmp_path_factory):
    program = tmp_path_factory.mktemp("program")
    (program / "asynchat.py").write_text(FOREIGN)
    env = {"PYTHONPATH": f"{program}{os.pathsep}{copies}"}
    assert run_python("import asynchat\n" + LOOP, env=env).stdout == ""


def test_compiled_installation_gives_no_warning(copies):
    program = "import compileall, sys; compileall.compile_dir(sys.argv[1], quiet=1, legacy=True)"
    run_python(program, copies)
    for source in copies.rglob("*.py"):
        source.unlink()
    assert run_python(LOOP, env=with_path(copies)).stdout == ""


def test_report_of_a_sound_installation():
    told = run_python(REPORT)
    lines = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    assert lines["goasyncore"] == goasyncore.__version__
    assert lines["asyncore"].startswith("ours: ")
    assert asyncore.__file__ in lines["asyncore"]
    assert lines["asynchat"].startswith("ours: ")
    assert lines["smtpd"].startswith("ours: ")
    served = goasyncore.backend()
    assert lines["backend"].startswith(f"{served.name}, {served.poller}: ")
    count = len(_selftest.tests())
    assert lines["self-test"].startswith(f"{count} of {count} passed")


@pytest.mark.parametrize(
    ("spoil", "told_of"),
    [
        (lambda module: module.write_text(FOREIGN), "a file that no distribution installed"),
        (lambda module: module.unlink(), "the file is gone"),
    ],
    ids=["overwritten", "removed"],
)
def test_report_names_what_is_not_ours_and_the_cure(copies, spoil, told_of):
    spoil(copies / "asynchat" / "__init__.py")
    # -S: without the folder in which ours are whole.
    result = run_python(REPORT, env=with_path(copies), flags=["-S"], check=False)
    assert result.returncode == 1
    assert "NOT OURS" in result.stdout
    assert told_of in result.stdout
    (command,) = [line for line in result.stdout.splitlines() if line.startswith("    ")]
    assert command.endswith(" -m goasyncore repair")
    assert "self-test" not in result.stdout


def test_report_says_that_the_wanted_backend_is_not_there(copies):
    for extension in (copies / "goasyncore").glob("_binding.*"):
        extension.unlink()
    env = {**with_path(copies), "GOASYNCORE_BACKEND": "native"}
    result = run_python(REPORT, env=env, check=False)
    assert result.returncode == 1
    assert "backend    NONE: GOASYNCORE_BACKEND is native, but" in result.stdout


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="it needs the GIL")
def test_report_of_the_pure_wheel_says_how_to_build_the_engine(copies):
    for extension in (copies / "goasyncore").glob("_binding.*"):
        extension.unlink()
    env = {**with_path(copies), "GOASYNCORE_BACKEND": "auto"}
    told = run_python(REPORT, env=env, flags=["-S"]).stdout
    assert "this is the pure-Python wheel" in told
    if "musl" not in sysconfig.get_config_var("SOABI"):
        assert "--no-cache-dir --no-binary goasyncore goasyncore" in told


@pytest.mark.parametrize(
    ("promise", "test"), _selftest.tests(), ids=[promise for promise, _ in _selftest.tests()]
)
def test_self_test_notices_a_loop_that_does_nothing(monkeypatch, promise, test):
    test()
    monkeypatch.setattr(asyncore, "loop", lambda *args, **kwargs: None)
    monkeypatch.setattr(_selftest, "_LIMIT", 0.1)
    with pytest.raises((RuntimeError, OSError)):
        test()


def test_holder_names_the_distribution_of_the_file():
    for module in _installed.MODULES:
        held = _installed.Holder(module)
        assert held.ours
        assert held.owner.startswith("goasyncore")
