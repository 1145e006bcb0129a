"""Finds out what a source does with asyncore, asynchat and smtpd, without running it."""

from __future__ import annotations

import ast
import os
import sys
from types import CellType, CodeType, FunctionType

from . import _installed, _predicates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["VERSION", "WORDS", "Source", "find_channels", "hidden_module"]

VERSION = "%d.%d" % sys.version_info[:2]  # noqa: UP031

_COOPERATIVE = ("gevent", "eventlet")
WORDS = {word.encode() for word in (*_installed.MODULES, *_COOPERATIVE)}
"""A source that contains none of these need not be parsed."""

# If a program replaces one of these names of asyncore, the engine cannot be used.
_REPLACED = ("select", "time", "read", "write", "readwrite", "_exception")
_NO_DICT = {
    *("WeakValueDictionary", "OrderedDict", "defaultdict", "UserDict", "ChainMap", "Counter"),
    *("WeakKeyDictionary", "MappingProxyType"),
}
_MAPPINGS = {"dict", "MutableMapping", "Mapping"}  # whose subclasses are not exactly dicts
_LOOPS = {"loop": 2, "poll": 1, "poll2": 1, "poll3": 1}  # the position of `map`
_CHANNELS = {
    "asyncore": ("dispatcher", "dispatcher_with_send", "file_dispatcher"),
    "asynchat": ("async_chat",),
    "smtpd": ("SMTPServer", "SMTPChannel", "DebuggingServer", "PureProxy"),
}


def hidden_module(path: str) -> str | None:
    """Return our module that has the same name as this file."""
    folder, name = os.path.split(os.path.abspath(path))
    if name == "__init__.py":
        folder, name = os.path.split(folder)
    module = name.removesuffix(".py")
    return module if module in _installed.MODULES else None


