"""Finds English in code and templates that is shown to people, and does not come from the tables of texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

# What is given to these may be English: errors, options and their help, and what patterns look for.
_FREE = frozenset({"option", "argument", "command", "say", "compile", "search", "sub", "fullmatch", "match", "findall"})
_FREE |= {"getattr", "setattr", "info", "warning", "add_argument"}
_WORD = re.compile(r"(?<![\w./:#{=-])[A-Za-z][a-z]{2,}(?![\w./:(={])")
_HOLE = "\0"  # where an f-string has a value


def in_code(source: str) -> Iterator[str]:
    """Yield string literals, f-strings among them, that hold English words and are no docstring, error or option."""
    tree = ast.parse(source)
    yield from _walk(tree, {id(node) for node in ast.walk(tree) if isinstance(node, ast.Expr)})


def _walk(node: ast.AST, statements: set[int]) -> Iterator[str]:
    if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return  # an error, or a docstring
    if isinstance(node, ast.Call) and _free(node):
        return
    text = _text(node)
    if text is not None and _english(text):
        yield text.replace(_HOLE, "{}")
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _walk(child, statements)


def _free(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    return name in _FREE or name.endswith("Error") or any(keyword.arg == "err" for keyword in call.keywords)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else _HOLE for v in node.values)
    return None


def _english(text: str) -> bool:
    """Whether a text has a word beside another word or a value: a word alone is the name of something.

    Styles are not meant, nor the attributes of an element.
    """
    if re.match(r"@[a-z-]+ \{|/\*|[a-z-]+: url\(", text):
        return False
    plain = re.sub(r'<[^>]*>?|[\w-]+="[^"]*"', " ", text)
    return " " in plain.strip() and _WORD.search(plain) is not None


def told_as_text(source: str) -> Iterator[str]:
    """Yield literals that are kept or noted as a sentence (`Told`) where a phrase belongs."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.returns is not None and "Told" in ast.unparse(node.returns):
            given: list[ast.AST | None] = [
                n.value for n in ast.walk(node) if isinstance(n, ast.Yield | ast.Return) and n.value is not None
            ]
        elif isinstance(node, ast.Call):
            given = _noted(node)
        elif isinstance(node, ast.AugAssign) and "notes" in ast.unparse(node.target):
            given = [node.value]
        else:
            continue
        for value in given:
            parts = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            parts = [part.elt if isinstance(part, ast.ListComp | ast.GeneratorExp) else part for part in parts]
            yield from (text for part in parts if part and (text := _text(part)) and _english(text))


def _noted(call: ast.Call) -> list[ast.AST | None]:
    name = ast.unparse(call.func)
    given: list[ast.AST | None] = [k.value for k in call.keywords if k.arg in ("notes", "no_device_reason", "said")]
    if name.endswith("notes.append") or name.endswith("notes.extend"):
        given += call.args
    return given + (call.args[1:2] if name.rpartition(".")[2] == "Finding" else [])


def in_template(source: str) -> Iterator[str]:
    """Yield words of a template that are neither markup nor made from the texts."""
    plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", " ", source, flags=re.DOTALL)
    for attribute in re.findall(r'\b(?:aria-label|title|alt|placeholder)="([^"]*)"', plain):
        yield from re.findall(r"[A-Za-z]{3,}", attribute)
    shown = re.sub(r"<(script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>|&\w+;", " ", plain, flags=re.DOTALL)
    yield from re.findall(r"[A-Za-z]{3,}", shown)


def in_script(source: str) -> Iterator[str]:
    """Yield strings of a script that hold English words."""
    code = re.sub(r"^\s*//.*$|  // .*$", "", source, flags=re.MULTILINE)
    for single, double, back in re.findall(r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`", code):
        text = re.sub(r"\$\{[^}]*\}", _HOLE, single or double or back)
        if _english(text) and not re.match(r"[a-z.#\[(]", text):
            yield text
