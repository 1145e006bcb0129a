"""Installed beside the distributions whose modules have our modules' names, before us and after.

What each order leaves is not ours to decide: pip lets the last one overwrite. What we promise is
that `python -m goasyncore` tells, that its one command cures it, and that their programs run then.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from job import Job, clean_environment
from workshop import BUILD, LOGS, PIP, ROOT, Interpreter, Workshop, make_venv

REQUIREMENTS = ROOT / "tests_py" / "matrix" / "requirements-neighbours.txt"

# What pip installs with each of them, and so what stands in our modules' places afterwards.
NEIGHBOURS = {
    "pyasyncore": ("asyncore",),
    "standard-asyncore": ("asyncore",),
    "pyasynchat": ("asyncore", "asynchat"),
    "standard-asynchat": ("asyncore", "asynchat"),
    "pyftpdlib": ("asyncore", "asynchat"),
}

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
def neighbours(workshop: Workshop, first_python: Interpreter) -> Path:
    """A folder with the neighbours' wheels, fetched once."""

    def make() -> Path:
        job = Job("fetch neighbours", LOGS / "fetch-neighbours.log")
        into = BUILD / "neighbours"
        job.run(
            first_python.path, *PIP, "wheel", "-w", into, "-r", REQUIREMENTS,
            cwd=BUILD, seconds=600,
        )  # fmt: skip
        return into

    return workshop.once("neighbours", "", make)


def install(job: Job, python: Path, *what: str | Path) -> None:
    job.run(python, *PIP, "install", "--no-index", *what, cwd=BUILD, seconds=120)


def report(job: Job, python: Path, status: int | None) -> str:
    return job.run(python, "-I", "-m", "goasyncore", cwd=BUILD, seconds=60, status=status)


def whose(told: str) -> dict[str, bool]:
    """For each module whether the report says that it is ours."""
    found = re.findall(r"(?m)^(asyncore|asynchat) +(ours|NOT OURS):", told)
    return {module: verdict == "ours" for module, verdict in found}


def cured(job: Job, python: Path, told: str) -> None:
    """Run the command that the report shows, as the user would, and look again."""
    (command,) = re.findall(r"(?m)^    (\S.* -m pip install .*)$", told)
    env = clean_environment(PIP_NO_INDEX="1")
    job.run(*shlex.split(command), cwd=BUILD, seconds=120, env=env)
    again = report(job, python, 0)
    assert whose(again) == {"asyncore": True, "asynchat": True}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbour_before_us(
    job: Job, workshop: Workshop, neighbours: Path, first_python: Interpreter, name: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    python = make_venv(job, first_python, tmp_path / "venv")
    install(job, python, "--find-links", neighbours, name)
    install(job, python, "--no-deps", workshop.wheel(first_python))
    told = report(job, python, 0)
    assert whose(told) == {"asyncore": True, "asynchat": True}
    # It tells of them all the same: whoever removes them removes our files.
    assert name in told or name == "pyftpdlib"
    others = [name for name in NEIGHBOURS if re.search(rf"(?m)^beside us .*\b{name} \d", told)]
    job.run(python, *PIP, "uninstall", "--yes", *others, cwd=BUILD, seconds=60)
    told = report(job, python, 1)
    assert whose(told)["asyncore"] is False
    (command,) = re.findall(r"(?m)^    (\S.* -m pip install .*)$", told)
    job.run(*shlex.split(command), cwd=BUILD, seconds=120, env=clean_environment(PIP_NO_INDEX="1"))
    report(job, python, 0)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbour_after_us(
    job: Job, workshop: Workshop, neighbours: Path, first_python: Interpreter, name: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    python = make_venv(job, first_python, tmp_path / "venv")
    install(job, python, "--no-deps", workshop.wheel(first_python))
    install(job, python, "--find-links", neighbours, name)
    told = report(job, python, 1)
    taken = NEIGHBOURS[name]
    assert whose(told) == {module: module not in taken for module in ("asyncore", "asynchat")}
    owner = r"(pyasyncore|standard-asyncore|standard_asyncore) \d"
    assert re.search(rf"(?m)^asyncore +NOT OURS: {owner}", told)
    cured(job, python, told)
    # Who requires a neighbour still finds it installed.
    job.run(python, *PIP, "check", cwd=BUILD, seconds=60)
    if name == "pyftpdlib":
        assert "fetched ['file']" in job.run(
            python, "-I", "-W", "error::RuntimeWarning", "-c", FTP, cwd=BUILD, seconds=120
        )


def test_lone_asynchat_warns(
    job: Job, workshop: Workshop, neighbours: Path, first_python: Interpreter, tmp_path: Path
) -> None:
    python = make_venv(job, first_python, tmp_path / "venv")
    install(job, python, "--no-deps", workshop.wheel(first_python))
    install(job, python, "--no-deps", "--find-links", neighbours, "pyasynchat")
    loop = (
        "import asynchat, asyncore, socket; near, far = socket.socketpair(); "
        "asynchat.async_chat(near); asyncore.loop(timeout=0, count=1)"
    )
    told = job.run(python, "-I", "-c", loop, cwd=BUILD, seconds=60)
    assert "RuntimeWarning: asynchat beside goasyncore is not goasyncore's" in told
    cured(job, python, report(job, python, 1))
