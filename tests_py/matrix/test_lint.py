"""What the tools say about the code, each of them clean."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from job import Job, clean_environment
from workshop import BUILD, PIP, ROOT, Interpreter, make_venv

GO_FOLDERS = [name for name in ("engine", "pybind", "tests_go", "bench") if (ROOT / name).is_dir()]


def binding_environment(python: Interpreter, job: Job) -> dict[str, str]:
    """What it takes to look at pybind's tagged files: the build tag and Python's headers."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    include = job.run(python.path, "-I", "-c", ask, cwd=ROOT, seconds=60).strip()
    return clean_environment(
        CGO_ENABLED="1",
        CGO_CFLAGS=shlex.quote(f"-I{include}"),
        CGO_LDFLAGS="-undefined dynamic_lookup"
        if sys.platform == "darwin"
        else "-Wl,--unresolved-symbols=ignore-all",
        GOFLAGS=f"{os.environ.get('GOFLAGS', '')} -tags=gopy_binding".strip(),
    )


def test_lint_gofmt(job: Job) -> None:
    if job.run("gofmt", "-l", *GO_FOLDERS, cwd=ROOT, seconds=60).strip():
        job.fail("these files are not as gofmt writes them")


@pytest.mark.parametrize(
    "system",
    ["", "darwin", "freebsd", "netbsd", "openbsd"],
    ids=["here", "darwin", "freebsd", "netbsd", "openbsd"],
)
def test_lint_go_vet(job: Job, system: str) -> None:
    if system:
        env = clean_environment(GOOS=system, CGO_ENABLED="0")
        job.run("go", "vet", "./engine/...", cwd=ROOT, seconds=300, env=env)
    else:
        job.run("go", "vet", "./...", cwd=ROOT, seconds=300)


def test_lint_go_vet_binding(job: Job, first_python: Interpreter) -> None:
    env = binding_environment(first_python, job)
    job.run("go", "vet", "./pybind", cwd=ROOT, seconds=300, env=env)


def test_lint_staticcheck(job: Job, first_python: Interpreter) -> None:
    # Its own module pins it, so that the library's go.mod names nothing that only we need.
    binary = BUILD / "bin" / "staticcheck"
    job.run(
        "go", "build", "-o", binary, "honnef.co/go/tools/cmd/staticcheck",
        cwd=ROOT / ".ci" / "lint", seconds=600,
    )  # fmt: skip
    job.run(binary, "./engine/...", "./tests_go/...", cwd=ROOT, seconds=300)
    env = binding_environment(first_python, job)
    job.run(binary, "./pybind", cwd=ROOT, seconds=300, env=env)


def test_lint_python(job: Job, first_python: Interpreter) -> None:
    requirements = ROOT / "tests_py" / "matrix" / "requirements-lint.txt"
    python = make_venv(job, first_python, BUILD / "lint")
    job.run(python, *PIP, "install", "-r", requirements, cwd=BUILD, seconds=600)
    job.run(python, "-m", "ruff", "check", "--no-cache", ".", cwd=ROOT, seconds=120)
    job.run(python, "-m", "ruff", "format", "--no-cache", "--check", ".", cwd=ROOT, seconds=120)
    cache = f"--cache-dir={BUILD / 'mypy'}"
    job.run(python, "-m", "mypy", "--strict", cache, "python/", cwd=ROOT, seconds=300)


def test_lint_text(job: Job, first_python: Interpreter) -> None:
    """What .ci/pre-commit.yaml also runs: clang-format on the C, and codespell on everything."""
    requirements = ROOT / "tests_py" / "matrix" / "requirements-lint.txt"
    python = make_venv(job, first_python, BUILD / "lint-text")
    job.run(python, *PIP, "install", "-r", requirements, cwd=BUILD, seconds=600)
    scripts = python.parent
    sources = sorted(path for path in (ROOT / "pybind").iterdir() if path.suffix in (".c", ".h"))
    job.run(
        scripts / "clang-format", f"--style=file:{ROOT / '.ci' / 'clang-format'}",
        "--dry-run", "--Werror", *sources, cwd=ROOT, seconds=60,
    )  # fmt: skip
    words = [path for path in texts() if path.name != "go.sum" and "testdata" not in path.parts]
    job.run(
        scripts / "codespell", f"--ignore-words={ROOT / '.ci' / 'codespell.txt'}", *words,
        cwd=ROOT, seconds=60,
    )  # fmt: skip


def texts() -> list[Path]:
    """What the project is written in; a checkout may hold what was built in it."""
    kinds = {".py", ".go", ".c", ".h", ".md", ".toml", ".yml", ".yaml", ".sh", ".json", ".txt"}
    folders = ["bench", "docs", "engine", "examples", "pybind", "python", "tests_go", "tests_py"]
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in [*folders, ".ci", ".github"]:
        found += (ROOT / folder).rglob("*")
    return sorted(path for path in found if path.is_file() and path.suffix in kinds)
