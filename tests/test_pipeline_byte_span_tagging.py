"""The pipeline span-tagging of the byte-to-span family: texts and bytes of any length in, exact offsets out."""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers.dynamic_module_utils import get_relative_import_files
from transformers.pipelines.pt_utils import KeyDataset

import tagsmith
from tagsmith.modeling import byte_span_tagging
from tagsmith.modeling import pipeline_byte_span_tagging as module
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.span_codec import ByteText
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer

LABELS = ["PER", "LOC"]
TEXT = "Ada Lovelace lebt in Zürich.\r\nבלונדון יורד גשם 😀, 中文 e\u0301!\n\n"
CORPUS = [TEXT, "", "x", "😀" * 9, "\r\n", "Lund"]
SCRIPTS = ["😀", "\U0001f468\u200d\U0001f469", "e\u0301", "שלום", "\u202e", "中文", "Ada", "New York"]
ODDITIES = [*SCRIPTS, "\r\n", "\n", " ", "\x00", "\ufeff", "\u2028"]
texts = st.one_of(st.lists(st.sampled_from(ODDITIES), max_size=20).map("".join), st.text(max_size=40))

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHéßŁקש中文語言漢字😀🎈"

Entities = list[dict[str, Any]]


def model_of(window_size: int = 12, labels: list[str] = LABELS, **options: Any) -> ByteToSpanForSpanTagging:
    """An untrained model that finds spans everywhere, in double precision, so that batches change nothing."""
    torch.manual_seed(0)
    shape: dict[str, Any] = {"embedding_size": 8, "hidden_size": 8, "num_hidden_layers": 1, "initializer_range": 0.9}
    config = ByteToSpanConfig(
        window_size=window_size,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        **{**shape, **options},
    )
    return ByteToSpanForSpanTagging(config).double().eval()


def pipeline_of(window_size: int = 12, **parameters: Any) -> Any:
    tokenizer = ByteToSpanTokenizer(window_size, LABELS)
    return SpanTaggingPipeline(model=model_of(window_size), tokenizer=tokenizer, **parameters)


@pytest.fixture(scope="module")
def tagger() -> Any:
    return pipeline_of()


TAGGER = pipeline_of()


def check(text: str, entities: Entities) -> None:
    """Offsets are exact, spans rise without overlap, scores are probabilities."""
    end = 0
    for entity in entities:
        assert list(entity) == ["entity_group", "score", "word", "start", "end"]
        assert text[entity["start"] : entity["end"]] == entity["word"] != ""
        assert entity["start"] >= end and entity["entity_group"] in LABELS
        assert isinstance(entity["score"], float) and 0 < entity["score"] <= 1
        end = entity["end"]


def same(found: Entities, expected: Entities) -> bool:
    # A kernel that adds in another order, or in float64, differs by more than approx allows by default.
    scores = [e["score"] for e in found] == pytest.approx([e["score"] for e in expected], rel=1e-4)
    return scores and [{**e, "score": 0} for e in found] == [{**e, "score": 0} for e in expected]


class Oracle:
    """In place of `decode_spans`: what a perfect model writes, for texts in which no window is there twice."""

    def __init__(self, tokenizer: ByteToSpanTokenizer, gold: dict[bytes, list[tuple[int, int, str]]]) -> None:
        self.tokenizer, self.gold, self.sizes = tokenizer, gold, list[int]()

    def __call__(
        self, input_ids: Tensor, attention_mask: Tensor, recall_bias: float | None, num_beams: int
    ) -> tuple[Tensor, Tensor]:
        self.sizes.append(len(input_ids))
        rows = [self.symbols(bytes(row[mask].tolist())) for row, mask in zip(input_ids, attention_mask, strict=True)]
        written = torch.full((len(rows), max(map(len, rows))), self.tokenizer.layout.stop)
        for row, symbols in zip(written, rows, strict=True):
            row[: len(symbols)] = torch.tensor(symbols)
        return written, torch.full(written.shape, 0.9).log()

    def symbols(self, window: bytes) -> list[int]:
        for data, spans in self.gold.items():
            if (first := data.find(window)) >= 0:
                assert data.find(window, first + 1) < 0
                last = first + len(window)
                inside = [(s - first, e - first, label) for s, e, label in spans if first <= s and e <= last]
                return self.tokenizer.codec.encode(inside)
        return [self.tokenizer.layout.stop]


