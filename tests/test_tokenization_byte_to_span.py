from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer


@pytest.fixture(scope="module")
def tokenizer() -> ByteToSpanTokenizer:
    return ByteToSpanTokenizer(60, ["PER", "LOC"])


TOKENIZER = ByteToSpanTokenizer(60, ["PER", "LOC"])


@given(st.text(max_size=30))
@settings(max_examples=100)
def test_ids_are_bytes_and_bytes_the_text(text: str) -> None:
    ids = TOKENIZER(text)["input_ids"]
    assert ids == list(text.encode())
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.convert_tokens_to_ids(TOKENIZER.tokenize(text)) == ids


@pytest.mark.parametrize("text", ["<go>", "a <pad> b", "[PAD]", "<stop><drop>", "<label PER>", "", "a", "😀"])
def test_a_text_that_spells_a_special_token_is_only_text(tokenizer: ByteToSpanTokenizer, text: str) -> None:
    assert tokenizer(text)["input_ids"] == tokenizer.encode(text) == list(text.encode())
    assert tokenizer(text)["attention_mask"] == [1] * len(text.encode())
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_special_tokens_stand_where_the_layout_says(tokenizer: ByteToSpanTokenizer) -> None:
    assert (tokenizer.bos_token_id, tokenizer.mask_token_id, tokenizer.pad_token_id) == (256, 257, 258)
    assert tokenizer.eos_token_id == tokenizer.layout.stop
    assert len(tokenizer) == tokenizer.vocab_size == tokenizer.layout.vocab_size == 383
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(383))
    assert vocabulary["<label LOC>"] == 382


def test_a_batch_is_padded_and_never_cut(tokenizer: ByteToSpanTokenizer) -> None:
    texts = ["é", "", "a" * 1000]
    encoding = tokenizer(texts, return_tensors="np", return_offsets_mapping=True)
    assert encoding["input_ids"].shape == (3, 1000)
    assert encoding["attention_mask"].sum(axis=1).tolist() == [2, 0, 1000]
    assert encoding["input_ids"][0, :3].tolist() == [*"é".encode(), 258]
    assert (encoding["input_ids"][1] == 258).all()
    assert tokenizer.batch_decode(encoding["input_ids"], skip_special_tokens=True) == texts
    assert [offsets.tolist() for offsets in encoding["offset_mapping"][:2]] == [[[0, 1], [0, 1]], []]


def test_a_batch_may_stay_as_it_is(tokenizer: ByteToSpanTokenizer) -> None:
    encoding = tokenizer(["ab", "c"], padding=False)
    assert encoding["input_ids"] == [[97, 98], [99]]
    assert encoding["attention_mask"] == [[1, 1], [1]]
    padded = tokenizer.pad(encoding, return_tensors="pt")
    assert padded["input_ids"].tolist() == [[97, 98], [99, 258]]
    assert tokenizer([], return_tensors="np")["input_ids"].shape == (0, 0)


@given(st.text(max_size=20))
@settings(max_examples=100)
def test_offsets_are_those_of_the_characters(text: str) -> None:
    encoding = TOKENIZER(text, return_offsets_mapping=True)
    offsets = encoding["offset_mapping"]
    assert offsets.shape == (len(encoding["input_ids"]), 2)
    assert [text[start:end] for start, end in offsets] == [c for c in text for _ in c.encode()]


def test_what_is_not_utf8(tokenizer: ByteToSpanTokenizer) -> None:
    with pytest.raises(InputError, match="0xe9 at offset 3"):
        tokenizer(b"caf\xe9")
    assert tokenizer(b"caf\xe9", errors="replace")["input_ids"] == list("caf\ufffd".encode())
    with pytest.raises(InputError, match="lone surrogate"):
        tokenizer("a\ud800")
    assert tokenizer("a\ud800", errors="replace")["input_ids"] == list("a\ufffd".encode())


def test_it_is_saved_and_loaded(tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    ByteToSpanTokenizer(8, ["PER", "[PAD]"], pad_token="<nothing>").save_pretrained(tmp_path)
    loaded = ByteToSpanTokenizer.from_pretrained(tmp_path)
    assert (loaded.window_size, loaded.labels, loaded.pad_token) == (8, ("PER", "[PAD]"), "<nothing>")
    assert (loaded.pad_token_id, loaded.eos_token_id) == (258, loaded.layout.stop)
    assert loaded("<nothing>")["input_ids"] == list(b"<nothing>")


def test_labels_can_be_added_when_it_is_loaded(tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    more = ByteToSpanTokenizer.from_pretrained(tmp_path, labels=["PER", "LOC", "ORG"])
    assert more.layout.label_ids == {**tokenizer.layout.label_ids, "ORG": 383}
    wider = ByteToSpanTokenizer.from_pretrained(tmp_path, window_size=512)
    assert wider.eos_token_id == wider.layout.stop
    assert len(wider) == wider.vocab_size


def test_its_files_are_uploaded_with_it(tokenizer: ByteToSpanTokenizer, tmp_path: Path) -> None:
    class Uploaded(ByteToSpanTokenizer):
        pass

    Uploaded.__module__ = ByteToSpanTokenizer.__module__
    Uploaded.register_for_auto_class("AutoTokenizer")
    Uploaded(8).save_pretrained(tmp_path)
    expected = {
        "tokenization_byte_to_span",
        "span_codec",
        "byte_windows",
        "text_stream",
        "encodings",
        "spans",
        "input_error",
    }
    expected |= {"saved_tokenizer"}
    assert {path.stem for path in tmp_path.glob("*.py")} == expected


def test_symbols_are_readable(tokenizer: ByteToSpanTokenizer) -> None:
    symbols = tokenizer.codec.encode([(0, 3, "PER")])
    assert tokenizer.decode([*b"Ada", 256, *symbols]) == "Ada<go><start 0><length 3><label PER><stop>"
    assert tokenizer.decode([0xC3]) == "\ufffd"
    with pytest.raises(IndexError, match="5000 is no id"):
        tokenizer.decode([5000])
    with pytest.raises(KeyError, match="is no token"):
        tokenizer.convert_tokens_to_ids("é😀")


def test_a_text_is_streamed_in_windows(tokenizer: ByteToSpanTokenizer) -> None:
    stream = tokenizer.stream("Ada " * 30)
    offsets = [offset for offset, _ in stream.windows()]
    assert offsets == [0, 30, 60]
    assert [stream.add(offset, [(0, 3, "PER", 0.5)] if offset == 0 else []) for offset in offsets][1] != []


def test_labels_given_as_one_string_are_refused() -> None:
    with pytest.raises(ValueError, match="list of labels"):
        ByteToSpanTokenizer(60, "PER")


def test_10_mb_without_a_space(tokenizer: ByteToSpanTokenizer) -> None:
    encoding = tokenizer("é" * 5_000_000, return_tensors="np")
    assert encoding["input_ids"].shape == (1, 10_000_000)
    assert np.unique(encoding["input_ids"]).tolist() == sorted("é".encode())
