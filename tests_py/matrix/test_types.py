"""What mypy and pyright say about programs that use the installed package, and about the package.

The programs are in tests_py/types: good ones, of which no checker may complain, and wrong ones,
each marked line of which must have its alarm.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import typeshed_stubs
from job import Job, clean_environment
from workshop import BUILD, LOGS, PIP, ROOT, Interpreter, build_wheel, make_venv, once

PROGRAMS = ROOT / "tests_py" / "types"
PLACE = BUILD / "types"
CHECKERS = ["mypy", "pyright"]

# The others would have alarms of their own: of attributes that are None at first, and of Popen.
EXAMPLES = [
    *("chat_server", "echo_client", "echo_server", "file_copy", "http_client", "tail_file"),
    "tls_echo_server",
]

# What stubtest finds that is meant so.
ALLOWED = r"""
# Deleted at the end of the module.
(asyncore|asynchat|smtpd)\.TYPE_CHECKING
# By position alone for checkers, see _by_position.
asyncore\.dispatcher\.handle_accepted
"""


@pytest.fixture(scope="session")
def checkers(first_python: Interpreter) -> Path:
    """The Python of a venv with the checkers and the package; here it needs no engine."""

    def make() -> Path:
        job = Job("venv types", LOGS / "venv-types.log")
        wheel = build_wheel(job, first_python, ROOT, PLACE / "wheel", GOASYNCORE_BUILD="portable")
        executable = make_venv(job, first_python, PLACE / "venv")
        requirements = ROOT / "tests_py" / "matrix" / "requirements-types.txt"
        job.run(executable, *PIP, "install", "-r", requirements, wheel, cwd=BUILD, seconds=300)
        return executable

    return once("types", make)


def programs(folder: str) -> list[Path]:
    found = sorted((PROGRAMS / folder).glob("*.py"))
    assert found, folder
    return found


def own(job: Job, name: str) -> Path:
    """A file or folder that is one job's own: several run at once."""
    return PLACE / f"{job.log.stem}-{name}"


def run_mypy(job: Job, python: Path, files: Sequence[Path], status: int, *options: str) -> str:
    # An empty name, because the checkout's configuration would lead to the checkout's modules.
    return job.run(
        python, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={own(job, 'mypy')}",
        *options, *files, cwd=PLACE, seconds=120, status=status,
    )  # fmt: skip


def run_pyright(
    job: Job, python: Path, files: Sequence[Path], status: int, *options: str, **settings: str
) -> str:
    config = own(job, "pyright.json")
    # Strict mode's own rules are about the programs; paths must be relative to the file.
    include = [os.path.relpath(file, PLACE) for file in files]
    config.write_text(json.dumps({"typeCheckingMode": "standard", "include": include, **settings}))
    return job.run(
        python, "-m", "basedpyright", f"--project={config}", f"--pythonpath={python}", *options,
        cwd=PLACE, seconds=120, status=status,
    )  # fmt: skip


def alarms(job: Job, python: Path, checker: str, files: Sequence[Path]) -> set[tuple[str, int]]:
    """File and line of each alarm; the job fails without any."""
    if checker == "mypy":
        told = run_mypy(job, python, files, 1, "--output=json")
        found = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
        places = [(one["file"], one["line"]) for one in found if one["severity"] == "error"]
    else:
        told = json.loads(run_pyright(job, python, files, 1, "--outputjson"))
        found = [one for one in told["generalDiagnostics"] if one["severity"] == "error"]
        places = [(one["file"], one["range"]["start"]["line"] + 1) for one in found]
    return {(Path(file).name, line) for file, line in places}


@pytest.mark.parametrize("checker", CHECKERS)
def test_types_good_programs(job: Job, checkers: Path, checker: str) -> None:
    annotated, unannotated = programs("annotated"), programs("unannotated")
    unannotated += [ROOT / "examples" / f"{name}.py" for name in EXAMPLES]
    if checker == "mypy":
        run_mypy(job, checkers, annotated, 0)
        # Strict but for the rules that ask for annotations: the bodies are looked at.
        untyped = ["--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls"]
        run_mypy(job, checkers, unannotated, 0, *untyped)
    else:
        told = run_pyright(job, checkers, annotated + unannotated, 0, "--verbose")
        assert f"Found {len(annotated + unannotated)} source files" in told


