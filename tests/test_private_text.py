from __future__ import annotations

import pytest

from tagsmith.training.cards.private_text import public


@pytest.mark.parametrize(
    "value, shown",
    [
        ("/home/ada/a b/train.conll", "train.conll"),
        ("~/train.conll", "train.conll"),
        ("../x/train", "train"),
        ("./train.conll", "train.conll"),
        ("data/private/train.conll", "train.conll"),
        ("data\\private\\train.conll", "train.conll"),
        ("C:\\Users\\ada\\train.conll", "train.conll"),
        ("\\\\server\\share\\train.conll", "train.conll"),
        ("file:///home/ada/train.conll", "train.conll"),
        (
            "tagsmith train ner --train data/mine.conll --output-dir=/srv/out",
            "tagsmith train ner --train mine.conll --output-dir=out",
        ),
        ("read from 'data/mine.conll', then /srv/x/b.txt.", "read from 'mine.conll', then b.txt."),
        ("owner/name", "owner/name"),
        ("https://example.org/a/b.txt", "https://example.org/a/b.txt"),
        ("PER/LOC/ORG and 1/2/2020, and/or", "PER/LOC/ORG and 1/2/2020, and/or"),
        ("AMD EPYC 7B13, 2 cores", "AMD EPYC 7B13, 2 cores"),
        ("token hf_abcdefghij1 used", "token HIDDEN used"),
        (3, 3),
        (None, None),
    ],
)
def test_of_a_path_the_name_is_kept(value: object, shown: object) -> None:
    found: list[str] = []
    assert public({"a": [value]}, found) == {"a": [shown]}
    assert bool(found) == (value != shown)


def test_a_token_of_the_arguments() -> None:
    found: list[str] = []
    assert public({"hub_token": "x", "seed": 1}, found) == {"seed": 1} and found == ["hub_token"]
