from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, DataCollatorForTokenClassification, DataCollatorWithPadding

from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.encodings import limit, padded_length
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.families import register

TEXTS = ["Ada Lovelace lived in London .", "In Lund it rains ."]


@pytest.fixture
def bytes_tokenizer() -> ByteToSpanTokenizer:
    return ByteToSpanTokenizer(16, ["LOC"])


class TestWords:
    """The surface of transformers, on words."""

    def test_truncation_cuts_and_says_so(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        whole = tiny_tokenizer(TEXTS, padding=False)
        with pytest.warns(UserWarning, match="1 of 2 texts have more than 5 words: their ends are cut off"):
            cut = tiny_tokenizer(TEXTS, truncation=True, max_length=5, return_offsets_mapping=True)
        assert cut["input_ids"].tolist() == [row[:5] for row in whole["input_ids"]]
        assert list(map(len, cut["offset_mapping"])) == [5, 5]
        with pytest.warns(UserWarning, match="they stay whole; truncation=True cuts them"):
            assert len(tiny_tokenizer(TEXTS[0], max_length=3)["input_ids"]) == 6
        with pytest.warns(UserWarning, match="1 of 1 texts"):
            assert (
                len(
                    tiny_tokenizer(TEXTS[0].split(), is_split_into_words=True, truncation=True, max_length=2)[
                        "input_ids"
                    ]
                )
                == 2
            )
        assert tiny_tokenizer(TEXTS, truncation=True)["input_ids"].shape == (2, 6)  # nothing says to what

    def test_lengths_and_multiples(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        assert tiny_tokenizer(TEXTS, pad_to_multiple_of=4, return_tensors="pt")["input_ids"].shape == (2, 8)
        padded = tiny_tokenizer(TEXTS, padding="max_length", max_length=9, return_length=True)
        assert padded["character_ids"].shape[:2] == padded["attention_mask"].shape == (2, 9)
        assert padded["length"] == [6, 5] and padded["attention_mask"].sum(1).tolist() == [6, 5]
        single = tiny_tokenizer(TEXTS[1], padding="max_length", max_length=7, return_length=True)
        assert len(single["input_ids"]) == 7 and single["length"] == 5
        assert tiny_tokenizer(TEXTS[1], return_length=True)["length"] == 5
        without = tiny_tokenizer(TEXTS, add_special_tokens=False)
        assert without["input_ids"].tolist() == tiny_tokenizer(TEXTS, padding="longest")["input_ids"].tolist()
        assert tiny_tokenizer.encode(TEXTS[0], add_special_tokens=False) == tiny_tokenizer.encode(TEXTS[0])
        assert isinstance(tiny_tokenizer(TEXTS, padding="do_not_pad")["input_ids"], list)

    @pytest.mark.parametrize(
        "options, said",
        [
            ({"truncation": "only_second", "max_length": 3}, "truncation is 'only_second'"),
            ({"truncation": True, "max_length": 0}, "max_length is 0"),
            ({"padding": "widest"}, "padding is 'widest'"),
            ({"padding": "max_length"}, "needs max_length"),
            ({"pad_to_multiple_of": 0, "return_tensors": "pt"}, "pad_to_multiple_of is 0"),
        ],
    )
    def test_what_there_is_not(self, tiny_tokenizer: Any, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            tiny_tokenizer(TEXTS, **options)

    @pytest.mark.parametrize("tensors", [None, "pt", "np"])
    def test_word_ids(self, tiny_tokenizer: HierarchicalTaggerTokenizer, tensors: str | None) -> None:
        words = [text.split() for text in TEXTS]
        encoded = tiny_tokenizer(words, is_split_into_words=True, return_tensors=tensors)
        assert encoded.word_ids(0) == [0, 1, 2, 3, 4, 5] and encoded.word_ids(1) == [0, 1, 2, 3, 4, None]
        assert tiny_tokenizer(words, is_split_into_words=True, padding=False).word_ids(1) == [0, 1, 2, 3, 4]
        assert tiny_tokenizer(TEXTS[1]).word_ids() == [0, 1, 2, 3, 4]
        assert tiny_tokenizer("").word_ids() == []

    @pytest.mark.parametrize("tensors", [None, "pt", "np"])
    def test_word_ids_of_bytes(self, tensors: str | None) -> None:
        tokenizer = ByteToSpanTokenizer(12, ["X"])
        encoded = tokenizer(["é a\n b", "  x"], return_tensors=tensors)
        assert encoded.word_ids(0) == [0, 0, None, 1, None, None, 2]
        assert encoded.word_ids(1) == [None, None, 0, None, None, None, None]
        assert tokenizer(["é a", "  x"], padding=False).word_ids(1) == [None, None, 0]
        assert tokenizer("né a").word_ids() == [0, 0, 0, None, 1]
        assert tokenizer("").word_ids() == [] and tokenizer(b"\xff a", errors="replace").word_ids()[-1] == 1

    @pytest.mark.parametrize("gazetteer", [None, Gazetteer({"LOC": ["Lund"]})])
    def test_collators_of_transformers(self, gazetteer: Gazetteer | None) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([text.split() for text in TEXTS], gazetteer=gazetteer)
        features = [
            {**tokenizer.encode_words(text.split()), "labels": [1] * len(text.split()), "number": row}
            for row, text in enumerate(TEXTS)
        ]
        batch = DataCollatorForTokenClassification(tokenizer, pad_to_multiple_of=4)(features)
        expected = tokenizer.pad_sentences(features, True, None, 4)
        assert batch.pop("number").tolist() == [0, 1]
        assert batch.keys() == expected.keys()
        for name, value in batch.items():
            assert torch.equal(value, torch.from_numpy(expected[name])), name
        assert DataCollatorWithPadding(tokenizer)(features)["labels"][1].tolist() == [1, 1, 1, 1, 1, -100]

    def test_pad(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        lists = tiny_tokenizer(TEXTS, padding=False)
        padded, called = tiny_tokenizer.pad(lists, return_tensors="pt"), tiny_tokenizer(TEXTS, return_tensors="pt")
        assert padded.keys() == called.keys() and all(torch.equal(padded[key], called[key]) for key in called)
        assert tiny_tokenizer.pad(tiny_tokenizer(TEXTS[0]), padding="max_length", max_length=8)["input_ids"].shape == (
            1,
            8,
        )
        assert "attention_mask" not in tiny_tokenizer.pad(lists, return_attention_mask=False)
        with pytest.raises(ValueError, match="padded on the right"):
            tiny_tokenizer.pad(lists, padding_side="left")

    def test_padding_changes_no_tag(
        self, tiny_model: HierarchicalTaggerForTokenClassification, tiny_tokenizer: HierarchicalTaggerTokenizer
    ) -> None:
        with torch.no_grad():
            tags = tiny_model(**tiny_tokenizer(TEXTS, return_tensors="pt")).tags
            wide = tiny_model(**tiny_tokenizer(TEXTS, return_tensors="pt", pad_to_multiple_of=8)).tags
        assert torch.equal(wide[:, : tags.shape[1]], tags) and (wide[:, tags.shape[1] :] == -100).all()


class TestBytes:
    """The same, on bytes."""

    def test_truncation_keeps_characters_whole(self, bytes_tokenizer: ByteToSpanTokenizer) -> None:
        with pytest.warns(UserWarning, match="1 of 2 texts have more than 2 bytes: their ends"):
            cut = bytes_tokenizer(
                ["aéb", "x"], truncation=True, max_length=2, padding=False, return_offsets_mapping=True
            )
        assert cut["input_ids"] == [[97], [120]] and list(map(len, cut["offset_mapping"])) == [1, 1]
        with pytest.warns(UserWarning, match="stay whole"):
            assert len(bytes_tokenizer("abc", max_length=2)["input_ids"]) == 3

    def test_lengths_and_multiples(self, bytes_tokenizer: ByteToSpanTokenizer) -> None:
        padded = bytes_tokenizer(["abc", "é"], pad_to_multiple_of=4, return_length=True, return_tensors="pt")
        assert padded["input_ids"].shape == (2, 4) and padded["length"].tolist() == [3, 2]
        assert padded["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0]]
        single = bytes_tokenizer(
            "abc", padding="max_length", max_length=5, return_length=True, add_special_tokens=False
        )
        assert single["input_ids"][:3] == [97, 98, 99] and len(single["input_ids"]) == 5 and single["length"] == 3
        with pytest.raises(ValueError, match="needs max_length"):
            bytes_tokenizer(["a"], padding="max_length")
        features = [bytes_tokenizer("abc"), bytes_tokenizer("é")]
        assert (
            DataCollatorWithPadding(bytes_tokenizer)(features)["input_ids"].tolist()
            == bytes_tokenizer(["abc", "é"])["input_ids"].tolist()
        )

    def test_added_tokens_have_ids_of_their_own(self, bytes_tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
        size = bytes_tokenizer.vocab_size
        assert bytes_tokenizer.add_tokens(["<x>"]) == 1 and bytes_tokenizer.add_tokens(["<y>", "<z>", "<x>"]) == 2
        assert bytes_tokenizer.convert_tokens_to_ids(["<x>", "<y>", "<z>"]) == [size, size + 1, size + 2]
        assert bytes_tokenizer.convert_ids_to_tokens([size + 1]) == ["<y>"]
        assert (len(bytes_tokenizer), bytes_tokenizer.vocab_size) == (size + 3, size)
        assert bytes_tokenizer("<x>")["input_ids"] == list(b"<x>")
        bytes_tokenizer.save_pretrained(tmp_path)
        register()
        again = AutoTokenizer.from_pretrained(tmp_path)
        assert again.convert_tokens_to_ids(["<x>", "<y>", "<z>"]) == [size, size + 1, size + 2]


@pytest.mark.parametrize("lengths, expected", [([], 0), ([3], 4), ([4, 8], 8)])
def test_padded_lengths(lengths: list[int], expected: int) -> None:
    assert padded_length(max(lengths, default=0), True, None, 4) == expected
    assert limit(lengths, True, 99, "words") is None
