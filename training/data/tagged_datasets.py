"""Data sets with tokens and tags, as the Hub has them, brought to the columns of our corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import parse_json
from tagsmith.training.data.corpus import Corpus, StreamedCorpus
from tagsmith.training.data.corpus_cache import private_cache
from tagsmith.training.data.label_map import map_report, map_sentence
from tagsmith.training.data.line_sentences import split_lines
from tagsmith.training.data.read_tags import read_tags
from tagsmith.training.data.reading_options import ReadingOptions, option
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.tag_spelling import TagSpelling, TagSurvey, same_line
from tagsmith.training.data.text_lines import read_lines
from tagsmith.training.data.word_alignment import align_words, join_units

WORD_COLUMNS = ("tokens", "words")
TAG_COLUMNS = ("ner_tags", "tags", "chunk_tags", "pos_tags", "upos")
PLAIN_COLUMNS = ("pos_tags", "upos", "xpos", "pos")  # hold a plain tag for each word without question


def convert_dataset(
    data: Dataset | DatasetDict | IterableDataset | IterableDatasetDict,
    features: Features,
    options: ReadingOptions,
    source: str = "",
) -> Corpus | StreamedCorpus:
    """Bring every split to the columns `features`; a data set without splits becomes the split `train`.

    Tags are strings, or numbers whose names the column's `ClassLabel` gives.

    Raises:
        InputError: no such columns, or tags that cannot be read.
    """
    if isinstance(data, (Dataset, IterableDataset)):
        data = (DatasetDict if isinstance(data, Dataset) else IterableDatasetDict)({"train": data})
    reports = dict(getattr(data, "reports", {}))  # of a corpus
    splits = {
        split: _convert(part, str(split), features, options, f"{source} split {split!r}".strip(), reports)
        for split, part in data.items()
    }
    return Corpus(splits, reports) if isinstance(data, DatasetDict) else StreamedCorpus(splits)


def _convert(
    data: Dataset | IterableDataset,
    split: str,
    features: Features,
    options: ReadingOptions,
    place: str,
    reports: dict[str, Report],
) -> Dataset | IterableDataset:
    """A split with the columns `features`; what reading it found goes into `reports`."""
    columns = list(data.column_names or next(iter(data), {}))
    if set(features) - {"after"} <= set(columns):
        if options.map:
            fix = "Give the map where its files are read."
            raise InputError(f"split {split!r} is a corpus that is read already, and is not mapped", fix=fix)
        return data
    report = Report(path=place, format="a data set")
    data, read = _reader(data, options, report)
    columns = list(data.column_names or columns)
    names_map = options.names
    convert = partial(_rows, read=read, names_map=names_map, report=report)
    settings = {"batched": True, "with_indices": True, "remove_columns": columns, "features": features}
    if isinstance(data, IterableDataset):
        return data.map(convert, **settings)
    # Not from the cache: the report is filled by the conversion itself.
    with private_cache():
        converted = data.map(convert, load_from_cache_file=False, desc=f"Reading {split}", **settings)
    if names_map:
        map_report(report, names_map)
    reports[split] = report
    return converted


class _Tags(NamedTuple):
    """Where a data set has its tags, the names of those that are numbers, and how they are spelt."""

    column: str
    names: list[str] | None
    spelling: TagSpelling


def dataset_sentences(data: Dataset, path: str, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """The sentences of a data set's rows.

    Raises:
        InputError: no words or tags, or tags that cannot be read.
    """
    report.path = path
    data, read = _reader(data, options, report)
    for begin in range(0, len(data), 1000):
        batch = data[begin : begin + 1000]
        yield from read(batch, list(range(begin, begin + len(batch["tokens"]))))


def _reader(
    data: Dataset | IterableDataset, options: ReadingOptions, report: Report
) -> tuple[Any, Callable[[dict[str, list[Any]], list[int]], list[Sentence]]]:
    """The data with its words in the column `tokens`, and what makes sentences of its rows."""
    columns = list(data.column_names or next(iter(data), {}))
    words = _word_column(columns, options.word_column, report.path)
    if words != "tokens":
        data = (data.remove_columns("tokens") if "tokens" in columns else data).rename_column(words, "tokens")
    column = _tag_column(columns, options.tag_column, report.path)
    names = _names(data, column, options, report.path)
    spelling = _spelling(data, column, names, options, report.path)
    report.scheme, report.column_name = spelling.scheme, column
    spelling.report_to(report, options.on_error)
    source = _Tags(column, names, spelling)
    return data, partial(_sentences, source=source, on_error=options.on_error, report=report)


def _word_column(columns: Sequence[str], wanted: int | str | None, place: str) -> str:
    found = wanted if wanted is not None else next((name for name in WORD_COLUMNS if name in columns), None)
    if found not in columns:
        message = f"{place} has no column {wanted or 'tokens'!r}, only {', '.join(columns)}"
        raise InputError(message, fix=f"Name the column of words, as {option('word_column', columns[0])}.")
    return str(found)


def _tag_column(columns: Sequence[str], wanted: int | str | None, place: str) -> str:
    if wanted is None:
        wanted = next((name for name in TAG_COLUMNS if name in columns), None)
    if wanted not in columns:
        message = f"{place} has no tag column, only {', '.join(columns)}"
        raise InputError(message, fix=f"Name the tag column, as {option('tag_column', columns[-1])}.")
    return str(wanted)


def _names(data: Dataset | IterableDataset, column: str, options: ReadingOptions, place: str) -> list[str] | None:
    """The names behind a column's numbers; None where it holds strings."""
    inner = getattr((data.features or {}).get(column), "feature", None)
    if isinstance(inner, ClassLabel) and options.tag_names is None:
        return list(inner.names)
    first = next((row[column] for row in islice(data, 100) if row[column]), [""])
    if isinstance(first, str):
        message = f"the tags in {column!r} of {place} are a text, not a list: {first[:40]!r}"
        raise InputError(message, fix=f"Name another column, as {option('tag_column', 'ner_tags')}.")
    if isinstance(first[0], str):
        return None
    if options.tag_names is not None:
        return read_tag_names(options.tag_names)
    message = f"the tags in {column!r} of {place} are {type(first[0]).__name__}s without names"
    fix = f"Give a file of their names, one a line from 0: {option('tag_names', 'tags.txt')}."
    raise InputError(message, fix=fix)


