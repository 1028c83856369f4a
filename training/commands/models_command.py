"""The command `tagsmith models`: the taggers on this machine, and what each is good for."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tagsmith.training.cards.known_taggers import KnownTagger

_TRAINED_ON = {
    "gold": "trained for",
    "weak": "on little, old or automatic annotation for",
    "untrained": "not trained for, but tried",
}


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Write a JSON list.")] = False,
) -> None:
    """List the taggers on this machine, the bundled one and those of the Hub's cache: size, languages, scores."""
    from tagsmith.training.cards.known_taggers import known_taggers

    taggers = known_taggers()
    if as_json:
        sys.stdout.write(json.dumps([asdict(tagger) for tagger in taggers], ensure_ascii=False, indent=2) + "\n")
        return
    for tagger in taggers:
        sys.stdout.write(_said(tagger) + "\n")


def _said(tagger: KnownTagger) -> str:
    lines = [f"{tagger.name} ({tagger.family}, {tagger.bytes / 1e6:,.1f} MB, {tagger.license or 'no licence stated'})"]
    lines.append(f"  labels: {', '.join(tagger.labels)}")
    for kind, codes in tagger.trained_on.items():
        lines.append(f"  {_TRAINED_ON.get(kind, kind)}: {' '.join(codes)}")
    if tagger.languages and not tagger.trained_on:
        lines.append(f"  languages: {' '.join(tagger.languages)}")
    for split, scores in tagger.scores.items():
        figures = [f"{name} {score:.2f}".strip() for name, score in scores.items()]
        lines.append(f"  {split}: {', '.join(figures)}")
    return "\n".join(lines)
