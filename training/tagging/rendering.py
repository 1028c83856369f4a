"""Tagged documents as JSON lines, CoNLL columns, coloured terminal text and a page of HTML.

A document is a text and its entities as the pipelines give them: dicts with `entity_group`, `score`, `word`, `start`
and `end`, in order and without overlap, where `text[start:end] == word`. Offsets count characters, end exclusive.
Anything else is a ValueError: a tagged text must never show a span where it is not.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.style import Style
from rich.text import Text

from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags

if TYPE_CHECKING:
    from jinja2 import Environment

Entity = Mapping[str, Any]

_TEMPLATES = "tagsmith.training.tagging"

# One hue in degrees for each colour of the page, and the terminal's background that is nearest to it.
_HUES = tuple(range(0, 360, 30))
_TERMINAL_COLOURS = (
    "#ffb3b3",
    "#ffd9b3",
    "#ffffb3",
    "#d9ffb3",
    "#b3ffb3",
    "#b3ffd9",
    "#b3ffff",
    "#b3d9ff",
    "#b3b3ff",
    "#d9b3ff",
    "#ffb3ff",
    "#ffb3d9",
)
# The same where a terminal has 16: those of them on which black can be read.
_SIXTEEN_COLOURS = (
    "bright_red",
    "yellow",
    "bright_yellow",
    "green",
    "bright_green",
    "cyan",
    "bright_cyan",
    "bright_blue",
    "white",
    "magenta",
    "bright_magenta",
    "bright_white",
)

_BOLD = Style(bold=True)

# The start value of the checksum that picks a label's colour: with this one the labels of the CoNLL and Universal NER
# sets and of CoNLL-2000 chunks do not share a colour.
_CHECKSUM_START = 15697

# A terminal obeys control characters, and the text is anybody's: they are shown as the pictures Unicode has for them.
_VISIBLE_CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def to_jsonl(text: str, entities: Sequence[Entity] | Mapping[str, Sequence[Entity]]) -> str:
    """One document as one line of JSON: `text`, and `entities` with the five keys of the pipelines.

    Args:
        text: the document's.
        entities: a list, or one for each head of a tagger; so they are written.

    Raises:
        ValueError: entities that overlap, are out of order or do not fit the text.
    """
    if isinstance(entities, Mapping):
        written: Any = {head: _plain(text, own) for head, own in entities.items()}
    else:
        written = _plain(text, entities)
    return json.dumps({"text": text, "entities": written}, ensure_ascii=False) + "\n"


def _plain(text: str, entities: Sequence[Entity]) -> list[dict[str, Any]]:
    _check(text, entities)
    return [
        {
            "entity_group": entity["entity_group"],
            "score": float(entity["score"]),  # a NumPy number is not JSON
            "word": entity["word"],
            "start": int(entity["start"]),
            "end": int(entity["end"]),
        }
        for entity in entities
    ]


def to_conll(words: Sequence[tuple[str, int, int]], entities: Sequence[Entity], scheme: str = "IOB2") -> str:
    """One sentence or document as CoNLL columns: a line of word, tab and tag for each word, then an empty line.

    Args:
        words: each word with its start and end in the text, in order.
        entities: each must begin where a word begins and end where one ends.
        scheme: of the tags; with `plain` (parts of speech) every word must be an entity.

    Raises:
        ValueError: entities that overlap, are out of order or do not begin and end with words; a word or a label that
            holds a tab or a line end, or nothing.
    """
    starts = {start: number for number, (_, start, _) in enumerate(words)}
    ends = {end: number + 1 for number, (_, _, end) in enumerate(words)}
    _check_order(entities)
    spans = []
    for entity in entities:
        first, last = starts.get(entity["start"]), ends.get(entity["end"])
        if first is None or last is None:
            raise ValueError(f"{_described(entity)} does not begin and end where words do; columns cannot hold it")
        if breaks_columns(entity["entity_group"]):
            raise ValueError(f"the label {entity['entity_group']!r} cannot stand in a column")
        spans.append(Span(first, last, entity["entity_group"]))
    for word, start, _ in words:
        if breaks_columns(word):
            raise ValueError(f"the word {word!r} at character {start} cannot stand in a column")
    tags = spans_to_tags(spans, len(words), scheme)
    return "".join(f"{word}\t{tag}\n" for (word, _, _), tag in zip(words, tags, strict=True)) + "\n"


def breaks_columns(text: str) -> bool:
    """Whether a word or a label cannot stand in a column: it would be read as several, or as none."""
    return not text or any(separator in text for separator in "\t\n\r")


def to_rich(text: str, entities: Sequence[Entity], sixteen: bool = False) -> Text:
    """One document for a terminal: each span as `[Berlin LOC]`, in its label's colour where there are colours.

    Control characters other than tab and line feed are replaced by visible ones.

    Args:
        text: the document's.
        entities: its spans.
        sixteen: the terminal has no more than 16 colours.

    Raises:
        ValueError: entities that overlap, are out of order or do not fit the text.
    """
    _check(text, entities)
    ink, colours = ("black", _SIXTEEN_COLOURS) if sixteen else ("#000000", _TERMINAL_COLOURS)
    result = Text()
    at = 0
    for entity in entities:
        result.append(_visible(text[at : entity["start"]]))
        label = entity["entity_group"]
        style = Style(color=ink, bgcolor=colours[_colour(label)])
        result.append(f"[{_visible(entity['word'])} ", style=style)
        result.append(_visible(label), style=style + _BOLD)
        result.append("]", style=style)
        at = entity["end"]
    result.append(_visible(text[at:]))
    return result


def html_page(documents: Iterable[tuple[Any, ...]], title: str) -> Iterator[str]:
    """Many documents as one self-contained page of HTML, in pieces, so that only one document is held at a time.

    Each document is an `article` whose text is the document's, with every span in a `mark` that carries its label;
    the score shows where the pointer rests. Without scripts or anything to fetch, legible in light and in dark, each
    paragraph in its own direction, empty texts as gaps. Characters that HTML cannot hold (NUL) become U+FFFD.

    Args:
        documents: texts with their entities, which need no score here, and maybe a caption to stand above each.
        title: of the page.

    Raises:
        ValueError: entities that overlap, are out of order or do not fit the text; raised when that document's turn
            comes.
    """
    shown = ((pieces(text, entities), " ".join(caption)) for text, entities, *caption in documents)
    return generate_page(_TEMPLATES, "page.html.jinja", {"documents": shown, "title": title})


def generate_page(package: str, template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """A page of HTML by a template, in pieces, as they are asked for.

    Args:
        package: where the template lies; it may import the templates of this room.
        template: its name.
        values: what it is filled with; all but markup is escaped.
    """
    for piece in _environment(package).get_template(template).generate(**values):
        # A bare carriage return would be read as a line feed, and NUL is not allowed at all.
        yield str(piece).replace("\r", "&#13;").replace("\0", "\ufffd")


@lru_cache
def _environment(package: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader  # here, for those who write no page

    loader = ChoiceLoader([PackageLoader(name, "") for name in dict.fromkeys([package, _TEMPLATES])])
    return Environment(loader=loader, autoescape=True, keep_trailing_newline=True)


def pieces(text: str, entities: Sequence[Entity]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """A document's stretches in order, each with what the page shows of its span, or None outside spans."""
    _check(text, entities)
    at = 0
    for entity in entities:
        if at < entity["start"]:
            yield text[at : entity["start"]], None
        label = entity["entity_group"]
        yield entity["word"], {"label": label, "hue": _HUES[_colour(label)], "title": _title(entity)}
        at = entity["end"]
    if at < len(text):
        yield text[at:], None


