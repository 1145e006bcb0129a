"""Every code block of README.md and docs/ does what the text around it says.

A Python block runs as a program of its own, with asyncore, asynchat and socket imported and with a
free port wherever it says 8080. One that serves for ever has to echo, unless a comment over it says
otherwise; what such comments, invisible to readers, can say stands in `Block`.
"""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest
from support import LIMIT

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

pytestmark = pytest.mark.ours_only("3.11 has neither the modules nor the documents")

# What stands before a Python block. It prints where a socket listens on 8080's behalf.
PRELUDE = """
import asyncore, asynchat, os, socket
real = {}
def bind(self, address, bind=socket.socket.bind):
    if address[1:2] != (8080,):
        return bind(self, address)
    bind(self, (address[0], real.get(8080, 0), *address[2:]))
    real[8080] = self.getsockname()[1]
def listen(self, *backlog, listen=socket.socket.listen):
    listen(self, *backlog)
    if real:
        os.write(2, b"LISTENING %d\\n" % real[8080])  # at once: forked workers share the pipe
socket.socket.bind, socket.socket.listen = bind, listen
"""


class Block:
    """A fenced block, and what the comments right above it say.

    <!-- shown: REASON -->                    not run; for commands that change the environment
    <!-- continues -->                        what the block before it defines is there
    <!-- continues from NAME -->              so is NAME's definition alone, and what it takes
    <!-- says "TEXT", hears "TEXT" -->        for a server: what a client sends and gets
    <!-- raises NAME -->                      it ends with that exception
    """

    def __init__(self, document, line, language, code, comments, before):
        self.document, self.line, self.language, self.code = document, line, language, code
        self.comments = comments
        self.before = before

    def __str__(self):
        return f"{self.document.name}-{self.line}"

    def says(self, pattern):
        return re.search(pattern, self.comments)

    def program(self):
        if not self.says(r"\bcontinues\b"):
            return self.code
        wanted = self.says(r"\bcontinues from (\w+)")
        name = rf"(?m)^(class|def) {wanted.group(1)}\b" if wanted else ""
        found = [block for block in self.before if re.search(name, block.code)]
        return f"{found[-1].program()}\n{self.code}"


FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
COMMENTS = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)+\Z", re.DOTALL)


def blocks_of(document):
    text = document.read_text()
    found = []
    for match in FENCE.finditer(text):
        above = COMMENTS.search(text[: match.start()])
        found.append(
            Block(
                document,
                text.count("\n", 0, match.start()) + 1,
                match["language"],
                textwrap.dedent(match["code"]),
                above.group() if above else "",
                [block for block in found if block.language == "python"],
            )
        )
    return found


BLOCKS = [block for document in DOCUMENTS if document.is_file() for block in blocks_of(document)]


def in_language(*names):
    blocks = [block for block in BLOCKS if block.language in names]
    return pytest.mark.parametrize("block", blocks, ids=map(str, blocks))


class Running:
    """A Python block in a process of its own, ended after LIMIT seconds."""

    def __init__(self, block, folder):
        file = folder / "block.py"
        env = dict(os.environ)
        if ">>>" in block.code:
            env.pop("GOASYNCORE_BACKEND", None)  # it shows what users see who have set nothing
            test = "import doctest\nassert not doctest.testmod()[0]\n"
            file.write_text(f"'''\n{block.code}'''\n{test}")
        else:
            file.write_text(PRELUDE + block.program())
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-W", "error", file],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.killer = threading.Timer(LIMIT, self.kill)
        self.killer.start()

    def kill(self):
        # With what it has forked; the group is there until the process has been waited for.
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()
        self.process.communicate()
        self.killer.cancel()


