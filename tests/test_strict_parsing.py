from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.strict_parsing import dump_yaml, parse_yaml

DEEP = 10_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-2E4", -20000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("1.5e+2", 150.0),
        ("12", 12),
        ("-0", 0),
        ("1_000", 1000),
        ("0o17", 15),
        ("0x1F", 31),
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2024-01-31", "2024-01-31"),
        ("'1e-3'", "1e-3"),
        ("'010'", "010"),
        ("e3", "e3"),
        ("1e", "1e"),
        ("~", None),
        ("", None),
        ("null", None),
        ("=", "="),
    ],
)
def test_plain_values(text: str, value: Any) -> None:
    found, lines = parse_yaml(f"a:\n  b: {text}\n")
    assert found == {"a": {"b": value}}
    assert type(found["a"]["b"]) is type(value)
    assert lines == {"a": 1, "a.b": 2}
    assert parse_yaml(text)[0] == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3", r"file:3:1: the key 'a' is given twice"),
        ("a:\n  x: 1\n  x: 1", r"file:3:3: the key 'x' is given twice"),
        ("a: 010", r"file:1:4: 010 is octal to some and decimal to others. Write 10, or 0o"),
        ("a: 08", "octal to some"),
        ("a: .nan", "not a finite number"),
        ("a: -.inf", "not a finite number"),
        ("a: 1e999", "not a finite number"),
        ("a: " + "9" * 5000, "5,000 digits"),
        ("[" * DEEP + "]" * DEEP, "nested too deeply"),
        ("a: [", "this is not YAML"),
        ("a: !!python/name:os.system", "this is not YAML"),
        ("a: 1\n---\nb: 2", "this is not YAML"),
        ("a: !!int x", "x is|digits|not YAML"),
        ("a: !!timestamp 2024-13-45", "this is not YAML"),
    ],
)
def test_yaml_that_is_refused(text: str, found: str) -> None:
    with pytest.raises(InputError, match=found):
        parse_yaml(text, "file")


def test_merges_are_no_duplicates() -> None:
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")[0]["b"] == {"x": 3, "y": 2}


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet="aeEno019.:-_+#'=~<é\U0001f642"),
    st.sampled_from(["1e-3", "no", "on", "1:30", "010", "0o7", "1_0", ".5", "2024-01-31", "", "~", "<<", "="]),
)


@given(st.dictionaries(st.text(alphabet="abc", min_size=1), _VALUES))
def test_what_is_written_is_read_back_by_either_version(content: dict[str, Any]) -> None:
    text = dump_yaml(content)
    assert parse_yaml(text)[0] == content
    assert yaml.safe_load(text) == content
