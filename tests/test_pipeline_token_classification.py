"""transformers' tasks for tokens with our taggers, and with all others as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertForTokenClassification, BertTokenizer, pipeline
from transformers.pipelines import PIPELINE_REGISTRY, AggregationStrategy, TokenClassificationPipeline

import tagsmith
from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.modeling.tag_rules import GRAMMARS, written_tags

TEXT = "It rains.\nAda Lovelace lived in London."
HERE = Path(__file__).parent / "frozen"

both_tasks = pytest.mark.parametrize("task", ["token-classification", "ner"])


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    tagsmith.register()


@both_tasks
def test_whole_spans_by_every_strategy_but_none(task: str, tiny_folder: Path) -> None:
    tagger = pipeline(task, model=str(tiny_folder))
    assert type(tagger) is SpanTaggingPipeline
    expected = tagsmith.pipeline(tiny_folder)(TEXT)
    assert [entity["word"] for entity in expected] == ["Ada Lovelace", "London"]
    assert tagger(TEXT) == tagger(TEXT, aggregation_strategy=None) == expected
    for strategy in ("simple", "first", "average", "max", AggregationStrategy.SIMPLE, AggregationStrategy.MAX):
        assert tagger(TEXT, aggregation_strategy=strategy) == expected
        assert pipeline(task, model=str(tiny_folder), aggregation_strategy=strategy)(TEXT) == expected
    assert tagger(TEXT, ignore_labels=["O", "PER"]) == expected[1:]


@both_tasks
def test_words_by_the_strategy_none(task: str, tiny_folder: Path) -> None:
    words = pipeline(task, model=str(tiny_folder), aggregation_strategy="none")(TEXT)
    assert [list(word) for word in words] == [["entity", "score", "index", "word", "start", "end"]] * 3
    assert [(word["entity"], word["word"], word["index"]) for word in words] == [
        ("B-PER", "Ada", 3),
        ("E-PER", "Lovelace", 4),
        ("S-LOC", "London", 7),
    ]
    assert all(TEXT[word["start"] : word["end"]] == word["word"] for word in words)
    spans = tagsmith.pipeline(tiny_folder)(TEXT)
    assert [word["score"] for word in words] == [spans[0]["score"], spans[0]["score"], spans[1]["score"]]
    given = TEXT.replace(".", " .").split()
    split = pipeline(task, model=str(tiny_folder))(given, is_split_into_words=True, aggregation_strategy="none")
    assert [(word["word"], word["index"]) for word in split] == [("Ada", 3), ("Lovelace", 4), ("London", 7)]


def test_numbers_of_words_go_on_from_stretch_to_stretch(tiny_folder: Path) -> None:
    tagger = pipeline("ner", model=str(tiny_folder), aggregation_strategy="none", max_words=4)
    text = "In Lund it rains. " * 3
    words = [word for word in tagger(text) if word["word"] == "Lund"]
    assert [word["index"] for word in words] == [1, 6, 11]


@both_tasks
def test_heads(task: str) -> None:
    tagger = pipeline(task, model=str(HERE / "heads"))
    found = tagger("Ada Lovelace", aggregation_strategy="none")
    assert set(found) == set(tagger.model.config.head_names)
    for name in found:
        one = tagger("Ada Lovelace", aggregation_strategy="none", head=name)
        assert [word["entity"] for word in one] == [word["entity"] for word in found[name]]


@both_tasks
def test_bytes_have_spans_alone(task: str) -> None:
    tagger = pipeline(task, model=str(HERE / "bytes"))
    assert type(tagger) is ByteSpanTaggingPipeline
    expected = tagsmith.pipeline(HERE / "bytes")(TEXT)
    assert expected and tagger(TEXT) == expected
    for strategy in ("simple", "first", "average", "max"):
        assert tagger(TEXT, aggregation_strategy=strategy) == expected
    label = expected[0]["entity_group"]
    rest = [entity for entity in expected if entity["entity_group"] != label]
    assert tagger(TEXT, ignore_labels=[label]) == rest
    with pytest.raises(ValueError, match=r"it finds whole spans\. Leave it out, or pass 'simple'"):
        tagger(TEXT, aggregation_strategy="none")
    with pytest.raises(ValueError, match="it finds whole spans"):
        pipeline(task, model=str(HERE / "bytes"), aggregation_strategy="none")


@pytest.mark.parametrize("family", ["hierarchical", "bytes"])
def test_other_strategies_and_labels_are_refused(family: str) -> None:
    tagger = pipeline("ner", model=str(HERE / family))
    with pytest.raises(ValueError, match="is 'best'; it is one of none, simple, first, average, max"):
        tagger(TEXT, aggregation_strategy="best")
    with pytest.raises(ValueError, match="ignore_labels is 'LOC'; it is a list of labels"):
        tagger(TEXT, ignore_labels="LOC")


def test_other_models_are_transformers_own(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ada", "london"]))
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForTokenClassification(BertConfig(vocab_size=7, **sizes))
    tagger = pipeline("ner", model=model, tokenizer=tokenizer)
    assert type(tagger) is TokenClassificationPipeline
    assert [word["word"] for word in tagger("ada london", ignore_labels=[])] == ["ada", "london"]
    entry = PIPELINE_REGISTRY.check_task("ner")[1]
    assert entry["default"] and entry["type"] == "text"


@pytest.mark.parametrize("family", ["hierarchical", "bytes"])
def test_transformers_own_class_says_how_to_tag(family: str) -> None:
    ours: Any = tagsmith.pipeline(HERE / family)
    stock = TokenClassificationPipeline(model=ours.model, tokenizer=ours.tokenizer)
    with pytest.raises(ValueError, match=r"call tagsmith\.register\(\) before transformers\.pipeline.*span-tagging"):
        stock(TEXT)


@pytest.mark.parametrize("scheme", [*GRAMMARS, "plain"])
def test_tags_of_a_span(scheme: str) -> None:
    written = [written_tags(length, "X", scheme) for length in (1, 2, 4)]
    assert list(map(len, written)) == [1, 2, 4]
    if scheme == "plain":
        assert written[2] == ["X"] * 4
    else:
        single, pair, longer = (["".join(tag[0] for tag in tags)] for tags in written)
        expected = {"BIOES": ("S", "BE", "BIIE"), "BILOU": ("U", "BL", "BIIL")}.get(scheme, ("B", "BI", "BIII"))
        assert (*single, *pair, *longer) == expected
