"""`python -m goasyncore check`: what a program's sources say, without running them."""

import os
import subprocess
import sys
import textwrap

import pytest
from support import LIMIT

pytest.importorskip("goasyncore", reason="3.11 has no goasyncore")


@pytest.fixture
def check(tmp_path):
    """check({file: source}): the exit status, and line → notes of each file."""

    def run(files, *arguments, **env):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, str):
                text = textwrap.dedent(text).encode()
            path.write_bytes(text)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "goasyncore", "check", *(arguments or [tmp_path])],
            env={**os.environ, "GOASYNCORE_BACKEND": "auto", **env}, cwd=tmp_path,
            capture_output=True, text=True, timeout=LIMIT,
        )  # fmt: skip
        assert done.stderr == ""
        run.out = done.stdout
        notes, file = {}, None
        for line in done.stdout.splitlines():
            if line.startswith(f"{tmp_path}{os.sep}"):
                file = os.path.relpath(line, tmp_path)
            elif line.startswith("   ") and file:
                number, note = line[:7].strip().rstrip(":"), line[8:]
                notes.setdefault(file, []).append((int(number) if number.isdigit() else 0, note))
            else:
                file = None
        return done.returncode, notes

    return run


def test_imports_of_every_kind(check):
    status, notes = check({
        "one.py": """
            import os, asyncore as loop
            from asynchat import async_chat
            try:
                import smtpd
            except ImportError:
                smtpd = None
            def late():
                return __import__("asyncore")
        """,
        "two/three.py": "import importlib\nimportlib.import_module('smtpd')\n",
        "other.py": "import socket\n# no word of asyncore\n",
    })  # fmt: skip
    assert status == 0
    assert notes == {
        "one.py": [
            (2, "imports asyncore"), (3, "imports asynchat"), (5, "imports smtpd"),
            (9, "imports asyncore"),
        ],
        "two/three.py": [(2, "imports smtpd")],
    }  # fmt: skip
    assert "3 files, 2 of which import asyncore, asynchat or smtpd" in check.out


@pytest.mark.parametrize(
    "source",
    [
        "import asyncore, gevent",
        "from gevent import monkey\nmonkey.patch_all()",
        "import eventlet\neventlet.monkey_patch()",
        "import asyncore\nasyncore.select = object()",
        "import asyncore as a\na.select.poll = None",
        "import asyncore\nsetattr(asyncore, 'readwrite', print)",
        "import asyncore\ndef test(monkeypatch):\n    monkeypatch.setattr(asyncore, 'time', 0)",
        "import asyncore, select\nselect.select = print",
        "import asyncore, weakref\nasyncore.loop(map=weakref.WeakValueDictionary())",
        "import asyncore\nfrom collections import UserDict\nm = UserDict()\nasyncore.poll(0, m)",
        "import asyncore\nclass Map(dict): pass\nasyncore.dispatcher(map=Map())",
        "import asyncore\nclass Map(dict): pass\nasyncore.socket_map = Map()",
        "import asyncore\nclass Map(dict): pass\nclass A:\n    m = Map()\n"
        "    def f(self):\n        self.m = Map()\n        asyncore.loop(30, False, self.m)",
    ],
)
def test_what_makes_passes_portable(check, source):
    status, notes = check({"program.py": source})
    assert status == 1
    assert [note for _, note in notes["program.py"] if "passes" in note and "portable" in note]


@pytest.mark.parametrize(
    "source",
    [
        "import asyncore\nasyncore.loop(map={})",
        "import asyncore\nm = dict()\nasyncore.poll2(0, m)",
        "import asyncore, select\nready = select.select([], [], [])",
        "import asyncore\nclass C(asyncore.dispatcher):\n    def f(self):\n        self.select = 1",
        "import smtpd\nsmtpd.DebuggingServer(('', 25), None, map={})",
    ],
)
def test_what_does_not(check, source):
    status, notes = check({"program.py": source})
    assert status == 0
    assert [note for _, note in notes["program.py"] if "portable" in note] == []