def with_oracle(window_size: int, gold: dict[bytes, list[tuple[int, int, str]]]) -> tuple[Any, Oracle]:
    pipeline = pipeline_of(window_size)
    oracle = Oracle(pipeline.tokenizer, gold)
    pipeline.model.decode_spans = oracle
    return pipeline, oracle


class TestInputs:
    def test_a_text_and_its_bytes(self, tagger: Any) -> None:
        entities = tagger(TEXT)
        check(TEXT, entities)
        assert len(entities) > 4
        data = TEXT.encode()
        for same_text in (data, bytearray(data), memoryview(data)):
            assert tagger(same_text) == entities

    def test_lists_tuples_and_iterators(self, tagger: Any) -> None:
        entities = tagger(TEXT)
        for batch in ([TEXT, "", TEXT.encode()], (TEXT, "", TEXT.encode())):
            found = tagger(batch)
            assert isinstance(found, list) and len(found) == 3
            assert same(found[0], entities) and found[1] == [] and same(found[2], entities)
        found = tagger(text for text in [TEXT])
        assert not isinstance(found, list) and same(next(found), entities)

    def test_data_sets(self, tagger: Any) -> None:
        rows = [{"text": text} for text in CORPUS]
        assert list(tagger(KeyDataset(rows, "text"))) == tagger(CORPUS)
        with pytest.raises(TypeError, match=r"and this one is dict\. For rows of a data set.*KeyDataset"):
            tagger(rows)

    def test_nothing(self, tagger: Any) -> None:
        assert tagger("") == tagger(b"") == tagger([]) == tagger(()) == list(tagger(iter([]))) == []
        assert tagger(["", b""]) == [[], []]

    @settings(max_examples=30, deadline=None)
    @given(texts, st.sampled_from([None, 0, 3, 11]))
    def test_any_text_has_exact_offsets(self, text: str, overlap: int | None) -> None:
        check(text, TAGGER(text, overlap=overlap))

    @pytest.mark.parametrize("window_size", [1, 3, 8, 60])
    @pytest.mark.parametrize("text", ["a", "é", "😀", TEXT])
    def test_windows_of_any_size(self, window_size: int, text: str) -> None:
        entities = pipeline_of(window_size)(text, recall_bias=9.0)
        check(text, entities)
        assert entities

    def test_what_is_not_utf8(self, tagger: Any) -> None:
        with pytest.raises(InputError, match="byte 0xff at offset 4"):
            tagger(b"Ada \xff")
        with pytest.raises(InputError, match=r"lone surrogate \(U\+D800\) at character 2"):
            tagger("ab\ud800")
        check("Ada \ufffd in Lund", tagger(b"Ada \xff in Lund", errors="replace"))
        check("Ada \ud800.", tagger("Ada \ud800.", errors="replace"))  # a str stays as it was given

    def test_a_text_that_cannot_be_read_raises_when_its_turn_comes(self, tagger: Any) -> None:
        good = tagger(TEXT)
        for bad, error in [(b"\xff", InputError), (None, TypeError), (["a piece"], TypeError)]:
            found = tagger(iter([TEXT, TEXT.encode(), bad, TEXT]))
            assert same(next(found), good) and same(next(found), good)
            with pytest.raises(error):
                next(found)

    def test_an_iterator_that_fails_does_so_when_its_turn_comes(self, tagger: Any) -> None:
        def lines() -> Iterator[str]:
            yield TEXT
            raise OSError("gone")

        found = tagger(lines())
        assert same(next(found), tagger(TEXT))
        with pytest.raises(OSError, match="gone"):
            next(found)

    def test_a_model_that_fails_is_not_asked_again(self) -> None:
        pipeline, oracle = with_oracle(8, {})
        oracle.sizes = None  # type: ignore[assignment]
        found = pipeline(iter(["Lund"] * 3), batch_size=2)
        with pytest.raises(AttributeError):
            next(found)
        assert list(found) == []

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            (None, "takes a str or bytes, or a list or an iterator of them, not NoneType"),
            ({"text": "a"}, "not dict"),
            ([7], "A text is a str or bytes, and this one is int"),
        ],
    )
    def test_what_is_no_text_is_refused(self, inputs: Any, message: str, tagger: Any) -> None:
        with pytest.raises(TypeError, match=message):
            tagger(inputs)


