"""Which tagger `tagsmith tag` names on standard error, and when it says that a text is not for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toys import tagsmith

import tagsmith as package
from tagsmith.training.cards.results import RESULTS_FILE, Results
from tagsmith.training.commands import tagger_notice

TEXT = "Angela Merkel met Barack Obama.\n"
GREEK = "Ο Αλέξης Τσίπρας μίλησε χθες στην Αθήνα.\n"
LANGUAGES = {"gold": {"sv": 0.794, "en": 0.691}, "weak": {"fr": 0.5}, "untrained": {"es": 0.487}}


def test_the_line() -> None:
    assert tagger_notice.RESULTS_FILE == RESULTS_FILE
    assert tagger_notice.notice("some/mine", LANGUAGES) == "tagger: mine; 3 languages, in its results.json"
    assert tagger_notice.notice("mine", {"gold": {"en": 0.7}}) == "tagger: mine; 1 language, in its results.json"
    languages = Results.read(package.DEFAULT_TAGGER).languages
    bundled = tagger_notice.notice(package.DEFAULT_TAGGER, languages)
    assert bundled == "tagger: ner-multilingual, which comes with tagsmith; 33 languages, see tagsmith models"


def test_a_folder_that_tells_its_languages_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    assert tagsmith("tag", tiny_folder, "-", stdin=b"it rains\n").err == ""
    folder = tmp_path / "mine"
    shutil.copytree(tiny_folder, folder)
    results = Results.read(folder)
    results.languages, results.most_unknown_words = LANGUAGES, 0.5
    results.write(folder)
    assert Results.read(folder) == results
    outcome = tagsmith("tag", folder, "-", stdin=b"it rains\n")
    assert outcome.err == "tagger: mine; 3 languages, in its results.json\n" and outcome.out == "it rains\n"
    assert tagsmith("tag", folder, "-", "--quiet", stdin=b"it rains\n").err == ""


def test_a_tagger_of_bytes_knows_the_scripts_of_its_training_data(byte_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(byte_folder, folder)
    results = Results(letters={"LATIN": 5000, "CYRILLIC": 200})
    results.write(folder)
    outcome = tagsmith("tag", folder, "-", stdin=(TEXT + "Аня живет в Минске.\n").encode())
    assert outcome.code == 0 and outcome.err == ""
    outcome = tagsmith("tag", folder, "-", stdin=(TEXT + GREEK * 2).encode())
    assert outcome.err.count("warning: part of the text is written in Greek") == 1


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
