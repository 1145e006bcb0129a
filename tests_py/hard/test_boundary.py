"""Where Python, C and Go meet."""

import asyncore
import os
import pathlib
import shutil
import subprocess
import sysconfig

import goasyncore
import pytest
from support import LIMIT, pair, receive_exactly, run_until_empty

SOURCES = sorted((pathlib.Path(__file__).parents[2] / "pybind").glob("*.c"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_bridge_compiles_without_a_warning(source):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler is here")
    if not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file():
        pytest.skip("Python's headers are not here")
    strict = ["-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-O2", "-fsyntax-only"]
    include = f"-I{sysconfig.get_path('include')}"
    done = subprocess.run(
        [compiler, *strict, include, source],
        env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(goasyncore.backend().name != "native", reason="portable passes have no Go")
def test_a_panic_is_a_runtime_error_with_the_stack(use_poll, channels):
    from goasyncore import _native

    near, far = pair()

    class Panicking(asyncore.dispatcher_with_send):
        def handle_read(self):
            # The one thing known to make Go panic: arguments that our own code never passes.
            with pytest.raises(
                RuntimeError, match=r"the engine failed: (.|\n)*goroutine"
            ) as caught:
                _native._binding.pybind_Run(0, 0.0, use_poll, 1, False)
            assert "pybind.Run" in str(caught.value)
            self.send(self.recv(100))

    Panicking(near, channels)
    for _ in range(10):
        far.sendall(b"x")
        asyncore.loop(LIMIT, use_poll, channels, 1)
        assert receive_exactly(far, 1) == b"x"
    far.close()
    run_until_empty(channels, use_poll)