def test_forking_is_told_and_no_trouble(check):
    status, notes = check({"program.py": "import asyncore, os\nos.fork()\n"})
    assert status == 0
    assert notes["program.py"][1][0] == 2
    assert "forks" in notes["program.py"][1][1]


def test_files_that_hide_ours(check, tmp_path):
    status, notes = check({
        "asyncore.py": "def loop(): pass\n",
        "package/__init__.py": "",
        "package/asynchat.py": "import asyncore\n",
        "package/user.py": "from . import asynchat\n",
        "smtpd/__init__.py": "",
    })  # fmt: skip
    assert status == 1
    assert notes["asyncore.py"] == [
        (0, f"hides our asyncore from programs that are run from {tmp_path}")
    ]
    assert notes["smtpd/__init__.py"] == [
        (0, f"hides our smtpd from programs that are run from {tmp_path}")
    ]
    assert notes["package/asynchat.py"][0][1].startswith("is a copy of asynchat")
    assert notes["package/user.py"] == [(1, "imports the program's own copy of asynchat")]


CHANNELS = """
    import asyncore, asynchat, time
    from asyncore import dispatcher as base
    class Constant(base):
        def readable(self):
            return True
        def writable(self):
            return False
    class Own(asynchat.async_chat):
        def writable(self, limit=time.time()) -> explode():
            return time.time() > limit
    class Mixin:
        def readable(self):
            return False
    class Decorated(Own):
        @property
        def readable(self):
            return lambda: True
"""


def test_predicates(check):
    status, notes = check({
        "channels.py": CHANNELS,
        "more.py": "from channels import Own\nclass More(Own):\n    def readable(self): return 0\n",
    })  # fmt: skip
    assert status == 0
    lines = [note for _, note in notes["channels.py"] + notes["more.py"] if "() " in note]
    told = dict(note.split("() ") for note in lines)
    assert told["Constant.readable"].startswith("is never called")
    assert told["Constant.writable"].startswith("is never called")
    assert told["Own.writable"].startswith("is called in each pass")
    assert told["Decorated.readable"].startswith("is called in each pass")
    assert told["More.readable"].startswith("is never called")
    assert "Mixin.readable" not in told


def test_nothing_of_the_sources_runs(check):
    status, _ = check({"program.py": "import asyncore\nraise SystemExit(9)\nprint('ran')\n"})
    assert status == 0
    assert "ran" not in check.out


@pytest.mark.parametrize(
    "source",
    [
        b"import asyncore\nprint 'two'\n",
        b"import asyncore\n\x00",
        b"# coding: nonsense\nimport asyncore\n",
        b"import asyncore\n" + b"(" * 5000,
        b"import asyncore\nx = " + b"-" * 100000 + b"1\n",
    ],
)
def test_source_that_cannot_be_read(check, source):
    status, notes = check({"bad.py": source, "good.py": "import asyncore\n"})
    assert status == 1
    assert "cannot be read" in check.out
    assert notes["good.py"] == [(1, "imports asyncore")]


def test_files_of_others_are_left_out(check):
    status, notes = check({
        "venv/pyvenv.cfg": "", "venv/lib/x.py": "import asyncore",
        ".hidden/x.py": "import asyncore", "node_modules/x.py": "import asyncore",
        "__pycache__/x.py": "import asyncore",
    })  # fmt: skip
    assert (status, notes) == (0, {})


def test_one_file_and_a_backend_that_is_asked_for(check, tmp_path):
    files = {"a.py": "import asyncore\n", "b.py": "import asynchat\n"}
    status, notes = check(files, tmp_path / "a.py", GOASYNCORE_BACKEND="portable")
    assert status == 1
    assert list(notes) == ["a.py"]
    assert "GOASYNCORE_BACKEND is portable here" in check.out


def test_environment_that_is_not_ours(check, tmp_path):
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "asynchat.py").write_text("")
    (tmp_path / "src").mkdir()
    path = tmp_path / "shadow"
    status, _ = check({}, tmp_path / "src", PYTHONPATH=str(path))
    assert status == 1
    wanted = f"asynchat here is not ours: a file that no distribution installed ({path}"
    assert wanted in check.out
