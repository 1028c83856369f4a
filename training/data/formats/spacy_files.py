"""spaCy's data: `.spacy` files, and the shapes of JSON that its versions and the tools around it have used.

`[["text", {"entities": [[0, 5, "PER"]]}], …]`, the same under `annotations`, `Doc.to_json()`, and the corpora of
version 2 with `paragraphs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.data.json_rows import json_rows
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import Mark, Record, nothing_annotated, sentences_of, word_sentence
from tagsmith.training.data.rereadable import rereadable

_FIX = 'Each item is ["text", {"entities": [[0, 5, "PER"]]}], or what Doc.to_json() gives.'
PARTIAL = "words of which nobody has said whether they are in a span, read as outside"


def read_spacy(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a `.spacy` file; a document each `Doc`. Docs without entity annotation are counted.

    Raises:
        InputError: spaCy is not installed, or cannot read the file.
    """
    report.format = "spaCy"
    yield from sentences_of(_docs(Path(path), options, report), options, report)


def _docs(path: Path, options: ReadingOptions, report: Report) -> Iterator[Record]:
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError:
        fix = "Install it: pip install 'tagsmith[spacy]'."
        raise InputError("spaCy reads .spacy files, and is not installed", path=path, fix=fix) from None
    try:
        docs = list(DocBin().from_bytes(rereadable(path).read_bytes()).get_docs(Vocab()))
    except OSError:
        raise
    except Exception as error:  # whatever a broken file makes its libraries raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"no .spacy file: {reason}", path=path, fix="Export it again with DocBin.to_disk.") from error
    for number, doc in enumerate(docs, 1):
        for name, spans in doc.spans.items():
            if len(spans):
                report.add_note(f"spans of the group {name!r} left aside", number, str(spans[0])[:40])
        missing = [token for token in doc if not token.ent_iob]
        if len(doc) and len(missing) == len(doc):
            report.add_note("docs without entity annotation, left aside", number, doc.text[:40])
            continue
        for token in missing:
            if options.on_error == "raise":
                fix = "Set them, with Doc.set_ents, or pass --on-error convert to read them as outside."
                raise InputError(f"a word without entity annotation: {token.text!r}", path=path, line=number, fix=fix)
            report.add_irregularity(PARTIAL, number, token.text)
        marks = [Mark(ent.start_char, ent.end_char, ent.label_, ent.text) for ent in doc.ents]
        yield Record(doc.text, marks, number)


def read_spacy_json(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read any of the shapes of JSON.

    Raises:
        InputError: none of them, or spans that cannot be.
    """
    report.format = "JSON of spaCy"
    rows = list(json_rows(Path(path), options.encoding, _FIX))
    if any(isinstance(row, dict) and "paragraphs" in row for _, row in rows):
        report.scheme = "IOB2"
        yield from _old_corpus(rows, Path(path), report)
        return
    yield from sentences_of(_records(rows, Path(path), report), options, report)


def _records(rows: list[tuple[int, Any]], path: Path, report: Report) -> Iterator[Record]:
    for line, row in rows:
        if isinstance(row, dict) and isinstance(row.get("annotations"), list):
            for key in row.keys() - {"annotations", "classes"}:
                report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
            for item in row["annotations"]:
                if item is None:
                    report.add_note("empty annotations, left aside", line, "null")
                    continue
                yield _pair(item, path, line, report)
        elif isinstance(row, dict) and isinstance(row.get("text"), str) and isinstance(row.get("ents"), list):
            for key in row.keys() - {"text", "ents", "tokens", "sents"}:
                if row[key]:
                    report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
            marks = [_mark([ent.get(key) for key in ("start", "end", "label")], path, line) for ent in row["ents"]]
            yield Record(row["text"], marks, line)
        else:
            yield _pair(row, path, line, report)


def _pair(item: Any, path: Path, line: int, report: Report) -> Record:
    if not isinstance(item, list) or len(item) != 2 or not isinstance(item[0], str) or not isinstance(item[1], dict):
        raise InputError(f"no text with its entities: {item!r:.60}", path=path, line=line, fix=_FIX)
    if not isinstance(item[1].get("entities"), list):
        raise InputError("no list of entities", path=path, line=line, fix=_FIX)
    for key in item[1].keys() - {"entities"}:
        report.add_note(f"key {key!r} left aside", line, str(item[1][key])[:40])
    return Record(item[0], [_mark(entity, path, line) for entity in item[1]["entities"]], line)


def _mark(values: Any, path: Path, line: int) -> Mark:
    if not isinstance(values, list) or [type(value) for value in values[:3]] != [int, int, str] or len(values) > 4:
        raise InputError(f"no entity: {values!r:.60}", path=path, line=line, fix=_FIX)
    return Mark(*values[:3])


def _old_corpus(rows: list[tuple[int, Any]], path: Path, report: Report) -> Iterator[Sentence]:
    """Sentences of the corpora of version 2, whose words have BILUO tags; `-` is a word of which nobody knows."""
    number = -1
    for number, (line, document) in enumerate(rows):
        try:
            sentences = [sentence for part in document["paragraphs"] for sentence in part["sentences"]]
            tokens = [[(token["orth"], token["ner"]) for token in sentence["tokens"]] for sentence in sentences]
        except (KeyError, TypeError):
            message = "no paragraphs of sentences whose tokens have 'orth' and 'ner'"
            raise InputError(message, path=path, line=line, fix=_FIX) from None
        for sentence in tokens:
            for word, tag in sentence:
                if tag == "-":
                    report.add_irregularity(PARTIAL, line, str(word))
            try:
                tags = [("O" if tag == "-" else tag) for _, tag in sentence]
                spans = tags_to_spans(tags, "BILOU", strict=True)
            except (ValueError, TypeError, AttributeError) as error:
                raise InputError(f"tags that are no BILUO: {error}", path=path, line=line, fix=_FIX) from None
            yield word_sentence([str(word) for word, _ in sentence], spans, number, line, report)
    if number < 0:
        raise nothing_annotated(report)