class TestBatches:
    @pytest.mark.parametrize("batch_size", [2, 1000])
    def test_batch_size_changes_nothing(self, batch_size: int, tagger: Any) -> None:
        expected = [tagger(text) for text in CORPUS]
        for found in (tagger(CORPUS, batch_size=batch_size), list(tagger(iter(CORPUS), batch_size=batch_size))):
            assert len(found) == len(expected) and all(map(same, found, expected))

    def test_windows_of_several_texts_go_together(self) -> None:
        pipeline, oracle = with_oracle(8, {})
        assert pipeline(["abc"] * 5 + ["0123456789abcdef"] + [""] * 9 + ["é"], batch_size=4) == [[]] * 16
        assert oracle.sizes == [4, 4, 1]

    def test_a_generator_is_read_as_it_is_needed(self, tagger: Any) -> None:
        read = itertools.count()

        def endless() -> Iterator[str]:
            for number in read:
                yield "In Lund it rains." if number % 3 else ""

        found = tagger(endless(), batch_size=4)
        for _ in range(30):
            check("In Lund it rains.", next(found))
        assert next(read) <= 30 + 2 * 4

    def test_texts_without_windows_do_not_pile_up(self, tagger: Any) -> None:
        read = itertools.count()
        found = tagger(("" if number else "Lund" for number in read), batch_size=4)
        check("Lund", next(found))
        assert next(read) <= 5

    def test_only_a_batch_of_windows_lives_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pipeline, oracle = with_oracle(8, {})
        alive: weakref.WeakSet[Any] = weakref.WeakSet()
        most = 0

        class Watched(byte_span_tagging._Window):
            __hash__ = object.__hash__

            def __init__(self, *args: Any) -> None:
                nonlocal most
                super().__init__(*args)
                alive.add(self)
                most = max(most, len(alive))

        monkeypatch.setattr(byte_span_tagging, "_Window", Watched)
        assert pipeline("x" * 20_000, batch_size=10) == []
        assert sum(oracle.sizes) == 4999
        assert most <= 21

    def test_a_million_bytes_without_a_space(self) -> None:
        pipeline, _ = with_oracle(60, {})
        assert pipeline("x" * 1_000_000) == []


