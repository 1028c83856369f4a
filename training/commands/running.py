"""The command `tagsmith` without its commands: the options that stand before a command's name."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tagsmith.training.commands.command_options import set_loudness
from tagsmith.training.commands.every_command import Quiet, Verbose


def _say_version(asked: bool) -> None:
    if asked:
        from tagsmith import __version__

        sys.stdout.write(f"tagsmith {__version__}\n")
        raise typer.Exit


def new_app() -> typer.Typer:
    """The command `tagsmith`, still without commands of its own."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(before_every_command)
    return app


def before_every_command(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compact sequence taggers from scratch: train them, score them, tag text with them."""
    set_loudness(quiet, verbose)
