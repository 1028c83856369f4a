"""Corpora as `datasets`: from column files, JSON lines, the Hub, or a data set in memory, all with the same columns.

A row is a sentence: its document's number, its text, what stands after it in its document, whether the text is the
file's own, tokens with character offsets, tags (IOB2, or plain tags as they are) and character spans. Everything is
backed by Arrow files, or streamed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, overload

from datasets import Dataset, DatasetDict, IterableDataset, IterableDatasetDict
from datasets.data_files import DataFilesDict, DataFilesList
from datasets.exceptions import DatasetGenerationError

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.column_corpus import FEATURES, ColumnCorpus, cached_reports
from tagsmith.training.data.corpus import Corpus, StreamedCorpus
from tagsmith.training.data.corpus_cache import BUILDER, private_cache
from tagsmith.training.data.formats.recognise import files_of
from tagsmith.training.data.formats.tables import load_from_hub, without_bars
from tagsmith.training.data.hub_names import HubData, hub_data
from tagsmith.training.data.label_map import check_map
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report
from tagsmith.training.data.rereadable import rereadable
from tagsmith.training.data.tagged_datasets import convert_dataset

_Key = TypeVar("_Key")

# What the data that a checkpoint is chosen on are called elsewhere; here they are "dev".
_DEV_NAMES = ("dev", "validation", "valid", "val", "testa", "eval", "development")

ALL = "all"  # the name of several corpora's scores together


# What a corpus is made of: files, a name on the Hub, or data sets.
_Source: TypeAlias = (
    Mapping[str, str | Path] | str | Path | Dataset | DatasetDict | IterableDataset | IterableDatasetDict
)


@overload
def load_corpus(
    files: _Source,
    config: str | None = ...,
    *,
    streaming: Literal[False] = ...,
    revision: str | None = ...,
    cache_dir: str | Path | None = ...,
    options: ReadingOptions | None = ...,
    **reading: Any,
) -> Corpus: ...


@overload
def load_corpus(
    files: _Source,
    config: str | None = ...,
    *,
    streaming: bool,
    revision: str | None = ...,
    cache_dir: str | Path | None = ...,
    options: ReadingOptions | None = ...,
    **reading: Any,
) -> Corpus | StreamedCorpus: ...


def load_corpus(
    files: _Source,
    config: str | None = None,
    *,
    streaming: bool = False,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    options: ReadingOptions | None = None,
    **reading: Any,
) -> Corpus | StreamedCorpus:
    """Load a corpus in one call; see `load_corpora` for several.

    Args:
        files: a file for each split (`{"train": "train.conll", "dev": "dev.jsonl"}`), one file (the split `train`), a
            data set on the Hub (`owner/name`, `owner/name:config`, `owner/name:config@split`, also for a split), or a
            data set. Files are of any format that is read. The split `dev` may be called `validation`, `valid`,
            `val`, `testa`, `eval` or `development` too. Data sets have `tokens` or `words`, and `ner_tags`, `tags`,
            `chunk_tags`, `pos_tags` or `upos`; `word_column` and `tag_column` name others.
        config: of a data set on the Hub.
        streaming: read while iterating instead of building an Arrow file first.
        revision: of a data set on the Hub.
        cache_dir: where Arrow files go; by default the usual cache of `datasets`, where the same content
            is found again. Those of files are in a folder there that nobody else can read.
        options: how files and data sets are read.
        **reading: the same by keyword, fields of `ReadingOptions`, as `tag_column=2, encoding="latin-1"`.

    Returns:
        A `Corpus`, which is a `datasets.DatasetDict`; a `StreamedCorpus` for a stream.

    Raises:
        InputError: bad input, with its place; a label to be mapped that does not occur. A streamed corpus raises while
            iterating, and does not look for labels.
    """
    options = replace(options or ReadingOptions(), **reading)
    if config is not None:
        files = _with_config(files, config)
    corpus = _load(files, options, streaming, revision, cache_dir)
    check_map(corpus.reports.values())
    return corpus


def load_corpora(files: Mapping[_Key, tuple[Any, ReadingOptions]], *, streaming: bool = False) -> dict[_Key, Any]:
    """Load several corpora, each with its options; a label to be mapped may occur in any of them.

    Args:
        files: as `load_corpus` takes them, and how they are read.
        streaming: as of `load_corpus`.

    Raises:
        InputError: as `load_corpus` does.
    """
    corpora = {name: _load(own, options, streaming, None, None) for name, (own, options) in files.items()}
    if streaming:
        return corpora
    check_map(report for corpus in corpora.values() for report in corpus.reports.values())
    return corpora


def _load(
    files: Any, options: ReadingOptions, streaming: bool, revision: str | None, cache_dir: str | Path | None
) -> Any:
    if isinstance(files, (Dataset, DatasetDict, IterableDataset, IterableDatasetDict)):
        return convert_dataset(with_dev(files), FEATURES, options)
    if isinstance(files, (str, Path)) and (named := hub_data(files)):
        hub = load_from_hub(named, streaming, revision, cache_dir)
        return convert_dataset(with_dev(hub), FEATURES, options, named.id)
    files = {"train": files} if isinstance(files, (str, Path)) else with_dev(files)
    if on_hub := {split: named for split, path in files.items() if (named := hub_data(path))}:
        kind = IterableDatasetDict if streaming else DatasetDict
        parts: dict[str, Any] = {}
        reports: dict[str, Report] = {}
        for split, named in on_hub.items():
            part = kind({split: _split_of(named, split, load_from_hub(named, streaming, revision, cache_dir))})
            read = convert_dataset(part, FEATURES, options, named.id)
            parts.update(read)
            reports.update(read.reports)
        if local := {split: path for split, path in files.items() if split not in on_hub}:
            read = _load(local, options, streaming, revision, cache_dir)
            parts.update(read)
            reports.update(read.reports)
        return (StreamedCorpus if streaming else Corpus)({split: parts[split] for split in files}, reports)
    data_files = DataFilesDict({split: _data_files(path, options) for split, path in files.items()})
    with private_cache(cache_dir) as folder, without_bars():
        builder = ColumnCorpus(
            cache_dir=str(folder), dataset_name=BUILDER, hash=_code_hash(), data_files=data_files, options=options
        )
        if streaming:
            return StreamedCorpus(builder.as_streaming_dataset())
        try:
            builder.download_and_prepare()
        except DatasetGenerationError as error:
            if isinstance(error.__cause__, InputError):
                raise error.__cause__ from None
            raise
        splits, reports = builder.as_dataset(), cached_reports(builder)
    for rows in splits.values():
        rows.info.description = ""  # the corpus carries its reports itself
    return Corpus(splits, reports)


def with_dev(splits: Any) -> Any:
    """A mapping of splits in which the data that a checkpoint is chosen on are called "dev".

    Args:
        splits: a mapping by name, as a `DatasetDict`; another kind of data is given back as it is.

    Raises:
        InputError: two of its splits mean "dev".
    """
    if not isinstance(splits, Mapping):
        return splits
    meant = [name for name in splits if str(name).lower() in _DEV_NAMES]
    if len(meant) > 1:
        raise InputError(
            f"the splits {', '.join(map(repr, meant))} mean the same: the data that the best checkpoint is chosen on",
            fix="Keep one of them, or give the others names of their own, like 'test'.",
        )
    if not meant or meant == ["dev"]:
        return splits
    if isinstance(splits, (Corpus, StreamedCorpus)):
        return splits.renamed({meant[0]: "dev"})
    renamed = {"dev" if name in meant else name: part for name, part in splits.items()}
    return type(splits)(renamed) if isinstance(splits, (DatasetDict, IterableDatasetDict)) else renamed


def by_name(corpora: DatasetDict | Mapping[str, DatasetDict]) -> dict[str, Corpus]:
    """Corpora by their names, with dev data called "dev"; a single corpus has the empty name.

    Of a corpus that is streamed the training data stay a stream; its other data are read.
    """
    named = {"": corpora} if isinstance(corpora, DatasetDict | IterableDatasetDict) else corpora
    return {name: _held(with_dev(splits)) for name, splits in named.items()}


def _held(splits: Any) -> Corpus:
    if not isinstance(splits, IterableDatasetDict):
        return Corpus.of(splits)
    kind = splits.kind() if isinstance(splits, StreamedCorpus) else None
    read = {
        split: rows if split == "train" else Dataset.from_list(list(rows), features=rows.features)
        for split, rows in splits.items()
    }
    return Corpus(read, kind=kind)


def _data_files(path: str | Path, options: ReadingOptions) -> DataFilesList:
    """One file with a hash of its content, so that an edited file is read again whatever its time and size say."""
    path = Path(path)
    if not path.exists():
        raise InputError("no such file", path=path, fix="Check the path; a data set's id on the Hub is 'owner/name'.")
    digest = hashlib.sha256()
    for own in files_of(path, options):
        with rereadable(own).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return DataFilesList([str(path.absolute())], [(digest.hexdigest(),)])


def _with_config(files: Any, config: str) -> str:
    named = hub_data(files) if isinstance(files, (str, Path)) else None
    if named is None or named.config:
        found = "a configuration is given, and no data set on the Hub" if named is None else "two configurations"
        raise InputError(found, fix="Name the data set and its configuration: load_corpus('owner/name', 'config').")
    return f"{named.id}:{config}" + (f"@{named.split}" if named.split else "")


def _split_of(named: HubData, split: str, data: Any) -> Any:
    """The split of a data set on the Hub that is to be this one here."""
    if named.split:
        return data[named.split]
    splits = with_dev(data)
    if split in splits:
        return splits[split]
    if len(data) == 1:
        return next(iter(data.values()))
    fix = f"Name one: {', '.join(f'{named.id}@{name}' for name in data)}."
    raise InputError(f"there is no split {split!r}", path=str(named), fix=fix)


@lru_cache(maxsize=1)
def _code_hash() -> str:
    """A hash of the code that reads files: `datasets` finds a corpus again by it, so a changed reader rebuilds."""
    here = Path(__file__).parent
    files = sorted([*here.rglob("*.py"), *(here.parents[1] / "tokenization").glob("*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def check_kinds(corpora: Mapping[str, Corpus], fix: str = "") -> None:
    """See that corpora that are trained on together have the same kind of tags, and each has sentences.

    Args:
        corpora: by name.
        fix: what else can be done about several kinds.

    Raises:
        InputError: "train" is empty, some have spans, and some a plain tag for each word, or a name is `ALL`.
    """
    check_names(corpora)
    kinds = {}
    for name, corpus in corpora.items():
        filled = [split for split, rows in corpus.items() if next(iter(rows), None) is not None]
        if "train" not in filled:
            raise InputError(f"{said(name)}the training data has no sentences")
        kinds.update({(name, split): corpus.is_plain(split) for split in filled})
    if len(set(kinds.values())) > 1:
        spans, plain = ([" ".join(key) for key, kind in kinds.items() if kind == which] for which in (False, True))
        raise InputError(
            f"some data have spans ({', '.join(spans)}), and some a plain tag for each word ({', '.join(plain)})",
            fix=f"Name the column of the tags for all with --tag-column. {fix}".strip(),
        )


def check_names(names: Collection[str]) -> None:
    """See that none of several corpora for one tagger is called `ALL`.

    Raises:
        InputError: one is.
    """
    if len(names) > 1 and ALL in names:
        raise InputError(f"{ALL!r} is what the scores of all data are called", fix="Give these data another name.")


def said(name: str | None) -> str:
    """How a message about a corpus begins; a single one needs no name."""
    return f"{name}: " if name else ""
