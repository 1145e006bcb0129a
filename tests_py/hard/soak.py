"""How much a hard test does: `times(short, long)` is the short number in `make test`, the long one in `make soak`."""

import os

SOAK = os.environ.get("GOASYNCORE_SOAK", "") not in ("", "0")


def times(short, long):
    return long if SOAK else short


def seconds(short, long):
    """The same for a time limit."""
    return times(short, long)
