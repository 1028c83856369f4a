"""The rooms of the package: what each says of itself, and that imports run down only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tagsmith

ROOT = Path(tagsmith.__file__).parent

# From the lowest floor to the highest; a room imports rooms of lower floors only.
FLOORS = [
    {"modeling", "tokenization"},
    {"runtime"},
    {"training/families.py", "training/machine"},
    {"training/data"},
    {"training/tagging"},
    {"training/batches", "training/cards", "training/integrations", "training/serving"},
    {"training/evaluation"},
    {"training/trainers", "training/pictures"},
    {"training/runs"},
    {"training/doubts"},
    {"training/commands"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    """The room of a file, by its place under the package's root."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if parts[0] != "training" else "/".join(parts[:2])


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    """The rooms that a file imports, anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] != "tagsmith" or len(parts) < 2:
                continue
            if parts[1] != "training":
                yield parts[1], node.lineno
            elif len(parts) > 2:
                room = f"training/{parts[2]}"
                yield room if room in FLOOR else f"{room}.py", node.lineno


def files() -> list[Path]:
    return sorted(
        path
        for folder in ("modeling", "runtime", "tokenization", "training")
        for path in (ROOT / folder).rglob("*.py")
    )


def test_every_folder_is_a_room_on_a_floor() -> None:
    rooms = {room_of(path) for path in files()} - {"training/__init__.py"}
    assert rooms == set(FLOOR)


@pytest.mark.parametrize("room", sorted(room for room in FLOOR if "/" in room and not room.endswith(".py")))
def test_a_room_says_what_lives_in_it(room: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")))
    assert said is not None and len(said.splitlines()) <= 5


def test_no_room_imports_the_face() -> None:
    """`import tagsmith` would reach everything by its public names, whatever the floor; only the version is read."""
    used = [
        f"{path.relative_to(ROOT)}:{node.lineno} uses tagsmith.{node.attr}"
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tagsmith"
        if node.attr not in ("__version__", "modeling", "tokenization")
    ]
    assert used == []


def test_imports_run_down() -> None:
    up = [
        f"{path.relative_to(ROOT)}:{line} imports {room}"
        for path in files()
        for room, line in imported_rooms(path)
        if room in FLOOR and room != room_of(path) and FLOOR[room] >= FLOOR.get(room_of(path), 99)
    ]
    assert up == []
