"""The commands `tagsmith plot ...`: what a tagger's memory has learnt, as pictures; for the extra `[plots]`."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import typer

from tagsmith.training.commands.command_options import (
    Device,
    ModelArgument,
    OverwritePicture,
    Threads,
    load_pipeline,
    named_file,
    say,
)
from tagsmith.training.commands.every_command import for_every_command
from tagsmith.training.commands.reading_arguments import reads_annotated_files
from tagsmith.training.data.reading_options import ReadingOptions

plots = typer.Typer(help="Draw what a tagger has learnt.", no_args_is_help=True)

Output = Annotated[Path, typer.Option(help="The picture: .png, .svg or .pdf; its numbers go beside it as .csv.")]
Seed = Annotated[int, typer.Option(help="Of the projection to two dimensions.")]


@plots.command()
@for_every_command
@reads_annotated_files
def states(
    model: ModelArgument,
    files: Annotated[
        list[str],
        typer.Argument(metavar="[NAME=]FILE...", help="Annotated data; a name, as en=FILE, is a shape."),
    ],
    output: Output,
    limit: Annotated[int, typer.Option(min=5, help="Points at most.")] = 2000,
    seed: Seed = 1,
    overwrite: OverwritePicture = False,
    *,
    reading: ReadingOptions,
    threads: Threads = 1,
    device: Device = None,
) -> None:
    """Draw the states of a byte-to-span tagger as it writes each label (t-SNE)."""
    from tagsmith.training.batches.byte_corpus import documents
    from tagsmith.training.data.corpora import load_corpus
    from tagsmith.training.pictures.figures import check_output
    from tagsmith.training.pictures.plot_states import plot_states

    named = [named_file(argument) for argument in files]
    check_output(output, overwrite=overwrite, read=[path for _, path in named])
    pipeline = load_pipeline(model, threads, device=device)
    texts = {}
    for name, path in named:
        corpus = load_corpus({"test": path}, options=reading)
        texts[name or path.stem] = map(attrgetter("text"), documents(corpus["test"], corpus.is_plain("test")))
    drawn = plot_states(pipeline.model, pipeline.tokenizer, texts, output, limit=limit, seed=seed, overwrite=overwrite)
    say(f"{drawn.points:,} of {drawn.found:,} spans are drawn in {output}")
    for kind, share in drawn.neighbours.items():
        found = f"{share.plane:.1%} in the picture, {share.space:.1%} among the states, {share.chance:.1%} by chance"
        say(f"of the ten nearest neighbours have the same {kind}: {found}")


@plots.command()
@for_every_command
def characters(
    model: ModelArgument,
    words: Annotated[
        Path, typer.Argument(help="Words, one a line; or translations, two a line with a tab between them.")
    ],
    output: Output,
    seed: Seed = 1,
    overwrite: OverwritePicture = False,
    threads: Threads = 1,
    device: Device = None,
) -> None:
    """Draw words as the character encoder of a hierarchical tagger sees them (t-SNE)."""
    from tagsmith.training.pictures.figures import check_output
    from tagsmith.training.pictures.plot_characters import plot_characters, read_word_list

    check_output(output, overwrite=overwrite, read=[words])
    listed = read_word_list(words)
    pipeline = load_pipeline(model, threads, device=device)
    how: Any = {"pairs": listed.pairs, "seed": seed, "overwrite": overwrite}
    drawn = plot_characters(pipeline.model, pipeline.tokenizer, listed.words, output, **how)
    say(f"{drawn.points:,} words are drawn in {output}")
    if drawn.unknown:
        say(f"{drawn.unknown:,} of them have characters that the tagger does not know")
    if drawn.mutual is not None:
        say(f"{drawn.mutual:.1%} of the pairs are each other's nearest neighbours")
