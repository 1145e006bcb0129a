"""Subinterpreters, which the engine does not serve: their passes are portable ones."""

import pytest
from support import run_python

PRELUDE = """
import sys
import asyncore

try:
    import _interpreters as interpreters
    kinds = {"sharing": "legacy", "isolated": "isolated"}
    create = lambda kind: interpreters.create(kinds[kind])
except ImportError:
    import _xxsubinterpreters as interpreters
    create = lambda kind: interpreters.create(isolated=kind == "isolated")

ECHO = '''
import asyncore, goasyncore, socket, sys

class Echo(asyncore.dispatcher_with_send):
    def handle_read(self):
        self.send(self.recv(100))

def echo():
    channels = {}
    near, far = socket.socketpair()
    channel = Echo(near, channels)
    for use_poll in (False, True):
        far.send(b"hello")
        asyncore.loop(20, use_poll, channels, 1)
        assert far.recv(100) == b"hello"
        # The engine learns of this from a hook that is the process's, not the interpreter's.
        channel.__class__ = type("Other", (Echo,), {})

for _ in range(5):
    echo()
name, _, reason = goasyncore.backend()
'''

def run(kind, code):
    interpreter = create(kind)
    try:
        problem = interpreters.run_string(interpreter, code)
        assert problem is None, problem
    finally:
        interpreters.destroy(interpreter)
"""


@pytest.mark.parametrize("kind", ["sharing", "isolated"])
@pytest.mark.parametrize("first", [True, False], ids=["after the main one", "before it"])
def test_a_subinterpreter_makes_portable_passes(kind, first):
    run_python(
        PRELUDE
        + f"""
if {first}:
    exec(ECHO)
for _ in range(3):
    run({kind!r}, ECHO + "assert name == 'portable' and 'main interpreter' in reason")
exec(ECHO)
assert name == "native" or "installation" in reason or "free-threaded" in reason, reason
""",
        env={"GOASYNCORE_BACKEND": "auto"},
    )


def test_asking_for_the_engine_in_a_subinterpreter_says_why_there_is_none():
    run_python(
        PRELUDE
        + """
run("sharing", '''
import goasyncore
try:
    goasyncore.backend()
except ImportError as error:
    assert "main interpreter" in str(error)
else:
    raise AssertionError
''')
""",
        env={"GOASYNCORE_BACKEND": "native"},
    )


def test_subinterpreters_and_the_main_one_loop_at_once():
    run_python(
        PRELUDE
        + """
import threading
problems = []
def work(kind):
    try:
        run(kind, ECHO)
    except BaseException as error:
        problems.append(error)
threads = [threading.Thread(target=work, args=(kind,)) for kind in ("sharing", "isolated") * 2]
for thread in threads:
    thread.start()
for _ in range(10):
    exec(ECHO)
for thread in threads:
    thread.join()
assert not problems, problems
""",
        env={"GOASYNCORE_BACKEND": "auto"},
    )
