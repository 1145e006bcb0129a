"""`python -m smtpd`: its options, its exit status, and whose rights it keeps."""

import os
import pwd
import re
import signal
import smtplib
import socket
import subprocess
import sys

import pytest
from support import LIMIT

OURS = pytest.mark.ours_only("3.11 has it otherwise")

OPTIONS = {"--nosetuid", "--version", "--class", "--size", "--smtputf8", "--debug", "--help"}
OPTIONS |= {"-n", "-V", "-c", "-s", "-u", "-d", "-h"}

# A class for -c that shows what it is made with, and leaves the loop.
SHOWS = """
import asyncore, os
class Shows:
    def __init__(self, *args, **kwargs):
        print(*args, kwargs, os.getuid())
        asyncore.loop = self.loop
    def loop(self):
        print(os.getuid(), os.getgid(), os.getgroups())
class Raises(Shows):
    def loop(self):
        raise KeyboardInterrupt
"""


@pytest.fixture
def command(tmp_path):
    (tmp_path / "shows.py").write_text(SHOWS)
    return [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "smtpd"]


@pytest.fixture
def run(command, tmp_path):
    def run(*args):
        done = subprocess.run(
            [*command, *args], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run


def test_version(run):
    for option in "-V", "--version":
        assert run(option) == (0, "Python SMTP proxy version 0.3\n", "")


def test_help(run):
    status, out, told = run("-h")
    assert (status, out) == (0, "")
    assert run("--help") == (status, out, told)
    assert set(re.findall(r"(?m)^    (--?\w+)", told)) == OPTIONS
    first, _, usage = told.splitlines()[:3]
    assert first == "An RFC 5321 smtp proxy with optional RFC 1870 and RFC 6531 extensions."
    program, _, rest = usage.removeprefix("Usage: ").partition(" ")
    assert os.path.isfile(program)
    assert rest == "[options] [localhost:localport [remotehost:remoteport]]"
    assert "\nVersion: Python SMTP proxy version 0.3\n" in told
    assert len(told.splitlines()) == 44


@pytest.mark.parametrize(
    "args, told",
    [
        (["--foo"], "option --foo not recognized"),
        (["-x", "-V"], "option -x not recognized"),
        (["-c"], "option -c requires argument"),
        (["a:1", "b:2", "c"], "Invalid arguments: a:1, b:2, c"),
        (["a"], "Bad local spec: a"),
        ([""], "Bad local spec: "),
        (["a:x"], "Bad local port: a:x"),
        (["a:1:2"], "Bad local port: a:1:2"),
        (["a:1", "b"], "Bad remote spec: b"),
        (["a:1", "b:"], "Bad remote port: b:"),
    ],
)
def test_wrong_arguments_are_told_below_the_usage(run, args, told):
    status, out, errors = run(*args)
    assert (status, out) == (1, "")
    assert errors.startswith("An RFC 5321 smtp proxy")
    assert errors.endswith(f"\n{told}\n")


def test_wrong_size(run):
    assert run("-s", "x") == (1, "", "Invalid size: x\n")


UID = os.getuid() if hasattr(os, "getuid") else 0


@pytest.mark.parametrize(
    "args, made",
    [
        ([], "('localhost', 8025) ('localhost', 25) None {'enable_SMTPUTF8': False}"),
        (["a:1"], "('a', 1) ('localhost', 25) None {'enable_SMTPUTF8': False}"),
        ([":1", ":2"], "('', 1) ('', 2) None {'enable_SMTPUTF8': False}"),
        (["-s", "5", "-u"], "('localhost', 8025) ('localhost', 25) 5 {'enable_SMTPUTF8': True}"),
        (["--size=7", "-d"], "('localhost', 8025) ('localhost', 25) 7 {'enable_SMTPUTF8': False}"),
        (["--smtputf8"], "('localhost', 8025) ('localhost', 25) None {'enable_SMTPUTF8': True}"),
    ],
)
def test_arguments_reach_the_class(run, args, made):
    status, out, errors = run("-n", "-c", "shows.Shows", *args)
    assert (status, errors) == (0, "")
    assert out.splitlines()[0] == f"{made} {UID}"


def test_interrupt_ends_the_loop_quietly(run):
    assert run("-n", "-c", "shows.Raises")[::2] == (0, "")


@pytest.mark.parametrize(
    "name, error",
    [
        ("Nobody", "AttributeError: module '__main__' has no attribute 'Nobody'"),
        ("shows.Nobody", "AttributeError: module 'shows' has no attribute 'Nobody'"),
        ("nowhere.Shows", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_class_that_is_not_there(run, name, error):
    status, _, errors = run("-n", "-c", name)
    assert (status, errors.splitlines()[-1]) == (1, error)


def test_proxy_with_smtputf8_is_refused(run):
    status, _, errors = run("-n", "-u", "localhost:0")
    assert status == 1
    assert errors.endswith("ValueError: PureProxy does not support SMTPUTF8.\n")


def test_address_that_is_taken(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, _, errors = run("-n", f"127.0.0.1:{taken.getsockname()[1]}")
    assert status == 1
    assert "Address already in use" in errors.splitlines()[-1]


root_only = pytest.mark.skipif(UID != 0, reason="takes root's rights")


@root_only
def test_root_becomes_nobody(run):
    nobody = pwd.getpwnam("nobody")
    status, out, errors = run("-c", "shows.Shows")
    assert (status, errors) == (0, "")
    before, after = out.splitlines()
    assert before.endswith(" 0")
    assert after.startswith(f"{nobody.pw_uid} ")


@root_only
@OURS
def test_nobody_is_in_no_group_of_roots(run):
    nobody = pwd.getpwnam("nobody")
    _, out, _ = run("-c", "shows.Shows")
    assert out.splitlines()[1] == f"{nobody.pw_uid} {nobody.pw_gid} []"


@pytest.fixture
def server(command, tmp_path):
    """server(*options): `python -m smtpd` with a DebuggingServer, and the port it listens on."""
    running = []

    def start(*options):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        address = f"127.0.0.1:{port}"
        options = [*options, "-d", "-c", "DebuggingServer", address]
        process = subprocess.Popen(
            [*command, *options], cwd=tmp_path, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        running.append(process)
        assert process.stderr.readline().startswith("DebuggingServer started at ")
        return process, port

    yield start
    for process in running:
        process.kill()
        process.communicate(timeout=LIMIT)


def test_message_is_printed_until_an_interrupt(server):
    process, port = server("-n")
    with smtplib.SMTP("127.0.0.1", port, timeout=LIMIT) as client:
        client.sendmail("a@b", ["c@d"], "Subject: x\r\n\r\nbody")
        assert "size" not in client.esmtp_features  # no -s: no limit
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert out.splitlines() == [
        "---------- MESSAGE FOLLOWS ----------",
        *("b'Subject: x'", "b'X-Peer: 127.0.0.1'", "b''", "b'body'"),
        "------------ END MESSAGE ------------",
    ]
    assert "Incoming connection from ('127.0.0.1', " in errors
    assert "===> MAIL from:<a@b>" in errors.replace("FROM", "from")


@root_only
def test_server_of_nobodys_serves_in_all_its_threads(server):
    process, port = server()
    with smtplib.SMTP("127.0.0.1", port, timeout=LIMIT) as client:
        assert client.noop() == (250, b"OK")
        uid = str(pwd.getpwnam("nobody").pw_uid)
        if os.path.isdir("/proc/self/task"):
            tasks = f"/proc/{process.pid}/task"
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/status") as status:
                    (ids,) = [line.split()[1:] for line in status if line.startswith("Uid:")]
                assert set(ids) == {uid}
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0
