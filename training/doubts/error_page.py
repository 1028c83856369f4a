"""A tagger's errors, or what two taggers do otherwise, as one page of HTML that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tagsmith.tokenization.spans import Span
from tagsmith.training.doubts.errors import KINDS, Error
from tagsmith.training.evaluation.tagged_texts import TaggedText
from tagsmith.training.tagging.rendering import generate_page, pieces

_TEMPLATES = "tagsmith.training.doubts"
_CONTEXT = 120  # characters on each side of an error

GROUPS = {
    "labels": "By label",
    "lengths": "By length in words",
    "names": "Names seen in training, and others",
    "sentences": "By words of the sentence",
}


def error_page(
    result: Mapping[str, Any], examples: Sequence[tuple[str, Error]], title: str, picture: str | None = None
) -> Iterator[str]:
    """The page of `tagsmith errors`, in pieces.

    Args:
        result: of `ErrorAnalysis`.
        examples: errors, each with its place.
        title: of the page.
        picture: an SVG, where one could be drawn.
    """
    values = {
        "title": title,
        "kinds": KINDS,
        "result": result,
        "groups": {name: said for name, said in GROUPS.items() if name in result},
        "examples": (_example(place, error) for place, error in examples),
        "picture": picture,
    }
    return generate_page(_TEMPLATES, "errors.html.jinja", values)


def _example(place: str, error: Error) -> dict[str, Any]:
    first = min(span.start for span in (error.gold, error.found) if span is not None)
    last = max(span.end for span in (error.gold, error.found) if span is not None)
    start, end = max(first - _CONTEXT, 0), min(last + _CONTEXT, len(error.text))
    text = error.text[start:end]
    sides = {
        name: pieces(text, [_entity(text, span, start)] if span else [])
        for name, span in (("gold", error.gold), ("found", error.found))
    }
    return {"place": place, "kind": error.kind, "score": error.score, "sides": sides}


def comparison_page(
    comparison: Mapping[str, Any], texts: Iterable[tuple[str, TaggedText, TaggedText]], names: Sequence[str]
) -> Iterator[str]:
    """The page of `tagsmith errors --compare`: the figures, and the texts with other spans, side by side.

    Args:
        comparison: as `--json` prints it.
        texts: places, and the text as each tagger has it.
        names: of the two taggers.
    """
    rows = (
        {
            "place": place,
            "columns": [pieces(one.text, _entities(one.text, spans)) for spans in (one.gold, one.spans, other.spans)],
        }
        for place, one, other in texts
    )
    values = {"title": f"{names[0]} and {names[1]}", "comparison": comparison, "rows": rows, "names": list(names)}
    return generate_page(_TEMPLATES, "comparison.html.jinja", values)


def _entities(text: str, spans: Iterable[Span]) -> list[dict[str, Any]]:
    return [_entity(text, span, 0) for span in sorted(spans)]


def _entity(text: str, span: Span, offset: int) -> dict[str, Any]:
    start, end = span.start - offset, min(span.end - offset, len(text))  # one over a line end ends with the line
    return {"entity_group": span.label, "word": text[start:end], "start": start, "end": end}
