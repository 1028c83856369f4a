"""The command `tagsmith agree`: how far annotators agree, and where they do not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagsmith.training.commands.command_options import messages, say, warn
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions

if TYPE_CHECKING:
    from tagsmith.training.evaluation.agreement import Agreement, Row


@reads_annotated_files
def agree(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="A B [C...]", help="What each annotator made of the same texts, in any format."),
    ],
    differences: Annotated[
        Path | None, typer.Option(help="Write the spans that differ to a file, with tabs between its columns.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the texts whose spans differ to a page of HTML.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    reading: ReadingOptions,
) -> None:
    """Compare annotators of the same texts: F1 of exact spans and Cohen's kappa over words, by label."""
    from tagsmith.training.data.annotated_files import open_sentences
    from tagsmith.training.data.label_map import check_map
    from tagsmith.training.data.reading_report import Report
    from tagsmith.training.evaluation.agreement import compare_annotators
    from tagsmith.training.machine.whole_files import check_new, whole_file

    for output in filter(None, (differences, html)):
        check_new(output)
    reports = [Report() for _ in files]
    annotators = [list(open_sentences(path, reading, report)) for path, report in zip(files, reports, strict=True)]
    check_map(reports)
    for report in reports:
        for line in report.lines():
            say(line, style="dim")
    agreement = compare_annotators(annotators)
    for path, alone in zip(files, agreement.alone, strict=True):
        if alone:
            warn(f"{path}: {alone:,} texts are not in all of the files, and are not compared")
    names = _names(files)
    if differences is not None:
        with whole_file(differences) as out:
            out.writelines("\t".join(row) + "\n" for row in _table(agreement, files[0], names))
    if html is not None:
        with whole_file(html) as out:
            out.writelines(_page(agreement, files[0], names))
    _print(agreement, names, as_json)


def _names(files: list[Path]) -> list[str]:
    """What to call annotators: by their files' names, or by their paths where two names are the same."""
    stems = [path.stem for path in files]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in files]


def _print(agreement: Agreement, names: list[str], as_json: bool) -> None:
    if as_json:
        pairs = [
            {"annotators": [names[one], names[two]], "labels": {label: row._asdict() for label, row in rows.items()}}
            for (one, two), rows in agreement.pairs.items()
        ]
        means = {"f1": agreement.mean("f1"), "kappa": agreement.mean("kappa")}
        content = {"texts": len(agreement.texts), **means, "pairs": pairs}
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(quiet=messages.quiet)
    for (one, two), rows in agreement.pairs.items():
        table = Table("label", "F1", "kappa", *(escape(names[number]) for number in (one, two)), "both")
        for column in table.columns[1:]:
            column.justify = "right"
        for label, row in rows.items():
            table.add_row(escape(label), *_cells(row), style="bold" if label == "all" else None)
        console.print(table)
    if len(names) > 2:
        f1, kappa = _figure(agreement.mean("f1")), _figure(agreement.mean("kappa"), 1, 3)
        console.print(f"mean of all pairs: F1 {f1}, kappa {kappa}", highlight=False)
    console.print(f"{len(agreement.texts):,} texts are compared", highlight=False)


def _cells(row: Row) -> list[str]:
    return [_figure(row.f1), _figure(row.kappa, 1, 3), *(f"{count:,}" for count in (row.first, row.second, row.both))]


def _figure(value: float | None, times: int = 100, digits: int = 2) -> str:
    return "-" if value is None else f"{value * times:.{digits}f}"


def _table(agreement: Agreement, path: Path, names: list[str]) -> Any:
    """Rows of the list of differences: place, kind, and the spans of each annotator."""
    yield ["place", "kind", *names]
    for shared, kind, spans in agreement.differences():
        cells = []
        for own in spans:
            words = [(" ".join(shared.text[slice(*shared.characters(*span[:2]))].split()), span[2]) for span in own]
            cells.append(" | ".join(f"{text} {label}" for text, label in words) or "-")
        yield [f"{path}:{shared.line}", kind, *cells]


def _page(agreement: Agreement, path: Path, names: list[str]) -> Any:
    """The texts with differences, each as every annotator has it."""
    from tagsmith.training.tagging.rendering import html_page

    differing = {id(difference.shared): difference.shared for difference in agreement.differences()}

    def documents() -> Any:
        for shared in differing.values():
            for name, spans in zip(names, shared.spans, strict=True):
                entities = []
                for first, last, label in spans:
                    start, end = shared.characters(first, last)
                    word = shared.text[start:end]
                    entities.append({"entity_group": label, "word": word, "start": start, "end": end})
                yield shared.text, entities, f"{path.name}:{shared.line} {name}"

    yield from html_page(documents(), f"Differences of {', '.join(names)}")
