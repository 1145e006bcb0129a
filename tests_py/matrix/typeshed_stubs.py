"""A program made of typeshed's stubs of asyncore, asynchat and smtpd, to hold ours against them.

For each name of a stub there is a piece that uses ours as the stub's: a function is given where the
stub's signature is wanted, an attribute is read and set. And for each method and attribute of a
class there is a subclass of ours that overrides it as the stub has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

MODULES = ("asyncore", "asynchat", "smtpd")

# Where ours is not the stub's on purpose, and why.
DIFFERENCES = {
    "use asyncore.compact_traceback": "the stub has a class where the exception itself is returned",
    "use asyncore.dispatcher_with_send.send": "returns None; the stub says so in a comment only",
    "use asyncore.file_wrapper.getsockopt": "never returns bytes: a buffer's length is refused",
    "use asyncore.file_wrapper.read": "takes no keywords: bufsize and flags are the stub's alone",
    "use asyncore.file_wrapper.recv": "takes no keywords: bufsize and flags are the stub's alone",
    "use asyncore.file_wrapper.send": "takes no keywords: data and flags are the stub's alone",
    "use asyncore.file_wrapper.write": "takes no keywords: data and flags are the stub's alone",
}

LAST = SimpleNamespace(version_info=(3, 11))

# The definitions of one name: a function that is overloaded has several.
type Members = dict[str, list[ast.stmt]]
# "use asyncore.loop", and its source.
type Piece = tuple[str, str]


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a stub for 3.11; what it has for some platforms only is here, too."""
    for statement in body:
        if isinstance(statement, ast.If):
            test = ast.unparse(statement.test)
            is_so = "version_info" not in test or eval(test, {"sys": LAST})
            yield from statements(statement.body if is_so else statement.orelse)
        else:
            yield statement


def is_alias(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation) == "TypeAlias"


def members(body: list[ast.stmt]) -> Members:
    found: Members = {}
    for statement in statements(body):
        match statement:
            case ast.FunctionDef(name=name, decorator_list=[ast.Name(id="property")], returns=kind):
                found[name] = ast.parse(f"{name}: {ast.unparse(kind)} = FIXED").body
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.setdefault(name, []).append(statement)
            case ast.AnnAssign(target=ast.Name(id=name)) if not is_alias(statement):
                found[name] = [statement]
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
                found[name] = found[other]
    return found


def prelude(module: str, stub: ast.Module) -> Iterator[str]:
    """What the annotations of a stub speak of; its classes are ours."""
    yield f"import {module}"
    for statement in statements(stub.body):
        if isinstance(statement, ast.ClassDef):
            yield f"from {module} import {statement.name}"
        elif isinstance(statement, (ast.Import, ast.ImportFrom)) or is_alias(statement):
            yield ast.unparse(statement)


def function(definition: ast.stmt, name: str) -> str:
    """A method of a stub under that name; a function becomes one."""
    copied = ast.parse(ast.unparse(definition)).body[0]
    assert isinstance(copied, ast.FunctionDef)
    arguments = copied.args
    if not arguments.args or arguments.args[0].arg != "self":
        arguments.args.insert(0, ast.arg("self"))
    # A program must not have the `...` that a stub has for a default.
    arguments.defaults = [
        ast.Name("DEFAULT") if ast.unparse(default) == "..." else default
        for default in arguments.defaults
    ]
    copied.name = name
    copied.decorator_list = [
        decorator for decorator in copied.decorator_list if ast.unparse(decorator) == "overload"
    ]
    copied.body = ast.parse("raise NotImplementedError").body
    if name == "__call__" and ast.unparse(definition).startswith("def __init__("):
        copied.returns = ast.Name("object")
    return ast.unparse(copied)


def block(head: str, *body: str) -> str:
    lines = "\n".join(body).splitlines()
    return "\n    ".join([head, *lines]) + "\n"


