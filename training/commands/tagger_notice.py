"""What `tagsmith tag` says on standard error: which tagger tags, and texts that it does not know."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.tagging.familiarity import Familiarity
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

RESULTS_FILE = "results.json"  # as `Results` has it


def with_notice(
    tagger: Any,
    folder: str,
    texts: Iterable[str | None],
    say: Callable[[str], Any],
    warn: Callable[[str], Any],
) -> Iterator[str | None]:
    """Say which tagger it is, if its folder tells its languages, and look at the texts on their way to it.

    It is said with the first text, so that input which cannot be read is one line. Of `results.json` the fields are
    read as they stand: `Results`, which checks all of them, takes a third of the time of a cold start.

    Args:
        tagger: a pipeline.
        folder: of the tagger, or its name on the Hub, of which nothing is said.
        texts: that are to be tagged; they come out as they are.
        say: gets what is said in any case.
        warn: gets what is said of texts that the tagger does not know.

    Raises:
        InputError: the folder's results cannot be read.
    """
    path = os.path.join(folder, RESULTS_FILE)
    results = read_json(path) if os.path.isfile(path) else {}
    languages, letters, most_unknown = (results.get(n) for n in ("languages", "letters", "most_unknown_words"))
    if not isinstance(most_unknown, int | float):
        most_unknown = None
    if not isinstance(letters, dict):
        letters = None

    def announced() -> Iterator[str | None]:
        for number, text in enumerate(texts):
            if not number and isinstance(languages, dict):
                say(notice(folder, languages))
            yield text

    return Familiarity(tagger.tokenizer, most_unknown, warn, letters).watch(announced())


def notice(folder: str, languages: dict[str, dict[str, float]]) -> str:
    """One line of a tagger: its name, how many languages it was trained for, and where they stand."""
    name, where = os.path.basename(os.path.abspath(folder)), f"in its {RESULTS_FILE}"
    if os.path.realpath(folder) == os.path.realpath(DEFAULT_TAGGER):
        name, where = f"{name}, which comes with tagsmith", "see tagsmith models"
    count = sum(len(languages.get(kind, {})) for kind in ("gold", "weak"))
    return f"tagger: {name}; {count} language{'' if count == 1 else 's'}, {where}"


def print_line(line: str) -> None:
    """A line on standard error, without the libraries that draw; nowhere where the shell has closed it."""
    if sys.stderr is not None:
        sys.stderr.write(line + "\n")


def print_warning(line: str) -> None:
    """The same, as a warning."""
    print_line(f"warning: {line}")
