"""Of the folders that tagsmith's runtime shares with tagsmith, only the files that it imports."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent.parent


def imported(path: Path) -> set[Path]:
    """The files of ours that a file imports by a relative import."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            folder = path.parents[node.level - 1]
            found.add(folder.joinpath(*node.module.split(".")).with_suffix(".py"))
    return found


def wanted() -> set[Path]:
    """All files of the runtime, and what these import."""
    files, left = set(), set((ROOT / "runtime").glob("*.py"))
    while left:
        files |= left
        left = {other for path in left for other in imported(path)} - files
    return files | {ROOT / room / "__init__.py" for room in ("modeling", "tokenization")}


class BuildRuntime(build_py):
    """Takes the files that are wanted."""

    def find_package_modules(self, package: str, package_dir: str) -> list[Any]:
        """As setuptools finds them, except for those that are not."""
        found = super().find_package_modules(package, package_dir)
        if package == "tagsmith_runtime":
            return [module for module in found if module[1] == "__init__"]
        files = wanted()
        return [module for module in found if Path(module[2]).resolve() in files]


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildRuntime})
