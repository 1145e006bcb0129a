"""How much a hard test does: a little in `make test`, a lot in `make soak`."""

import os

SOAK = os.environ.get("GOASYNCORE_SOAK", "") not in ("", "0")


def times(short, long):
    """How often, or for how many seconds."""
    return long if SOAK else short