class TestPerfectModel:
    @settings(max_examples=15, deadline=None)
    @given(st.data(), st.sampled_from([8, 20, 512]), st.integers(1, 40))
    def test_gives_the_gold_spans_of_up_to_overlap_plus_one_bytes(
        self, data: st.DataObject, window_size: int, batch_size: int
    ) -> None:
        overlap = data.draw(st.one_of(st.none(), st.integers(0, window_size - 1)))
        merge = data.draw(st.sampled_from(["middle", "paper"]))
        longest = (window_size // 2 if overlap is None else overlap) + 1
        rng = data.draw(st.randoms(use_true_random=True))
        corpus, gold = [], {}
        for _ in range(3):
            text = "".join(rng.choices(LETTERS, k=rng.randint(9, 4 * window_size)))
            bounds = ByteText(text).bounds.tolist()
            spans, first = [], 0
            while first < len(text):
                last = first + rng.randint(1, 6)
                if last <= len(text) and bounds[last] - bounds[first] <= longest and rng.random() < 0.7:
                    spans.append((first, last, rng.choice(LABELS)))
                    first = last
                else:
                    first += 1
            corpus.append((text, spans))
            gold[text.encode()] = [(bounds[start], bounds[end], label) for start, end, label in spans]
        assume(all(unlike(text, window_size) for text in gold))
        pipeline, _ = with_oracle(window_size, gold)
        found = pipeline([text for text, _ in corpus], overlap=overlap, merge=merge, batch_size=batch_size)
        for (text, spans), entities in zip(corpus, found, strict=True):
            check(text, entities)
            assert [(e["start"], e["end"], e["entity_group"]) for e in entities] == spans
            assert [e["score"] for e in entities] == pytest.approx([0.9**3] * len(spans))


def unlike(data: bytes, size: int) -> bool:
    """Whether each window is in the text only once."""
    windows = [data[first : first + size] for first in range(max(len(data) - size, 0) + 1)]
    return len(set(windows)) == len(windows)


def tags_of(text: str) -> list[int]:
    """Ids of tags that write each run of capitals as LOC, which is label 1."""
    data, ids = text.encode(), []
    for place, byte in enumerate(data):
        inside = chr(byte).isupper()
        first = not (place and chr(data[place - 1]).isupper())
        last = not (place + 1 < len(data) and chr(data[place + 1]).isupper())
        ids.append((8 if first and last else 5 if first else 7 if last else 6) if inside else 0)
    return ids


class TestTags:
    def tagger(self, window_size: int = 12) -> Any:
        model = model_of(window_size, tag_loss=1.0, decode="tags", encoder="bidirectional", encoder_hidden_size=6)
        return SpanTaggingPipeline(model=model, tokenizer=ByteToSpanTokenizer(window_size, LABELS))

    @given(st.lists(st.sampled_from(ODDITIES), max_size=40).map("".join), st.sampled_from([None, 0, 3, 11]))
    @settings(max_examples=25, deadline=None)
    def test_any_text_has_exact_offsets(self, text: str, overlap: int | None) -> None:
        tagger = self.tagger()
        found = tagger(text, overlap=overlap)
        check(text, found)
        assert same(tagger([text, TEXT], overlap=overlap, batch_size=2)[0], found)
        data = tagger(text.encode(), overlap=overlap)
        assert same(data, found)

    def test_beams_are_refused_where_nothing_is_written(self) -> None:
        with pytest.raises(ValueError, match="by the tags of bytes, which nothing writes"):
            self.tagger()("a", num_beams=4)

    def test_a_long_text_of_known_tags(self) -> None:
        tagger = self.tagger(12)

        def known(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            scores = torch.full((*input_ids.shape, 9), -9.0)
            for row, ids in enumerate(input_ids.tolist()):
                window = bytes(byte for byte in ids if byte < 256).decode("ascii")
                for place, tag in enumerate(tags_of(window)):
                    scores[row, place, tag] = 0.0
            return scores

        tagger.model.score_tags = known
        text = "ab CDE fG hi JKLM " * 200
        found = tagger(text, overlap=11)
        check(text, found)
        assert [entity["word"] for entity in found] == ["CDE", "G", "JKLM"] * 200
        assert {entity["entity_group"] for entity in found} == {"LOC"}
        assert all(same(tagger(text, overlap=11, batch_size=size), found) for size in (1, 7, 500))
        assert tagger(text, overlap=11, recall_bias=-50.0) == []
        assert tagger(text, overlap=11, min_score=1.0) == []

    def test_short_texts_are_tagged_together(self) -> None:
        tagger = self.tagger()
        assert [same(found, tagger(text)) for found, text in zip(tagger(CORPUS), CORPUS, strict=True)] == [True] * 6

    def test_saved_with_its_code(self, tmp_path: Path) -> None:
        tagger = self.tagger()
        tagger.model.float().save_pretrained(tmp_path)
        tagger.tokenizer.save_pretrained(tmp_path)
        assert {"byte_tags.py", "ngram_embedding.py", "crf.py"} <= {path.name for path in tmp_path.iterdir()}
        assert same(tagsmith.pipeline(tmp_path)(TEXT), tagger(TEXT))


class TestLoading:
    def test_from_a_folder(self, tagger: Any, tmp_path: Path) -> None:
        model_of().float().save_pretrained(tmp_path)
        tagger.tokenizer.save_pretrained(tmp_path)
        short = tagsmith.pipeline(tmp_path, batch_size=3)
        tagsmith.register()
        long = transformers.pipeline("span-tagging", model=str(tmp_path))
        assert type(short) is type(long) is ByteSpanTaggingPipeline
        assert same(short(TEXT), long(TEXT)) and same(long(TEXT), tagger(TEXT))
        assert same(tagsmith.pipeline(model_of(), tokenizer=tagger.tokenizer)(TEXT), tagger(TEXT))
        check(TEXT, tagsmith.pipeline(tmp_path, dtype=torch.bfloat16)(TEXT))

    def test_saved_as_a_pipeline(self, tagger: Any, tmp_path: Path) -> None:
        pipeline_of().save_pretrained(tmp_path)
        assert same(tagsmith.pipeline(tmp_path, dtype=torch.float64)(TEXT), tagger(TEXT))

    def test_the_class_is_that_of_the_model(self, tagger: Any) -> None:
        assert isinstance(tagger, SpanTaggingPipeline) and type(tagger) is ByteSpanTaggingPipeline
        assert type(ByteSpanTaggingPipeline(tagger.model, tagger.tokenizer)) is ByteSpanTaggingPipeline
        assert copy.deepcopy(tagger)(TEXT) == tagger(TEXT)

    def test_a_model_may_come_straight_from_training(self, tagger: Any) -> None:
        model = model_of(hidden_dropout=0.5, byte_dropout=0.5).train()
        pipeline = tagsmith.pipeline(model, tokenizer=tagger.tokenizer)
        assert pipeline(TEXT) == pipeline(TEXT) == tagger(TEXT)

    @pytest.mark.parametrize(
        ("tokenizer", "message"),
        [
            (
                ByteToSpanTokenizer(60, LABELS),
                r"12 bytes and the labels \['PER', 'LOC'\], the tokenizer 60",
            ),
            (ByteToSpanTokenizer(12, ["LOC", "PER"]), r"tokenizer 12 bytes and \['LOC', 'PER'\]. Load both from one"),
            (None, "needs its ByteToSpanTokenizer, and this has no tokenizer. Pass it"),
        ],
    )
    def test_a_tokenizer_that_does_not_fit_is_refused(self, tokenizer: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            SpanTaggingPipeline(model=model_of(), tokenizer=tokenizer)

    def test_another_familys_tokenizer_is_refused(self, tiny_tokenizer: Any) -> None:
        with pytest.raises(ValueError, match="this has a HierarchicalTaggerTokenizer"):
            SpanTaggingPipeline(model=model_of(), tokenizer=tiny_tokenizer)

    def test_both_files_travel_together(self) -> None:
        for name in ("pipeline_span_tagging", "pipeline_byte_span_tagging"):
            found = get_relative_import_files(Path(module.__file__).with_stem(name))
            assert {Path(path).stem for path in found} == {
                "pipeline_span_tagging",
                "pipeline_byte_span_tagging",
                "byte_span_tagging",
                "byte_tags",
                "fused_lstm",
                "remote_code",
                "chain_recursions",
                "crf",
                "dropout",
                "forked",
                "one_sequence",
                "int8",
                "log_chain",
                "packing",
                "recurrent",
                "recurrent_cells",
                "score_calibration",
                "span_tagging",
                "tag_average",
                "tag_chain",
                "tag_grammar",
                "tag_rules",
                "word_kinds",
                "tag_spans",
                "unchanged",
                "word_cache",
            }
