"""What the page in a browser takes, in headless Chromium: from its address to the first spans, and texts of 500 words.

    bash .ci/install_browser
    python benchmarks/browser.py [--loads 5] [--texts 20]
    python benchmarks/browser.py --picture docs/pictures/browser.png

Texts are of the bundled sample, eight languages, a line each. Times are wall time in the page in milliseconds, medians
but where it says first; a busy machine raises all of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Annotated, Any

import typer

import tagsmith
from tagsmith.training.data.sample import sample_files

ROOT = Path(tagsmith.__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_WORDS = 500
# When the first spans show, counted from the beginning of the load.
_FIRST = """
new MutationObserver(() => {
  if (!globalThis.first && document.querySelector(".tagged")) globalThis.first = performance.now();
}).observe(document, { childList: true, subtree: true });
"""
_TAG = """async (texts) => {
  const { Tagger } = await import("./tagsmith.js");
  const tagger = await Tagger.load("../model_cards/ner-multilingual/");
  const time = (text) => { const begin = performance.now(); tagger.tag(text); return performance.now() - begin; };
  return [texts.map(time), texts.map(time)];
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path = ROOT) -> Iterator[str]:
    """The address of a folder on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def chromium() -> Iterator[Any]:
    """Playwright's `Browser`, of the Chromium that is installed on this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


def sample_texts(count: int, new: bool) -> list[str]:
    """Lines of 500 words of the bundled sample as they follow each other there, or with none that was there before."""
    rows = (row.split("\t") for row in sample_files()["train"].read_text(encoding="utf-8").splitlines())
    words = [row[1] for row in rows if len(row) > 1]
    if new:
        words = list(dict.fromkeys(words))
    return [" ".join(words[at : at + _WORDS]) for at in range(0, len(words) - _WORDS, _WORDS)][:count]


def first_spans(browser: Any, address: str) -> float:
    """Milliseconds from a page's address to its first spans, with nothing in a cache."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(_FIRST)
    page.goto(address)
    page.wait_for_function("globalThis.first")
    taken: float = page.evaluate("globalThis.first")
    context.close()
    return taken


def take_picture(browser: Any, address: str, picture: Path) -> None:
    """Write what the page shows first as a PNG."""
    page = browser.new_page(viewport={"width": 760, "height": 640})
    page.goto(address)
    page.wait_for_selector(".tagged")
    page.screenshot(path=picture)


def main(
    loads: Annotated[int, typer.Option(help="How often the page is loaded.")] = 5,
    texts: Annotated[int, typer.Option(help="How many texts of 500 words are tagged.")] = 20,
    picture: Annotated[Path | None, typer.Option(help="Write a picture of the page there, and nothing else.")] = None,
) -> None:
    """Print the times in milliseconds."""
    with served() as address, chromium() as browser:
        if picture is not None:
            take_picture(browser, address + "browser/", picture)
            return
        print(f"Chromium {browser.version}")
        print(f"{median(first_spans(browser, address + 'browser/') for _ in range(loads)):8.0f}  load to first spans")
        page = browser.new_page()
        page.goto(address + "browser/")
        page.wait_for_selector(".tagged")
        running, known = page.evaluate(_TAG, sample_texts(texts, new=False))
        new, _ = page.evaluate(_TAG, sample_texts(texts, new=True))
    print(f"{new[0]:8.0f}  the first text of {_WORDS} words, all new")
    print(f"{median(new[1:]):8.0f}  another of {_WORDS} words, all new")
    print(f"{median(running[1:]):8.0f}  another of running text, some of whose words were in texts before it")
    print(f"{median(known):8.0f}  a text that was tagged before")


if __name__ == "__main__":
    typer.run(main)
