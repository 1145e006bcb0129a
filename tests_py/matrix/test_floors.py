"""The floors of pybind/; see CONTRIBUTING.md."""

from __future__ import annotations

from pathlib import Path

from floors import compile_all, complaints_about
from job import Job
from workshop import ROOT, Interpreter


def test_floors(job: Job, first_python: Interpreter, tmp_path: Path) -> None:
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    include = job.run(first_python.path, "-I", "-c", ask, cwd=ROOT, seconds=60).strip()
    compile_all(ROOT / "pybind", tmp_path, f"-I{include}")
    document = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert complaints_about(ROOT / "pybind", tmp_path, document) == []


UPPER = {
    "module.h": "void set_up(void);",
    "module.c": '#include "module.h"\n#include "watch.h"\nvoid set_up(void) { watch(0); }',
}
LOWER = {
    "watch.h": "void watch(void (*report)(void));",
    "watch.c": '#include "watch.h"\nvoid watch(void (*report)(void)) { if (report) report(); }',
}
PICTURE = "```text\nmodule   sets up\nwatch    reports\n```"
CALLS_UP = '#include "watch.h"\n{}void watch(void (*report)(void)) {{ (void)report; set_up(); }}'


CASES = [
    ({}, PICTURE, []),
    (
        {"watch.c": CALLS_UP.format("void set_up(void);\n")},
        PICTURE,
        [
            "watch.c uses set_up without including module.h",
            "a circle: module includes watch.h; watch uses set_up",
            "watch uses set_up, but is not above module in the picture",
        ],
    ),
    (
        {"watch.c": CALLS_UP.format('#include "module.h"\n')},
        PICTURE,
        [
            "a circle: module includes watch.h; watch includes module.h",
            "watch includes module.h, but is not above module in the picture",
        ],
    ),
    (
        {"watch.h": '#include "module.h"\nvoid watch(void (*report)(void));'},
        PICTURE,
        [
            "a circle: module includes watch.h; watch includes module.h",
            "watch includes module.h, but is not above module in the picture",
        ],
    ),
    (
        {"module.c": "void watch(int);\nvoid set_up(void) { watch(0); }"},
        PICTURE,
        [
            "module.c has no header of its own, or does not include it",
            "module.c uses watch without including watch.h",
        ],
    ),
    (
        {},
        "```text\nmodule   watch\n```",
        ["module includes watch.h, but is not above watch in the picture"],
    ),
    ({}, "```text\nmodule   sets up\n```", ["the picture lacks watch"]),
]


def test_floors_check_finds_what_calls_up(job: Job, tmp_path: Path) -> None:
    for at, (files, picture, said) in enumerate(CASES):
        folder = tmp_path / str(at)
        folder.mkdir()
        for name, text in {**UPPER, **LOWER, **files}.items():
            (folder / name).write_text(text + "\n")
        compile_all(folder, folder)
        assert complaints_about(folder, folder, picture) == said