def read_tag_names(path: str | Path) -> list[str]:
    """The names of tags by number: one a line, a JSON list, or `id2label` or `label2id` as a config.json has them.

    Raises:
        InputError: none of these, or numbers that do not rise from 0.
    """
    path = Path(path)
    lines = list(read_lines(path, "utf-8"))
    fix = "Write one name a line, that of 0 first; or give a config.json with id2label."
    if not (lines and lines[0].lstrip()[:1] in ("{", "[")):
        names = [line.strip() for line in lines]
        while names and not names[-1]:
            names.pop()
    else:
        content = parse_json("\n".join(lines), path, fix=fix)
        if isinstance(content, dict):
            content = content.get("id2label", content.get("label2id", content))
        names = content if isinstance(content, list) else _by_number(content, path, fix)
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise InputError("no list of names, or one that is empty or given twice", path=path, fix=fix)
    return list(names)


def _by_number(content: Any, path: Path, fix: str) -> list[str]:
    if isinstance(content, dict) and all(type(value) is int for value in content.values()):
        content = {str(number): name for name, number in content.items()}
    if not isinstance(content, dict) or sorted(content) != sorted(map(str, range(len(content)))):
        raise InputError("numbers that do not rise from 0 by one", path=path, fix=fix)
    return [content[str(number)] for number in range(len(content))]


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
        survey.add(_named(tags, names, path, number), partial(same_line, number, len(tags)))
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
    read: Callable[[dict[str, list[Any]], list[int]], list[Sentence]],
    names_map: Mapping[str, str],
    report: Report,
) -> dict[str, list[Any]]:
    rows = read(batch, indices)
    if names_map:
        rows = [map_sentence(sentence, names_map, report) for sentence in rows]
    values = dict(zip(Sentence._fields, map(list, zip(*rows, strict=True)), strict=True))
    del values["line"], values["scores"], values["lines"]
    values["spans"] = [
        [{"start": start, "end": end, "label": label} for start, end, label in spans] for spans in values["spans"]
    ]
    return values


def _sentences(
    batch: dict[str, list[Any]],
    indices: list[int],
    *,
    source: _Tags,
    on_error: str,
    report: Report,
) -> list[Sentence]:
    rows = []
    for offset, index in enumerate(indices):
        words, tags = batch["tokens"][offset], batch[source.column][offset]
        if len(words) != len(tags):
            fix = "Give each token its tag."
            raise InputError(f"{len(words)} tokens and {len(tags)} tags", path=report.path, line=index + 1, fix=fix)
        tags = _named(tags, source.names, report.path, index + 1)
        text, raw, starts, ends = _place(batch, offset, words)
        lines = [index + 1] * len(words)
        tags, spans = read_tags(source.spelling.read(tags), starts, ends, lines, None, on_error, report)
        whole = Sentence(_document(batch, offset, index), text, raw, words, starts, ends, tags, spans, index + 1)
        for sentence in split_lines(whole, report):
            report.add_sentence(sentence)
            rows.append(sentence)
    return rows


def _named(tags: list[Any], names: list[str] | None, path: str, line: int) -> list[str]:
    if names is None:
        return tags
    for tag in tags:
        if type(tag) is not int or not 0 <= tag < len(names):
            message = f"the tag {tag!r}, and there are {len(names)} names"
            raise InputError(message, path=path, line=line, fix="Correct it, or the names.")
    return [names[tag] for tag in tags]


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
