"""GLiNER's training data: `{"tokenized_text": ["Tessa", "left"], "ner": [[0, 0, "PER"]]}`, ends inclusive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.json_rows import objects
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.records import nothing_annotated, word_sentence

_FIX = 'Each row is {"tokenized_text": ["Tessa", "left"], "ner": [[0, 0, "PER"]]}.'


def read_gliner(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a list or lines of rows; a document each.

    Raises:
        InputError: a row without words or spans, spans that cannot be.
    """
    report.format, report.scheme = "GLiNER", "IOB2"
    number = -1
    for number, (line, row) in enumerate(objects(Path(path), options.encoding, _FIX)):
        words, spans = row.get("tokenized_text"), row.get("ner")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError("'tokenized_text' is no list of words", path=path, line=line, fix=_FIX)
        if not isinstance(spans, list):
            raise InputError("'ner' is no list", path=path, line=line, fix=_FIX)
        for span in spans:
            if not isinstance(span, list) or [type(value) for value in span] != [int, int, str] or not span[2]:
                raise InputError(f"no span: {span!r:.60}", path=path, line=line, fix=_FIX)
        for key in row.keys() - {"tokenized_text", "ner"}:
            report.add_note(f"key {key!r} left aside", line, str(row[key])[:40])
        yield word_sentence(words, [(start, end + 1, label) for start, end, label in spans], number, line, report)
    if number < 0:
        raise nothing_annotated(report)
