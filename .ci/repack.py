"""Packs an sdist anew without what the machine puts in, and unpacks it: repack.py SDIST FOLDER.

Times become SOURCE_DATE_EPOCH, owners root, modes what git knows; the order is by name. So one
commit gives one archive, and what is built from FOLDER does not depend on the builder's umask.
"""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
from pathlib import Path


def plain(member: tarfile.TarInfo, when: int) -> tarfile.TarInfo:
    executable = member.isdir() or member.mode & 0o100
    return member.replace(
        mtime=when,
        mode=0o755 if executable else 0o644,
        uid=0,
        gid=0,
        uname="",
        gname="",
        deep=False,
    )


def repack(archive: Path, when: int) -> None:
    fresh = archive.with_suffix(".new")
    with (
        tarfile.open(archive) as old,
        fresh.open("wb") as file,
        # Its header has a name and a time of its own.
        gzip.GzipFile("", "wb", mtime=when, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.pax_headers = {}
            new.addfile(plain(member, when), old.extractfile(member) if member.isfile() else None)
    fresh.replace(archive)


def unpack(archive: Path, folder: Path) -> None:
    """Put what the archive holds into `folder`, without the archive's own top folder."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder.parent, filter="data")
    (folder.parent / archive.name.removesuffix(".tar.gz")).rename(folder)


if __name__ == "__main__":
    repack(Path(sys.argv[1]), int(os.environ["SOURCE_DATE_EPOCH"]))
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
