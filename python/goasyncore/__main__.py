"""`python -m goasyncore`: what is installed here, what serves the loop, and whether it works.

The exit status is 0 if `asyncore` and `asynchat` are ours and the self-test passes, otherwise 1.
"""

from __future__ import annotations

import platform
import sys
import time

from . import __version__, _installed, backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._installed import Holder

__all__ = ["main"]


def _say(subject: str, *words: str) -> None:
    print(f"{subject:10} {' '.join(words)}")


def _say_versions() -> None:
    _say(_installed.__package__ or "", __version__)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    _say(
        "python",
        f"{platform.python_implementation()} {platform.python_version()}"
        f"{'' if gil else ' without the GIL'}, {platform.system()} {platform.machine()}",
    )


def _say_holders(holders: list[Holder]) -> bool:
    """Tell whose modules they are. Returns whether both are ours."""
    for held in holders:
        verdict = "ours:" if held.ours else "NOT OURS:"
        _say(held.module, verdict, held.owner, f"({held.file})" if held.file else "")
    others = {
        distribution.name: distribution
        for module in _installed.MODULES
        for distribution in _installed.claimants(module)
        if distribution.name != _installed.__package__
    }
    whole = all(held.ours for held in holders)
    if others:
        told = ", ".join(f"{name} {others[name].version}" for name in sorted(others))
        by = _installed.requirers(others)
        _say("beside us", told, f"(required by {', '.join(by)})" if by else "")
    if not whole:
        print("\nTo put ours in place:\n")
        print(f"    {_installed.cure()}\n")
    elif others:
        _say("", "upgrading or removing one of them takes our files away; this puts them back:")
        _say("", _installed.cure())
    return whole


def _say_backend() -> bool:
    """Tell what serves. Returns whether that is what GOASYNCORE_BACKEND asks for."""
    try:
        serving = backend()
    except (ImportError, ValueError) as why:
        _say("backend", "NONE:", str(why))
        return False
    _say("backend", f"{serving.name}, {serving.poller}: {serving.reason}")
    return True


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


def main() -> int:
    """Print the report and return the exit status."""
    _say_versions()
    if not _say_holders([_installed.holder(name) for name in _installed.MODULES]):
        return 1
    return 0 if _say_backend() and _say_self_test() else 1


if __name__ == "__main__":
    sys.exit(main())
