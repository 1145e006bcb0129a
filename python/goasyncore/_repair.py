"""`python -m goasyncore repair`: restores our modules from the copy in the package.

It needs no network, and the other distributions stay installed: packages that require them still
find them, and import our modules. It writes only files that our RECORD lists, so that uninstalling
goasyncore removes all of them.
"""

from __future__ import annotations

import glob
import importlib
import os

from . import _installed

__all__ = ["ARCHIVE", "repair"]

ARCHIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_modules.zip")
"""The copy, made when the package was built."""


class Refusal(Exception):
    """Why nothing can be restored, as a sentence."""


def repair() -> int:
    """Restore what is not ours, print what was done, and return the exit status."""
    try:
        for module, files in _carried().items():
            _put_back(module, files)
    except Refusal as why:
        print(f"{why}.")
        return 1
    importlib.invalidate_caches()
    whole = True
    for held in map(_installed.Holder, _installed.MODULES):
        if not held.ours:
            whole = False
            print(
                f"\n{held.module} is intact, but an import from here finds another one first:\n"
                f"    {held.file} ({held.owner})\n{advice(held)}"
            )
    return 0 if whole else 1


def advice(held: _installed.Holder) -> str:
    """Return what to do about a file that hides ours."""
    folder = os.path.dirname(held.file or "")
    if os.path.basename(held.file or "") == "__init__.py":
        folder = os.path.dirname(folder)
    return (
        f"Rename or delete that file, or put {folder} after\n{_installed.SITE} on sys.path "
        "(PYTHONPATH, a .pth file, the folder of the program).\nRepairing or reinstalling "
        "goasyncore does not change it."
    )


def _carried() -> dict[str, dict[str, bytes]]:
    """Return the files of each module."""
    import zipfile

    try:
        with zipfile.ZipFile(ARCHIVE) as archive:
            found: dict[str, dict[str, bytes]] = {name: {} for name in _installed.MODULES}
            for name in archive.namelist():
                module, _, file = name.partition("/")
                found[module][file] = archive.read(name)
            return found
    except FileNotFoundError:
        raise Refusal(
            f"There is no copy to repair from in {os.path.dirname(ARCHIVE)}: this goasyncore runs "
            "from its sources (an editable installation has no copy and needs none). If another "
            f"asyncore is found first, uninstall that: `{_installed.python()} -m goasyncore` "
            "reports what it belongs to"
        ) from None
    except NotADirectoryError:
        raise Refusal(
            f"goasyncore is in an archive ({_installed.SITE}), where nothing is overwritten or "
            "put back"
        ) from None


def _put_back(module: str, files: dict[str, bytes]) -> None:
    folder = os.path.join(_installed.SITE, module)
    if os.path.islink(folder):
        raise Refusal(
            f"{folder} is a link to {os.path.realpath(folder)}, which goasyncore does not "
            "change: remove the link first"
        )
    wrong = {name: data for name, data in files.items() if _read(folder, name) != data}
    if not wrong:
        print(f"{module:10} in place: {_installed.file_of(module)}")
        return
    before = _installed.Holder(module)
    try:
        os.makedirs(folder, exist_ok=True)
        for name, data in wrong.items():
            _replace(os.path.join(folder, name), data)
        # Some are compiled so that Python uses them without checking the source.
        for compiled in glob.glob(os.path.join(glob.escape(folder), "__pycache__", "__*__.*.pyc")):
            os.unlink(compiled)
    except OSError as why:
        raise Refusal(
            f"{module} cannot be put back, because {folder} cannot be written ({why.strerror}). "
            "Run this as the user that installed goasyncore, where that can be written"
        ) from None
    was = "" if before.ours or before.hides else f" (it was {before.owner})"
    print(f"{module:10} put back: {_installed.file_of(module)}{was}")


def _read(folder: str, name: str) -> bytes | None:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except OSError:
        return None


def _replace(path: str, data: bytes) -> None:
    # A new file replaces the old one, because uv's is linked to its cache, which must not change.
    new = f"{path}.{os.getpid()}"
    try:
        with open(new, "wb") as file:
            file.write(data)
        os.replace(new, path)
    except BaseException:
        if os.path.lexists(new):
            os.unlink(new)
        raise
