"""Compares goasyncore with its peers: `make bench` runs this; README.md explains the results."""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path

from cases import Case, Measurement, Settings, Sizes, Traffic, cases
from machine import Machine, find_machine
from report import Results, report
from servers import Failed, Server, servers


def numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure goasyncore beside its peers.")
    parser.add_argument("--ours", required=True, help="the Python that has goasyncore installed")
    parser.add_argument("--peers", default=sys.executable, help="the Python that has the peers")
    parser.add_argument("--loadgen", required=True, type=Path, help="the built load generator")
    parser.add_argument("--into", required=True, type=Path, help="folder of the results")
    parser.add_argument("--plots", type=Path, help="folder of the plots; as --into if not given")
    parser.add_argument("--quick", action="store_true", help="one short round: does it all work?")
    parser.add_argument("--rounds", type=int, help="at the most; 7, quick 1")
    parser.add_argument("--seconds", type=float, default=450, help="begin no round that ends later")
    parser.add_argument("--window", type=float, help="seconds of a measurement; 0.3, quick 0.05")
    parser.add_argument("--active", type=numbers, default=[1, 10, 100, 500])
    parser.add_argument("--idle", type=numbers, help="0,100,1000,5000,10000, quick 0,1000,5000")
    parser.add_argument("--passes", type=numbers, help="1000,10000, quick 1000")
    parser.add_argument("--only", default="", help="cases whose key this expression finds: echo-")
    options = parser.parse_args()
    quick: bool = options.quick
    options.rounds = options.rounds or (1 if quick else 7)
    options.window = options.window or (0.05 if quick else 0.3)
    options.idle = options.idle or ([0, 1000, 5000] if quick else [0, 100, 1000, 5000, 10000])
    options.passes = options.passes or ([1000] if quick else [1000, 10000])
    return options


def fit(options: argparse.Namespace, machine: Machine) -> tuple[Sizes, list[str]]:
    """Return the sizes that this machine permits, and a sentence for each that is reduced."""
    notes = []
    if machine.shared_core:
        notes.append(
            "There is one core: server and load generator share it. CPU times count, rates do not."
        )
    found = {}
    for name in ("active", "idle", "passes"):
        wanted: list[int] = getattr(options, name)
        found[name] = sorted({machine.connections(n) for n in wanted})
        if found[name] != wanted:
            notes.append(
                f"The limit of {machine.open_files:,} open files (ulimit -Hn) scales {name} down "
                f"from {wanted[-1]:,} to {found[name][-1]:,}."
            )
    return Sizes(**found), notes


def one_round(
    taken: dict[str, dict[str, Measurement]], todo: list[Case], order: list[Server], s: Settings
) -> None:
    """Measure each case on each server, one server right after the other."""
    for case in todo:
        for server in order:
            if case.possible(server):
                measurement = case.measure(server, s)
                taken.setdefault(case.key, {})[server.name] = measurement


def memory(taken: dict[str, dict[str, Measurement]], idle: list[int]) -> None:
    """Add the memory of an idle connection: the growth from the fewest to the most of them."""
    few, many = taken.get(f"idle-{idle[0]}", {}), taken.get(f"idle-{idle[-1]}", {})
    for name in few.keys() & many.keys() if len(idle) > 1 else ():
        less, more = few[name].memory, many[name].memory
        assert less is not None and more is not None
        growth = Measurement((more - less) / (idle[-1] - idle[0]))
        taken.setdefault("memory", {})[name] = growth


def measure(
    options: argparse.Namespace, settings: Settings, todo: list[Case], idle: list[int]
) -> tuple[list[Server], list[dict[str, dict[str, Measurement]]]]:
    compared = servers(options.ours, options.peers)
    rounds: list[dict[str, dict[str, Measurement]]] = []
    began = time.monotonic()
    longest = 0.0
    while len(rounds) < options.rounds:
        start = time.monotonic()
        if rounds and start - began + longest > options.seconds:
            break
        taken: dict[str, dict[str, Measurement]] = {}
        # What a server leaves behind (heat, ports) must not always affect the same next one.
        one_round(taken, todo, compared if len(rounds) % 2 == 0 else compared[::-1], settings)
        memory(taken, idle)
        rounds.append(taken)
        longest = max(longest, time.monotonic() - start)
        told = f"round {len(rounds)} of {options.rounds}: {time.monotonic() - start:.0f} s"
        print(told, file=sys.stderr, flush=True)
    return compared, rounds


def described(todo: list[Case], idle: list[int], memory: bool) -> list[dict[str, str]]:
    told = [
        {
            "key": case.key,
            "title": case.title,
            "unit": case.unit,
            "rate_unit": case.rate_unit if isinstance(case, Traffic) else "",
        }
        for case in todo
    ]
    if memory:
        title = f"memory per idle connection, {idle[-1]:,} of them"
        told.append({"key": "memory", "title": title, "unit": "B", "rate_unit": ""})
    return told


def about(server: Server, taken: dict[str, dict[str, Measurement]]) -> str:
    """What the server said of itself, where it served."""
    said = [found[server.name].about for found in taken.values() if server.name in found]
    return next(filter(None, said), "")


def main() -> int:
    options = arguments()
    machine = find_machine()
    sizes, notes = fit(options, machine)
    for note in notes:
        print(note, file=sys.stderr)
    settings = Settings(
        loadgen=options.loadgen.resolve(),
        machine=machine,
        warm=options.window / 3,
        window=options.window,
        starts=1 if options.quick else 5,
    )
    todo = [case for case in cases(sizes) if re.search(options.only, case.key)]
    if not todo:
        print(f"--only {options.only} finds no case", file=sys.stderr)
        return 1
    try:
        compared, rounds = measure(options, settings, todo, sizes.idle)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    results: Results = {
        "machine": machine.name,
        "python": platform.python_version(),
        "window": options.window,
        "servers": {server.name: about(server, rounds[0]) for server in compared},
        "notes": notes,
        "cases": described(todo, sizes.idle, "memory" in rounds[0]),
        "rounds": [
            {key: {name: asdict(m) for name, m in found.items()} for key, found in taken.items()}
            for taken in rounds
        ],
    }
    options.into.mkdir(parents=True, exist_ok=True)
    text = report(results)
    kept = json.dumps(results, ensure_ascii=False, indent=1)
    (options.into / "results.json").write_text(kept + "\n", encoding="utf-8")
    (options.into / "report.txt").write_text(text + "\n", encoding="utf-8")
    print(text)

    # Imported only now, so that what it starts and caches does not disturb the measurements.
    from plots import draw_plots

    made = draw_plots(results, options.plots or options.into)
    print("\nwritten:", *(options.into / name for name in ("results.json", "report.txt")), *made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
