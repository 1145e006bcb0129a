"""The code blocks of the documentation's texts, whatever the way to the text has done to them.

A reStructuredText source has them whole. In the HTML page and in plain text all indentation is
gone; in one text the line breaks are too. What is given back is the same code, laid out again.
"""

import ast
import builtins
import html
import io
import re
import textwrap
import tokenize


def blocks_of(text):
    if "<!DOCTYPE html>" in text:
        found = re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)
        sources = [html.unescape(re.sub(r"<[^>]*>", "", block)) for block in found]
        return [indented(source.strip().splitlines()) for source in sources]
    if re.search(r"^\.\. (module|class|function)::", text, re.MULTILINE):
        return list(literal_blocks(text.splitlines()))
    return list(plain_blocks([line.strip() for line in text.splitlines() if line.strip()]))


def kind_of(block):
    """What a block is: "python 2", "client", "server", or a lone "method"."""
    try:
        ast.parse(block)
    except SyntaxError:
        # The rest of the block has to be sound, or we have spoiled it.
        ast.parse(re.sub(r"^(\s*)print (.*)$", r"\1print(\2)", block, flags=re.MULTILINE))
        return "python 2"
    if not block.startswith("import asyncore"):
        return "method"
    return "server" if "self.listen(" in block else "client"


def literal_blocks(lines):
    """The indented code after a line that ends in two colons."""
    start = None
    for number, line in enumerate([*lines, ""]):
        if start is None:
            if re.search(r"[^:.\s].*::$", line) and not line.lstrip().startswith(".."):
                start = number + 1
                margin = None
            continue
        depth = len(line) - len(line.lstrip())
        if margin is None and line.strip():
            margin = depth
        if margin is not None and (depth < margin or number == len(lines)):
            yield textwrap.dedent("\n".join(lines[start:number])).strip() + "\n"
            start = None


def plain_blocks(lines):
    """A line that begins a definition, and the lines after it that are Python."""
    number = 0
    while number < len(lines):
        header = re.match(r"(def|class) \w+(\(.*?\))?:", lines[number])
        if header is None:
            number += 1
            continue
        block = [header.group(), *statements(lines[number][header.end() :])]
        number += 1
        while number < len(lines) and is_python(lines[number]):
            block.append(lines[number])
            number += 1
        yield indented(block)


def is_python(line):
    try:
        ast.parse(line + " pass" if line.endswith(":") else line)
    except SyntaxError:
        return False
    return True


def statements(line):
    """Statements that lost the line breaks between them: a name cannot follow what ends a value."""
    ends = [0]
    before = None
    for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
        if before is not None and token.type == tokenize.NAME and before.string in (")", "]"):
            ends.append(token.start[1])
        before = token
    line = line.strip()
    parts = [line[a:b].strip() for a, b in zip(ends, [*ends[1:], None], strict=True)]
    return [part for part in parts if part]


def indented(lines):
    """Indent lines that lost their indentation.

    A statement stands as far out as all its names are known: one that uses a method's parameters or
    variables is in the method, others are the module's. What follows a colon is one level deeper.
    """
    scopes = [set(dir(builtins))]
    result = []
    opened = 0  # brackets
    deeper = in_class = False
    for line in lines:
        if opened:
            result.append(" " * 4 * (len(scopes) + 1) + line)
            opened += brackets(line)
            continue
        kind = line.split()[0]
        if not deeper:
            if kind == "def":
                del scopes[2 if in_class and "(self" in line else 1 :]
            elif kind == "class":
                del scopes[1:]
                in_class = True
            else:
                used = names(line) - bound(line)
                while len(scopes) > 1 and used <= set().union(*scopes[:-1]):
                    scopes.pop()
        result.append(" " * 4 * (len(scopes) - 1) + line)
        scopes[-1] |= bound(line)
        opened += brackets(line)
        deeper = line.endswith(":")
        if deeper:
            scopes.append(parameters(line))
    return "\n".join(result) + "\n"


def tokens(line):
    try:
        yield from tokenize.generate_tokens(io.StringIO(line).readline)
    except tokenize.TokenError:
        return  # the brackets are closed in a later line


def brackets(line):
    strings = [token.string for token in tokens(line) if token.type == tokenize.OP]
    return sum(s in ("(", "[", "{") for s in strings) - sum(s in (")", "]", "}") for s in strings)


def names(line):
    """The names a statement uses: no attributes, no keywords."""
    before = ""
    found = set()
    for token in tokens(line):
        if token.type == tokenize.NAME and before != "." and token.string.isidentifier():
            found.add(token.string)
        before = token.string
    return found - {"import", "pass", "if", "print", "return", "not", "and", "or", "in", "is"}


def bound(line):
    """The names a statement gives a meaning to."""
    for pattern in (r"import (\w+)", r"(?:def|class) (\w+)", r"(\w+(?:, \w+)*) = "):
        match = re.match(pattern, line)
        if match:
            return set(match.group(1).split(", "))
    return set()


def parameters(line):
    match = re.match(r"def \w+\((.*)\):$", line)
    return set(re.findall(r"\w+", match.group(1))) if match else set()
