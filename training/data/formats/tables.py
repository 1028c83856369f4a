"""Tables of sentences, with lists of words and tags: Parquet, Arrow, CSV, folders of `save_to_disk`, the Hub."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset, DatasetDict, IterableDatasetDict, load_from_disk

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.corpus_cache import private_cache
from tagsmith.training.data.hub_names import HubData, hub_reason
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence
from tagsmith.training.data.rereadable import rereadable
from tagsmith.training.data.tagged_datasets import dataset_sentences
from tagsmith.training.data.text_lines import read_lines

_FIX = "A row needs a list of words, `tokens`, and a list of their tags, `ner_tags` or the column of --tag-column."
_LIST = ("[", "(")
_ITEM = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+"
_SEPARATED = [
    re.compile(rf"\s*(?:(?:{_ITEM})(?:{by}(?:{_ITEM}))*)?\s*{last}\s*", re.DOTALL)
    for by, last in ((r"\s*,\s*", ",?"), (r"\s+", ""))
]


def read_parquet(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a Parquet file, or a folder of the parts of one split.

    Raises:
        InputError: damaged files, files of several splits, no words or tags.
    """
    path, report.format = Path(path), "Parquet"
    if path.is_dir():
        parts = sorted(path.glob("*.parquet"))
        splits = sorted({part.name.partition("-")[0] for part in parts})
        if len(splits) > 1 and len(splits) < len(parts) + 1:
            message = f"files of {len(splits)} splits: {', '.join(splits)}"
            raise InputError(message, path=path, fix="Name one of the files, or put those of a split in a folder.")
    else:
        parts = [rereadable(path)]

    def load() -> Dataset:
        with private_cache() as folder:
            return Dataset.from_parquet([str(part) for part in parts], cache_dir=str(folder))

    yield from _sentences(path, load, options, report)


def read_arrow(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a folder that `Dataset.save_to_disk` has written, or one of its files.

    Raises:
        InputError: a folder of several splits, damaged files, no words or tags.
    """
    path, report.format = Path(path), "Arrow"

    def load() -> Dataset:
        if path.is_file():
            return Dataset.from_file(str(rereadable(path)))
        found = load_from_disk(str(path))
        if isinstance(found, DatasetDict):
            names = ", ".join(str(path / name) for name in found)
            raise InputError(f"a folder of {len(found)} splits", path=path, fix=f"Name one of them: {names}.")
        return found

    yield from _sentences(path, load, options, report)


def read_csv_table(path: str | Path, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a CSV file whose cells hold lists, as JSON or Python write them: `["Ada", "left"]`.

    Raises:
        InputError: a cell that is no list, a row of another length, no words or tags.
    """
    path, report.format = Path(path), "CSV with lists"
    yield from _sentences(path, lambda: Dataset.from_list(list(_csv_rows(path, options))), options, report)


def is_csv_table(path: Path, encoding: str) -> bool:
    """Whether the first two rows of a CSV file are a header and cells that hold lists."""
    rows = csv.reader(line + "\n" for line in read_lines(path, encoding))
    header, first = next(rows, []), next(rows, [])
    return len(header) == len(first) > 1 and any(cell.strip().startswith(_LIST) for cell in first)


def _csv_rows(path: Path, options: ReadingOptions) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader((line + "\n" for line in read_lines(path, options.encoding)), strict=True)
    try:
        header = next(rows)
        for row in rows:
            if len(row) != len(header):
                message = f"{len(row)} cells, and the header has {len(header)}"
                raise InputError(message, path=path, line=rows.line_num, fix="Restore the row.")
            yield {name: _cell(cell, path, rows.line_num) for name, cell in zip(header, row, strict=True)}
    except csv.Error as error:
        raise InputError(
            f"no CSV: {error}", path=path, line=rows.line_num, fix="Write it with a CSV writer."
        ) from None


def _cell(cell: str, path: Path, line: int) -> Any:
    """A cell's text, or its list: with commas as JSON and Python write it, with blanks alone as NumPy does."""
    if not cell.strip().startswith(_LIST):
        return cell
    try:
        return list(json.loads(cell))
    except (ValueError, TypeError, RecursionError):
        pass
    body = cell.strip()[1:-1]
    if cell.strip()[-1] in "])" and any(separated.fullmatch(body) for separated in _SEPARATED):
        return [ast.literal_eval(item) for item in re.findall(_ITEM, body)]
    fix = 'Write lists as JSON: ["Ada", "left"].'
    raise InputError(f"a cell that is no list: {cell[:40]!r}", path=path, line=line, fix=fix)


def read_hub(named: HubData, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    """Read a split of a data set on the Hub, by its name `owner/name:config@split`.

    Raises:
        InputError: it cannot be loaded, has several splits, or no words or tags.
    """
    report.format = "a data set"
    splits = load_from_hub(named)
    if len(splits) > 1:
        names = ", ".join(str(named._replace(split=name)) for name in splits)
        raise InputError(f"a data set of {len(splits)} splits", path=str(named), fix=f"Name one of them: {names}.")
    yield from dataset_sentences(next(iter(splits.values())), str(named), options, report)


def load_from_hub(
    named: HubData, streaming: bool = False, revision: str | None = None, cache_dir: str | Path | None = None
) -> Any:
    """A data set on the Hub by its splits; its Arrow files go where those of other corpora do.

    Raises:
        InputError: there is none of that name, configuration or split, or the Hub cannot be reached.
    """
    there = Path(datasets.config.HF_DATASETS_CACHE, named.id.replace("/", "___"))
    try:
        with without_bars(), private_cache(cache_dir) as folder:
            # A copy that the user has made with `datasets` serves as well, and without a network.
            cache = str(there.parent if cache_dir is None and there.is_dir() else folder)
            data = datasets.load_dataset(
                named.id, named.config, split=named.split, revision=revision, streaming=streaming, cache_dir=cache
            )
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        reason, fix = hub_reason(error, named)
        raise InputError(reason, path=str(named), fix=fix) from error
    return (IterableDatasetDict if streaming else DatasetDict)({named.split: data}) if named.split else data


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bars of `datasets`, which are as they were afterwards."""
    enabled = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if enabled:
            datasets.enable_progress_bars()


def _sentences(path: Path, load: Any, options: ReadingOptions, report: Report) -> Iterator[Sentence]:
    try:
        with without_bars():
            data = load()
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes Arrow raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"cannot be read as {report.format}: {reason}", path=path, fix=_FIX) from error
    yield from dataset_sentences(data, str(path), options, report)
