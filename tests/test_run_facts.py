from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toys import toy_file

from tagsmith.training.cards.run_facts import (
    command_said,
    course,
    data_facts,
    examples,
    hub_name,
    machine_facts,
    package_versions,
    without_folders,
    words_per_second,
)
from tagsmith.training.data.corpora import load_corpus


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("--resume", "--resume"),
        ("ner", "ner"),
        ("data/en/train.conll", "train.conll"),
        ("/home/me/My Data/train.conll", "'train.conll'"[1:-1]),
        ("en=/home/me/train.conll", "en=train.conll"),
        ("--train=en=/home/me/train.conll", "--train=en=train.conll"),
        ("--output-dir=../out/", "--output-dir=out"),
        ("C:\\me\\train.conll", "train.conll"),
        ("vectors.path=~/glove.txt", "vectors.path=glove.txt"),
        ("model.hidden_size=20", "model.hidden_size=20"),
        ("freeze=[characters, words]", "'freeze=[characters, words]'"),
        ("vectors.paths={en: /a/b.txt}", """'vectors.paths={"en": "b.txt"}'"""),
        ("vectors.paths={en: /a/b.txt", "b.txt"),
        ("start_from=owner/tagger", "start_from=owner/tagger"),
        ("start_from=/home/me/tagger", "start_from=tagger"),
        ("training.hub_token=hf_a/b=c", "training.hub_token=HIDDEN"),
    ],
)
def test_commands_show_no_folder(argument: str, shown: str) -> None:
    said = command_said(["/usr/bin/tagsmith", "train", argument])
    assert said.startswith("tagsmith train ")
    assert said.removeprefix("tagsmith train ").endswith(shown)
    assert "/home" not in said and "/a" not in said


def test_no_command_where_python_trains() -> None:
    for arguments in (["pytest", "train"], ["tagsmith", "evaluate"], ["tagsmith"], []):
        assert command_said(arguments) == ""
    assert command_said(["/x/command_line.py", "train", "ner"]) == "tagsmith train ner"


def test_values_without_folders() -> None:
    recipe = {
        "description": "a/b",
        "files": {"PER": "/x/y.txt"},
        "list": ["/a/b", 1, None],
        "hub_token": "t",
        "cost": 0.2,
    }
    assert without_folders(recipe) == {
        "description": "a/b",
        "files": {"PER": "y.txt"},
        "list": ["b", 1, None],
        "cost": 0.2,
    }


def test_names_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_name("owner/tagger") == "owner/tagger"
    (tmp_path / "owner" / "tagger").mkdir(parents=True)
    for start_from in ("owner/tagger", "/owner/tagger", "tagger", "", None):
        assert hub_name(start_from) is None


def test_the_course_by_step() -> None:
    log = [
        {"loss": 2.0, "epoch": 1.0, "step": 5, "learning_rate": 0.1},
        {"eval_f1": 0.5, "eval_accuracy": 0.6, "eval_en_f1": 0.4, "eval_en_accuracy": 0.1, "epoch": 1.0, "step": 5},
        {"loss": float("nan"), "epoch": 2.0, "step": 10},
        {"train_runtime": 3.0, "train_loss": 1.0, "epoch": 2.0, "step": 10},
    ]
    assert course(log) == [{"step": 5, "epoch": 1.0, "loss": 2.0, "f1": 0.5, "accuracy": 0.6, "by_name": {"en": 0.4}}]


def test_sizes(tmp_path: Path) -> None:
    files = {
        "train": toy_file(tmp_path / "train.conll", 5, 1),
        "dev": toy_file(tmp_path / "dev.conll", 4, 2, plain=True),
    }
    facts = data_facts({None: load_corpus(files, cache_dir=tmp_path / "cache")})
    assert list(facts) == [""]
    assert facts[""]["train"].keys() == {"file", "documents", "sentences", "words", "spans"}
    assert facts[""]["dev"].keys() == {"file", "documents", "sentences", "words"}, "each word is one, in plain tags"
    jsonl = tmp_path / "texts.jsonl"
    jsonl.write_text('{"text": "Ada  lives", "spans": [{"start": 0, "end": 3, "label": "PER"}]}\n')
    facts = data_facts({"en": load_corpus({"train": jsonl}, cache_dir=tmp_path / "cache")})
    assert facts["en"]["train"] == {"file": "texts.jsonl", "sentences": 1, "documents": 1, "spans": 1}
    assert facts["en"]["examples"] == {"PER": ["Ada"]}


def test_examples_are_the_commonest() -> None:
    def row(*words: str) -> dict[str, object]:
        text = "|".join(words)
        starts = [text.index(word) for word in words]
        spans = [{"start": s, "end": s + len(w), "label": "X"} for s, w in zip(starts, words, strict=True)]
        return {"text": text, "spans": spans}

    rows = [row("rare", "a \n b"), row("often"), row("often"), row("y" * 41), *(row(str(n)) for n in range(9))]
    assert examples(rows) == {"X": ["often", "rare", "a b", "0", "1"]}
    assert examples([row("y" * 41)]) == {"X": []}


def test_speed_and_machine() -> None:
    data = {"en": {"dev": {"words": 900}}, "de": {"dev": {"words": 100}}, "fr": {"train": {"words": 5}}}
    assert words_per_second(data, "dev", 2.0) == 500
    assert words_per_second(data, "dev", 0.1) is words_per_second({}, "dev", 2.0) is None
    assert package_versions().keys() == {"tagsmith", "torch", "transformers", "python"}
    machine = machine_facts(torch.device("cpu"))
    assert "gpu" not in machine and machine["float32_products"]
