"""The command `tagsmith card`: a tagger's model card, with scores and pictures where data is given for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import (
    Device,
    Threads,
    check_head,
    check_kind,
    load_pipeline,
    named_file,
    say,
)
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions

if TYPE_CHECKING:
    from tagsmith.training.cards.results import Results

Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FILE", help="Annotated data; a name is that of a head, or of a language. Repeatable."
    ),
]


class _Data(NamedTuple):
    """Annotated data of a split, for one head or language."""

    split: str
    name: str
    file: Path
    corpus: Any

    @property
    def rows(self) -> Any:
        """Its sentences."""
        return self.corpus[self.split]


@reads_annotated_files
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a trained tagger.")],
    name: Annotated[str | None, typer.Option(help="The tagger's name, as owner/name; else the folder's.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="A language's code, as en. Repeatable.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="As the Hub has it, like cc-by-sa-4.0.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="A data set's name on the Hub. Repeatable.")] = None,
    dev: Data = None,
    test: Data = None,
    pictures: Annotated[
        bool, typer.Option(help="Draw the learning curve, and with --dev the confusion of labels (extra plots).")
    ] = False,
    examples: Annotated[
        bool | None,
        typer.Option(help="Show the commonest spans of the training data, and publish them; not unless asked for."),
    ] = None,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
    device: Device = None,
) -> None:
    """Write a tagger's model card, README.md; what you wrote around it, and into its metadata, stays.

    Dev and test data are scored. A run's dev data have to be those that it had: its checkpoint was chosen on them.
    """
    from tagsmith.training.cards.model_card import read_config, write_card
    from tagsmith.training.cards.results import Results

    if not folder.is_dir():
        raise InputError("there is no such folder", path=folder)
    if examples is not None:
        replace(Results.read(folder), show_examples=examples).write(folder)
    if dev or test or pictures:
        config, results = read_config(folder), Results.read(folder)
        data = list(_read_data({"dev": dev or [], "test": test or []}, reading))
        pipeline = load_pipeline(str(folder), threads, device=device) if data else None
        for part in data:
            head = _head(config, part)
            check_head(pipeline, head, part.file, fix=f"Pass --{part.split} HEAD=FILE.")
            check_kind(pipeline, part.corpus, part.split, part.file, head)
            _check_dev(results, part)
        if pictures:
            _draw(folder, results, pipeline, [part for part in data if part.split == "dev"])
        _score(results, pipeline, data)
        results.write(folder)
    path = write_card(folder, name=name, languages=language or [], license=license_, datasets=dataset or [])
    say(f"the card is {path}")


def _read_data(given: dict[str, list[str]], reading: ReadingOptions) -> Iterator[_Data]:
    from tagsmith.training.data.corpora import load_corpora

    files: dict[tuple[str, str], Path] = {}
    for split, arguments in given.items():
        for argument in arguments:
            name, file = named_file(argument)
            if (split, name) in files:
                raise InputError(f"--{split} is given twice{f' for {name!r}' if name else ''}", fix="Name them apart.")
            files[split, name] = file
    corpora = load_corpora({key: ({key[0]: file}, reading) for key, file in files.items()})
    for (split, name), corpus in corpora.items():
        yield _Data(split, name, files[split, name], corpus)


def _head(config: Any, part: _Data) -> str | None:
    """The head that data are for; a tagger of one may have several data sets, by names of their own."""
    return part.name or None if getattr(config, "heads", None) else None


def _check_dev(results: Results, part: _Data) -> None:
    """What a run has had for dev data, by its size; the card says that the checkpoint was chosen on them."""
    from tagsmith.training.cards.run_facts import split_facts

    if part.split == "dev" and results.best_epoch is not None and results.data:
        known = {**results.data.get(part.name, {}).get("dev", {}), "file": ""}
        if known != {**split_facts(part.corpus, part.split), "file": ""}:
            fix = f"Give it as --test {part.name}={part.file}." if part.name else "Give it as --test."
            raise InputError("these are not the dev data of the run", path=part.file, fix=fix)


def _score(results: Results, pipeline: Any, data: list[_Data]) -> None:
    """Scores and sizes of the data, into the results."""
    from tagsmith.training.cards.run_facts import split_facts
    from tagsmith.training.data.corpora import ALL, check_names
    from tagsmith.training.evaluation.scoring import score_corpora

    for split in dict.fromkeys(part.split for part in data):
        parts = [part for part in data if part.split == split]
        names, heads = {part.name for part in parts}, bool(getattr(pipeline.model.config, "heads", None))
        known = dict(results.scores(split))
        if not heads:
            check_names(names)
            known.pop(ALL, None)  # of other data than these, unless it is recounted
        by_name = {**known, **score_corpora(pipeline, {part.name: part.rows for part in parts}, bootstrap=True)}
        if not set(known) - names:
            results.scored_with.pop(split, None)
        elif not heads:
            by_name.pop(ALL, None)
        results.set_scores(split, by_name)
        for part in parts:
            facts = results.data.setdefault(part.name, {})
            facts[split] = split_facts(part.corpus, part.split, str(part.file))


def _draw(folder: Path, results: Results, pipeline: Any, dev: list[_Data]) -> None:
    """The pictures that can be drawn, and their names into the results."""
    from tagsmith.training.pictures import card_figures

    course = results.course
    if not course and not dev:
        fix = "Give --dev FILE for the confusion of labels, or train again."
        raise InputError("there is nothing to draw: results.json has no course of training", path=folder, fix=fix)
    by_head: dict[str, list[_Data]] = {}
    for part in dev:
        by_head.setdefault(_head(pipeline.model.config, part) or "", []).append(part)
    files = {head: f"confusion-{head}.png" if head else "confusion.png" for head in by_head}
    _check_pictures(folder, results, [*files.values(), *(["learning-curve.png"] if course else [])])
    drawn = results.pictures
    if course:
        card_figures.draw_learning_curve(course, folder / "learning-curve.png")
        drawn["learning_curve"] = "learning-curve.png"
    for head, parts in by_head.items():
        texts = chain.from_iterable(card_figures.gold_and_found(pipeline, part.rows, head or None) for part in parts)
        card_figures.draw_confusions(card_figures.count_confusions(texts), folder / files[head])
        drawn.setdefault("confusion", {})[head] = files[head]


def _check_pictures(folder: Path, results: Results, names: Iterable[str]) -> None:
    """Refuse to replace pictures that are not those of an earlier card, which the results name."""
    own = results.picture_names
    for name in names:
        if name not in own and (folder / name).exists():
            fix = "Move it away, or leave out --pictures."
            raise InputError(
                "this picture is there already, and is not of an earlier card", path=folder / name, fix=fix
            )
