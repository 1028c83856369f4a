"""The command `tagsmith audit`: annotations that look wrong, worst first, and a copy with those corrected."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import Threads, messages, prepare_torch, say, warn
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.machine.whole_files import check_new

if TYPE_CHECKING:
    from tagsmith.training.doubts.annotation_audit import Audit, Plan
    from tagsmith.training.doubts.audited import Audited

_LISTED = 100  # rows of the list and of the page, where no number is given


@reads_annotated_files
def audit(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Annotated data that may hold errors.")],
    evidence: Annotated[
        list[Path] | None, typer.Option(help="Data that are trusted: trained on, and not audited; repeatable.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts, each judged by a tagger trained on the others.")] = 5,
    taggers: Annotated[
        int, typer.Option(min=1, help="Taggers that learn all of the data, with planted errors beside it.")
    ] = 2,
    recipe: Annotated[str, typer.Option(help="Recipe of the taggers: a name, or the path of a YAML file.")] = "audit",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A change to the recipe, like training.num_train_epochs=4.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help=f"How many annotations to give ({_LISTED}; with --json all).")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page of HTML, to look them through.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a row of JSON for each.")] = False,
    accept: Annotated[
        Path | None, typer.Option(help="Rows that --json printed or the page saved: correct these, and audit nothing.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --accept: the corrected copy; of several files a folder.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Taggers that are trained at a time.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Where chance begins.")] = 1,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
) -> None:
    """Rank annotations that look wrong; or write a corrected copy with --accept."""
    if (accept is None) != (output is None):
        raise InputError("--accept and --output go together", fix="Give both, or neither.")
    if accept is not None and output is not None:
        for name, given in (("--json", as_json), ("--html", html is not None)):
            if given:
                raise InputError(f"{name} is of an audit, and --accept makes none", fix=f"Leave out {name}.")
        _correct(files, accept, output, reading)
        return
    if html is not None:
        check_new(html)
    prepare_torch(threads)
    from tagsmith.training.doubts.annotation_audit import Plan
    from tagsmith.training.runs.recipe import read_recipe

    plan = Plan(read_recipe(recipe, set_ or []), folds, taggers, processes, seed)
    _check_once([*files, *(evidence or [])])
    found = _audit([_read(file, reading) for file in files], [_read(file, reading) for file in evidence or []], plan)
    _tell(found, files, count, html, as_json)


def _check_once(files: Sequence[Path]) -> None:
    """A file that is audited must not be learnt from, nor count twice."""
    seen: set[Path] = set()
    for file in files:
        if (path := file.resolve()) in seen:
            raise InputError("this file is given twice", path=file, fix="What is --evidence is not audited.")
        seen.add(path)


def _read(file: Path, reading: ReadingOptions) -> list[Audited]:
    from tagsmith.training.data.label_map import check_map
    from tagsmith.training.data.reading_report import Report
    from tagsmith.training.doubts.audited import read_audited

    report = Report()
    sentences = read_audited(file, reading, report)
    check_map([report])
    for line in report.lines():
        say(line, style="dim")
    return sentences


def _audit(corpora: Sequence[list[Audited]], trusted: Sequence[list[Audited]], plan: Plan) -> Audit:
    from tagsmith.training.doubts.annotation_audit import audit as find
    from tagsmith.training.doubts.annotation_audit import rare_labels

    sentences = [sentence for corpus in corpora for sentence in corpus]
    evidence = [sentence for corpus in trusted for sentence in corpus]
    labels, known = ({span.label for one in part for span in one.spans} for part in (sentences, evidence))
    if evidence and labels and not labels & known:
        theirs, ours = (", ".join(sorted(part)) or "(none)" for part in (known, labels))
        found = f"the evidence has the labels {theirs}, and the data {ours}"
        raise InputError(found, path=evidence[0].path, fix="Map labels with --map OLD=NEW.")
    if rare := rare_labels([*sentences, *evidence], plan.folds):
        warn(f"of {', '.join(rare[:20])} there are fewer spans than folds: taggers can hardly know them")
    result = find(sentences, plan, evidence, lambda done, of: say(f"{done} of {of} taggers trained", style="dim"))
    if not result.by_document:
        say("folds are stretches of sentences: there are too few documents to keep each in one fold", style="dim")
    return result


def _tell(found: Audit, files: Sequence[Path], count: int | None, html: Path | None, as_json: bool) -> None:
    from tagsmith.training.doubts.audit_page import audit_page
    from tagsmith.training.machine.whole_files import whole_file

    if html is not None:
        with whole_file(html) as out:
            title = f"Annotations of {', '.join(file.name for file in files)}"
            out.writelines(audit_page(found, found.suspects[: count or _LISTED], title))
    if as_json:
        for suspect in found.suspects[:count]:
            sys.stdout.write(json.dumps(found.row(suspect), ensure_ascii=False) + "\n")
        return
    if messages.quiet:
        return
    for suspect in found.suspects[: count or _LISTED]:
        row = found.row(suspect)
        place = f"{row['file']}:{row['line']}"
        sys.stdout.write(
            f"{place}: {row['kind']} {row['score']:.2f}: {_said(row['found'])} -> {_said(row['expected'])}\n"
        )


def _said(spans: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{' '.join(span['text'].split())!r} {span['label']}" for span in spans) or "nothing"


def _correct(files: Sequence[Path], accept: Path, output: Path, reading: ReadingOptions) -> None:
    from tagsmith.training.doubts.corrections import correct_file, read_corrections

    corrections = read_corrections(accept)
    known = {str(file): file for file in files}
    for correction in corrections:
        if correction.file not in known:
            found = f"this row is of {correction.file}, which is not given"
            raise InputError(found, path=accept, line=correction.row, fix="Name the files as they were audited.")
    if len(files) > 1:
        if len({file.name for file in files}) < len(files):
            raise InputError("files of the same name cannot be in one folder", fix="Correct them one by one.")
        output.mkdir(parents=True, exist_ok=True)
    for name, file in known.items():
        own = [correction for correction in corrections if correction.file == name]
        target = output / file.name if len(files) > 1 else output
        made = correct_file(file, target, own, accept, reading)
        say(f"{target}: {made:,} corrections")
