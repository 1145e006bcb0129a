"""Which distribution's asyncore, asynchat and smtpd an import finds.

pyasyncore, pyasynchat, standard-asyncore, standard-asynchat and standard-smtpd put modules of the
same names into the same folder. pip lets the last one overwrite the files of the others, and
uninstalling one removes the files of all. A program may also have a copy that hides ours.
"""

from __future__ import annotations

import errno
import os
import sys
from io import FileIO  # a test may replace open() around the first pass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

__all__ = ["MODULES", "Holder", "claimants", "python", "requirers", "warn_if_mixed"]

MODULES = ("asyncore", "asynchat", "smtpd")
NAME = "goasyncore"

# The folder that contains goasyncore. Our modules are installed beside it.
SITE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What the engine uses, and the end of smtpd; no other package's file contains it.
_MARKS = {
    "asyncore": b"\n_own_predicates = ",
    "asynchat": b"\n_own_predicates = ",
    "smtpd": b"\n    asyncore._hide_annotations(globals())",
}


class Holder:
    """What an import of a module's name finds, and which distribution it belongs to.

    `file` is the file, or `None` if there is none, or only a folder without code. `owner` is name
    and version of the distribution, or a few words if it belongs to none. `hides` means that our
    own file is intact, and that this one comes before it on `sys.path`.
    """

    def __init__(self, module: str) -> None:
        from importlib.util import find_spec

        self.module = module
        self.file: str | None = None
        self.ours = self.hides = False
        spec = find_spec(module)
        if spec is None:
            self.owner = "nothing: the file is gone"
            return
        if spec.origin is None or not spec.has_location:
            self.owner = "a folder without code: the file is gone"
            return
        self.file = spec.origin
        self.ours = has_mark(module, self.file)
        wrote = [d for d in claimants(module) if _wrote(d, module, self.file)]
        nobody = NAME if self.ours else "a file that no distribution installed"
        self.owner = f"{wrote[0].name} {wrote[0].version}" if wrote else nobody
        our_folder = os.path.join(os.path.realpath(SITE), module, "")
        if not self.ours and not os.path.realpath(self.file).startswith(our_folder):
            self.hides = has_mark(module, file_of(module))


def file_of(module: str) -> str:
    """Return where our module of that name is installed, or was."""
    return os.path.join(SITE, module, "__init__.py")


def has_mark(module: str, file: str) -> bool:
    """Return whether that file is our module of that name."""
    try:
        with FileIO(file) as source:
            return _MARKS[module] in source.read()
    except OSError as why:  # if no descriptor is left, this is unknown
        return why.errno in (errno.EMFILE, errno.ENFILE)


def warn_if_mixed() -> None:
    """Warn if another distribution has overwritten or removed a module that the engine serves.

    Called when the first loop begins, so it reads two files and imports nothing. A module of the
    same name elsewhere on the path is the program's own choice.
    """
    if not os.path.isfile(__file__) or not __file__.endswith(".py"):
        return  # in an archive or frozen, where single files are not overwritten
    wrong = [name for name in ("asyncore", "asynchat") if not has_mark(name, file_of(name))]
    if not wrong:
        return
    import warnings

    ours = (os.path.join(SITE, name, "") for name in (NAME, *MODULES))
    warnings.warn(
        f"{' and '.join(wrong)} beside goasyncore is not goasyncore's: another distribution has "
        f"overwritten or removed it; `{python()} -m goasyncore` reports how to restore it",
        RuntimeWarning,
        skip_file_prefixes=tuple(ours),
    )


def claimants(module: str) -> list[Distribution]:
    """Return the installed distributions that list the module's file as theirs."""
    from importlib.metadata import distributions

    wanted = f"{module}/__init__.py"
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        if any(file.as_posix() == wanted for file in distribution.files or ()):
            # If several on the path have one name, pip knows the first.
            found.setdefault(distribution.name, distribution)
    return list(found.values())


def _wrote(distribution: Distribution, module: str, file: str) -> bool:
    """Return whether the file is, byte for byte, what the distribution installed there."""
    import base64
    import hashlib

    for listed in distribution.files or ():
        if listed.as_posix() != f"{module}/__init__.py" or listed.hash is None:
            continue
        if os.path.realpath(str(distribution.locate_file(listed))) != os.path.realpath(file):
            continue
        with open(file, "rb") as source:
            digest = hashlib.new(listed.hash.mode, source.read()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == listed.hash.value
    return False


def requirers(names: Iterable[str]) -> list[str]:
    """Return the other installed distributions that require one of `names`."""
    import re
    from importlib.metadata import distributions

    wanted = {_canonical(name) for name in names}
    found = set()
    for distribution in distributions():
        for requirement in distribution.requires or ():
            match = re.match(r"[\w.-]+", requirement)
            if match and "extra ==" not in requirement and _canonical(match.group()) in wanted:
                found.add(distribution.name)
    return sorted(name for name in found if _canonical(name) not in wanted)


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def python() -> str:
    """Return the interpreter as one writes it in a command line."""
    import shlex

    return shlex.quote(sys.executable or "python")
