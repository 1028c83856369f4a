"""The command line's options for reading annotated files: every command that reads such files takes the same ones."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from tagsmith.training.commands.every_command import with_parameters
from tagsmith.training.data.offsets import KINDS
from tagsmith.training.data.reading_options import FORMATS, ReadingOptions


class OnError(StrEnum):
    """What a reader does with tags that a scheme forbids though their reading is clear."""

    convert = "convert"
    raise_ = "raise"


class Separator(StrEnum):
    """What stands between the columns of a file."""

    auto = "auto"
    tab = "tab"
    whitespace = "whitespace"
    comma = "comma"
    semicolon = "semicolon"
    pipe = "pipe"


# The type and help of each option, by its field of `ReadingOptions`; a field without an option is not listed.
OPTIONS: dict[str, Any] = {
    "tag_column": Annotated[
        str | None, typer.Option(help="Column of the tags: a number from 0, from the end if negative, or a name.")
    ],
    "word_column": Annotated[
        str | None, typer.Option(help="Column of the words: a number from 0, from the end if negative, or a name.")
    ],
    "file_format": Annotated[
        str, typer.Option(help=f"Format of the files: auto, {', '.join(FORMATS)}.", show_default=True)
    ],
    "tag_names": Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Names of tags that are numbers: one a line, that of 0 first; a JSON list; or a config.json.",
        ),
    ],
    "separator": Annotated[Separator, typer.Option(help="What stands between columns.")],
    "map": Annotated[
        str | None,
        typer.Option(
            metavar="OLD=NEW,...",
            help="Read labels under other names: PERSON=PER,OTH= (an empty one drops the label), or the path of a "
            "YAML file with OLD: NEW on each line.",
        ),
    ],
    "offsets": Annotated[
        str, typer.Option(help=f"What the spans of JSON lines count: {', '.join(KINDS)}.", show_default=True)
    ],
    "inside_words": Annotated[
        bool, typer.Option("--inside-words", help="Read files where over a tenth of the spans cut words.")
    ],
    "encoding": Annotated[str, typer.Option(help="Encoding of the files.")],
    "scheme": Annotated[
        str,
        typer.Option(
            help="Tag scheme: auto, IOB1, IOB2, BIOES, BILOU, IO (bare labels such as PER, and O) or plain (a tag for "
            "each word)."
        ),
    ],
    "outside": Annotated[str, typer.Option(help="How words outside spans are tagged, where that is not O.")],
    "untyped_label": Annotated[str, typer.Option(help="Label of the spans where tags are B, I and O alone.")],
    "sentence_end": Annotated[
        str,
        typer.Option(
            help="Words that end a sentence, such as '. ! ?', or auto for the marks of many scripts: where no blank "
            "lines do."
        ),
    ],
    "on_error": Annotated[
        OnError, typer.Option(help="Tags that break their scheme but can be read: convert and report them, or raise.")
    ],
}


def reads_annotated_files(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `OPTIONS`; it gets them together, as its argument `reading`.

    An option that the command declares itself is its own affair.
    """
    declared = signature(command).parameters
    names = [name for name in OPTIONS if name not in declared]
    defaults = {name: getattr(ReadingOptions(), name) for name in names}

    @wraps(command)
    def with_reading(*args: Any, **kwargs: Any) -> None:
        chosen = {name: kwargs.pop(name, defaults[name]) for name in names}
        command(*args, reading=ReadingOptions(**chosen), **kwargs)

    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=defaults[name], annotation=OPTIONS[name]) for name in names
    ]
    return with_parameters(with_reading, command, options, without="reading")