def use_function(path: str, given: str, name: str, ours: str, several: list[ast.stmt]) -> Piece:
    """Ours, a function or what has the method, is given where the stub's is wanted."""
    word = path.replace(".", "_")
    wanted = [function(definition, name) for definition in several]
    return f"use {path}", (
        block(f"class Stub_{word}(Protocol):", *wanted)
        + block(f"def use_{word}({given}) -> Stub_{word}:", f"return {ours}")
    )


def use_attribute(path: str, given: str, ours: str, attribute: ast.AnnAssign) -> Piece:
    word, kind = path.replace(".", "_"), ast.unparse(attribute.annotation)
    read = block(f"def get_{word}({given}) -> {kind}:", f"return {ours}")
    if attribute.value is not None:  # a property
        return f"use {path}", read
    given += ", " if given else ""
    return f"use {path}", read + block(
        f"def set_{word}({given}new: {kind}) -> None:", f"{ours} = new"
    )


def override(path: str, several: list[ast.stmt]) -> Piece:
    word = path.replace(".", "_")
    kind, _, name = path.rpartition(".")
    if isinstance(several[0], ast.AnnAssign):
        body = [ast.unparse(several[0])]
        if several[0].value is not None:  # a property
            kind_of_it = ast.unparse(several[0].annotation)
            body = ["@property", f"def {name}(self) -> {kind_of_it}: raise NotImplementedError"]
    else:
        body = [function(definition, name) for definition in several]
        if len(several) > 1:
            body.append(f"def {name}(self, *args: Any, **kwargs: Any) -> Any: ...")
    return f"override {path}", block(f"class Over_{word}({kind}):", *body)


def pieces_of_class(path: str, inherited: Members, own: Members) -> Iterator[Piece]:
    for name, several in (inherited | own).items():
        if isinstance(several[0], ast.AnnAssign):
            yield use_attribute(f"{path}.{name}", f"ours: {path}", f"ours.{name}", several[0])
            yield override(f"{path}.{name}", several)
        elif name != "__init__":
            yield use_function(f"{path}.{name}", f"ours: {path}", name, "ours", several)
            yield override(f"{path}.{name}", several)
        elif name in own:
            yield use_function(f"{path}.{name}", "", "__call__", path, several)


def pieces(module: str, stub: ast.Module, classes: dict[str, Members]) -> Iterator[Piece]:
    """All uses and overrides of a stub's names; `classes` collects the members of its classes."""
    for name, several in members(stub.body).items():
        definition, path = several[0], f"{module}.{name}"
        if isinstance(definition, ast.AnnAssign):
            yield use_attribute(path, "", path, definition)
        elif isinstance(definition, ast.FunctionDef):
            yield use_function(path, "", "__call__", path, several)
        elif isinstance(definition, ast.ClassDef):
            inherited: Members = {}
            for base in map(ast.unparse, definition.bases):
                inherited |= classes.get(base, classes.get(f"{module}.{base}", {}))
            own = members(definition.body)
            classes[path] = inherited | own
            yield from pieces_of_class(path, inherited, own)


def program(typeshed: Path) -> tuple[str, dict[int, str]]:
    """The program of all the pieces, and whose piece each line of it is."""
    stubs = {}
    for module in MODULES:
        text = (typeshed / f"{module}.pyi").read_text()
        # One program has all the stubs' names: socket is the class in it.
        text = re.sub(r"\b(?:socket|asyncore)\.(socket|_MapType)\b", r"\1", text)
        stubs[module] = ast.parse(re.sub(r"(?m)^import socket\n", "", text))
    # The imports together, because asynchat's class inherits what asyncore's stub speaks of.
    lines = ["from typing import Any, Protocol", "DEFAULT: Any = None"]
    for module, stub in stubs.items():
        lines += prelude(module, stub)
    owners: dict[int, str] = {}
    classes: dict[str, Members] = {}
    for module, stub in stubs.items():
        for name, source in pieces(module, stub, classes):
            for line in source.splitlines():
                lines.append(line)
                owners[len(lines)] = name
    return "\n".join(lines) + "\n", owners
