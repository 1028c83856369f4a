"""Data sets with tokens and tags, as the Hub has them, brought to the columns of our corpora."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.label_map import map_report, map_sentence
from tagsmith.training.data.line_sentences import split_lines
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, same_line
from tagsmith.training.data.word_alignment import align_words, join_units

TAG_COLUMNS = ("ner_tags", "tags", "chunk_tags", "pos_tags", "upos")
PLAIN_COLUMNS = ("pos_tags", "upos", "xpos", "pos")  # hold a plain tag for each word without question


def convert_dataset(
    data: Dataset | DatasetDict | IterableDataset | IterableDatasetDict,
    features: Features,
    options: ReadingOptions,
) -> DatasetDict | IterableDatasetDict:
    """Bring every split to the columns `features`; a data set without splits becomes the split `train`.

    Tags are strings, or numbers whose names the column's `ClassLabel` gives.

    Raises:
        InputError: no such columns, or tags that cannot be read.
    """
    if isinstance(data, (Dataset, IterableDataset)):
        kind = DatasetDict if isinstance(data, Dataset) else IterableDatasetDict
        data = kind({"train": data})
    splits = {split: _convert(part, str(split), features, options) for split, part in data.items()}
    return type(data)(splits)


def _convert(
    data: Dataset | IterableDataset,
    split: str,
    features: Features,
    options: ReadingOptions,
) -> Dataset | IterableDataset:
    columns = list(data.column_names or next(iter(data), {}))
    if set(features) - {"after"} <= set(columns):
        if options.map:
            fix = "Give the map where its files are read."
            raise InputError(f"split {split!r} is a corpus that is read already, and is not mapped", fix=fix)
        return data
    column = _tag_column(columns, options.tag_column, split)
    names = _names(data, column, split)
    spelling = _spelling(data, column, names, options, f"split {split!r}")
    report = Report(path=f"split {split!r}", scheme=spelling.scheme, column_name=column)
    spelling.report_to(report, options.on_error)
    names_map = options.names
    convert = partial(
        _rows,
        column=column,
        names=names,
        spelling=spelling,
        on_error=options.on_error,
        names_map=names_map,
        report=report,
    )
    settings = {"batched": True, "with_indices": True, "remove_columns": columns, "features": features}
    if isinstance(data, IterableDataset):
        return data.map(convert, **settings)
    # Not from the cache: the report is filled by the conversion itself.
    converted = data.map(convert, load_from_cache_file=False, desc=f"Reading {split}", **settings)
    if names_map:
        map_report(report, names_map)
    converted.info.description = json.dumps({split: report.to_dict()})
    return converted


def _tag_column(columns: Sequence[str], wanted: int | str | None, split: str) -> str:
    if "tokens" not in columns:
        message = f"split {split!r} has no column 'tokens', only {', '.join(columns)}"
        raise InputError(message, fix="Rename the column of words to 'tokens'.")
    if wanted is None:
        wanted = next((name for name in TAG_COLUMNS if name in columns), None)
    if wanted not in columns:
        message = f"split {split!r} has no tag column, only {', '.join(columns)}"
        raise InputError(message, fix=f"Name the tag column, as {option('tag_column', columns[-1])}.")
    return str(wanted)


def _names(data: Dataset | IterableDataset, column: str, split: str) -> list[str] | None:
    """The names behind a column's numbers; None where it holds strings."""
    inner = getattr((data.features or {}).get(column), "feature", None)
    if isinstance(inner, ClassLabel):
        return list(inner.names)
    first = next((row[column] for row in islice(data, 100) if row[column]), [""])
    if isinstance(first[0], str):
        return None
    message = f"the tags in {column!r} of split {split!r} are {type(first[0]).__name__}s without names"
    raise InputError(message, fix="Cast the column to List(ClassLabel(names=…)).")


def _spelling(
    data: Dataset | IterableDataset, column: str, names: list[str] | None, options: ReadingOptions, path: str
) -> TagSpelling:
    """How tags read, from all rows of a data set, and from the names or first rows of a stream."""
    survey = TagSurvey(path)
    plain = column in PLAIN_COLUMNS
    if isinstance(data, IterableDataset) and names is not None:
        for name in names:
            survey.add([name], lambda: [1])  # by itself: in which order tags follow each other is not known yet
        spelling = survey.spelling(options, plain)
        return replace(spelling, scheme="IOB2") if spelling.scheme == "IOB1" and options.scheme == "auto" else spelling
    for number, tags in enumerate(_column(data, column), 1):
        survey.add(tags if names is None else [names[tag] for tag in tags], partial(same_line, number, len(tags)))
    return survey.spelling(options, plain)


def _column(data: Dataset | IterableDataset, column: str) -> Iterator[Any]:
    if isinstance(data, IterableDataset):
        yield from (row[column] for row in islice(data, 1000))
        return
    for batch in data.select_columns([column]).iter(batch_size=1000):
        yield from batch[column]


def _rows(
    batch: dict[str, list[Any]],
    indices: list[int],
    *,
    column: str,
    names: list[str] | None,
    spelling: TagSpelling,
    on_error: str,
    names_map: Mapping[str, str],
    report: Report,
) -> dict[str, list[Any]]:
    rows = []
    for offset, index in enumerate(indices):
        words, tags = batch["tokens"][offset], batch[column][offset]
        if len(words) != len(tags):
            fix = "Give each token its tag."
            raise InputError(f"{len(words)} tokens and {len(tags)} tags", path=report.path, line=index + 1, fix=fix)
        tags = tags if names is None else [names[tag] for tag in tags]
        text, raw, starts, ends = _place(batch, offset, words)
        lines = [index + 1] * len(words)
        tags, spans = read_tags(spelling.read(tags), starts, ends, lines, None, on_error, report)
        whole = Sentence(_document(batch, offset, index), text, raw, words, starts, ends, tags, spans, index + 1)
        for sentence in split_lines(whole, report):
            report.add_sentence(sentence)
            rows.append(map_sentence(sentence, names_map, report) if names_map else sentence)
    values = dict(zip(Sentence._fields, map(list, zip(*rows, strict=True)), strict=True))
    del values["line"], values["scores"]
    values["spans"] = [
        [{"start": start, "end": end, "label": label} for start, end, label in spans] for spans in values["spans"]
    ]
    return values


def _document(batch: dict[str, list[Any]], offset: int, index: int) -> int:
    """The document's number where the data set has one; else each row is its own."""
    value = batch["document"][offset] if "document" in batch else index
    return value if isinstance(value, int) else index


def _place(batch: dict[str, list[Any]], offset: int, words: list[str]) -> tuple[str, bool, list[int], list[int]]:
    """The row's own text if it has one that its tokens fit, else the tokens joined."""
    text = batch["text"][offset] if "text" in batch else None
    if isinstance(text, str):
        starts, ends, problem = align_words(text, words)
        if not problem:
            return text, True, starts, ends
    text, starts, ends = join_units(words, None)
    return text, False, starts, ends
