"""The named tuples that `backend()` and `stats()` return."""

from collections import namedtuple

TYPE_CHECKING = False

__all__ = ["Backend", "Stats"]

if TYPE_CHECKING:
    from . import Backend, Stats
else:
    Backend = namedtuple("Backend", "name poller reason", module=__package__)
    Backend.__doc__ = "What serves the passes of `asyncore.loop()` in this process."
    Stats = namedtuple(
        "Stats",
        "passes events predicates_asked interest_changes wake_ups portable_passes portable_reason",
        module=__package__,
    )
    Stats.__doc__ = "What the loops over a map have done since the first of them."
