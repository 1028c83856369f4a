"""The command `tagsmith push`: a trained tagger on the Hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tagsmith.training.commands.command_options import prepare_torch, say

if TYPE_CHECKING:
    from tagsmith.training.cards.publish import Publication


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a trained tagger.")],
    repo_id: Annotated[str, typer.Argument(help="Repository on the Hub: owner/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch, made where it is missing; main by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    keep_readme: Annotated[
        bool, typer.Option("--keep-readme", help="Send README.md as it is, with the paths and secrets in it.")
    ] = False,
    space: Annotated[
        str | None, typer.Option(help="A static Space, owner/name, that gets the page in a browser with this tagger.")
    ] = None,
) -> None:
    """Publish a tagger: in one commit, with its code, and nothing else of the folder."""
    from huggingface_hub.utils import disable_progress_bars, logging

    from tagsmith.training.cards.publish import left_by_trainers, publish_tagger, revoke_advice

    prepare_torch(1)
    disable_progress_bars()
    logging.set_verbosity_error()
    publication = publish_tagger(
        folder, repo_id, private=private, revision=revision, dry_run=dry_run, keep_readme=keep_readme, space=space
    )
    if publication.private_values:
        say(f"not published: {', '.join(publication.private_values)}; of a path only the file's name")
    if publication.removed:
        say(f"of an earlier tagger, and removed: {', '.join(publication.removed)}")
    if left := left_by_trainers(publication.removed):
        say(revoke_advice(repo_id, left), style="yellow")
    for part in filter(None, (publication, publication.space)):
        _report(part)


def _report(publication: Publication) -> None:
    """Say what was sent, or would be, and write where it is."""
    total = f"{len(publication.sizes)} files, {sum(publication.sizes.values()):,} bytes"
    if publication.url is None:
        for name, size in publication.sizes.items():
            sys.stdout.write(f"{size:12,}  {name}\n")
        say(f"{total}; nothing was sent")
        return
    say(total if publication.changed else "everything was there already; there is no new commit")
    sys.stdout.write(f"{publication.url}\n")