@pytest.mark.parametrize("checker", CHECKERS)
def test_types_wrong_programs(job: Job, checkers: Path, checker: str) -> None:
    wrong = programs("wrong")
    marked = {
        (file.name, number)
        for file in wrong
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if line.endswith("# wrong")
    }
    found = alarms(job, checkers, checker, wrong)
    if found != marked:
        job.fail(f"no alarm: {sorted(marked - found)}; a false one: {sorted(found - marked)}")


def test_types_good_programs_run(job: Job, checkers: Path) -> None:
    # Programs that did not would be nobody's.
    for program in programs("annotated") + programs("unannotated"):
        job.run(checkers, "-I", "-W", "error", program, cwd=PLACE, seconds=30)


def test_types_before(job: Job, checkers: Path) -> None:
    # For 3.11 the checkers take typeshed's stubs and not us: that program is one written for them.
    program = [PROGRAMS / "annotated" / "as_before.py"]
    run_mypy(job, checkers, program, 0, "--python-version=3.11")
    run_pyright(job, checkers, program, 0, pythonVersion="3.11")


def typeshed(job: Job, checkers: Path) -> Path:
    ask = "import mypy, pathlib; print(pathlib.Path(mypy.__file__).with_name('typeshed'))"
    return Path(job.run(checkers, "-I", "-c", ask, cwd=PLACE, seconds=30).strip()) / "stdlib"


def test_types_typeshed(job: Job, checkers: Path) -> None:
    """Every call and override that typeshed's stubs allow, ours allow too."""
    text, owners = typeshed_stubs.program(typeshed(job, checkers))
    program = PLACE / "as_typeshed.py"
    program.write_text(text)
    found = set()
    for checker in CHECKERS:
        for _, line in alarms(job, checkers, checker, [program]):
            found.add(owners.get(line, f"line {line}"))
    known = set(typeshed_stubs.DIFFERENCES)
    if found != known:
        job.fail(f"differs: {sorted(found - known)}; no longer: {sorted(known - found)}")


def test_types_stubtest(job: Job, checkers: Path) -> None:
    """What is annotated is there at run time, and so is what typeshed's stubs promise."""
    allowed, config = PLACE / "allowed.txt", PLACE / "mypy.ini"
    allowed.write_text(ALLOWED)
    config.write_text("[mypy]\n")
    stubtest = [checkers, "-m", "mypy.stubtest", f"--mypy-config-file={config}", "--concise"]
    job.run(
        *stubtest, f"--allowlist={allowed}", "asyncore", "asynchat", "smtpd",
        cwd=PLACE, seconds=120,
    )  # fmt: skip
    stubs = PLACE / "stubs"
    stubs.mkdir(exist_ok=True)
    for module in typeshed_stubs.MODULES:
        shutil.copy(typeshed(job, checkers) / f"{module}.pyi", stubs)
    # They lack names that are documented, or that a star import gives.
    job.run(
        *stubtest, "--ignore-missing-stub", "asyncore", "asynchat", "smtpd",
        cwd=PLACE, seconds=120, env=clean_environment(MYPYPATH=str(stubs)),
    )  # fmt: skip


def test_types_complete(job: Job, checkers: Path) -> None:
    """No name that programs can reach is left for checkers to guess at."""
    # In this mode it looks for packages where PATH's Python has them, whatever --pythonpath says.
    env = clean_environment(PATH=f"{checkers.parent}{os.pathsep}{os.environ['PATH']}")
    for package in ("asyncore", "asynchat", "smtpd", "goasyncore"):
        told = job.run(
            checkers, "-m", "basedpyright", "--ignoreexternal", f"--verifytypes={package}",
            cwd=PLACE, seconds=120, env=env,
        )  # fmt: skip
        assert "Type completeness score: 100%" in told
