"""The wheel as a user gets it: what is in it, what it needs, and what it leaves behind."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from job import Job, clean_environment
from workshop import BUILD, PIP, ROOT, Interpreter, make_venv, wheel_of

PACKAGES = {"asyncore", "asynchat", "smtpd", "goasyncore"}

COPY = "goasyncore/_modules.zip"  # tests_py/package/test_repair.py looks into it

# Serves one echo and says what served it.
TRY = """
import asyncore, asynchat, goasyncore, smtpd, socket, sys
class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))
here, there = socket.socketpair()
Echo(there)
here.sendall(b"hello")
asyncore.loop(timeout=5, count=2)
assert here.recv(100) == b"hello"
asyncore.close_all()
for module in asyncore, asynchat, smtpd, goasyncore:
    assert module.__file__.startswith(sys.prefix), module.__file__
print("served by", goasyncore.backend().name)
"""


def python_sources() -> set[str]:
    """The names in a wheel of all that python/ holds and users need, and of the copy of it."""
    tree = ROOT / "python"
    return {COPY} | {
        path.relative_to(tree).as_posix()
        for package in PACKAGES
        for path in (tree / package).rglob("*")
        if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }


def contents(wheel: Path) -> set[str]:
    """The files of a wheel beside its dist-info."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    return {name for name in names if ".dist-info/" not in name}


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def extension(wheel: Path, into: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".so"))
        return Path(archive.extract(name, into))


def serve(job: Job, python: Path, expect: str, **environment: str) -> None:
    env = clean_environment(**environment)
    told = job.run(python, "-I", "-W", "error", "-c", TRY, cwd=BUILD, seconds=60, env=env)
    assert f"served by {expect}" in told, told


def test_wheel_contents(job: Job, python: Interpreter) -> None:
    wheel = wheel_of(python)
    assert re.fullmatch(rf"goasyncore-[\d.]+-{python.tag}-{python.tag}-\w+\.whl", wheel.name)
    found = contents(wheel)
    built = {name for name in found if re.fullmatch(r"goasyncore/_binding\.[\w.-]+\.so", name)}
    assert len(built) == 1
    assert found - built == python_sources()
    with zipfile.ZipFile(wheel) as archive:
        for name in found - built - {COPY}:
            assert archive.read(name) == (ROOT / "python" / name).read_bytes(), name


@pytest.mark.skipif(sys.platform != "linux", reason="readelf and its words are Linux's")
def test_wheel_needs_libc_alone(job: Job, python: Interpreter, tmp_path: Path) -> None:
    library = extension(wheel_of(python), tmp_path)
    told = subprocess.run(
        ["readelf", "-W", "-d", "--dyn-syms", library], check=True, capture_output=True, text=True
    ).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", told))
    # Older C libraries keep threads in a file of their own.
    assert "libc.so.6" in needed
    assert needed <= {"libc.so.6", "libpthread.so.0"}
    assert not re.search(r"\((RPATH|RUNPATH)\)", told)
    # Symbols of one Go runtime must not resolve into another's.
    defined = re.findall(r" GLOBAL +DEFAULT +(?!UND)\w+ +(\S+)", told)
    assert [name for name in defined if not name.startswith("_binding")] == ["PyInit__binding"]
    assert str(ROOT).encode() not in library.read_bytes()


def test_install_leaves_nothing_behind(job: Job, python: Interpreter, tmp_path: Path) -> None:
    executable = make_venv(job, python, tmp_path / "venv")
    # Both write the bytecode of what they import: once, before the folders are compared.
    job.run(executable, *PIP, "list", cwd=BUILD, seconds=120)
    before = listing(tmp_path / "venv")
    job.run(
        executable, *PIP, "install", "--no-index", "--no-deps", wheel_of(python),
        cwd=BUILD, seconds=120,
    )  # fmt: skip
    new = listing(tmp_path / "venv") - before
    top = {re.sub(r".*?site-packages/", "", name).split("/")[0] for name in new}
    assert {name for name in top if not name.endswith(".dist-info")} - {"__pycache__"} == PACKAGES
    serve(job, executable, "native")
    job.run(executable, *PIP, "uninstall", "--yes", "goasyncore", cwd=BUILD, seconds=120)
    left = {name for name in listing(tmp_path / "venv") - before if "pip/" not in name}
    assert not left


def test_wheel_carries_the_notices_of_what_is_built_into_it(python: Interpreter) -> None:
    """The texts are those of the versions that go.mod and the build use."""

    def module(name: str) -> Path:
        command = ["go", "list", "-m", "-f", "{{.Dir}}", name]
        told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return Path(told.strip()) / "LICENSE"

    goroot = subprocess.run(
        ["go", "env", "GOROOT"], check=True, capture_output=True, text=True
    ).stdout
    originals = {
        "go.txt": Path(goroot.strip()) / "LICENSE",
        "golang.org-x-sys.txt": module("golang.org/x/sys"),
        "gopy.txt": module("github.com/go-python/gopy"),
    }
    with zipfile.ZipFile(wheel_of(python)) as archive:
        carried = {
            name.rpartition("/")[2]: name for name in archive.namelist() if "/licenses/" in name
        }
        assert set(originals) | {"LICENSE"} == set(carried)
        for name, original in originals.items():
            if original.is_file():  # a Go from a system's package keeps it elsewhere
                assert archive.read(carried[name]) == original.read_bytes(), name


def test_long_description_has_no_relative_link(python: Interpreter) -> None:
    with zipfile.ZipFile(wheel_of(python)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    body = text.partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)]+)\)", body)
    assert len(targets) > 10
    assert [target for target in targets if not re.match("https?://|#", target)] == []
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", body)
    assert pictures
    assert all(target.startswith("https://raw.githubusercontent.com/") for target in pictures)
