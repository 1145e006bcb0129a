"""Whose asyncore and asynchat are installed, and what puts ours back.

pyasyncore, pyasynchat, standard-asyncore and standard-asynchat put modules of the same names into
the same folder. pip lets the last one overwrite the others' files, and uninstalling any of them
removes the files for all.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import Distribution

__all__ = ["MODULES", "Holder", "claimants", "cure", "holder", "requirers", "warn_if_mixed"]

MODULES = ("asyncore", "asynchat")
_NAME = "goasyncore"

# What the engine looks for in both of ours; nobody else's has it.
_MARK = b"\n_own_predicates = "


class Holder:
    """What stands under a module's name.

    `file` is where the import finds it; `None`: nowhere, or a folder without code. `owner` is name
    and version of the distribution, or a few words where it belongs to none.
    """

    # No named tuple: making one takes longer than all else that the first loop needs of this file.
    __slots__ = ("file", "module", "ours", "owner")

    def __init__(self, module: str, file: str | None, ours: bool, owner: str) -> None:
        self.module = module
        self.file = file
        self.ours = ours
        self.owner = owner


def _has_mark(file: str) -> bool:
    try:
        with open(file, "rb") as source:
            return _MARK in source.read()
    except OSError:
        return False


def warn_if_mixed() -> None:
    """Warn when a module in our place is another distribution's, or gone.

    Called when the first loop begins, so it reads two files and imports nothing: a module of the
    same name elsewhere on the path is the program's own choice.
    """
    if not os.path.isfile(__file__) or not __file__.endswith(".py"):
        return  # in an archive or frozen, where nobody overwrites single files
    site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    wrong = [name for name in MODULES if not _has_mark(os.path.join(site, name, "__init__.py"))]
    if not wrong:
        return
    import warnings

    ours = (os.path.join(site, name, "") for name in (_NAME, *MODULES))
    warnings.warn(
        f"{' and '.join(wrong)} beside goasyncore is not goasyncore's: another distribution has "
        f"overwritten or removed it; `{_python()} -m goasyncore` says which, and what cures it",
        RuntimeWarning,
        skip_file_prefixes=tuple(ours),
    )


def claimants(module: str) -> list[Distribution]:
    """The installed distributions that list the module's file as theirs."""
    from importlib.metadata import distributions

    wanted = f"{module}/__init__.py"
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        if any(file.as_posix() == wanted for file in distribution.files or ()):
            # The first of a name on the path is the one that pip knows.
            found.setdefault(distribution.name, distribution)
    return list(found.values())


def holder(module: str) -> Holder:
    """Find out what `import module` gives, and whose it is."""
    from importlib.util import find_spec

    spec = find_spec(module)
    if spec is None:
        return Holder(module, None, False, "nothing: the file is gone")
    if spec.origin is None or not spec.has_location:
        return Holder(module, None, False, "a folder without code: the file is gone")
    file = spec.origin
    owner = next((_label(d) for d in claimants(module) if _wrote(d, module, file)), None)
    if _has_mark(file):
        return Holder(module, file, True, owner or _NAME)
    return Holder(module, file, False, owner or "a file that no distribution installed")


def _wrote(distribution: Distribution, module: str, file: str) -> bool:
    """Whether the file is, byte for byte, what the distribution installed there."""
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


def _label(distribution: Distribution) -> str:
    return f"{distribution.name} {distribution.version}"


def requirers(names: Iterable[str]) -> list[str]:
    """Other installed distributions that require one of `names`."""
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


def cure() -> str:
    """The command that puts our files back.

    It removes nobody: what requires the others keeps finding them installed, and gets our modules.
    """
    return f"{_python()} -m pip install --force-reinstall --no-deps {_requirement()}"


def _requirement() -> str:
    import json
    import shlex
    from importlib.metadata import PackageNotFoundError, distribution

    from . import __version__

    try:
        origin = json.loads(distribution(_NAME).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    url = origin.get("url", "")
    if not url:
        return f"{_NAME}=={__version__}"
    if "vcs_info" in origin:
        return shlex.quote(f"{origin['vcs_info']['vcs']}+{url}")
    editable = "--editable " if origin.get("dir_info", {}).get("editable") else ""
    return editable + shlex.quote(url)


def _python() -> str:
    import shlex

    return shlex.quote(sys.executable or "python")
