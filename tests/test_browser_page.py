"""The page and the library in headless Chromium, where `.ci/install_browser` has put it and playwright."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_browser import TAG, compare, units
from test_runtime import TEXTS, fuzz_texts
from test_runtime_bytes import NGRAMS, TAGS, make_byte_tagger
from toys import script

import tagsmith
from tagsmith.runtime import load
from tagsmith.training.cards.space import stage_page

browsing = script("browser")
LINES = [
    "Angela Merkel met Barack Obama in Washington.",
    "\U0001f1e9\U0001f1f0 Margrethe \U0001f451 blev født i København.",  # two units each, and four
    "Мэр Москвы Сергей Собянин выступил в Берлине.",
    "زار باراك أوباما القاهرة أمس.",
    "東京都の小池百合子知事は大阪に行った。",
    "First line, of Lisboa.\nThe second, of e\u0301vora and Madrid.\n",
    "",
]
# The marks of the page: their label and percent, and by the text before them their offsets.
MARKS = """() => {
  const found = [];
  let start = 0;
  for (const node of document.querySelector(".tagged").childNodes) {
    const label = node.querySelector?.("small")?.textContent;
    const end = start + node.textContent.length - (label?.length ?? 0);
    if (label) found.push([label.trim().split(" ").slice(0, 2), start, end]);
    start = end;
  }
  return found;
}"""
SHOWN = """(text) => {
  const copy = document.querySelector(".tagged")?.cloneNode(true);
  copy?.querySelectorAll("small").forEach((label) => label.remove());
  return copy?.textContent === text;
}"""
CONTRAST = """(name) => {
  const style = getComputedStyle(document.querySelector(name));
  const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, place) => sum + [0.2126, 0.7152, 0.0722][place] * part, 0);
  const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browsing.CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="needs playwright"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with browsing.served() as address:
        yield f"{address}browser/"


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    """The page when it shows its first spans, in one of the two modes; nothing may be in its console."""
    context = browser.new_context(color_scheme=request.param)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".tagged")
    yield page
    assert said == []
    context.close()


def test_spans_are_those_of_python(page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for text, expected in zip(LINES, tagsmith.pipeline()(LINES), strict=True):
        page.get_by_label("Text", exact=True).fill(text)
        page.wait_for_function(SHOWN, arg=text)
        found = page.evaluate(MARKS)
        wanted = units(text, expected)
        assert [(label, start, end) for (label, _), start, end in found] == [
            (span["entity_group"], span["start"], span["end"]) for span in wanted
        ]
        assert [float(percent) for (_, percent), _, _ in found] == pytest.approx(
            [100 * span["score"] for span in wanted], abs=0.6
        )
        assert page.get_by_role("status").inner_text().startswith(f"Spans: {len(wanted)}, ")
    assert asked == []  # the text stays where it is


def test_by_keyboard_alone(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Grace Hopper went to Lisboa.")
    page.wait_for_function(SHOWN, arg="Grace Hopper went to Lisboa.")
    page.keyboard.press("Backspace")
    page.wait_for_function(SHOWN, arg="Grace Hopper went to Lisboa")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "text"  # Tab leaves the field


def test_what_a_screen_reader_says(page: Any) -> None:
    tree = page.locator("body").aria_snapshot()
    assert '- heading "Tag text" [level=1]' in tree
    assert '- textbox "Text": Angela Merkel and' in tree
    assert "- status: " in tree and '- region "Spans"' in tree and "- mark: " in tree
    assert page.evaluate("document.documentElement.lang") == "en"


def test_text_can_be_read_in_either_mode(page: Any) -> None:
    assert min(page.evaluate(CONTRAST, name) for name in ("mark", "textarea")) >= 4.5  # level AA of WCAG


def test_a_tagger_that_is_not_there_is_named(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}?tagger=../nowhere/")
    page.get_by_text("The tagger cannot be loaded").wait_for()
    assert "was not found at" in page.get_by_role("status").inner_text()
    page.close()


def test_the_page_as_a_folder_of_its_own(browser: Any, tmp_path: Path) -> None:
    stage_page(Path(tagsmith.DEFAULT_TAGGER), tmp_path / "page")
    page = browser.new_page()
    with browsing.served(tmp_path / "page") as address:
        page.goto(address)
        page.wait_for_selector("mark")
        assert page.locator("mark").first.inner_text().startswith("Angela Merkel")
    page.close()


def in_page(page: Any, library: str, folder: str, texts: list[str]) -> Any:
    """The answer of `TAG` of a tagger at an address."""
    code = f"async ([library, one]) => {{ const read = (folder) => folder; {TAG} return await answer(one); }}"
    return page.evaluate(code, [library.rstrip("/"), [folder, texts]])


def test_conformance_texts(browser: Any, address: str) -> None:
    """Words, ids, spans and scores of texts of all scripts."""
    texts = [*TEXTS, *fuzz_texts(2000, 11)]
    page = browser.new_page()
    page.goto(address)
    answer = in_page(page, address, "../model_cards/ner-multilingual/", texts)
    page.close()
    assert compare(Path(tagsmith.DEFAULT_TAGGER), texts, answer) > 1000


@pytest.mark.parametrize("decode", [TAGS, {"attention": True}], ids=["tags", "spans"])
def test_a_tagger_of_bytes(browser: Any, tmp_path: Path, decode: dict[str, Any]) -> None:
    """On the page, and of texts of all scripts."""
    tagger = make_byte_tagger(tmp_path / "tagger", encoder="bidirectional", **decode, **NGRAMS)
    stage_page(tagger, tmp_path / "page")
    texts = [*TEXTS, *fuzz_texts(2000, 13)]
    page = browser.new_page()
    with browsing.served(tmp_path / "page") as address:
        page.goto(address)
        page.wait_for_selector("mark")
        page.get_by_label("Text", exact=True).fill(LINES[1])
        page.wait_for_function(SHOWN, arg=LINES[1])
        wanted = units(LINES[1], load(tagger)(LINES[1]))
        assert [(start, end) for _, start, end in page.evaluate(MARKS)] == [(s["start"], s["end"]) for s in wanted]
        answer = in_page(page, address, "tagger/", texts)
    page.close()
    assert compare(tagger, texts, answer) > 1000
