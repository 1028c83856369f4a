"""Tagged documents as JSON lines, CoNLL columns, terminal text and HTML."""

from __future__ import annotations

import colorsys
import io
import json
import re
from html.parser import HTMLParser
from itertools import islice, pairwise
from types import GeneratorType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tagsmith.training.tagging.rendering import html_page, to_conll, to_jsonl, to_rich


def entity(text: str, word: str, label: str, score: float = 0.9876) -> dict[str, Any]:
    start = text.index(word)
    return {"entity_group": label, "score": score, "word": word, "start": start, "end": start + len(word)}


BERLIN = "Ann met <b>Ümit</b> in Berlin."
ENTITIES = [entity(BERLIN, "Ann", "PER"), entity(BERLIN, "Ümit", "PER"), entity(BERLIN, "Berlin", "LOC")]


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[dict[str, Any]]]:
    text = draw(st.text(max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    entities = []
    for start, end in pairwise(cuts):
        if draw(st.booleans()):
            label = draw(st.text(min_size=1, max_size=4))
            entities.append({"entity_group": label, "score": 0.5, "word": text[start:end], "start": start, "end": end})
    return text, entities


class Page(HTMLParser):
    """Collects each article's text, its marks and labels, and checks that elements nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.labels: list[str] = []
        self.marks: list[dict[str, str | None]] = []
        self.directions: list[str | None] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "meta":
            return
        self.open.append(tag)
        if tag == "article":
            self.texts.append("")
            self.directions.append(dict(attrs)["dir"])
        elif tag == "mark":
            self.marks.append(dict(attrs))
        elif tag == "bdi":
            self.labels.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "bdi" in self.open:
            self.labels[-1] += data
        elif "article" in self.open:
            self.texts[-1] += data


def render(*given_documents: tuple[str, list[dict[str, Any]]], title: str = "Tagged") -> str:
    return "".join(html_page(given_documents, title))


class TestJsonLines:
    def test_one_line_with_everything(self) -> None:
        text = "Zoë\nin\u2028Köln \U0001f600"
        line = to_jsonl(text, [entity(text, "Köln", "LOC")])
        assert line.count("\n") == 1 and line.endswith("\n")
        assert "Köln" in line and "\U0001f600" in line
        assert json.loads(line) == {"text": text, "entities": [entity(text, "Köln", "LOC")]}

    def test_numpy_scores(self) -> None:
        line = to_jsonl("Ann", [entity("Ann", "Ann", "PER", np.float32(0.5))])
        assert json.loads(line)["entities"][0]["score"] == 0.5

    def test_empty_document(self) -> None:
        assert json.loads(to_jsonl("", [])) == {"text": "", "entities": []}


class TestConll:
    WORDS = (("Ann", 0, 3), ("met", 4, 7), ("Ümit", 8, 12), ("Bey", 13, 16))

    def test_columns(self) -> None:
        text = "Ann met Ümit Bey"
        entities = [entity(text, "Ann", "PER"), entity(text, "Ümit Bey", "PER")]
        assert to_conll(self.WORDS, entities) == "Ann\tB-PER\nmet\tO\nÜmit\tB-PER\nBey\tI-PER\n\n"

    def test_neighbours_of_one_label_stay_apart(self) -> None:
        text = "Ann met"
        entities = [entity(text, "Ann", "X"), entity(text, "met", "X")]
        assert to_conll(self.WORDS[:2], entities) == "Ann\tB-X\nmet\tB-X\n\n"

    def test_parts_of_speech(self) -> None:
        text = "Ann met"
        entities = [entity(text, "Ann", "PROPN"), entity(text, "met", "VERB")]
        assert to_conll(self.WORDS[:2], entities, "plain") == "Ann\tPROPN\nmet\tVERB\n\n"

    def test_empty_document(self) -> None:
        assert to_conll([], []) == "\n"

    def test_entity_inside_a_word(self) -> None:
        with pytest.raises(ValueError, match="does not begin and end where words do"):
            to_conll(self.WORDS, [entity("Ann met", "nn", "PER")])

    @pytest.mark.parametrize("word", ["", "a\tb", "a\nb"])
    def test_word_that_breaks_columns(self, word: str) -> None:
        with pytest.raises(ValueError, match="cannot stand in a column"):
            to_conll([(word, 0, len(word))], [])


class TestTerminal:
    def test_readable_without_colour(self) -> None:
        out = io.StringIO()
        Console(file=out, no_color=True, width=200).print(to_rich(BERLIN, ENTITIES))
        assert out.getvalue() == "[Ann PER] met <b>[Ümit PER]</b> in [Berlin LOC].\n"

    def test_colour_follows_the_label(self) -> None:
        spans = to_rich(BERLIN, ENTITIES).spans
        by_label = {
            label: {span.style.bgcolor.name for span in spans[3 * number : 3 * number + 3]}  # type: ignore[union-attr]
            for number, label in enumerate(["PER", "PER again", "LOC"])
        }
        assert by_label["PER"] == by_label["PER again"] != by_label["LOC"]

    def test_sixteen_colours(self) -> None:
        """Black on a colour of the terminal's own that is not dark; the usual labels differ."""
        for labels in ("PER LOC ORG MISC", "NP VP PP ADVP SBAR ADJP PRT"):
            out = io.StringIO()
            console = Console(file=out, force_terminal=True, color_system="standard", width=200)
            for label in labels.split():
                console.print(to_rich("Ann", [entity("Ann", "Ann", label)], sixteen=True))
            codes = re.findall(r"\x1b\[30;(\d+)m", out.getvalue())
            assert len(set(codes)) == len(labels.split())
            assert not {"40", "41", "44", "100"} & set(codes)

    def test_markup_in_text_is_text(self) -> None:
        assert to_rich("[red]x[/red]", []).plain == "[red]x[/red]"

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        text = "a\x1b[31mb\r\nc\td\x7f\x9b"
        assert to_rich(text, []).plain == "a\u241b[31mb\u240d\nc\td\u2421\ufffd"

    def test_empty_document(self) -> None:
        assert to_rich("", []).plain == ""


class TestHtml:
    @settings(max_examples=100, deadline=None)
    @given(st.lists(documents(), max_size=3), st.text(max_size=10))
    def test_text_content_is_the_input(self, given_documents: list[Any], title: str) -> None:
        page = Page(render(*given_documents, title=title))
        assert page.texts == [text.replace("\0", "\ufffd") for text, _ in given_documents]
        labels = [entity["entity_group"] for _, entities in given_documents for entity in entities]
        assert page.labels == [label.replace("\0", "\ufffd") for label in labels]
        assert set(page.directions) <= {"auto"}

    def test_escaping(self) -> None:
        bad = "<script>alert('1')</script>\"&amp;"
        source = render((bad, [entity(bad, bad, bad)]), title=bad)
        page = Page(source)
        assert "<script" not in source
        assert page.tags == {"html", "head", "meta", "title", "style", "body", "h1", "article", "mark", "bdi"}
        assert page.texts == [bad] and page.labels == [bad]
        assert page.marks[0]["title"] == f"{bad} 0.988" and set(page.marks[0]) == {"style", "title"}

    def test_scripts_and_lines(self) -> None:
        text = "קראתי על ירושלים\r\nو القاهرة \U0001f469\u200d\U0001f680 e\u0301\r\n\n  x"
        page = Page(render((text, [entity(text, "ירושלים", "LOC"), entity(text, "القاهرة", "LOC")])))
        assert page.texts == [text] and page.labels == ["LOC", "LOC"]

    def test_self_contained(self) -> None:
        source = render((BERLIN, ENTITIES), ("", []))
        assert source.startswith("<!DOCTYPE html>") and Page(source).texts == [BERLIN, ""]
        assert not re.search(r"https?:|src=|href=|@import|url\(", source)

    def test_streams(self) -> None:
        def endless() -> Any:
            while True:
                yield BERLIN, ENTITIES

        pieces = html_page(endless(), "Tagged")
        assert isinstance(pieces, GeneratorType)
        assert "".join(islice(pieces, 200)).count("<article") > 2

    def test_usual_labels_have_their_own_colours(self) -> None:
        for labels in ("PER LOC ORG MISC", "PER LOC ORG PRO EVENT DATE", "NP VP PP ADVP SBAR ADJP PRT"):
            marks = Page(render(*((label, [entity(label, label, label)]) for label in labels.split()))).marks
            assert len({mark["style"] for mark in marks}) == len(labels.split())

    def test_contrast(self) -> None:
        """WCAG's AA asks for 4.5 between text and background; both are read from the page itself."""
        styles = re.findall(r"color: (#\w+); background: hsl\(var\(--hue\) (\d+)% (\d+)%\)", render())
        assert len(styles) == 2
        for colour, saturation, lightness in styles:
            ink = _luminance(*(int(digit * 2, 16) / 255 for digit in colour[1:]))
            for hue in range(0, 360, 30):
                paper = _luminance(*colorsys.hls_to_rgb(hue / 360, int(lightness) / 100, int(saturation) / 100))
                assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 4.5


def _luminance(*rgb: float) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("renderer", [to_jsonl, to_rich, lambda text, entities: render((text, entities))])
@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(0, 3), (2, 5)], "overlaps"),
        ([(4, 6), (0, 3)], "out of order"),
        ([(2, 2)], "empty"),
        ([(-3, 2)], "overlaps|out of order"),
        ([(4, 99)], "not what the text"),
    ],
)
def test_bad_entities(renderer: Any, places: list[tuple[int, int]], message: str) -> None:
    text = "abcdef"
    entities = [
        {"entity_group": "X", "score": 1.0, "word": text[start:end], "start": start, "end": end}
        for start, end in places
    ]
    with pytest.raises(ValueError, match=message):
        renderer(text, entities)


def test_word_that_is_not_the_text() -> None:
    with pytest.raises(ValueError, match=r"PER 'Bob' at characters 0 to 3 is not what"):
        to_jsonl("Ann", [{"entity_group": "PER", "score": 1.0, "word": "Bob", "start": 0, "end": 3}])
