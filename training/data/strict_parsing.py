"""YAML of people, read strictly: nothing is taken twice, and a number is what it looks like. JSON: `strict_json`."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from tagsmith.tokenization.input_error import InputError

_QUOTE = "Put quotes around it if it is text."
_TOO_DEEP = "it is nested too deeply"
_DEEPEST = 200
_YAML = "Write a key and its value a line, as 'key: value', inner ones indented by spaces; text may need quotes."


def parse_yaml(text: str, path: str | Path | None = None) -> tuple[Any, dict[str, int]]:
    """Read one document of YAML by the rules of YAML 1.2: `1e-3` is a number; `no`, `on` and `1:30` are text.

    Returns:
        The content, and the line of each key of its mappings, keys of inner ones with dots (`model.hidden_size`).

    Raises:
        InputError: no YAML; a key given twice; `010`, which is 8 to some and 10 to others; infinity; deep nesting.
    """
    try:
        if _depth(text) > _DEEPEST:  # the library would find it out after seconds
            raise RecursionError
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[str, int] = {}
            _add_lines(node, "", lines)
            return (None if node is None else loader.construct_document(node)), lines
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message, fix = getattr(error, "problem", None) or str(error), getattr(error, "note", None) or _YAML
        if not isinstance(error, _Strict):
            message = f"this is not YAML: {message}"
        raise InputError(message, path=path, line=line, column=column, fix=fix) from error
    except RecursionError:
        raise InputError(f"this is not YAML: {_TOO_DEEP}", path=path, fix=_YAML) from None
    except ValueError as error:
        raise InputError(f"this is not YAML: {str(error).split(';')[0]}", path=path, fix=_YAML) from None


def _depth(text: str) -> int:
    """How deeply lists and mappings in brackets are nested, or `- - -` on one line; those in quotes count too."""
    steps = (1 if match[0] in "[{" else -1 for match in re.finditer(r"[\[\]{}]", text))
    dashes = (len(match[0]) // 2 for match in re.finditer(r"(?:[-?:][ \t]+){50,}", text))
    return max([*accumulate(steps, initial=0), *dashes])


def dump_yaml(content: Any) -> str:
    """YAML that `parse_yaml` and readers of YAML 1.1 read alike."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Strict(yaml.constructor.ConstructorError):
    """What YAML allows, and is refused here."""

    def __init__(self, problem: str, node: yaml.Node, fix: str) -> None:
        super().__init__(None, None, problem, node.start_mark, fix)


class _Loader(yaml.SafeLoader):
    """Plain scalars by YAML 1.2; `<<` merges as in 1.1."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in getattr(node, "value", ()):
            if isinstance(key_node, yaml.ScalarNode) and (key_node.tag, key_node.value) in seen:
                raise _Strict(f"the key {key_node.value[:80]!r} is given twice", key_node, "Keep one of them.")
            seen.add((key_node.tag, key_node.value))
        return super().construct_mapping(node, deep)

    def whole_number(self, node: Any) -> int:
        digits = node.value.replace("_", "")
        if re.fullmatch(r"[-+]?0[0-9]+", digits):
            fix = f"Write {int(digits) if len(digits) < 20 else digits.lstrip('0')}, or 0o… for octal. {_QUOTE}"
            raise _Strict(f"{node.value[:40]} is octal to some and decimal to others", node, fix)
        try:
            return int(digits, 0)
        except ValueError:
            raise _Strict(f"a number of {len(digits):,} digits", node, _QUOTE) from None

    def real_number(self, node: Any) -> float:
        text = node.value.replace("_", "")
        value = math.nan if text[-3:].lower() in ("inf", "nan") else float(text)
        if not math.isfinite(value):
            raise _Strict(f"{node.value[:40]} is not a finite number", node, _QUOTE)
        return value


class _Dumper(yaml.SafeDumper):
    """Quotes text that either version of YAML takes for something else."""


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.real_number)


def _add_lines(node: yaml.Node | None, prefix: str, lines: dict[str, int]) -> None:
    if not isinstance(node, yaml.MappingNode) or prefix.count(".") > 8:  # an alias may hold itself
        return
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        lines[name] = key.start_mark.line + 1
        _add_lines(value, f"{name}.", lines)
