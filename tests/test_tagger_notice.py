"""Which tagger `tagsmith tag` names on standard error, and when it says that a text is not for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toys import tagsmith

import tagsmith as package
from tagsmith.training.cards.results import Results
from tagsmith.training.commands import tagger_notice

TEXT = "Angela Merkel met Barack Obama.\n"
GREEK = "Ο Αλέξης Τσίπρας μίλησε χθες στην Αθήνα.\n"
LANGUAGES = {"gold": {"sv": 0.794, "en": 0.691}, "weak": {"fr": 0.5}, "untrained": {"es": 0.487}}


def test_the_line() -> None:
    said = "trained for en 69 sv 79; on little or old text for fr 50; not trained for, but tried: es 49 (dev F1)"
    assert tagger_notice.notice("some/mine", LANGUAGES) == f"tagger: mine; {said}"
    bundled = tagger_notice.notice(package.DEFAULT_TAGGER, {"gold": {"en": 0.7}})
    assert bundled == "tagger: ner-multilingual, which comes with tagsmith; trained for en 70 (dev F1)"


def test_a_folder_that_tells_its_languages_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    assert tagsmith("tag", tiny_folder, "-", stdin=b"it rains\n").err == ""
    folder = tmp_path / "mine"
    shutil.copytree(tiny_folder, folder)
    results = Results.read(folder)
    results.languages, results.most_unknown_words = LANGUAGES, 0.5
    results.write(folder)
    assert Results.read(folder) == results
    outcome = tagsmith("tag", folder, "-", stdin=b"it rains\n")
    assert outcome.err.startswith("tagger: mine; trained for en 69 sv 79") and outcome.out == "it rains\n"
    assert tagsmith("tag", folder, "-", "--quiet", stdin=b"it rains\n").err == ""


@pytest.mark.parametrize("options", [[], ["--format", "jsonl"]])
def test_the_bundled_tagger_says_what_it_does_not_know(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "greek.txt").write_text(TEXT + GREEK * 2, encoding="utf-8")
    command = [sys.executable, "-m", "tagsmith", "tag", "greek.txt", *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path, check=True)
    assert done.stdout.count("\n") == 3
    assert done.stderr.count("tagger: ner-multilingual, which comes with tagsmith") == 1
    assert done.stderr.count("warning: part of the text is written in Greek") == 1


def test_nothing_is_said_where_standard_error_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    tagger_notice.print_warning("x")
