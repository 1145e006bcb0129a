"""Prints the table of README.md from results: python bench/summary.py [results.json]"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from report import digits, measured

SERVERS = ["goasyncore", "pyasyncore poll", "asyncio", "uvloop"]
UNITS = [(1e6, "µs"), (1e3, "ms"), (1, "s")]

# The key of a case, what README says of it, and whether its number is bytes.
ROWS = [
    ("idle-10000", "a message on one of 10,000 connections, the others idle", False),
    ("idle-1000", "a message on one of 1,000 connections", False),
    ("idle-0", "a message on the only connection", False),
    ("echo-100", "a message, with 100 busy connections", False),
    ("start", "import, and the first pass", False),
    ("memory", "memory of an idle connection", True),
]


def told(seconds: float) -> str:
    scale, unit = UNITS[0] if seconds < 1e-3 else UNITS[1]
    return f"{digits(seconds * scale)} {unit}"


def main() -> None:
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/results.json")
    results = json.loads(place.read_text())
    print(f"| | {' | '.join(name.removesuffix(' poll') for name in SERVERS)} |")
    print("|---|" + "---|" * len(SERVERS))
    for key, words, is_bytes in ROWS:
        cells = []
        for server in SERVERS:
            found = measured(results, key, server, "cost")
            median = statistics.median(found) if found else None
            said = "-" if median is None else f"{median:,.0f} B" if is_bytes else told(median)
            cells.append(said)
        print(f"| {words} | {' | '.join(cells)} |")
    machine = results["machine"]
    print(f"\nPython {results['python']}; {machine}; {len(results['rounds'])} rounds")


if __name__ == "__main__":
    main()
