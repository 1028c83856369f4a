"""Annotated files of any format that is read here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.formats.brat import read_brat
from tagsmith.training.data.formats.conll2012 import read_conll2012
from tagsmith.training.data.formats.doccano import read_doccano
from tagsmith.training.data.formats.gliner import read_gliner
from tagsmith.training.data.formats.label_studio import read_label_studio
from tagsmith.training.data.formats.prodigy import read_prodigy
from tagsmith.training.data.formats.recognise import file_format
from tagsmith.training.data.formats.spacy_files import read_spacy, read_spacy_json
from tagsmith.training.data.formats.tables import read_arrow, read_csv_table, read_hub, read_parquet
from tagsmith.training.data.formats.webanno import read_webanno
from tagsmith.training.data.hub_names import hub_data
from tagsmith.training.data.json_lines import read_json_lines
from tagsmith.training.data.label_map import map_labels
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

_DEFAULT = ReadingOptions()
_READERS: dict[str, Callable[[str | Path, ReadingOptions, Report], Iterator[Sentence]]] = {
    "columns": read_sentences,
    "jsonl": read_json_lines,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "csv": read_csv_table,
    "brat": read_brat,
    "conll-2012": read_conll2012,
    "doccano": read_doccano,
    "gliner": read_gliner,
    "label-studio": read_label_studio,
    "prodigy": read_prodigy,
    "spacy": read_spacy,
    "spacy-json": read_spacy_json,
    "webanno": read_webanno,
}


def open_sentences(
    path: str | Path, options: ReadingOptions = _DEFAULT, report: Report | None = None
) -> Iterator[Sentence]:
    """The sentences of a file, in the format that the options name or the file shows, or of a data set on the Hub.

    See `read_sentences`.
    """
    report = Report() if report is None else report
    report.path, report.encoding = str(path), options.encoding
    if named := hub_data(path):
        sentences = read_hub(named, options, report)
    else:
        kind, ending = file_format(Path(path), options), Path(path).suffix
        if kind == "jsonl" and options.file_format == "auto" and ending.lower() not in (".jsonl", ".ndjson"):
            report.add_note("read as JSON lines, by what the file holds", 1, f"its name ends in {ending!r}")
        sentences = _READERS[kind](path, options, report)
    return map_labels(sentences, options.names, report) if options.names else sentences
