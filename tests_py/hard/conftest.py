"""What the hard tests share: the module that ours is held against."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent

if importlib.util.find_spec("goasyncore") is None:
    collect_ignore_glob = ["*"]  # --reference: 3.11 has no goasyncore


@pytest.fixture(scope="session")
def peer(tmp_path_factory):
    """A folder with pyasyncore and pyasynchat, which install modules of the same names as ours."""
    folder = tmp_path_factory.mktemp("peer")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    exactly = ["--no-deps", "--require-hashes", "-r", HERE / "requirements.txt"]
    subprocess.run([*pip, *exactly, "--target", folder], check=True, timeout=120)
    return folder
