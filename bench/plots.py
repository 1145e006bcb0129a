"""The two plots, as SVG: plots.py RESULTS.json FOLDER draws old results again."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from report import Results, generator_was_the_bottleneck, measured, quartiles, rounds

# Colours that colour-blind people can distinguish (Okabe and Ito), and marks for black and white.
STYLES = {
    "goasyncore": ("#0072b2", "o"),
    "goasyncore portable": ("#cc79a7", "P"),
    "pyasyncore poll": ("#d55e00", "s"),
    "pyasyncore select": ("#e69f00", "D"),
    "asyncio": ("#009e73", "^"),
    "uvloop": ("#555555", "v"),
}


def prepare() -> None:
    # Text as text, and nothing of the time or the run: the same results give the same files.
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "goasyncore", "font.family": "sans-serif"}
    )


def sizes(results: Results, prefix: str) -> list[tuple[int, str]]:
    """The cases of one kind: their number of connections, and their key."""
    keys = [case["key"] for case in results["cases"] if case["key"].startswith(prefix)]
    return sorted((int(key.removeprefix(prefix)), key) for key in keys)


def draw(results: Results, title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    note = f"{results['machine']}; Python {results['python']}; {rounds(results)}"
    figure.supxlabel(note, fontsize=8, color="#555555")
    return figure, axes


def plain(axes: Axes) -> None:
    """Label the axis with plain numbers instead of powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def line(axes: Axes, name: str, across: list[int], up: list[list[float]]) -> None:
    colour, mark = STYLES[name]
    middle = [statistics.median(values) for values in up]
    low = [quartiles(values)[0] for values in up]
    high = [quartiles(values)[2] for values in up]
    axes.fill_between(across, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(across, middle, color=colour, marker=mark, label=name)


def cost_over_idle(results: Results) -> Figure:
    figure, axes = draw(
        results,
        "An echo on one of many connections",
        "open connections (one of them active)",
        "server CPU time per message, µs",
    )
    for name in results["servers"]:
        found = [
            (idle + 1, [cost * 1e6 for cost in costs])
            for idle, key in sizes(results, "idle-")
            if (costs := measured(results, key, name, "cost"))
        ]
        line(axes, name, [n for n, _ in found], [costs for _, costs in found])
    axes.set_xscale("log")
    axes.set_yscale("log")
    plain(axes)
    axes.legend(frameon=False)
    return figure


def rate_over_active(results: Results) -> Figure:
    figure, axes = draw(
        results, "Echo of 64 bytes, all connections active", "connections", "messages per second"
    )
    limited = False
    for name in results["servers"]:
        cases = sizes(results, "echo-")
        found = [(n, rates) for n, key in cases if (rates := measured(results, key, name, "rate"))]
        line(axes, name, [n for n, _ in found], [rates for _, rates in found])
        for n, key in cases:
            if generator_was_the_bottleneck(results, key, name):
                limited = True
                rate = statistics.median(measured(results, key, name, "rate"))
                axes.plot([n], [rate], marker=STYLES[name][1], color="white", markersize=3)
    axes.set_xscale("log")
    axes.set_xticks([n for n, _ in sizes(results, "echo-")])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    plain(axes)
    axes.legend(
        frameon=False,
        title="hollow: the load generator was the limit" if limited else None,
        title_fontsize="small",
    )
    return figure


def draw_plots(results: Results, folder: Path) -> list[Path]:
    """Write into `folder` those plots that the results have numbers for; return their names."""
    prepare()
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, prefix, plot in (
        ("idle", "idle-", cost_over_idle),
        ("active", "echo-", rate_over_active),
    ):
        if not sizes(results, prefix):
            continue
        path = folder / f"{name}.svg"
        plot(results).savefig(path, format="svg", metadata={"Date": None}, facecolor="white")
        made.append(path)
    return made


if __name__ == "__main__":
    for path in draw_plots(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2])):
        print(path)
