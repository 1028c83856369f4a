from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.training.cards.private_text import private_lines, public, without_secrets


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
        ("https://ada:pa55@example.org/x", "https://example.org/x"),
        ("clone https://ada:p@55@example.org/x.git now", "clone https://example.org/x.git now"),
        ("https://example.org/x?token=abc&n=1", "https://example.org/x?token=HIDDEN&n=1"),
        ("ssh://git@example.org/x and a@example.org", "ssh://git@example.org/x and a@example.org"),
        ("DB_PASSWORD=abc 'api_key': 'a b'", "DB_PASSWORD=HIDDEN 'api_key': HIDDEN"),
        ("--password abc --seed 1", "--password HIDDEN --seed 1"),
        ("Authorization: Bearer abcdefgh12", "Authorization: HIDDEN HIDDEN"),
        ("the token: a word, and the secret of it", "the token: a word, and the secret of it"),
        ("<b>bold</b> and <br/>", "<b>bold</b> and <br/>"),
        (3, 3),
        (None, None),
    ],
)
def test_of_a_path_the_name_is_kept(value: object, shown: object) -> None:
    found: list[str] = []
    assert public({"a": [value]}, found) == {"a": [shown]}
    assert bool(found) == (value != shown)


@pytest.mark.parametrize(
    "name",
    ["hub_token", "token", "password", "db_passwd", "secret", "client_secret", "OPENAI_API_KEY", "api_key",
     "access_key", "aws_secret_access_key", "private-key", "credentials", "use_auth_token", "training.hub_token"],
)  # fmt: skip
def test_secrets_are_known_by_name(name: str) -> None:
    found: list[str] = []
    assert public({name: "x", "seed": 1, "in": [{name: ["x"]}]}, found) == {"seed": 1, "in": [{}]}
    assert found == [name, name] and without_secrets({"a": {name: "x"}}) == {"a": {}}


@pytest.mark.parametrize(
    "name", ["pad_token", "unk_token", "bos_token_id", "tokens", "max_new_tokens", "PASSWORD", "key"]
)
def test_what_is_no_secret(name: str) -> None:
    value = {name: {"f1": 0.5}, "inner": {name: 3}}
    assert public(value, []) == without_secrets(value) == value


def test_lines_of_a_text(tmp_path: Path) -> None:
    text = "\n".join(
        ["/home/ada/x", "see ~/notes", "C:\\Users\\ada", "data/a.conll", f"in {tmp_path}.", "password: abc1234",
         "/usr/bin/env and /path/to/x", "[a](docs/b.md) and/or", "https://a.b/home/x.txt", "</p> 1/2", "owner/name"]
    )  # fmt: skip
    found = list(private_lines(text, tmp_path))
    assert sorted({number for number, _ in found}) == [1, 2, 3, 4, 5, 6]
    assert not any("abc1234" in said for _, said in found)
