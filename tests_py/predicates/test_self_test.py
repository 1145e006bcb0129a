"""Where CPython does not tell of every change, each pass asks everybody, and all stays right."""

import pathlib

import pytest
from support import run_python

pytestmark = pytest.mark.ours_only("3.11 asks everybody always")

PRELUDE = f"""
import ctypes, sys
sys.path[:0] = {[str(pathlib.Path(__file__).parents[up]) for up in (0, 1)]!r}
import asyncore
import socket
from goasyncore import _native, _probe_watchers

WATCHER = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int, *[ctypes.py_object] * 3)(lambda *args: 0)

def exhaust(add):
    for _ in range(9):
        try:
            add(WATCHER)
        except RuntimeError:
            return
    raise SystemExit("there are more than eight watchers")

def refuse_hooks(error):
    def hook(event, args):
        if event == "sys.addaudithook":
            raise error
    sys.addaudithook(hook)
"""

ASKED = """
def asked(passes):
    import goasyncore
    near, far = socket.socketpair()
    channels = {}
    asyncore.dispatcher_with_send(near, channels)
    asyncore.loop(0, False, channels, 1)
    before = goasyncore.stats(channels).predicates_asked
    asyncore.loop(0, False, channels, passes)
    calls = goasyncore.stats(channels).predicates_asked - before
    asyncore.close_all(channels)
    far.close()
    return calls // 2  # of readable()
"""

FALLBACKS = {
    "a store that goes unseen": "_probe_watchers._WAYS.append(lambda o: None)",
    "no store is seen": "_probe_watchers._WAYS.insert(0, lambda o: None)",
    "no class watcher left": "exhaust(ctypes.pythonapi.PyType_AddWatcher)",
    "no audit hook": "refuse_hooks(PermissionError)",
    "no audit hook, silently": "refuse_hooks(RuntimeError)",
}
NO_WATCHER = "exhaust(ctypes.pythonapi.PyDict_AddWatcher)\n"


@pytest.fixture(autouse=True)
def native_only():
    import goasyncore

    if goasyncore.backend().name != "native":
        pytest.skip("portable passes ask everybody always")


def test_idle_channels_are_not_asked():
    assert run_python(PRELUDE + ASKED + "print(asked(5))").stdout.strip() == "0"


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_everybody_is_asked(fallback):
    code = PRELUDE + FALLBACKS[fallback] + ASKED + "print(asked(5))"
    assert run_python(code).stdout.strip() == "5"


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_programs_run_alike(fallback):
    run_python(
        PRELUDE
        + FALLBACKS[fallback]
        + """
import test_property_programs as t
t.test_random_programs_run_alike()
"""
    )


def test_without_a_dict_watcher_the_backend_is_portable_and_says_why():
    report = """
import os, warnings
os.environ["GOASYNCORE_BACKEND"] = "auto"
import goasyncore
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    backend = goasyncore.backend()
assert len(caught) == 1 and "watcher" in str(caught[0].message), caught
print(backend.name, asked(5), backend.reason)
"""
    name, asked, reason = run_python(PRELUDE + NO_WATCHER + ASKED + report).stdout.split(None, 2)
    assert (name, asked) == ("portable", "5")
    assert "no more dict watcher IDs" in reason


def test_without_a_dict_watcher_native_is_refused():
    code = """
import os
os.environ["GOASYNCORE_BACKEND"] = "native"
try:
    asyncore.loop(0, map={0: asyncore.dispatcher()}, count=1)
except ImportError as why:
    print(why)
"""
    assert "no more dict watcher IDs" in run_python(PRELUDE + NO_WATCHER + code).stdout
