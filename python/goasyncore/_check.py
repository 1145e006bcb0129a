"""`python -m goasyncore check`: what a program's sources do with asyncore, without running them."""

from __future__ import annotations

import argparse
import os
import warnings

from . import _installed, _sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._sources import Source

__all__ = ["main"]

_DESCRIPTION = """\
Read the sources below each PATH, without running them, and report for each file what imports
asyncore, asynchat or smtpd, what hides ours, what makes passes of the loop portable and so slow,
and which readable() and writable() are called in each pass. Then report whose modules are installed
here.
"""
_STATUS = """\
The exit status is 0 if nothing hides or has overwritten ours and no pass needs to be portable, 1 if
something does, or a file cannot be read, and 2 for wrong arguments.
"""
_OTHERS = ("__pycache__", "node_modules", "site-packages", "dist-packages")


def main(name: str, arguments: list[str]) -> int:
    """Print the report and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=name, description=_DESCRIPTION, epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("paths", nargs="+", type=_existing, metavar="PATH")
    paths = parser.parse_args(arguments).paths
    files = dict.fromkeys(file for path in paths for file in _python_files(path))
    sources: list[Source] = []
    troubles = 0
    left, words = list(files), _sources.WORDS
    while words:
        unread = []
        for file in left:
            found = _read(file, words)
            if isinstance(found, str):
                troubles += 1
                print(f"{file}\n    {found}\n")
            elif found is not None:
                sources.append(found)
            else:
                unread.append(file)
        # A class of channels may have subclasses in files that do not mention asyncore.
        known = {name.encode() for name in _sources.find_channels(sources)}
        words = known if len(unread) < len(left) else set()
        left = unread
    for source in sources:
        troubles += _say(source)
    importing = sum(source.imports for source in sources)
    print(f"{len(files)} files, {importing} of which import asyncore, asynchat or smtpd")
    troubles += _say_environment()
    return 1 if troubles else 0


def _existing(path: str) -> str:
    if not os.path.exists(path):
        raise argparse.ArgumentTypeError(f"{path} is not a file or folder")
    return path


def _python_files(path: str) -> Iterator[str]:
    """Return the sources below a folder, except hidden and installed ones."""
    if not os.path.isdir(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(
            name for name in folders
            if name not in _OTHERS and not name.startswith(".")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )  # fmt: skip
        for name in sorted(names):
            if name.endswith((".py", ".pyw")):
                yield os.path.join(folder, name)


def _read(file: str, words: set[bytes]) -> Source | str | None:
    """Return the file's notes, why it cannot be read, or None if it contains none of the words."""
    try:
        with open(file, "rb") as opened:
            text = opened.read()
    except OSError as why:
        return f"cannot be read: {why.strerror}"
    if not _sources.hidden_module(file) and not any(word in text for word in words):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # about invalid escapes and the like
            return _sources.Source(file, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as why:
        return f"cannot be read as Python {_sources.VERSION}: {why}"


def _say(source: Source) -> int:
    """Print the file's notes. Returns how many of them are problems."""
    if not source.notes:
        return 0
    print(source.path)
    for line, note, _ in sorted(source.notes):
        print(f"{f'{line}:' if line else '':>7} {note}")
    print()
    return sum(trouble for _, _, trouble in source.notes)


def _say_environment() -> int:
    """Print which modules here are not ours. Returns how many."""
    wrong = 0
    for held in map(_installed.Holder, _installed.MODULES):
        if not held.ours:
            wrong += 1
            place = f" ({held.file})" if held.file else ""
            print(f"{held.module} here is not ours: {held.owner}{place}")
    if wrong:
        print(f"`{_installed.python()} -m goasyncore` reports what to do")
    else:
        print("asyncore, asynchat and smtpd here are ours")
    if os.environ.get("GOASYNCORE_BACKEND") == "portable":
        wrong += 1
        print("GOASYNCORE_BACKEND is portable here, so all passes are portable")
    return wrong
