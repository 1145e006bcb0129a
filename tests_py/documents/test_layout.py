"""The layout in CONTRIBUTING.md has a line for each source file: its first sentence."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.ours_only("3.11 has no such document")


def layout():
    """Return the line of each file."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = text[text.index("## Layout") : text.index("The line of a source file")]
    found, folder = {}, ""
    for line in text.splitlines():
        if match := re.fullmatch(r" {4}([a-z_/]+/)(  +.*)?", line):
            folder = match[1]
        elif match := re.fullmatch(r" {6}([\w.]+) +(.*)", line):
            found[folder + match[1]] = match[2]
    return found


def first_sentence(file):
    """Return the first sentence of a file's first comment, without its full stop."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        comment = ast.get_docstring(ast.parse(text)) or ""
    elif file.suffix == ".go":
        comment = re.search(r"(?:^// .+\n)+|\Z", text, re.MULTILINE)[0].replace("// ", "")
    else:
        comment = re.sub(r"(?m)^ \* ?", "", re.search(r"/\*(.*?)\*/|\Z", text, re.DOTALL)[1] or "")
    return re.split(r"\.(?:\s|$)", " ".join(comment.split("\n\n")[0].split()))[0]


def has_c_file(path):
    return path.suffix == ".h" and path.with_suffix(".c").exists()


FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("engine", "pybind", "python/goasyncore")
    for path in (ROOT / package).rglob("*.*")
    if path.suffix in {".go", ".c", ".h", ".py"} and not path.name.endswith("_test.go")
)


def test_each_file_has_a_line():
    named = {name for name in layout() if not name.endswith("_test.go")}
    assert sorted(named) == [name for name in FILES if not has_c_file(ROOT / name)]


@pytest.mark.parametrize("name", FILES)
def test_the_line_is_the_first_sentence_of_the_file(name):
    told = first_sentence(ROOT / name)
    line = layout()[name.removesuffix("h") + "c" if has_c_file(ROOT / name) else name]
    assert (told[:1].lower(), told[1:]) == (line[:1].lower(), line[1:])


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_long(name):
    assert (ROOT / name).read_text(encoding="utf-8").count("\n") <= 300


def test_the_paths_lead_through_files_that_exist():
    """The text names some of them without their folders."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = text[text.index("### The path of a feature") : text.index("## How a change should look")]
    places = ("engine", "pybind", "python", "tests_py")
    there = {path.name for place in places for path in (ROOT / place).rglob("*.*")}
    named = set(re.findall(r"`([\w./]+\.(?:py|c|h|go|toml))`", text))
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).exists() if "/" in name else name in {*there, "pyproject.toml"}, name
