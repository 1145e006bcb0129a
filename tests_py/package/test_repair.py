"""`python -m goasyncore repair`, and which of two troubles the report tells apart."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import LIMIT
from test_installed import FOREIGN, MODULES, copies, with_path

goasyncore = pytest.importorskip("goasyncore", reason="3.11 has no goasyncore")

assert copies  # a fixture


def command(folder, *arguments, cwd=None, **env):
    """`python -m goasyncore`, of the packages in the folder alone."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "goasyncore", *arguments],
        env={**os.environ, **with_path(folder), **env}, cwd=cwd or folder,
        capture_output=True, text=True, timeout=2 * LIMIT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def source(folder, module):
    return folder / module / "__init__.py"


def test_the_copy_is_what_is_installed():
    installed = Path(goasyncore.__file__).parents[1]
    with zipfile.ZipFile(installed / "goasyncore" / "_modules.zip") as archive:
        names = set(archive.namelist())
        for name in names:
            assert archive.read(name) == (installed / name).read_bytes(), name
    assert names == {f"{module}/{file}" for module in MODULES for file in ("__init__.py", "py.typed")} | {"smtpd/__main__.py"}  # fmt: skip # noqa: E501


def test_nothing_is_changed_where_all_is_whole(copies):
    before = {path: path.stat().st_mtime_ns for path in copies.rglob("*")}
    done = command(copies, "repair")
    assert done.returncode == 0
    for module, line in zip(MODULES, done.stdout.splitlines(), strict=True):
        assert line == f"{module:10} in place: {source(copies, module)}"
    changed = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert {path.name for path in changed} <= {"__pycache__", "goasyncore"}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("how", ["overwritten", "file gone", "folder gone", "compiled", "empty"])
def test_a_module_is_put_back(copies, module, how):
    original = source(copies, module).read_bytes()
    if how == "folder gone":
        shutil.rmtree(copies / module)
    else:
        source(copies, module).unlink()
    if how in ("overwritten", "empty"):
        source(copies, module).write_text(FOREIGN if how == "overwritten" else "")
    if how == "compiled":  # in a way that Python believes without looking at the source
        source(copies, module).write_text("raise SystemExit('not ours')\n")
        compile = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", copies]
        subprocess.run([sys.executable, *compile], check=True, timeout=LIMIT)
    done = command(copies, "repair")
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(module)]
    assert line.startswith(f"{module:10} put back: {source(copies, module)} (it was ")
    assert source(copies, module).read_bytes() == original
    assert not list((copies / module).glob("*.[0-9]*"))
    if module != "smtpd" and how != "compiled":
        assert command(copies).returncode == 0


def test_everything_is_put_back_at_once(copies):
    for module in MODULES:
        shutil.rmtree(copies / module)
    assert command(copies, "repair").returncode == 0
    assert command(copies).returncode == 0


def test_another_distributions_cache_is_not_written_to(copies, tmp_path_factory):
    # uv links what it installs to its cache.
    cached = tmp_path_factory.mktemp("cache") / "__init__.py"
    cached.write_text(FOREIGN)
    source(copies, "asynchat").unlink()
    os.link(cached, source(copies, "asynchat"))
    assert command(copies, "repair").returncode == 0
    assert cached.read_text() == FOREIGN


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write")
def test_refuses_where_it_may_not_write(copies):
    source(copies, "asynchat").write_text(FOREIGN)
    (copies / "asynchat").chmod(0o500)
    done = command(copies, "repair")
    (copies / "asynchat").chmod(0o700)
    assert done.returncode == 1
    assert "asynchat cannot be put back, because " in done.stdout


def test_refuses_where_something_else_is_in_the_way(copies):
    shutil.rmtree(copies / "asynchat")
    (copies / "asynchat").write_text("a file")
    done = command(copies, "repair")
    assert done.returncode == 1
    assert "asynchat cannot be put back, because " in done.stdout
    assert (copies / "asynchat").read_text() == "a file"


def test_refuses_to_write_through_a_link(copies, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "asynchat"
    shutil.move(copies / "asynchat", elsewhere)
    (elsewhere / "__init__.py").write_text(FOREIGN)
    (copies / "asynchat").symlink_to(elsewhere)
    done = command(copies, "repair")
    assert done.returncode == 1
    assert f"{copies / 'asynchat'} is a link to {elsewhere}" in done.stdout
    assert (elsewhere / "__init__.py").read_text() == FOREIGN


def test_refuses_without_a_copy(copies):
    (copies / "goasyncore" / "_modules.zip").unlink()
    done = command(copies, "repair")
    assert done.returncode == 1
    assert done.stdout.startswith("There is no copy to repair from in ")


@pytest.fixture
def program(tmp_path_factory):
    """A program with an asyncore.py of its own beside it."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "asyncore.py").write_text("socket_map = {}\n")
    (folder / "main.py").write_text("import asyncore\n")
    return folder


@pytest.mark.parametrize("argument", ["", "main.py"])
def test_report_tells_a_file_that_hides_ours(copies, program, argument):
    assert command(copies).returncode == 0
    done = command(copies, str(program / argument))
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if line.startswith("asyncore"))
    hidden = f"asyncore   HIDDEN by a file that no distribution installed ({program}/asyncore.py)"
    assert line == hidden
    assert "Rename or delete that file" in done.stdout
    assert "-m goasyncore repair" not in done.stdout
    assert command(copies, cwd=program).stdout == done.stdout  # as before: from where it runs


def test_repair_says_that_a_file_hides_ours(copies, program):
    done = command(copies, "repair", cwd=program)
    assert done.returncode == 1
    assert f"{program}/asyncore.py (a file that no distribution installed)" in done.stdout
    assert "Rename or delete that file" in done.stdout


def test_report_tells_both_troubles_at_once(copies, program):
    source(copies, "asynchat").write_text(FOREIGN)
    done = command(copies, str(program))
    assert done.returncode == 1
    assert "asyncore   HIDDEN by" in done.stdout
    assert "asynchat   NOT OURS:" in done.stdout
    assert "-m goasyncore repair" in done.stdout


def test_help_version_and_wrong_arguments(copies):
    done = command(copies, "--version")
    assert (done.returncode, done.stdout) == (0, f"goasyncore {goasyncore.__version__}\n")
    for arguments in ["--help"], ["-h"], ["repair", "--help"], ["check", "--help"]:
        done = command(copies, *arguments)
        assert done.returncode == 0
        assert done.stdout.startswith("usage: ")
        assert done.stderr == ""
    for arguments in ["--bogus"], ["nowhere"], ["repair", "x"], ["check"], ["check", "nowhere"]:
        done = command(copies, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("usage: ")
