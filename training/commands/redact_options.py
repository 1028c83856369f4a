"""The options of `tagsmith tag` that replace names by placeholders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import reads_bytes, say, warn
from tagsmith.training.machine.whole_files import check_new

if TYPE_CHECKING:
    from tagsmith.training.tagging.redaction import Redaction

Redact = Annotated[
    str | None,
    typer.Option(
        metavar="[LABEL,...]",
        help="Replace spans by placeholders, [PER]; of these labels, or of all where none is named.",
    ),
]
RedactNumbered = Annotated[
    bool, typer.Option("--redact-numbered", help="Number the placeholders, [PER_1]: the same name, the same number.")
]
RedactMap = Annotated[
    Path | None,
    typer.Option(help="A new file, for your eyes only, that says which name each numbered placeholder stands for."),
]


class RedactCommand(TyperCommand):
    """A command whose `--redact` may stand without labels: before an option, a file or nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments as usual, where `--redact` without labels is `--redact=`."""
        for place, argument in enumerate(args):
            if argument == "--redact" and _is_no_label(args[place + 1 : place + 2]):
                args[place] = "--redact="
        return super().parse_args(ctx, args)


def _is_no_label(following: list[str]) -> bool:
    return not following or following[0].startswith("-") or "/" in following[0] or Path(following[0]).exists()


def check_redaction(redact: str | None, numbered: bool, path: Path | None, output: Path | None, shards: bool) -> None:
    """See that the options go together, and that the map can be written.

    Raises:
        InputError: they do not; the map's file is there already, as it may be the only key to another text.
    """
    if redact is None:
        if numbered or path is not None:
            raise InputError("nothing is to be redacted", fix="Pass --redact too.")
        return
    if shards and (numbered or path is not None):
        found = "parts of a text that are tagged apart cannot share numbers"
        raise InputError(found, fix="Leave out --shards, or --redact-numbered and --redact-map.")
    if path is None:
        return
    check_new(path, "Name a new one for --redact-map.")
    if output is not None and output.resolve() == path.resolve():
        raise InputError("text and map would be one file", path=path, fix="Name another --redact-map.")


def redaction_of(redact: str | None, numbered: bool, pipeline: Any, head: str | None, model: str) -> Redaction | None:
    """What replaces spans of the labels that were asked for; None where none are to be replaced.

    Raises:
        InputError: a label that the tagger does not have.
    """
    if redact is None:
        return None
    from tagsmith.training.tagging.redaction import Redaction

    known = list(pipeline.model.config.span_labels if reads_bytes(pipeline) else pipeline.model.head(head).span_labels)
    labels = [label for part in redact.split(",") if (label := part.strip())]
    for label in labels:
        if label not in known:
            found = f"--redact {redact}: the tagger has no label {label!r}"
            raise InputError(found, path=model, fix=f"It has {', '.join(known)}; name all of them by --redact alone.")
    return Redaction(labels or known, numbered)


def finish_redaction(redaction: Redaction | None, path: Path | None) -> None:
    """Write the map, which only its owner may read, and say what has been done."""
    if redaction is None:
        return
    if path is not None:
        from tagsmith.training.machine.whole_files import whole_file

        with whole_file(path, mode=0o600) as file:
            json.dump(redaction.names, file, ensure_ascii=False, indent=1)
            file.write("\n")
    where = f"; {len(redaction.names):,} names are in {path}" if path is not None else ""
    say(f"{redaction.count:,} spans are replaced{where}")
    if redaction.alike:
        warn(f"{redaction.alike:,} places of the text looked like placeholders before, and cannot be told from them")