@in_language("python")
def test_python_block(block, tmp_path):
    if "'native'" in block.code and importlib.util.find_spec("goasyncore._binding") is None:
        pytest.skip("it shows what an installation with the extension answers")
    endless = r"(?m)^(    )?asyncore\.loop\(\)$|serve_forever\(\)$|^asyncio\.run\(main\(\)\)$"
    serves = re.search(endless, block.code)
    with Running(block, tmp_path) as running:
        if serves and "8080" in block.code and "raise_signal" not in block.code:
            talk(block, running)
            return
        told, errors = running.process.communicate()
    raises = block.says(r"\braises (\w+)")
    assert bool(running.process.returncode) == bool(raises), told + errors
    if raises:
        assert raises.group(1) in errors.splitlines()[-1]
    check_prints(block, told)


def check_prints(block, told):
    """A comment at the end of a printing line, `print(x)  # 42`, is what it prints."""
    for line in re.findall(r"(?m)^ *print\(.*\)  # (.*)$", block.code):
        assert line in told.splitlines()


def talk(block, running):
    said = block.says(r'says "(.*?)", hears "(.*?)"')
    question, answer = said.groups() if said else ("hello", "hello")
    lines = []
    for line in running.process.stderr:
        lines.append(line)
        if line.startswith("LISTENING "):
            break
    else:
        pytest.fail("it ended instead of listening:\n" + "".join(lines))
    address = ("127.0.0.1", int(line.split()[1]))
    wanted = answer.encode().decode("unicode_escape").encode()
    with socket.create_connection(address, timeout=LIMIT) as client:
        client.sendall(question.encode().decode("unicode_escape").encode())
        heard = b""
        while len(heard) < len(wanted) and (data := client.recv(4096)):
            heard += data
    assert heard == wanted


GO_PACKAGES = {
    "chat": "github.com/goasyncore/goasyncore/engine/chat",
    "engine": "github.com/goasyncore/goasyncore/engine",
    "errors": "errors",
    "fmt": "fmt",
    "log": "log",
    "time": "time",
}


@in_language("go")
def test_go_block(block):
    if shutil.which("go") is None:
        pytest.skip("no Go to compile the documents' Go with")
    code = block.code
    if not code.startswith("package "):
        used = [path for name, path in GO_PACKAGES.items() if re.search(rf"\b{name}\.", code)]
        imports = "".join(f'import "{path}"\n' for path in used)
        code = f"package main\n{imports}{code}"
    # Inside the module, so that it sees the engine; behind an underscore, so that ./... does not.
    parent = ROOT / "build" / "_documents"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=f"{block}-"))
    try:
        (folder / "main.go").write_text(code)
        command = ["go", "vet", "-tags", "document", "."]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    finally:
        shutil.rmtree(folder)


@in_language("sh")
def test_shell_block(block, tmp_path):
    targets = re.search(r"(?m)^\.PHONY: (.*)$", (ROOT / "Makefile").read_text()).group(1).split()
    for line in block.code.splitlines():
        command = line.split("#")[0].split()
        if block.says(r"\bshown: \S"):
            assert command
        elif command[0] == "make":
            # They take long, or are what runs this test.
            assert command[1] in targets
        else:
            assert command[:2] == ["python", "-m"], f"nothing runs {line!r}"
            done = subprocess.run(
                [sys.executable, "-P", *command[1:]],
                cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr


def test_no_document_is_missing():
    assert len(DOCUMENTS) > 5
    assert len(BLOCKS) > len(DOCUMENTS)


def test_no_block_is_left_out():
    assert {block.language for block in BLOCKS} <= {"python", "go", "sh", "text"}
    for document in DOCUMENTS:
        # An indented block would be code that nothing runs; `go get` needs what is published.
        indented = re.findall(r"\n\n {4,}(?![-*\d])(.*)", FENCE.sub("", document.read_text()))
        for line in indented:
            assert re.fullmatch(r"go get github.com/goasyncore/goasyncore/(\w+)", line), line
            assert (ROOT / line.rpartition("/")[2]).is_dir()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    text = FENCE.sub("", document.read_text())
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", text):
        file = (document.parent / target).resolve() if target else document
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            titles = re.findall(r"(?m)^#+ (.*)$", file.read_text())
            slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor[1:] in slugs, anchor
