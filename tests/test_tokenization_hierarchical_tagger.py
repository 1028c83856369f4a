"""The hierarchical tagger's tokenizer: vocabularies, ids, padding, saving and loading."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import UNK_ID, HierarchicalTaggerTokenizer

SENTENCES = [["The", "cat", "sat", "in", "1984"], ["the", "cat", "ran"], ["THE", "dog", "in", "1999", "."]]


@pytest.fixture
def gazetteer() -> Gazetteer:
    return Gazetteer({"LOC": ["New York", "Lund"], "PER": ["Ada"]})


def ids_of(tokenizer: HierarchicalTaggerTokenizer, *words: str) -> list[int]:
    ids: list[int] = tokenizer.encode_words(words)["input_ids"]
    return ids


class TestVocabulary:
    def test_counts_normalised_words_most_frequent_first(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES)
        assert tokenizer.words == ["the", "cat", "in", "0000", "sat", "ran", "dog", "."]
        assert ids_of(tokenizer, "The", "tHE", "1234", "zebra") == [2, 2, 5, 1]
        assert tokenizer.vocab_size == 10

    def test_an_unknown_word_falls_back_on_lower_case(self, tmp_path: Path) -> None:
        usual = HierarchicalTaggerTokenizer.train(SENTENCES, lowercase=False)
        assert "case_fallback" not in usual.init_kwargs and ids_of(usual, "Cat", "RAN") == [UNK_ID, UNK_ID]
        HierarchicalTaggerTokenizer.train(SENTENCES, lowercase=False, case_fallback=True).save_pretrained(tmp_path)
        tokenizer = HierarchicalTaggerTokenizer.from_pretrained(tmp_path)
        assert tokenizer.case_fallback
        assert ids_of(tokenizer, "Cat", "RAN", "Zebra") == [*ids_of(tokenizer, "cat", "ran"), UNK_ID]
        assert len(set(ids_of(tokenizer, "The", "the", "THE"))) == 3  # a form of its own comes first

    def test_digits_of_characters(self, tmp_path: Path) -> None:
        words = [["a1", "b27", "\u0663x", "1984"]]  # an Arabic digit too
        usual = HierarchicalTaggerTokenizer.train(words)
        assert {"1", "2", "7", "\u0663"} < set(usual.characters)
        assert "zero_character_digits" not in usual.init_kwargs  # the older files taggers have no such word
        tokenizer = HierarchicalTaggerTokenizer.train(words, zero_digits=False, zero_character_digits=True)
        assert set(tokenizer.characters) == set("ab0x") and "a1" in tokenizer.words
        assert tokenizer.encode_words(["a1"])["character_ids"] == tokenizer.encode_words(["a\u0664"])["character_ids"]
        tokenizer.save_pretrained(tmp_path)
        again = HierarchicalTaggerTokenizer.from_pretrained(tmp_path)
        assert again.zero_character_digits
        for word in ("b27", "199", "x"):
            (ids,) = again.encode_words([word])["character_ids"]
            assert again.spell([word]).tolist() == [ids] and UNK_ID not in ids
            assert again.spelled(word) == word.translate(str.maketrans("27199", "00000"))

    def test_rare_words_begin_where_counts_are_one(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES)
        assert tokenizer.rare_word_id == 2 + 4
        counts = Counter("".join(word for sentence in SENTENCES for word in sentence))
        rare = tokenizer.characters[tokenizer.rare_character_id - 2 :]
        assert set(rare) == {character for character, count in counts.items() if count == 1}
        assert tokenizer.words[tokenizer.rare_word_id - 2 :] == ["sat", "ran", "dog", "."]

    def test_rare_words_may_occur_more_often(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, min_count=2, rare_count=2)
        counts = Counter(tokenizer.normalize(word) for sentence in SENTENCES for word in sentence)
        rare = tokenizer.words[tokenizer.rare_word_id - 2 :]
        assert rare and rare == [word for word in tokenizer.words if counts[word] == 2]

    def test_min_count_leaves_words_out_and_no_characters(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, min_count=2)
        assert tokenizer.words == ["the", "cat", "in", "0000"]
        assert tokenizer.rare_word_id == tokenizer.vocab_size
        assert set(tokenizer.characters) == set("".join(word for words in SENTENCES for word in words))

    def test_extra_words_come_last_and_once(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, min_count=2, extra_words=["Cat", "sat", "SAT", "owl"])
        assert tokenizer.words == ["the", "cat", "in", "0000", "sat", "owl"]
        assert tokenizer.rare_word_id == tokenizer.frozen_word_id == 6
        assert tokenizer.split_vocabulary(None) == (["the", "cat", "in", "0000"], [], ["sat", "owl"])

    def test_extra_words_are_saved_and_may_be_added_later(self, tmp_path: Path) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, min_count=2)
        tokenizer.add_extra_words({})
        assert tokenizer.frozen_word_id is None and "frozen_word_id" not in tokenizer.init_kwargs
        tokenizer.add_extra_words({None: ["owl", "OWL", "Cat"]})
        tokenizer.add_extra_words({None: ["fox", "owl", "77"]})
        assert tokenizer.words == ["the", "cat", "in", "0000", "owl", "fox", "00"]
        assert tokenizer.frozen_word_id == 6 and ids_of(tokenizer, "Owl", "fox", "12") == [6, 7, 8]
        tokenizer.save_pretrained(tmp_path)
        loaded = HierarchicalTaggerTokenizer.from_pretrained(tmp_path)
        assert loaded.frozen_word_id == 6 and loaded.words == tokenizer.words
        assert ids_of(loaded, "Owl", "fox", "12") == [6, 7, 8]

    def test_an_extra_word_that_is_trained_later_is_a_word_like_others(self) -> None:
        earlier = HierarchicalTaggerTokenizer.train([["a", "b", "a"]], extra_words=["x", "y"])
        tokenizer = HierarchicalTaggerTokenizer.train([["y", "z", "z"]], earlier=earlier, extra_words=["x", "v"])
        assert tokenizer.split_vocabulary(None) == (["a", "z"], ["b", "y"], ["x", "v"])

    def test_a_long_word_is_its_first_and_last_characters(self) -> None:
        long = "a" * 64 + "b" * 100_000 + "c" * 64
        tokenizer = HierarchicalTaggerTokenizer.train([[long, "dog"]], extra_words=["e" * 1_000])
        assert tokenizer.words == ["a" * 64 + "c" * 64, "dog", "e" * 128]
        assert set(tokenizer.characters) == set("acdog")
        assert ids_of(tokenizer, long, "a" * 64 + "c" * 64, "a" * 64 + "x" + "c" * 64) == [2, 2, 2]
        assert ids_of(tokenizer, "a" * 63 + "c" * 65) == [1]
        assert tokenizer.encode_words([long, "dog"]) == tokenizer.encode_words(["a" * 64 + "c" * 64, "dog"])
        assert tokenizer.spell([long, "dog"]).shape == (2, 128)
        assert tokenizer.normalize(long) == tokenizer.words[0]

    def test_how_many_characters_are_read_is_a_choice(self, tmp_path: Path) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, max_word_characters=5)
        assert tokenizer.shorten(["abcdefgh", "abcde"]) == (["abcgh", "abcde"], 1)
        assert tokenizer.describe_shortened(1_200).endswith(
            ": 1,200; of each, the first 3 and the last 2 characters were read"
        )
        tokenizer.save_pretrained(tmp_path)
        assert HierarchicalTaggerTokenizer.from_pretrained(tmp_path).max_word_characters == 5
        path = tmp_path / "tokenizer_config.json"
        saved = json.loads(path.read_text(encoding="utf-8"))
        del saved["max_word_characters"]
        path.write_text(json.dumps(saved), encoding="utf-8")
        assert HierarchicalTaggerTokenizer.from_pretrained(tmp_path).max_word_characters == 128

    def test_half_a_character_is_seen_wherever_it_stands(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([["a"]])
        word = "a" * 100 + "\ud800" + "a" * 100  # of which the middle is not read
        for read in (tokenizer.encode_words, tokenizer.encode):
            with pytest.raises(InputError, match="word 1 holds a lone surrogate"):
                read([word])

    @pytest.mark.parametrize("number", [1, 0, -5, 2.5, "128", None])
    def test_a_number_of_characters_that_cannot_be_read_is_refused(self, number: Any) -> None:
        with pytest.raises(ValueError, match=f"max_word_characters is {number!r}; it must be a whole number"):
            HierarchicalTaggerTokenizer(words=["a"], characters=["a"], max_word_characters=number)

    def test_case_and_digits_stay_if_asked(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, lowercase=False, zero_digits=False)
        assert {"The", "the", "THE", "1984", "1999"} <= set(tokenizer.words)
        assert ids_of(tokenizer, "tHE", "1234") == [1, 1]

    def test_digits_of_every_script_are_digits(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([["12", "x²"]])
        assert ids_of(tokenizer, "٣٤", "५६") == [2, 2]
        assert tokenizer.normalize("x²") == "x²"

    def test_characters_keep_case_and_digits(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([["aA1", "aA", "a"]])
        assert tokenizer.characters == ["a", "A", "1"]
        assert tokenizer.character_vocab_size == 5
        assert tokenizer.encode_words(["A1a", "2"])["character_ids"] == [[3, 4, 2], [1]]

    def test_no_sentences_make_an_empty_vocabulary(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([])
        assert (tokenizer.vocab_size, tokenizer.character_vocab_size, tokenizer.rare_word_id) == (2, 2, 2)
        assert tokenizer.encode_words(["a"])["character_ids"] == [[1]]

    def test_sentences_are_read_once_and_as_they_come(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(iter(sentence) for sentence in SENTENCES)
        assert tokenizer.words == HierarchicalTaggerTokenizer.train(SENTENCES).words

    def test_pad_and_unk_have_the_ids_that_the_model_counts_on(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES)
        assert (tokenizer.pad_token_id, tokenizer.unk_token_id) == (0, 1)

    @pytest.mark.parametrize("lowercase", [True, False])
    def test_text_that_spells_special_tokens_is_only_text(self, lowercase: bool) -> None:
        sentences = [["[PAD]", "[UNK]", "[pad]", "x"]]
        tokenizer = HierarchicalTaggerTokenizer.train(sentences, lowercase=lowercase, splitter="whitespace")
        ids = tokenizer("[PAD] [UNK] x [MASK]")["input_ids"]
        assert min(ids[:3]) >= 2 and ids[3] == 1
        assert tokenizer.encode("[PAD] [UNK] x [MASK]") == ids
        assert (tokenizer.pad_token_id, tokenizer.unk_token_id, len(tokenizer)) == (0, 1, tokenizer.vocab_size)

    def test_length_is_that_of_the_embeddings(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([*SENTENCES, ["[UNK]", "[PAD]"]], lowercase=False)
        assert len(tokenizer) == tokenizer.vocab_size == 2 + len(tokenizer.words)

    def test_new_tokens_are_refused(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES)
        with pytest.raises(ValueError, match=r"cannot take the token 'new'.*extra_words"):
            tokenizer.add_tokens(["new"])
        with pytest.raises(ValueError, match=r"cannot take the token '\[CLS\]'"):
            HierarchicalTaggerTokenizer.train(SENTENCES, cls_token="[CLS]")

    def test_needs_a_vocabulary_and_a_known_splitter(self) -> None:
        with pytest.raises(ValueError, match=r"needs its vocabulary: vocab\.json is missing"):
            HierarchicalTaggerTokenizer()
        with pytest.raises(ValueError, match="Unknown splitter 'bytes'; choose one of words"):
            HierarchicalTaggerTokenizer(words=[], characters=[], splitter="bytes")


class TestCall:
    def test_one_text_gives_lists_without_a_batch(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        encoded = tiny_tokenizer("In Lund, x", return_offsets_mapping=True)
        assert encoded["input_ids"] == ids_of(tiny_tokenizer, "In", "Lund", ",", "x")
        assert [len(ids) for ids in encoded["character_ids"]] == [2, 4, 1, 1]
        assert encoded["attention_mask"] == [1, 1, 1, 1]
        assert encoded["offset_mapping"] == [(0, 2), (3, 7), (7, 8), (9, 10)]

    @pytest.mark.parametrize(("kind", "expected"), [("pt", torch.Tensor), ("np", np.ndarray)])
    def test_tensors_always_have_a_batch(
        self, kind: str, expected: type, tiny_tokenizer: HierarchicalTaggerTokenizer
    ) -> None:
        for text, rows in (("In Lund", 1), (["In Lund", "It"], 2), ((), 0), ("", 1), (["", "It rains"], 2)):
            encoded = tiny_tokenizer(text, return_tensors=kind)
            assert all(isinstance(value, expected) and len(value) == rows for value in encoded.values())
            assert encoded["character_ids"].shape[:2] == encoded["input_ids"].shape == encoded["attention_mask"].shape

    def test_batch_is_padded_to_arrays(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        encoded = tiny_tokenizer(["In Lund it rains", "", "Ada"])
        assert encoded["input_ids"].shape == (3, 4) and encoded["character_ids"].shape == (3, 4, 5)
        assert encoded["attention_mask"].sum(1).tolist() == [4, 0, 1]

    def test_batch_stays_ragged_if_asked(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        encoded = tiny_tokenizer(["In Lund", "", "Ada"], padding=False)
        assert [len(ids) for ids in encoded["input_ids"]] == [2, 0, 1]
        assert encoded["attention_mask"] == [[1, 1], [], [1]]
        assert tiny_tokenizer([], padding=False)["input_ids"] == []

    def test_words_may_come_split(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        words = ["In", "Lund", "it"]
        assert tiny_tokenizer(words, is_split_into_words=True) == tiny_tokenizer("In Lund it")
        batch = tiny_tokenizer([words, [], ["New York"]], is_split_into_words=True)
        assert batch["attention_mask"].sum(1).tolist() == [3, 0, 1]
        assert len(tiny_tokenizer([], is_split_into_words=True)["input_ids"]) == 0

    def test_offsets_of_a_batch(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        encoded = tiny_tokenizer(["a b", ""], return_offsets_mapping=True, return_tensors="pt")
        assert encoded["offset_mapping"] == [[(0, 1), (2, 3)], []]
        with pytest.raises(ValueError, match="Words given split have no offsets"):
            tiny_tokenizer(["a"], is_split_into_words=True, return_offsets_mapping=True)

    @pytest.mark.parametrize("text", [[1], [None], [["a"]], [b"a"]])
    def test_what_is_no_text_is_refused(self, text: Any, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        with pytest.raises(TypeError, match=r"A text is a str, and this one is .*is_split_into_words"):
            tiny_tokenizer(text)

    def test_empty_word_is_refused(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        with pytest.raises(ValueError, match="A word is empty"):
            tiny_tokenizer(["a", ""], is_split_into_words=True)

    def test_what_it_does_not_know_is_refused(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        with pytest.raises(TypeError, match="stride"):
            tiny_tokenizer("a", stride=1)

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=30))
    def test_any_text_is_encoded_whole(self, tiny_tokenizer: HierarchicalTaggerTokenizer, text: str) -> None:
        encoded = tiny_tokenizer(text, return_offsets_mapping=True)
        assert len(encoded["input_ids"]) == len(encoded["offset_mapping"])
        for (start, end), characters in zip(encoded["offset_mapping"], encoded["character_ids"], strict=True):
            assert len(characters) == len(unicodedata.normalize("NFC", text[start:end]))
        assert min(chain_of(encoded), default=1) >= 1
        assert max(encoded["input_ids"], default=0) < tiny_tokenizer.vocab_size

    @settings(deadline=None)
    @given(st.lists(st.text(max_size=6), max_size=5))
    def test_words_are_spelled_together_as_one_by_one(
        self, tiny_tokenizer: HierarchicalTaggerTokenizer, words: list[str]
    ) -> None:
        words = [word for word in words if word] + ["Lund"]
        expected = tiny_tokenizer.encode_words(words)["character_ids"]
        spelled = tiny_tokenizer.spell(words)
        assert spelled.shape == (len(words), max(map(len, expected)))
        assert [[index for index in row if index] for row in spelled.tolist()] == expected


def chain_of(encoded: Any) -> list[int]:
    return [*encoded["input_ids"], *(id_ for characters in encoded["character_ids"] for id_ in characters)]


class TestPadSentences:
    def test_pads_labels_and_features(self, gazetteer: Gazetteer) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, gazetteer=gazetteer)
        features = [
            {**tokenizer.encode_words(["New", "York", "!"]), "labels": [1, 2, 0]},
            {**tokenizer.encode_words([]), "labels": []},
            {**tokenizer.encode_words(["Ada"]), "labels": [3]},
        ]
        padded = tokenizer.pad_sentences(features)
        assert padded["labels"].tolist() == [[1, 2, 0], [-100] * 3, [3, -100, -100]]
        assert padded["gazetteer_features"].shape == (3, 3, 9)
        assert padded["gazetteer_features"].dtype == np.float32
        assert padded["gazetteer_features"][0].argmax(1).tolist() == [1, 3, 0]
        assert not padded["gazetteer_features"][1].any()
        assert {key: value.dtype for key, value in padded.items() if key != "gazetteer_features"} == {
            key: np.dtype(np.int64) for key in ("input_ids", "attention_mask", "character_ids", "labels")
        }

    @pytest.mark.parametrize("with_gazetteer", [False, True])
    @pytest.mark.parametrize("sentences", [[], [[]], [[], []], [["a"], []]])
    def test_takes_empty_batches_and_sentences(
        self, sentences: list[list[str]], with_gazetteer: bool, gazetteer: Gazetteer
    ) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, gazetteer=gazetteer if with_gazetteer else None)
        padded = tokenizer.pad_sentences([tokenizer.encode_words(words) for words in sentences])
        width = max(map(len, sentences), default=0)
        assert padded["input_ids"].shape == (len(sentences), width)
        assert padded["character_ids"].shape == (len(sentences), width, width)
        assert all(len(value) == len(sentences) for value in padded.values())

    def test_is_no_wider_than_what_is_read_of_a_word(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        padded = tiny_tokenizer.pad_sentences([tiny_tokenizer.encode_words(["a" * 70_000, "b"])])
        assert padded["character_ids"].shape == (1, 2, 128)
        assert (padded["character_ids"] > 0).sum(2).tolist() == [[128, 1]]

    def test_takes_lists_that_went_through_arrow(self, gazetteer: Gazetteer) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train(SENTENCES, gazetteer=gazetteer)
        encoded = [tokenizer.encode_words(words) for words in (["Ada", "in"], [])]
        plain = [{**row, "gazetteer_features": row["gazetteer_features"].tolist()} for row in encoded]
        ours, theirs = tokenizer.pad_sentences(encoded), tokenizer.pad_sentences(plain)
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)


class TestTokens:
    """What transformers asks of every tokenizer."""

    def test_tokenize_gives_words_as_they_stand(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        assert tiny_tokenizer.tokenize("In Lund, [PAD]!") == ["In", "Lund", ",", "[", "PAD", "]", "!"]

    def test_encode_and_decode(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        ids = tiny_tokenizer.encode("It rains in Lund zzz")
        assert ids == tiny_tokenizer.encode(["It", "rains", "in", "Lund", "zzz"]) and ids[-1] == 1
        assert tiny_tokenizer.decode(ids) == "it rains in lund [UNK]"
        assert tiny_tokenizer.decode([*ids, 0], skip_special_tokens=True) == "it rains in lund"
        assert tiny_tokenizer.batch_decode([ids[:1], []]) == ["it", ""]
        assert tiny_tokenizer.decode(torch.tensor(ids[:2])) == "it rains"

    def test_tokens_and_ids(self, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        words = ["lund", "[UNK]", "[PAD]"]
        ids = tiny_tokenizer.convert_tokens_to_ids(words)
        assert ids[1:] == [1, 0] and tiny_tokenizer.convert_ids_to_tokens(ids) == words
        assert tiny_tokenizer.convert_tokens_to_ids("Lund") == ids[0]
        assert tiny_tokenizer.get_vocab()["lund"] == ids[0]
        assert sorted(tiny_tokenizer.get_vocab().values()) == list(range(len(tiny_tokenizer)))

    @pytest.mark.parametrize("index", [-100, 10**6])
    def test_ids_of_nothing_are_refused(self, index: int, tiny_tokenizer: HierarchicalTaggerTokenizer) -> None:
        with pytest.raises(ValueError, match=f"no word of the id {index}; ids run from 0 to"):
            tiny_tokenizer.decode([index])


class TestNormalization:
    FORMS = [unicodedata.normalize(form, "Zoé Việt 한국 が Å") for form in ("NFC", "NFD")]  # noqa: RUF012

    def test_new_tokenizers_read_all_forms_alike(self) -> None:
        for trained_on in self.FORMS:
            gazetteer = Gazetteer({"LOC": [trained_on[4:8], trained_on.split()[1]]})
            tokenizer = HierarchicalTaggerTokenizer.train([trained_on.split()], gazetteer=gazetteer)
            composed, decomposed = (tokenizer.encode_words(form.split()) for form in self.FORMS)
            assert composed["input_ids"] == decomposed["input_ids"]
            assert composed["character_ids"] == decomposed["character_ids"]
            assert UNK_ID not in composed["input_ids"]
            assert not any(UNK_ID in word for word in composed["character_ids"])
            features = [encoded["gazetteer_features"] for encoded in (composed, decomposed)]
            assert np.array_equal(*features) and features[0][1, 4]
            spelled = [tokenizer.spell(form.split()) for form in self.FORMS]
            assert np.array_equal(*spelled)

    def test_offsets_are_of_the_text(self) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([self.FORMS[0].split()])
        text = self.FORMS[1]
        places = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        assert [text[start:end] for start, end in places] == text.split()

    def test_it_is_kept_and_off_in_old_files(self, tmp_path: Path) -> None:
        gazetteer = Gazetteer({"LOC": ["Å"]})
        for form in ("nfc", None):
            tokenizer = HierarchicalTaggerTokenizer.train([["Å"]], normalization=form, gazetteer=gazetteer)
            tokenizer.save_pretrained(tmp_path)
            config = json.loads((tmp_path / "tokenizer_config.json").read_text())
            assert config.get("normalization") == form
            assert HierarchicalTaggerTokenizer.from_pretrained(tmp_path).normalization == form
        old = Gazetteer.from_json('{"case_sensitive":false,"entries":{"LOC":["é"]}}')
        assert old.normalization is None and "normalization" not in old.to_json()
        assert Gazetteer.from_json(gazetteer.to_json()).normalization == "nfc"

    @pytest.mark.parametrize("form", ["NFC", "nfkc", ""])
    def test_an_unknown_form_is_refused(self, form: str) -> None:
        with pytest.raises(ValueError, match="Unknown normalization"):
            HierarchicalTaggerTokenizer(words=[], characters=[], normalization=form)
        with pytest.raises(ValueError, match="Unknown normalization"):
            Gazetteer({"LOC": ["a"]}, normalization=form)
        with pytest.raises(InputError, match="not a gazetteer"):
            Gazetteer.from_json(json.dumps({"case_sensitive": True, "entries": {"A": ["b"]}, "normalization": form}))
