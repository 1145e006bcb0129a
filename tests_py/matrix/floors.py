"""Checks that the files of pybind/ stand on floors: each includes and calls only what is below it.

An arrow leads from a file to the one whose header it includes, or whose function or variable its
object file needs. A file may only use what the headers that it includes declare, no arrows form a
circle, and in the picture in CONTRIBUTING.md every arrow leads to a lower line.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+"(\w+)\.h"', re.MULTILINE)
Arrows = dict[str, dict[str, str]]  # from a file to another one: why


def included(folder: Path, stem: str) -> set[str]:
    """The headers that a C file sees, by stem: its own, and what these include in turn."""
    seen: set[str] = set()
    texts = [folder / f"{stem}.c"]
    while texts:
        found = set(INCLUDE.findall(texts.pop().read_text(encoding="utf-8")))
        texts += [folder / f"{name}.h" for name in found - seen]
        seen |= found
    return seen


def symbols(object_file: Path) -> tuple[set[str], set[str]]:
    """What an object file defines for others, and what it needs."""
    command = ["nm", "-g", "-P", object_file]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    words = [line.split() for line in listed.splitlines()]
    defined = {name for name, kind, *_ in words if kind != "U"}
    return defined, {name for name, kind, *_ in words if kind == "U"}


def compile_all(folder: Path, objects: Path, *flags: str) -> None:
    """Make the object files of a folder."""
    for path in sorted(folder.glob("*.c")):
        command = [*shlex.split(os.environ.get("CC", "cc")), *flags, "-c", path.name]
        command += ["-o", str(objects / f"{path.stem}.o")]
        subprocess.run(command, check=True, cwd=folder, timeout=60)


def arrows_of(folder: Path, objects: Path) -> tuple[Arrows, list[str]]:
    """All arrows between the files of a folder, and complaints about uses without an include."""
    stems = sorted(path.stem for path in folder.glob("*.[ch]"))
    arrows: Arrows = {stem: {} for stem in stems}
    complaints = []
    for stem in arrows:
        for suffix in (".h", ".c"):
            path = folder / f"{stem}{suffix}"
            for name in INCLUDE.findall(path.read_text(encoding="utf-8")) if path.exists() else ():
                if name != stem:
                    arrows[stem][name] = f"includes {name}.h"
    of = {path.stem: symbols(path) for path in objects.glob("*.o")}
    owner = {name: stem for stem, (defined, _) in of.items() for name in defined}
    for stem, (_, needed) in of.items():
        seen = included(folder, stem)
        if stem not in seen:
            complaints.append(f"{stem}.c has no header of its own, or does not include it")
        for name in sorted(needed & set(owner)):
            other = owner[name]
            arrows[stem].setdefault(other, f"uses {name}")
            if other not in seen:
                complaints.append(f"{stem}.c uses {name} without including {other}.h")
    return arrows, complaints


def circle_in(arrows: Arrows) -> list[str]:
    """A circle, as the reason for each arrow; empty if there is none."""
    above: list[str] = []
    done: set[str] = set()

    def visit(stem: str) -> list[str]:
        if stem in above:
            path = [*above[above.index(stem) :], stem]
            return [f"{a} {arrows[a][b]}" for a, b in pairwise(path)]
        if stem in done:
            return []
        above.append(stem)
        found = next(filter(None, map(visit, arrows[stem])), [])
        above.pop()
        done.add(stem)
        return found

    return next(filter(None, map(visit, arrows)), [])


def picture_in(text: str, stems: set[str]) -> list[list[str]]:
    """The floors in the block of CONTRIBUTING.md that begins with `module`, the highest first."""
    block = text[text.index("```text\nmodule ") :].split("```")[1]
    return [[word for word in line.split() if word in stems] for line in block.splitlines()[1:]]


def complaints_about(folder: Path, objects: Path, document: str | None = None) -> list[str]:
    """What is wrong with the floors of a folder, and with the picture of them in `document`."""
    arrows, complaints = arrows_of(folder, objects)
    if circle := circle_in(arrows):
        complaints.append("a circle: " + "; ".join(circle))
    if document is not None:
        picture = picture_in(document, set(arrows))
        floor = {stem: at for at, stems in enumerate(picture) for stem in stems}
        complaints += [f"the picture lacks {stem}" for stem in arrows if stem not in floor]
        complaints += [
            f"{stem} {why}, but is not above {other} in the picture"
            for stem in floor
            for other, why in arrows[stem].items()
            if other in floor and floor[stem] >= floor[other]
        ]
    return complaints