def _title(entity: Entity) -> str:
    return f"{entity['entity_group']} {entity['score']:.3f}" if "score" in entity else str(entity["entity_group"])


def _visible(text: str) -> str:
    return text.translate(_VISIBLE_CONTROLS)


def _colour(label: str) -> int:
    """A label's place among the colours, the same in every run and on every machine (unlike `hash`)."""
    return zlib.crc32(label.encode("utf-8", errors="surrogatepass"), _CHECKSUM_START) % len(_HUES)


def _check(text: str, entities: Sequence[Entity]) -> None:
    _check_order(entities)
    for entity in entities:
        if entity["end"] > len(text) or text[entity["start"] : entity["end"]] != entity["word"]:
            raise ValueError(f"{_described(entity)} is not what the text of {len(text)} characters holds there")


def _check_order(entities: Sequence[Entity]) -> None:
    at = 0
    for entity in entities:
        if entity["end"] <= entity["start"]:
            raise ValueError(f"{_described(entity)} is empty")
        if entity["start"] < at:
            raise ValueError(f"{_described(entity)} overlaps the one before it, or is out of order")
        at = entity["end"]


def _described(entity: Entity) -> str:
    return f"entity {entity['entity_group']} {entity['word']!r} at characters {entity['start']} to {entity['end']}"
