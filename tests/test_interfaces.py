"""Names of other libraries that begin with an underscore: the documentation has each, and no other."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

from documents import ROOT

ROOMS = ("modeling", "tokenization", "training", "runtime")
OUR_LIBRARIES = ("tagsmith", "builtins", "abc", "typing", "enum", "io", "click", "typer")  # or Python's own
NAMED_TUPLES = {"_fields", "_asdict", "_replace", "_make"}  # public, as Python's documentation says
OS = {"_exit"}  # likewise
MADE_BY_PYTHON = {"_abc_impl", "_is_protocol", "_backward_cls", "_auto_class"}  # or by a library in our classes


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def own_names(trees: list[ast.Module]) -> set[str]:
    """Names that our code defines: functions, classes, fields and variables."""
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name, ctx=ast.Store())
            ):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def used_names() -> set[str]:
    """Private names that our code asks for and does not define."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sources()]
    found = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case (
                ast.Attribute(attr=name)
                | ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), *_])
            ):
                found.add(str(name))
    return set(filter(private, found)) - own_names(trees) - NAMED_TUPLES - OS


def overridden_names() -> set[str]:
    """Private names of other libraries' classes that our classes have too."""
    found = set()
    for path in sources():
        module = importlib.import_module(".".join(["tagsmith", *path.relative_to(ROOT).with_suffix("").parts]))
        for kind in vars(module).values():
            if not inspect.isclass(kind) or kind.__module__ != module.__name__:
                continue
            ours = [base for base in kind.__mro__ if base.__module__.startswith("tagsmith.")]
            theirs = [base for base in kind.__mro__ if base.__module__.split(".")[0] not in OUR_LIBRARIES]
            names = {name for base in ours for name in vars(base) if private(name)}
            found |= {name for name in names if any(name in vars(base) for base in theirs)}
    return found - MADE_BY_PYTHON


def test_the_page_has_every_name_and_no_other() -> None:
    page = (ROOT / "docs" / "about" / "interfaces.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == used_names() | overridden_names()
