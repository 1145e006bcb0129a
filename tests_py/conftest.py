"""The suite states what CPython 3.11's asyncore does; `--reference` holds it against just that.

    pytest tests_py                 our modules, as installed in the running environment
    pytest tests_py --reference     the standard library's, on CPython 3.11

The backend is chosen from outside, by GOASYNCORE_BACKEND, and has to be the one in force.
GOASYNCORE_TEST_ANYWHERE=1 allows modules that are not installed (PYTHONPATH=python).
"""

import gc
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import warnings

import pytest

with warnings.catch_warnings():
    # 3.11 announces the removal; that ours does not is a test of its own.
    warnings.simplefilter("ignore", DeprecationWarning)
    import asynchat
    import asyncore
    import smtpd


def pytest_addoption(parser):
    parser.addoption(
        "--reference",
        action="store_true",
        help="test the standard library's modules of CPython 3.11 instead of ours",
    )


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "ours_only(reason): differs from 3.11 on purpose; deselected by --reference"
    )


def inside(path, *folders):
    path = pathlib.Path(path).resolve()
    return any(path.is_relative_to(pathlib.Path(folder).resolve()) for folder in folders)


def check_reference():
    standard = sysconfig.get_path("stdlib")
    if sys.version_info[:2] != (3, 11):
        return "--reference needs CPython 3.11"
    if not inside(asyncore.__file__, standard) or inside(
        asyncore.__file__, sysconfig.get_path("purelib")
    ):
        return f"--reference found {asyncore.__file__}, not the standard library's"
    return None


def check_ours():
    import goasyncore

    installed = sysconfig.get_path("purelib"), sysconfig.get_path("platlib")
    for module in (asyncore, asynchat, smtpd, goasyncore):
        if not inside(module.__file__, *installed) and not os.environ.get(
            "GOASYNCORE_TEST_ANYWHERE"
        ):
            return f"{module.__file__} is not what is installed in {sys.prefix}"
    asked = os.environ.get("GOASYNCORE_BACKEND", "auto")
    served = goasyncore.backend()
    if asked != "auto" and served.name != asked:
        return f"asked for the {asked} backend, got {served}"
    return None


def pytest_sessionstart(session):
    # A shell begins its background jobs with SIGINT ignored, and what they start inherits that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    problem = check_reference() if session.config.getoption("--reference") else check_ours()
    if problem:
        raise pytest.UsageError(problem)


def pytest_report_header(config):
    if config.getoption("--reference"):
        return f"asyncore: the reference, {asyncore.__file__}"
    import goasyncore

    return f"asyncore: {asyncore.__file__}, {goasyncore.backend()}"


def pytest_collection_modifyitems(config, items):
    if config.getoption("--reference"):
        ours = [item for item in items if item.get_closest_marker("ours_only")]
        items[:] = [item for item in items if item not in ours]
        config.hook.pytest_deselected(items=ours)


def pytest_collection_finish(session):
    # Tests collect garbage, and would look each time through all that pytest has of 3,000 tests.
    gc.collect()
    gc.freeze()


@pytest.fixture
def reference(request):
    return request.config.getoption("--reference")


@pytest.fixture(params=[False, True], ids=["select", "poll"])
def use_poll(request):
    return request.param


@pytest.fixture(autouse=True)
def global_map_left_empty():
    """A test that leaves a channel in the global map would run in the next one's loop."""
    assert asyncore.socket_map == {}
    yield
    left = dict(asyncore.socket_map)
    asyncore.close_all(ignore_all=True)
    assert left == {}


@pytest.fixture
def channels():
    """A map of the test's own; what is left in it is closed."""
    channels = {}
    yield channels
    asyncore.close_all(channels, ignore_all=True)


@pytest.fixture
def closing():
    """closing(x, y) closes them at the end of the test, and gives them back."""
    opened = []

    def close_later(*things):
        opened.extend(things)
        return things if len(things) > 1 else things[0]

    yield close_later
    for thing in opened:
        try:
            thing.close()
        except OSError:
            pass


@pytest.fixture
def goasyncore():
    """For tests that --reference collects, too: 3.11 has no such module."""
    import goasyncore

    return goasyncore


@pytest.fixture
def idle(channels, closing):
    """A map with a channel to which nothing happens."""
    from support import Recorder, pair

    near, far = closing(*pair())
    Recorder(near, channels).peer = far
    return channels


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost and its key, made for this run."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl program to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [program, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=60
    )
    return cert, key
