"""Tokenizers of words, saved and loaded."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_tokenization_hierarchical_tagger import SENTENCES, ids_of
from transformers import AutoTokenizer

from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.families import register


@pytest.fixture
def gazetteer() -> Gazetteer:
    return Gazetteer({"LOC": ["New York", "Lund"], "PER": ["Ada"]})


class TestSaving:
    @pytest.fixture(autouse=True)
    def registered(self) -> None:
        register()

    def save(self, tokenizer: HierarchicalTaggerTokenizer, folder: Path, tiny_folder: Path) -> None:
        tokenizer.save_pretrained(folder)
        shutil.copy(tiny_folder / "config.json", folder)  # AutoTokenizer asks the model's configuration what it is

    @pytest.mark.parametrize("with_gazetteer", [False, True])
    @pytest.mark.parametrize(
        "options",
        [{}, {"lowercase": False, "zero_digits": False, "splitter": "punctuation", "min_count": 2}],
    )
    def test_what_comes_back_is_equal(
        self, options: dict[str, Any], with_gazetteer: bool, gazetteer: Gazetteer, tiny_folder: Path, tmp_path: Path
    ) -> None:
        if with_gazetteer:
            options = {**options, "gazetteer": gazetteer}
        tokenizer = HierarchicalTaggerTokenizer.train([*SENTENCES, ["\x85", "\u2028", '"\\', "😀"]], **options)
        self.save(tokenizer, tmp_path / "one", tiny_folder)
        loaded = AutoTokenizer.from_pretrained(tmp_path / "one")
        assert type(loaded) is HierarchicalTaggerTokenizer
        for name in ("words", "characters", "lowercase", "zero_digits", "splitter", "rare_word_id"):
            assert getattr(loaded, name) == getattr(tokenizer, name), name
        assert (loaded.pad_token_id, loaded.unk_token_id, len(loaded)) == (0, 1, len(tokenizer))
        text = "The cat, Ada, in NEW York. 😀 1984"
        ours, theirs = tokenizer([text, "a"], return_tensors="np"), loaded([text, "a"], return_tensors="np")
        assert ours.keys() == theirs.keys() and ("gazetteer_features" in ours) == with_gazetteer
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
        self.save(loaded, tmp_path / "two", tiny_folder)
        for name in ("vocab.json", "gazetteer.json")[: 1 + with_gazetteer]:
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    def test_names_of_files_may_have_a_prefix(
        self, tiny_tokenizer: HierarchicalTaggerTokenizer, tmp_path: Path
    ) -> None:
        assert tiny_tokenizer.save_vocabulary(str(tmp_path), "old") == (str(tmp_path / "old-vocab.json"),)

    def copy(self, tiny_folder: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(tiny_folder, tmp_path / "copy"))

    def test_missing_vocabulary_is_named(self, tiny_folder: Path, tmp_path: Path) -> None:
        folder = self.copy(tiny_folder, tmp_path)
        (folder / "vocab.json").unlink()
        with pytest.raises((OSError, ValueError), match=r"vocab\.json"):
            AutoTokenizer.from_pretrained(folder)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"{", "not a vocabulary of words and characters"),
            (b"\xff\xfe\x00", "not a vocabulary"),
            (b"[]", "not a vocabulary"),
            (b'{"words": []}', "not a vocabulary.*characters"),
            (b'{"words": "abc", "characters": []}', "the words are not a list of strings"),
            (b'{"words": [], "characters": [1]}', "the characters are not a list of strings"),
            (b'{"words": ["", "a"], "characters": []}', "the words are not a list of strings"),
            (b'{"words": ["a", "b", "b"], "characters": []}', "the words hold 'b' twice"),
        ],
    )
    def test_broken_vocabulary_is_named(self, content: bytes, message: str, tiny_folder: Path, tmp_path: Path) -> None:
        folder = self.copy(tiny_folder, tmp_path)
        (folder / "vocab.json").write_bytes(content)
        with pytest.raises(InputError, match=rf"(?s)vocab\.json(:1:\d+)?: {message}"):
            HierarchicalTaggerTokenizer.from_pretrained(folder)

    @pytest.mark.parametrize("content", ["{", "[]", '{"case_sensitive": true, "entries": {"A": []}}'])
    def test_broken_gazetteer_is_named(self, content: str, tiny_folder: Path, tmp_path: Path) -> None:
        folder = self.copy(tiny_folder, tmp_path)
        (folder / "gazetteer.json").write_text(content)
        with pytest.raises(InputError, match=r"gazetteer\.json: not a gazetteer"):
            HierarchicalTaggerTokenizer.from_pretrained(folder)

    def test_vocabulary_is_readable_json(self, tiny_folder: Path) -> None:
        content = json.loads((tiny_folder / "vocab.json").read_text(encoding="utf-8"))
        assert set(content) == {"words", "characters"}

    def test_pickles(self, gazetteer: Gazetteer) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, gazetteer=gazetteer)
        tokenizer.encode_words(["the"])
        loaded = pickle.loads(pickle.dumps(tokenizer))
        assert loaded.encode_words(["Lund", "cat"])["input_ids"] == ids_of(tokenizer, "Lund", "cat")
        assert loaded.gazetteer.labels == ["LOC", "PER"]
