"""The results: ratios to pyasyncore with their spread, and rates.

Reads results.json, so that old results can be printed again:
report.py build/bench/results.json
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from servers import BASELINE

Results = dict[str, Any]
FACTORS = {"µs": 1e6, "ms": 1e3, "B": 1.0}
BUSY = 0.9


def quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def measured(results: Results, key: str, server: str, what: str) -> list[float]:
    """Return one kind of number from each round in which it was measured."""
    rounds = [taken.get(key, {}).get(server) for taken in results["rounds"]]
    return [found[what] for found in rounds if found and found[what] is not None]


def ratios(results: Results, key: str, server: str) -> list[float]:
    """Return the baseline's cost divided by the server's, for each round."""
    pairs = [
        (taken[key][BASELINE]["cost"], taken[key][server]["cost"])
        for taken in results["rounds"]
        if server in taken.get(key, {}) and BASELINE in taken[key]
    ]
    return [baseline / cost for baseline, cost in pairs if cost > 0]


def digits(value: float) -> str:
    """Format with three digits, or with all digits before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values: list[float], suffix: str = "") -> str:
    if not values:
        return "-"
    low, middle, high = quartiles(values)
    if len(values) == 1:
        return f"{digits(middle)}{suffix}"
    return f"{digits(middle)}{suffix} [{digits(low)}-{digits(high)}]"


def generator_was_the_bottleneck(results: Results, key: str, server: str) -> bool:
    generator = measured(results, key, server, "generator_busy")
    served = measured(results, key, server, "server_busy")
    if not generator or not served:
        return False
    return statistics.median(generator) >= BUSY > statistics.median(served)


def rounds(results: Results) -> str:
    """What a number stands for."""
    number = len(results["rounds"])
    return "one round" if number == 1 else f"median and quartiles of {number} rounds"


def columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def ratio_table(results: Results) -> list[str]:
    others = [name for name in results["servers"] if name != BASELINE]
    rows = [["server CPU time", BASELINE, "unit", *others]]
    for case in results["cases"]:
        factor = FACTORS[case["unit"].partition("/")[0]]
        costs = [cost * factor for cost in measured(results, case["key"], BASELINE, "cost")]
        found = [spread(ratios(results, case["key"], name), "x") for name in others]
        rows.append([case["title"], spread(costs), case["unit"], *found])
    return columns(rows)


def rate_table(results: Results) -> list[str]:
    names = list(results["servers"])
    rows = [["rate (median)", "unit", *names]]
    for case in results["cases"]:
        if not case["rate_unit"]:
            continue
        cells = []
        for name in names:
            rates = measured(results, case["key"], name, "rate")
            mark = "*" if generator_was_the_bottleneck(results, case["key"], name) else " "
            cells.append(digits(statistics.median(rates)) + mark if rates else "- ")
        rows.append([case["title"], case["rate_unit"], *cells])
    return columns(rows)


def report(results: Results) -> str:
    lines = [
        f"{results['machine']}; Python {results['python']}",
        *(f"  {name}: {about}" for name, about in results["servers"].items()),
        *results["notes"],
        "",
        f"Cost of {BASELINE}, and how often each server's goes into it in the same round:",
        f"{rounds(results)}; above 1x is cheaper than {BASELINE}.",
        "",
        *ratio_table(results),
        "",
        "Rates; * marks those that the load generator held down, not the server.",
        "",
        *rate_table(results),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
