"""Installed beside the distributions whose modules have our modules' names, before us and after.

What each order leaves is not ours to decide: pip and uv let the last one overwrite. What we
promise is that `python -m goasyncore` tells, that its one command cures it without a network, and
that their programs run then.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from job import Job
from workshop import BUILD, LOGS, PIP, ROOT, Interpreter, make_venv, once, wheel_of

REQUIREMENTS = ROOT / "tests_py" / "matrix" / "requirements-neighbours.txt"

# What pip installs with each of them, and so what stands in our modules' places afterwards.
NEIGHBOURS = {
    "pyasyncore": ("asyncore",),
    "standard-asyncore": ("asyncore",),
    "pyasynchat": ("asyncore", "asynchat"),
    "standard-asynchat": ("asyncore", "asynchat"),
    "standard-smtpd": ("asyncore", "asynchat", "smtpd"),
    "pyftpdlib": ("asyncore", "asynchat"),
}
MODULES = ("asyncore", "asynchat", "smtpd")
INSTALLERS = ["pip", "uv"]

# The files of goasyncore's RECORD that are not what it says.
RECORD = """
import base64, hashlib
from importlib.metadata import distribution
for file in distribution("goasyncore").files:
    if file.hash:
        digest = hashlib.new(file.hash.mode, file.locate().read_bytes()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            print(file)
"""

# What is left of all of them.
LEFT = """
import os, sysconfig
names = ("asyncore", "asynchat", "smtpd", "goasyncore")
site = sysconfig.get_path("purelib")
print([
    file for name in names for _, _, files in os.walk(os.path.join(site, name)) for file in files
])
"""

# An FTP server and a client of the standard library's in one process: both modules at work.
FTP = """
import asyncore, ftplib, io, sys, tempfile, threading
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
import logging
logging.disable()
with tempfile.TemporaryDirectory() as folder:
    authorizer = DummyAuthorizer()
    authorizer.add_user("user", "secret", folder, perm="elradfmwMT")
    class Handler(FTPHandler):
        pass
    Handler.authorizer = authorizer
    server = FTPServer(("127.0.0.1", 0), Handler)
    ended = threading.Event()
    def serve():
        while not ended.is_set():
            server.serve_forever(timeout=0.1, blocking=False)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ftplib.FTP() as client:
            client.connect(*server.socket.getsockname(), timeout=20)
            client.login("user", "secret")
            client.storbinary("STOR file", io.BytesIO(b"x" * 1000000))
            got = []
            client.retrbinary("RETR file", got.append)
            assert b"".join(got) == b"x" * 1000000
            print("fetched", client.nlst())
    finally:
        ended.set()
        thread.join(20)
        server.close_all()
"""


@pytest.fixture(scope="session")
def neighbours(first_python: Interpreter) -> Path:
    """A folder with the neighbours' wheels, fetched once."""

    def make() -> Path:
        job = Job("fetch neighbours", LOGS / "fetch-neighbours.log")
        into = BUILD / "neighbours"
        job.run(
            first_python.path, *PIP, "wheel", "-w", into, "-r", REQUIREMENTS,
            cwd=BUILD, seconds=600,
        )  # fmt: skip
        return into

    return once("neighbours", make)


@pytest.fixture(scope="session")
def uv(neighbours: Path, first_python: Interpreter) -> Path:
    def make() -> Path:
        job = Job("venv uv", LOGS / "venv-uv.log")
        python = make_venv(job, first_python, BUILD / "venv-uv")
        what = ["--no-index", "--find-links", neighbours, "uv"]
        job.run(python, *PIP, "install", *what, cwd=BUILD, seconds=120)
        return python.with_name("uv")

    return once("uv", make)


class Place:
    """A venv, and one of the programs that install into it."""

    def __init__(self, job: Job, python: Path, neighbours: Path, uv: Path | None) -> None:
        self.job = job
        self.python = python
        self.neighbours = neighbours
        self.uv = uv

    def run(self, *words: str | Path, status: int | None = 0) -> str:
        return self.job.run(self.python, *words, cwd=BUILD, seconds=120, status=status)

    def installer(self, command: str, *words: str | Path) -> None:
        if self.uv is None:
            self.run(*PIP, command, *words)
        else:
            uv = [self.uv, "pip", command, "--offline", "--python", self.python]
            self.job.run(*uv, *words, cwd=BUILD, seconds=120)

    def install(self, *what: str | Path) -> None:
        self.installer("install", "--no-index", "--find-links", self.neighbours, *what)

    def uninstall(self, *names: str) -> None:
        self.installer("uninstall", *([] if self.uv else ["--yes"]), *names)

    def report(self, status: int | None) -> str:
        return self.run("-I", "-m", "goasyncore", status=status)

    def repair(self) -> None:
        """Run the command that the report shows, as the user would, and look again."""
        (command,) = re.findall(r"(?m)^ +(\S.* -m goasyncore repair)$", self.report(None))
        assert command == f"{self.python} -m goasyncore repair"
        self.run("-I", "-m", "goasyncore", "repair")
        assert whose(self.report(0)) == dict.fromkeys(MODULES, True)


@pytest.fixture(params=INSTALLERS)
def place(
    job: Job, request: pytest.FixtureRequest, neighbours: Path, first_python: Interpreter,
    tmp_path: Path,
) -> Place:  # fmt: skip
    uv = request.getfixturevalue("uv") if request.param == "uv" else None
    return Place(job, make_venv(job, first_python, tmp_path / "venv"), neighbours, uv)


def whose(told: str) -> dict[str, bool]:
    """For each module whether the report says that it is ours."""
    found = re.findall(r"(?m)^(asyncore|asynchat|smtpd) +(ours|NOT OURS):", told)
    return {module: verdict == "ours" for module, verdict in found}


def claimants(told: str) -> list[str]:
    """The others that the report says to be installed beside us."""
    (line,) = re.findall(r"(?m)^beside us +([^(\n]+)", told)
    return [other.split()[0] for other in line.split(", ")]


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbour_before_us(first_python: Interpreter, place: Place, name: str) -> None:
    place.install(name)
    place.install("--no-deps", wheel_of(first_python))
    told = place.report(0)
    assert whose(told) == dict.fromkeys(MODULES, True)
    # It tells of them all the same: whoever removes them removes our files.
    others = claimants(told)
    assert name.replace("-", "_") in {other.replace("-", "_") for other in others} | {"pyftpdlib"}
    place.uninstall(*others)
    assert whose(place.report(1))["asyncore"] is False
    place.repair()


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbour_after_us(first_python: Interpreter, place: Place, name: str) -> None:
    place.install("--no-deps", wheel_of(first_python))
    record = place.run("-c", RECORD)
    place.install(name)
    told = place.report(1)
    taken = NEIGHBOURS[name]
    assert whose(told) == {module: module not in taken for module in MODULES}
    owner = r"(pyasyncore|standard-asyncore|standard_asyncore) \d"
    assert re.search(rf"(?m)^asyncore +NOT OURS: {owner}", told)
    place.repair()
    # Who requires a neighbour still finds it installed, and ours is what its RECORD says.
    place.installer("check")
    assert place.run("-c", RECORD) == record
    if name == "pyftpdlib":
        told = place.run("-I", "-W", "error::RuntimeWarning", "-c", FTP)
        assert "fetched ['file']" in told
    place.uninstall(*claimants(place.report(0)))
    place.repair()
    place.uninstall("goasyncore")
    assert place.run("-c", LEFT) == "[]\n"


def test_lone_asynchat_warns(first_python: Interpreter, place: Place) -> None:
    place.install("--no-deps", wheel_of(first_python))
    place.install("--no-deps", "pyasynchat")
    loop = (
        "import asynchat, asyncore, socket; near, far = socket.socketpair(); "
        "asynchat.async_chat(near); asyncore.loop(timeout=0, count=1)"
    )
    told = place.run("-I", "-c", loop)
    assert "RuntimeWarning: asynchat beside goasyncore is not goasyncore's" in told
    place.repair()
