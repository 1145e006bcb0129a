"""What goasyncore has beside the drop-in modules `asyncore` and `asynchat`."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Backend(NamedTuple):
        """What serves the passes of `asyncore.loop()` in this process."""

        name: str
        poller: str
        reason: str

else:  # the typing module takes longer to import than all of ours
    Backend = namedtuple("Backend", "name poller reason")
    Backend.__doc__ = "What serves the passes of `asyncore.loop()` in this process."

__all__ = ["Backend", "backend"]

__version__ = "0.1.0"


def backend() -> Backend:
    """Return which backend serves, with which poller, and why.

    `name` is "native" or "portable", `poller` the readiness call underneath ("epoll", "kqueue",
    "poll", "select"), `reason` a sentence. Loads the engine if that has not happened yet. Raises
    `ValueError` for an unknown `GOASYNCORE_BACKEND`, and `ImportError` when that is "native" and
    the engine does not load. May be called from any thread.
    """
    from . import _native

    return Backend(*_native.report())
