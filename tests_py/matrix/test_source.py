"""Building from what a user has: an sdist, a machine without Go, the portable wheel, the demo."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from job import Job, clean_environment
from test_install import contents, extension, python_sources, serve
from workshop import (
    BUILD,
    LOGS,
    PIP,
    ROOT,
    Interpreter,
    alone,
    build_wheel,
    make_venv,
    once,
    venv_of,
    wheel_of,
)


@pytest.fixture(scope="session")
def sdist(first_python: Interpreter) -> Path:
    def make() -> Path:
        job = Job("sdist", LOGS / "sdist.log")
        into = BUILD / "sdist"
        shutil.rmtree(into, ignore_errors=True)
        build = f"from setuptools.build_meta import build_sdist; print(build_sdist('{into}'))"
        python = make_venv(job, first_python, into / "venv")
        requires = ["setuptools>=77", "pybindgen==0.22.1"]
        job.run(python, *PIP, "install", *requires, cwd=BUILD, seconds=300)
        with alone("checkout"):
            job.run(python, "-c", build, cwd=ROOT, seconds=120)
        (archive,) = into.glob("goasyncore-*.tar.gz")
        return archive

    return once("sdist", make)


@pytest.fixture
def sdist_tree(sdist: Path, tmp_path: Path) -> Path:
    """The unpacked sdist, in a folder that knows nothing of the checkout."""
    with tarfile.open(sdist) as tar:
        tar.extractall(tmp_path, filter="data")
    # pip keeps the wheels of folders named like a release, and would answer with the last run's.
    return (tmp_path / sdist.name.removesuffix(".tar.gz")).rename(tmp_path / "tree")


def test_sdist_builds_the_same_wheel(
    job: Job, sdist_tree: Path, first_python: Interpreter, tmp_path: Path
) -> None:
    for name in ("go.mod", "go.sum", "Makefile", "LICENSE", "CHANGELOG.md", "engine/doc.go"):
        assert (sdist_tree / name).is_file(), name
    for name in ("tests_py/matrix/conftest.py", "examples/demo.py", ".ci/run", ".ci/lint/go.sum"):
        assert (sdist_tree / name).is_file(), name
    assert not list(sdist_tree.rglob("*.so"))
    assert not (sdist_tree / "build").exists()

    checkout = wheel_of(first_python)
    wheel = build_wheel(job, first_python, sdist_tree, tmp_path / "wheels")
    assert wheel.name == checkout.name
    assert contents(wheel) == contents(checkout)
    # Neither the folder nor the time of the build is in the extension.
    ours = extension(wheel, tmp_path / "ours").read_bytes()
    assert ours == extension(checkout, tmp_path / "theirs").read_bytes()


def test_sdist_runs_make_demo(job: Job, sdist_tree: Path, first_python: Interpreter) -> None:
    env = clean_environment(PYTHON=first_python.path)
    told = job.run("make", "demo", cwd=sdist_tree, seconds=600, env=env)
    assert "served by" in told
    assert "native backend" in told


def test_demo(job: Job, python: Interpreter, backend: str) -> None:
    env = clean_environment(GOASYNCORE_BACKEND=backend)
    demo = ROOT / "examples" / "demo.py"
    told = job.run(venv_of(python), demo, cwd=BUILD, seconds=60, env=env)
    assert f"{backend} backend" in told


def path_without_go(folder: Path) -> str:
    """A PATH with all that this one has, but Go."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).iterdir() if Path(place).is_dir() else []:
            link = folder / program.name
            if program.name not in ("go", "gofmt") and not program.is_dir():
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    assert shutil.which("go", path=str(folder)) is None
    return str(folder)


def refused(job: Job, python: Interpreter, tmp_path: Path, **environment: str) -> str:
    """What pip prints when the build does not start."""
    with alone("checkout"):
        told = job.run(
            python.path, *PIP, "wheel", "--no-deps", "-w", tmp_path, ROOT,
            cwd=BUILD, seconds=300, env=clean_environment(**environment), status=1,
        )  # fmt: skip
    assert "Traceback" not in told
    lines = [line.strip() for line in told.splitlines()]
    (sentence,) = [line for line in lines if line.startswith("goasyncore: ")]
    return sentence


def test_build_without_go_says_what_to_do(
    job: Job, first_python: Interpreter, tmp_path: Path
) -> None:
    sentence = refused(job, first_python, tmp_path, PATH=path_without_go(tmp_path / "bin"))
    assert "install Go 1." in sentence
    assert "GOASYNCORE_BUILD=portable" in sentence


@pytest.mark.parametrize("version", ["go1.19.13", "go1.23.4"])
def test_build_with_old_go_says_what_to_do(
    job: Job, first_python: Interpreter, tmp_path: Path, version: str
) -> None:
    path = path_without_go(tmp_path / "bin")
    old = tmp_path / "bin" / "go"
    # Within a module that wants a newer one, a real one refuses to answer too.
    old.write_text(f'#!/bin/sh\n[ -f go.mod ] && exit 1\n[ "$2" = GOVERSION ] && echo {version}\n')
    old.chmod(0o755)
    sentence = refused(job, first_python, tmp_path, PATH=path)
    assert f"too old ({version})" in sentence
    assert "GOASYNCORE_BUILD=portable" in sentence


def test_build_without_compiler_says_what_to_do(
    job: Job, first_python: Interpreter, tmp_path: Path
) -> None:
    sentence = refused(job, first_python, tmp_path, CC="no-such-compiler")
    assert "install gcc or clang" in sentence
    assert "GOASYNCORE_BUILD=portable" in sentence


def test_build_refuses_the_extension_on_a_free_threaded_build(
    job: Job, first_python: Interpreter, tmp_path: Path
) -> None:
    python = make_venv(job, first_python, tmp_path / "venv")
    job.run(python, *PIP, "install", "setuptools>=77", cwd=BUILD, seconds=300)
    pretend = (
        "import runpy, sys, sysconfig; real = sysconfig.get_config_var; "
        "sysconfig.get_config_var = lambda name: name == 'Py_GIL_DISABLED' or real(name); "
        "sys.argv[:] = ['setup.py', '--version']; runpy.run_path('setup.py', run_name='__main__')"
    )
    env = clean_environment(GOASYNCORE_BUILD="native")
    told = job.run(python, "-c", pretend, cwd=ROOT, seconds=60, env=env, status=1)
    assert told.startswith("goasyncore: the extension needs a CPython with the GIL"), told
    assert len(told.splitlines()) == 1
    env = clean_environment(GOASYNCORE_BUILD="auto")
    job.run(python, "-c", pretend, cwd=ROOT, seconds=60, env=env)


def test_build_refuses_an_unknown_choice(
    job: Job, first_python: Interpreter, tmp_path: Path
) -> None:
    sentence = refused(job, first_python, tmp_path, GOASYNCORE_BUILD="fast")
    assert "auto, native or portable" in sentence


def test_portable_wheel_takes_no_go(job: Job, first_python: Interpreter, tmp_path: Path) -> None:
    wheel = build_wheel(
        job, first_python, ROOT, tmp_path / "wheels",
        GOASYNCORE_BUILD="portable", PATH=path_without_go(tmp_path / "bin"),
    )  # fmt: skip
    assert wheel.name.endswith("-py3-none-any.whl")
    assert contents(wheel) == python_sources()
    executable = make_venv(job, first_python, tmp_path / "venv")
    job.run(executable, *PIP, "install", "--no-index", "--no-deps", wheel, cwd=BUILD, seconds=120)
    serve(job, executable, "portable")
