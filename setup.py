"""Builds the extension: gopy makes a Python module out of ./pybind, Go and cgo link it.

pyproject.toml contains everything that is not code. Two environment variables are used:
GOASYNCORE_BUILD (auto, native or portable) decides whether the extension is built, and GOFLAGS is
passed on to Go with the binding's build tag added.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
MACOS = sys.platform == "darwin"
TAG = "gopy_binding"
OTHERWISE = (
    "or set GOASYNCORE_BUILD=portable to build the pure-Python wheel, which takes Python alone."
)

# What the sdist contains besides the packages: everything that a build and `make test` need.
SOURCE_FILES = [
    "README.md",
    "Makefile",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "go.mod",
    "go.sum",
    ".gitignore",
]
SOURCE_TREES = [
    ".ci",
    "bench",
    "docs",
    "engine",
    "examples",
    "pybind",
    "python",
    "tests_go",
    "tests_py",
]
NOT_SOURCE = re.compile(
    r"(^|/)(__pycache__|[^/]*\.egg-info|\.[a-z]+_cache|\.hypothesis|results)/|\.(py[cod]|so|dylib)$"
)


def stop(sentence: str) -> SystemExit:
    """Ends the build with one sentence for the user, without a traceback."""
    return SystemExit(f"goasyncore: {sentence}")


def wants_extension() -> bool:
    choice = os.environ.get("GOASYNCORE_BUILD", "") or "auto"
    if choice not in ("auto", "native", "portable"):
        raise stop(f"GOASYNCORE_BUILD is {choice!r}; it may be auto, native or portable.")
    # The C code relies on the GIL everywhere. A free-threaded build would never load the
    # extension, even if it was started with its GIL on.
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    if choice == "native" and free_threaded:
        raise stop(
            "the extension needs a CPython with the GIL, and this is a free-threaded build; leave "
            "GOASYNCORE_BUILD at auto to build the pure-Python wheel."
        )
    # The engine is tested on CPython with the GIL, on POSIX; elsewhere passes are portable.
    suits = os.name == "posix" and sys.implementation.name == "cpython" and not free_threaded
    return choice == "native" or (choice == "auto" and suits)


def numbers(version: str) -> tuple[int, ...]:
    """`go1.26.8`, `1.24.0` and `go1.25rc1` as comparable tuples."""
    found = re.match(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def go_flags(flags: str) -> str:
    """Return GOFLAGS with our tag added to those in it; of two -tags Go would use the last."""
    words = flags.split()
    tags = [word.partition("=")[2] for word in words if re.match("--?tags=", word)]
    return " ".join(
        [word for word in words if not re.match("--?tags=", word)]
        + [f"-tags={','.join([TAG, *tags])}"]
    )


def clean(source: Path, recipe: Path) -> None:
    """Remove from gopy's binding.go and build.py what depends on the machine or on chance."""
    text = source.read_text()
    # It would link the builder's libpython in, and its folder as a run path; and the names of Go's
    # symbols are hashes of this text, so no path may stay in it.
    text = re.sub(r"(?m)^(?:#cgo LDFLAGS:|gopy gen ).*\n", "", text)
    text = re.sub(r'(?m)^(#cgo CFLAGS:) "-I[^"\n]*"', r"\1", text)
    # A Py_ssize_t is a long on most platforms, but not on those with 32 bits.
    text = text.replace("C.long(size)", "C.Py_ssize_t(size)")
    # gopy iterates over a Go map, so the order of the functions differs each time.
    head, mark, functions = text.partition("// ---- Functions ---\n")
    blocks = sorted(block.strip() for block in re.split(r"(?m)^(?=//export )", functions))
    source.write_text(head + mark + "\n\n".join(blocks) + "\n")
    lines = recipe.read_text().splitlines(keepends=True)
    places = [at for at, line in enumerate(lines) if re.match(r"\S+\(mod, 'pybind_", line)]
    for at, line in zip(places, sorted(lines[at] for at in places), strict=True):
        lines[at] = line
    recipe.write_text("".join(lines))


