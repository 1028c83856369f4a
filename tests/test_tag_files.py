from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path

import pytest
import torch
from toys import WORD_MODEL, assert_one_line, tagsmith

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.tagging.tag_files import as_documents, write_tagged


def tagger_of(labels: list[str], scheme: str = "BIOES", **tokenizer_options: str | None) -> SpanTaggingPipeline:
    """A tagger that has learnt nothing."""
    torch.manual_seed(1)
    tokenizer = HierarchicalTaggerTokenizer.train([["Zoé", "mange", "là"], ["한국", "が"]], **tokenizer_options)
    tags = labels if scheme == "plain" else tag_names(labels, scheme)
    config = HierarchicalTaggerConfig(
        **WORD_MODEL,
        vocab_size=tokenizer.vocab_size,
        character_vocab_size=tokenizer.character_vocab_size,
        tag_scheme=scheme,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
    )
    model = HierarchicalTaggerForTokenClassification(config)
    return SpanTaggingPipeline(model=model, tokenizer=tokenizer, task="span-tagging")


@pytest.mark.parametrize("label", ["A\tB", "A\nB", "A\r"])
@pytest.mark.parametrize("scheme", ["BIOES", "plain"])
def test_a_label_that_would_break_columns_is_refused_before_anything_is_written(label: str, scheme: str) -> None:
    pipeline, out = tagger_of(["PER", label], scheme), io.StringIO()
    with pytest.raises(InputError, match=r"the tagger's label .* cannot stand in a column. Write --format jsonl"):
        write_tagged(pipeline, iter(["x"]), "conll", out)
    assert out.getvalue() == ""
    write_tagged(pipeline, iter(["x y"]), "jsonl", out)
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("text", ["it\tit", "\t\tit\t", "rains \t in\t\tit", "it\u3000rains  in "])
def test_text_is_written_as_it_stands(text: str, tiny_folder: Path, tmp_path: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "-", stdin=f"{text}\nIn Lund\tit rains .\n".encode())
    assert outcome.out == f"{text}\nIn [Lund LOC]\tit rains .\n"
    (tmp_path / "in.txt").write_text(text, encoding="utf-8")
    tagsmith("tag", tiny_folder, tmp_path / "in.txt", "--output", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == text + "\n"


def test_a_text_that_shows_nothing_has_no_spans(tiny_folder: Path) -> None:
    outcome = tagsmith("tag", tiny_folder, "-", "--format", "conll", stdin=b"\x1c\x1d\x1e\x1f\n\xe2\x80\x8b\n")
    assert outcome.code == 0 and outcome.out.split() == []


def test_forms_of_unicode_get_the_same_tags() -> None:
    text = "Zoé mange là. É. Zola, 한국 が"
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    pipeline = tagger_of(["NOUN", "VERB"], "plain")
    composed, decomposed = (
        {i: (e["entity_group"], round(e["score"], 4)) for i, e in enumerate(pipeline(form))} for form in forms
    )
    assert composed == decomposed and len(composed) > 6
    for form in forms:
        assert all(form[e["start"] : e["end"]] == e["word"] for e in pipeline(form))
    of_old = tagger_of(["NOUN", "VERB"], "plain", normalization=None)
    assert [e["score"] for e in of_old(forms[0])] != pytest.approx([e["score"] for e in of_old(forms[1])])


def test_a_lone_surrogate_is_one_line_on_the_command_line(tiny_folder: Path) -> None:
    assert_one_line(tagsmith("tag", tiny_folder, "-", stdin=b"a\xed\xa0\x80\n"), "is not UTF-8")


def test_lines_of_documents() -> None:
    lines = ["a", "b", "", "  ", "c", None, "d", None, "e"]
    texts = list(as_documents(iter(lines)))
    assert texts == ["a\nb", "", "  ", "c", None, "d", None, "e"]
    assert "\n".join(filter(lambda text: text is not None, texts)) == "a\nb\n\n  \nc\nd\ne"


def test_a_document_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagsmith.training.tagging.tag_files._DOCUMENT", 2)
    assert list(as_documents(iter("abcde"))) == ["a\nb", "c\nd", "e"]


def test_documents_on_the_command_line(tiny_folder: Path, tmp_path: Path) -> None:
    text = "It rains .\nIn Lund it rains .\n\nAda saw it .\n"
    outcome = tagsmith("tag", tiny_folder, "-", "--documents", "--format", "jsonl", stdin=text.encode())
    first, empty, last = map(json.loads, outcome.out.splitlines())
    assert first["text"] == "It rains .\nIn Lund it rains ." and empty["text"] == "" and last["text"] == "Ada saw it ."
    (span,) = first["entities"]
    assert first["text"][span["start"] : span["end"]] == "Lund"
    as_text = tagsmith("tag", tiny_folder, "-", "--documents", stdin=text.encode())
    assert as_text.out == tagsmith("tag", tiny_folder, "-", stdin=text.encode()).out
    (tmp_path / "in.txt").write_text(text, encoding="utf-8")
    shards = ("--shards", 2, "--output", tmp_path / "out.txt")
    refused = tagsmith("tag", tiny_folder, tmp_path / "in.txt", "--documents", *shards)
    assert_one_line(refused, "shards are cut between lines", "--shards")
