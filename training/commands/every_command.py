"""What every command has: `--quiet` and `--verbose`, and a quiet end where the reader of its output has left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, get_type_hints

import typer

from tagsmith.training.commands.command_options import messages, set_loudness
from tagsmith.training.commands.streams import quiet_end

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but warnings and errors.", show_default=False)]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Say more: the libraries' messages, where an error comes from."),
]


def for_every_command(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all have; its reader may leave early (`| head`)."""

    @wraps(command)
    def with_loudness(*args: Any, quiet: bool = False, verbose: bool = False, **kwargs: Any) -> None:
        # Either may stand before the command's name too.
        set_loudness(quiet or messages.silent, verbose or messages.verbose)
        with quiet_end():
            command(*args, **kwargs)

    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=hint)
        for name, hint in (("quiet", Quiet), ("verbose", Verbose))
    ]
    return with_parameters(with_loudness, command, options)


def with_parameters(
    wrapper: Callable[..., None], command: Callable[..., None], options: Sequence[Parameter], without: str = ""
) -> Callable[..., None]:
    """Declare a wrapper's parameters, from which typer makes options: those of its command, and more.

    Args:
        wrapper: what is called.
        command: what it wraps.
        options: keyword parameters that the command does not have.
        without: a parameter that the wrapper gives the command.
    """
    hints = get_type_hints(command, include_extras=True)
    hints.pop(without, None)
    parameters = [
        own.replace(annotation=hints[own.name], kind=Parameter.KEYWORD_ONLY)
        for own in signature(command).parameters.values()
        if own.name != without
    ]
    wrapper.__signature__ = signature(command).replace(  # type: ignore[attr-defined]
        parameters=[*parameters, *options], return_annotation=None
    )
    wrapper.__annotations__ = {**hints, **{option.name: option.annotation for option in options}}
    return wrapper
