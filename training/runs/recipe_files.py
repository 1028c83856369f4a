"""The files of recipes: those that come with the package, and any with its bases laid under it.

A recipe may begin with `base: NAME`, a bundled recipe or the path of one, and then say only what differs. What knows
only files lists recipes, and completes their names in a shell, without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.strict_parsing import parse_yaml

FOLDER = Path(__file__).parent / "recipes"


def bundled_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


class Places:
    """Where each value of a recipe was written: in its file, or in one of its bases."""

    def __init__(self, path: Path, lines: Mapping[str, int]) -> None:
        self.path = path
        self._places = {key: (path, line) for key, line in lines.items()}

    def lay_over(self, base: Places) -> None:
        """Keep a base's places of what is not written again."""
        self._places = {**base._places, **self._places}

    def forget(self, key: str) -> None:
        """A value that was set from outside."""
        self._places.pop(key, None)

    def of(self, key: str) -> dict[str, Any]:
        """Path and line for an error about a key."""
        path, line = self._places.get(key, (self.path, None))
        return {"path": path, "line": line}


def read_recipe_file(name_or_path: Any, users: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Places]:
    """A recipe's mapping laid over its base's, and where each value was written.

    Args:
        name_or_path: of a recipe, such as "ner" or "my/recipe.yaml".
        users: the recipes that this one is a base of.

    Raises:
        InputError: no such recipe, a file that is not YAML, a recipe that is its own base.
    """
    bundled = bundled_recipes()
    path = bundled.get(str(name_or_path), Path(str(name_or_path)))
    if users and str(name_or_path) not in bundled:
        path = users[-1].parent / path  # a base is named from where the recipe lies
    if not path.is_file():
        raise InputError(
            f"there is no recipe {str(name_or_path)!r}",
            path=users[-1] if users else None,
            fix=f"Give the path of a YAML file, or one of {', '.join(bundled)}.",
        )
    if path in users:
        raise InputError("this recipe is its own base", path=path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"this is not YAML: {error}", path=path, fix="Save it as UTF-8.") from error
    content, lines = parse_yaml(text, path)
    if not isinstance(content, dict):
        raise InputError("a recipe is a mapping of keys to values", path=path, fix="Begin with 'description: ...'.")
    places = Places(path, lines)
    if "base" in content:
        base, below = read_recipe_file(content.pop("base"), (*users, path))
        content = _laid_over(base, content)
        places.lay_over(below)
    return content, places


def _laid_over(base: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in content.items():
        inner = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _laid_over(base[key], value) if inner else value
    return merged
