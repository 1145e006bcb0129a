"""`python -m goasyncore`: what is installed here, what serves the loop, and whether it works.

The exit status is 0 if `asyncore`, `asynchat` and `smtpd` are ours and the self-test passes,
otherwise 1; 2 for wrong arguments.
"""

from __future__ import annotations

import argparse
import glob
import os
import platform
import sys
import sysconfig
import time

from . import __version__, _installed, _repair, backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._installed import Holder

__all__ = ["main"]

_DESCRIPTION = """\
Without a command: report the versions, whose asyncore, asynchat and smtpd a program imports, what
serves its loop and why, and whether a short self-test passes.
"""

_COMMANDS = """\
commands:
  repair         restore our modules where other distributions overwrote or removed them
  check PATH...  report what in a program's sources imports asyncore, hides it, or is slow

Each has its own --help. The exit status is 0 if all is well, 1 if not, 2 for wrong arguments.
"""


def _say(subject: str, *words: str) -> None:
    print(f"{subject:10} {' '.join(words)}")


def _say_versions() -> None:
    _say(_installed.NAME, __version__)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    _say(
        "python",
        f"{platform.python_implementation()} {platform.python_version()}"
        f"{'' if gil else ' without the GIL'}, {platform.system()} {platform.machine()}",
    )


def _say_holders(holders: list[Holder]) -> bool:
    """Print which distributions the modules belong to. Returns whether all are ours."""
    for held in holders:
        verdict = "ours:" if held.ours else "HIDDEN by" if held.hides else "NOT OURS:"
        _say(held.module, verdict, held.owner, f"({held.file})" if held.file else "")
    others = {
        distribution.name: distribution
        for module in _installed.MODULES
        for distribution in _installed.claimants(module)
        if distribution.name != _installed.NAME
    }
    if others:
        told = ", ".join(f"{name} {others[name].version}" for name in sorted(others))
        by = _installed.requirers(others)
        _say("beside us", told, f"(required by {', '.join(by)})" if by else "")
    repair = f"{_installed.python()} -m goasyncore repair"
    hidden = [held for held in holders if held.hides]
    taken = [held for held in holders if not held.ours and not held.hides]
    for held in hidden:
        print(f"\nOur {held.module} is intact, but an import finds another file first.")
        print(_repair.advice(held))
    if taken:
        print(f"\nTo restore ours:\n\n    {repair}\n")
    elif others and not hidden:
        _say("", "upgrading or uninstalling one of them removes our files; this restores them:")
        _say("", repair)
    return not hidden and not taken


def _say_backend() -> bool:
    """Print the backend. Returns whether it is what GOASYNCORE_BACKEND requires."""
    try:
        serving = backend()
    except (ImportError, ValueError) as why:
        _say("backend", "NONE:", str(why))
        return False
    _say("backend", f"{serving.name}, {serving.poller}: {serving.reason}")
    if not glob.glob(os.path.join(glob.escape(_installed.SITE), "goasyncore", "_binding.*")):
        for line in _how_to_build():
            _say("", line)
    return True


def _how_to_build() -> list[str]:
    """Return what to do about an installation without the engine, in lines."""
    # Go's libraries do not load there (golang/go#54805).
    if "musl" in (sysconfig.get_config_var("SOABI") or ""):
        return ["this is the pure-Python wheel: the engine does not load on musl"]
    if os.name != "posix" or sys.implementation.name != "cpython":
        return ["this is the pure-Python wheel: the engine is for CPython on Linux, macOS and BSDs"]
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return ["this is the pure-Python wheel: the engine needs the GIL"]
    return [
        "this is the pure-Python wheel; with Go and a C compiler, this builds the engine:",
        f"GOASYNCORE_BUILD=native {_installed.python()} -m pip install --force-reinstall --no-deps "
        "--no-cache-dir --no-binary goasyncore goasyncore",
    ]


def _say_self_test() -> bool:
    from . import _selftest

    began = time.monotonic()
    failed = 0
    tests = _selftest.tests()
    for promise, test in tests:
        try:
            test()
        except Exception as why:
            failed += 1
            _say("self-test", f"FAILED: {promise}: {type(why).__name__}: {why}")
    seconds = time.monotonic() - began
    _say("self-test", f"{len(tests) - failed} of {len(tests)} passed in {seconds:.2f} s")
    return not failed


def _report(folder: str | None) -> int:
    if folder is not None:
        # As in `python folder/program.py`, instead of the current folder.
        if not sys.flags.safe_path:
            del sys.path[0]
        sys.path.insert(0, folder)
    _say_versions()
    if not _say_holders([_installed.Holder(name) for name in _installed.MODULES]):
        return 1
    return 0 if _say_backend() and _say_self_test() else 1


def _program(path: str) -> str:
    """Return the folder in which imports are searched when the program at `path` runs."""
    if not os.path.exists(path):
        raise argparse.ArgumentTypeError(f"{path} is not a file, a folder or a command")
    path = os.path.realpath(path)
    return path if os.path.isdir(path) else os.path.dirname(path)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments give, and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = f"{os.path.basename(sys.executable or 'python')} -m goasyncore"
    command = arguments[0] if arguments else None
    if command == "repair":
        parser = argparse.ArgumentParser(
            prog=f"{name} repair",
            description="Restore our asyncore, asynchat and smtpd where other distributions "
            "overwrote or removed them, from the copy in goasyncore, without a network.",
        )
        parser.parse_args(arguments[1:])
        return _repair.repair()
    if command == "check":
        from . import _check

        return _check.main(f"{name} check", arguments[1:])
    parser = argparse.ArgumentParser(
        prog=name, description=_DESCRIPTION, epilog=_COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"goasyncore {__version__}")
    parser.add_argument(
        "folder", nargs="?", type=_program, metavar="PROGRAM",
        help="search from the folder of this program (default: the current folder)",
    )  # fmt: skip
    return _report(parser.parse_args(arguments).folder)


def _status() -> int:
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


if __name__ == "__main__":
    sys.exit(_status())