class Source(ast.NodeVisitor):
    """One file. `notes` are line, sentence, and whether it is a problem."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.notes: set[tuple[int, str, bool]] = set()
        self.imports = False
        self.classes: list[ast.ClassDef] = []
        self._names: dict[str, str] = {}  # what a name in the file means: "asyncore.loop"
        self._maps: set[str] = set()  # expressions that are mappings but not dicts
        self._kinds = set(_NO_DICT)
        self._look_at_the_name()
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and self._bases(node) & (_NO_DICT | _MAPPINGS):
                self._kinds.add(node.name)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)) and self._is_no_dict(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self._maps |= set(map(ast.unparse, targets))
        self.visit(tree)

    def note(self, node: ast.AST | None, sentence: str, trouble: bool = False) -> None:
        self.notes.add((getattr(node, "lineno", 0), sentence, trouble))

    def full_name(self, node: ast.AST) -> str:
        """Return the expression with the file's own names for modules replaced."""
        first, dot, rest = ast.unparse(node).partition(".")
        return self._names.get(first, first) + dot + rest

    def _look_at_the_name(self) -> None:
        module = hidden_module(self.path)
        if module is None or _installed.has_mark(module, self.path):
            return
        folder = os.path.dirname(os.path.abspath(self.path))
        if os.path.basename(self.path) == "__init__.py":
            folder = os.path.dirname(folder)
        if os.path.exists(os.path.join(folder, "__init__.py")):
            self.note(None, f"is a copy of {module}; what imports it does not use the engine", True)
        else:
            self.note(None, f"hides our {module} from programs that are run from {folder}", True)

    # -- imports ------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self._names[alias.asname or top] = alias.name if alias.asname else top
            self._imported(node, top)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if node.level:
                if alias.name in _installed.MODULES:
                    self.note(node, f"imports the program's own copy of {alias.name}", True)
                continue
            if alias.name == "*":
                for name in _CHANNELS.get(module, ()):
                    self._names[name] = f"{module}.{name}"
            self._names[alias.asname or alias.name] = f"{module}.{alias.name}"
        if not node.level:
            self._imported(node, module.partition(".")[0])

    def _imported(self, node: ast.AST, module: str) -> None:
        if module in _installed.MODULES:
            self.imports = True
            self.note(node, f"imports {module}")
        elif module in _COOPERATIVE:
            sentence = f"imports {module}: where it replaces select, all passes are portable"
            self.note(node, sentence, True)

    # -- what makes passes portable -----------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                module, name = self.full_name(target.value), target.attr
                if (module, name) == ("asyncore", "socket_map"):
                    self._look_at_map(node, node.value)
                self._replaced(node, module, name)
        self.generic_visit(node)

    def _replaced(self, node: ast.AST, module: str, name: str) -> None:
        of_asyncore = module == "asyncore" and name in _REPLACED
        of_select = module in ("select", "asyncore.select") and name in ("select", "poll")
        if of_asyncore or of_select:
            self.note(node, f"replaces {module}.{name}: all passes from then on are portable", True)

    def visit_Call(self, node: ast.Call) -> None:
        called = self.full_name(node.func)
        first = node.args[0] if node.args else None
        if called in ("importlib.import_module", "__import__", "builtins.__import__"):
            if isinstance(first, ast.Constant) and first.value in _installed.MODULES:
                self._imported(node, first.value)
        elif called.rpartition(".")[2] == "setattr" and len(node.args) > 1:
            if isinstance(node.args[1], ast.Constant):
                self._replaced(node, self.full_name(node.args[0]), str(node.args[1].value))
        elif called == "os.fork":
            sentence = "forks: a child that is forked after the first pass makes portable ones"
            self.note(node, sentence)
        module, _, name = called.rpartition(".")
        given = [word.value for word in node.keywords if word.arg == "map"]
        if module == "asyncore" and name in _LOOPS:
            given += node.args[_LOOPS[name] : _LOOPS[name] + 1]
        for value in given:
            self._look_at_map(node, value)
        self.generic_visit(node)

    def _is_no_dict(self, value: ast.expr | None) -> bool:
        if isinstance(value, ast.Call):
            return ast.unparse(value.func).rpartition(".")[2] in self._kinds
        return isinstance(value, (ast.Name, ast.Attribute)) and ast.unparse(value) in self._maps

    def _look_at_map(self, node: ast.AST, value: ast.expr) -> None:
        if self._is_no_dict(value):
            kind = ast.unparse(value)
            sentence = f"its map is not exactly a dict ({kind}): its passes are portable"
            self.note(node, sentence, True)

    # -- channels -----------------------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.classes.append(node)
        self.generic_visit(node)

    def _bases(self, node: ast.ClassDef) -> set[str]:
        return {ast.unparse(base).rpartition(".")[2] for base in node.bases}

    def is_channel(self, node: ast.ClassDef, known: set[str]) -> bool:
        """Return whether the class's base is a class of channels, ours or another file's."""
        if self._bases(node) & known:
            return True
        for base in map(self.full_name, node.bases):
            module, _, name = base.partition(".")
            if name in _CHANNELS.get(module, ()):
                return True
        return False

    def note_predicates(self, node: ast.ClassDef) -> None:
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and part.name in ("readable", "writable"):
                self.note(part, f"{node.name}.{part.name}() {_told_of(part)}")


def find_channels(sources: Iterable[Source]) -> set[str]:
    """Note the predicates of all channels, and return the names of their classes.

    The base of a class may be in another file; only its name is known then.
    """
    known: set[str] = set()
    left = [(source, node) for source in sources for node in source.classes]
    while found := [(source, node) for source, node in left if source.is_channel(node, known)]:
        for source, node in found:
            known.add(node.name)
            source.note_predicates(node)
        left = [pair for pair in left if pair not in found]
    return known


def _told_of(definition: ast.FunctionDef) -> str:
    """Return what a pass does about a predicate."""
    if definition.decorator_list:
        return "is called in each pass: it is decorated"
    function = _function(definition)
    reason = _predicates.explain(function)
    if reason is not None:
        return f"is called in each pass: {reason}"
    returns = _predicates.constant(function)
    if returns is None:
        return "is called again only when what it reads has changed"
    return f"is never called: it is always {'true' if returns else 'false'}"


def _function(definition: ast.FunctionDef) -> FunctionType:
    """Return the function, without evaluating its definition, as in a class named Channel."""
    definition.type_params = []  # they would enclose it
    tree = ast.parse("class Channel: pass")  # for super() and names that begin with two underscores
    tree.body[0].body = [definition]  # type: ignore[attr-defined]
    code = compile(tree, "<predicate>", "exec")
    for name in ("Channel", definition.name):
        inner = [one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name]
        code = inner[-1]
    return FunctionType(code, {}, closure=tuple(CellType() for _ in code.co_freevars))