class GoBuild:
    """One build of the extension, in its own folder under build/."""

    def __init__(self) -> None:
        # Inside the module, so that its go.mod resolves the generated package's imports; behind an
        # underscore, so that `./...` does not see it.
        self.work = ROOT / "build" / "_go" / f"{sys.implementation.cache_tag}-{sys.platform}"
        self.generated = self.work / "binding"
        self.bin = self.work / "bin"
        self.include = sysconfig.get_path("include")
        self.env = dict(os.environ)
        self.env["CGO_ENABLED"] = "1"
        self.env["CGO_CFLAGS"] = f"-O2 {shlex.quote('-I' + self.include)}"
        self.env["CGO_LDFLAGS"] = (
            # Python's own symbols come from the process that loads the extension.
            "-undefined dynamic_lookup"
            if MACOS
            else "-Wl,--unresolved-symbols=ignore-all"
            # pybind/guest.c stands before these two.
            " -Wl,--wrap=pthread_create -Wl,--wrap=_cgo_wait_runtime_init_done"
        )
        # gopy loads the package again by itself, and gets the tag only in this way.
        self.env["GOFLAGS"] = go_flags(self.env.get("GOFLAGS", ""))
        self.env["PATH"] = os.pathsep.join([str(self.bin), self.env.get("PATH", os.defpath)])

    def check(self) -> None:
        """Raise SystemExit with one sentence if something that the build needs is missing."""
        needed = re.search(r"(?m)^go (\S+)$", (ROOT / "go.mod").read_text()).group(1)
        wanted = ".".join(str(part) for part in numbers(needed)[:2])
        install = f"install Go {wanted} or newer (https://go.dev/dl/)"
        if shutil.which("go") is None:
            raise stop(f"building the extension takes Go; {install}, {OTHERWISE}")
        version = self.ask("go", "env", "GOVERSION")
        if version is None or numbers(version) < numbers(needed):
            # Go reads go.mod before it reports its version, and fails there if it is too old.
            # Outside the module it reports its version.
            version = version or self.ask("go", "env", "GOVERSION", cwd=os.sep) or "an unknown one"
            raise stop(f"the Go found here is too old ({version}); {install}, {OTHERWISE}")
        compiler = shlex.split(self.ask("go", "env", "CC") or "cc")[0]
        if shutil.which(compiler) is None:
            raise stop(
                f"building the extension takes a C compiler and {compiler!r} was not found; "
                f"install gcc or clang, {OTHERWISE}"
            )
        if not Path(self.include, "Python.h").is_file():
            raise stop(
                "building the extension takes Python's headers and Python.h was not found; install "
                f"the development package of Python {sysconfig.get_python_version()}, {OTHERWISE}"
            )

    def ask(self, *command: str, cwd: str | Path = ROOT) -> str | None:
        done = subprocess.run(command, cwd=cwd, env=self.env, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def run(self, *command: str | Path, cwd: Path = ROOT) -> None:
        words = [str(word) for word in command]
        print("$", shlex.join(words), flush=True)
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        done = subprocess.run(words, cwd=cwd, env=self.env, stdout=pipe, stderr=both, text=True)
        if done.returncode:
            print(done.stdout, flush=True)
            raise stop(f"the build stopped at {shlex.join(words)} (status {done.returncode}).")

    def build(self, target: Path) -> None:
        """Leave the finished extension at `target`."""
        self.check()
        shutil.rmtree(self.generated, ignore_errors=True)
        self.generated.mkdir(parents=True)
        tools = ["github.com/go-python/gopy", "golang.org/x/tools/cmd/goimports"]
        self.run("go", "build", "-trimpath", "-buildvcs=false", "-o", f"{self.bin}{os.sep}", *tools)
        self.generate()
        self.link(target)

    def generate(self) -> None:
        """Write binding.go, binding_go.h and binding.c."""
        self.run(
            "gopy", "gen", f"-output={self.generated}", "-name=binding", f"-vm={sys.executable}",
            "-no-make", "./pybind",
        )  # fmt: skip
        source = self.generated / "binding.go"
        recipe = self.generated / "build.py"
        if not source.is_file() or not recipe.is_file():
            raise stop("gopy generated nothing from ./pybind.")
        self.run("goimports", "-w", source)
        clean(source, recipe)
        first = self.generated / "binding_go.so"
        self.go_build(first, [])
        first.unlink()
        self.run(sys.executable, "build.py", cwd=self.generated)

    def link(self, target: Path) -> None:
        exports = self.work / "exports"
        if MACOS:
            exports.write_text("_PyInit__binding\n")
            export = f"-Wl,-exported_symbols_list,{exports}"
        else:
            exports.write_text("{ global: PyInit__binding; local: *; };\n")
            export = f"-Wl,--version-script={exports}"
        # Otherwise Go preempts with SIGURG, which belongs to the program that imports us (socket
        # owners get it for urgent data). The variable also contains go.mod's own defaults.
        defaults = self.ask("go", "list", "-f", "{{.DefaultGODEBUG}}", ".", cwd=self.generated)
        debug = ",".join(filter(None, [defaults, "asyncpreemptoff=1"]))
        self.go_build(
            target,
            [f"-ldflags=-s -w -buildid= -X=runtime.godebugDefault={debug} '-extldflags={export}'"],
        )

    def go_build(self, output: Path, flags: list[str]) -> None:
        self.run(
            "go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", *flags,
            "-o", output, ".",
            cwd=self.generated,
        )  # fmt: skip


def long_description() -> str:
    """Return README with absolute links and pictures: the index has none of our files."""
    files = "https://github.com/goasyncore/goasyncore/blob/main/"
    pictures = "https://raw.githubusercontent.com/goasyncore/goasyncore/main/"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:|#)", rf"\1{pictures}", text)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!https?:|#|mailto:)", rf"\1{files}", text)


class BuildExtension(build_ext):
    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        GoBuild().build(target)
        # Go leaves the header of a c-shared library beside it.
        target.with_suffix(".h").unlink(missing_ok=True)


class BuildPackages(build_py):
    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        # Otherwise a file that was removed would be taken from the folder of the last build.
        for package in self.packages:
            shutil.rmtree(Path(self.build_lib, package), ignore_errors=True)
        super().run()
        self.carry_copies()

    def carry_copies(self) -> None:
        """Give goasyncore the copy of the other packages that `python -m goasyncore repair` needs.

        It is stored uncompressed, so that two builds give the same bytes; the wheel is compressed.
        """
        built = Path(self.build_lib)
        with zipfile.ZipFile(built / "goasyncore" / "_modules.zip", "w") as archive:
            for package in self.packages:
                files = [] if package == "goasyncore" else sorted((built / package).iterdir())
                for path in filter(Path.is_file, files):
                    info = zipfile.ZipInfo(f"{package}/{path.name}")
                    archive.writestr(info, path.read_bytes())


class SourceDistribution(sdist):
    def make_distribution(self) -> None:
        files = [name for name in SOURCE_FILES if (ROOT / name).is_file()]
        for tree in SOURCE_TREES:
            for path in sorted((ROOT / tree).rglob("*")):
                name = path.relative_to(ROOT).as_posix()
                if path.is_file() and not NOT_SOURCE.search(name):
                    files.append(name)
        self.filelist.extend(files)
        self.filelist.sort()
        self.filelist.remove_duplicates()
        super().make_distribution()


setup(
    long_description=long_description(),
    long_description_content_type="text/markdown",
    ext_modules=(
        [Extension("goasyncore._binding", ["pybind/module.c"])] if wants_extension() else []
    ),
    cmdclass={
        "build_ext": BuildExtension,
        "build_py": BuildPackages,
        "sdist": SourceDistribution,
    },
)
