"""The tables of the benchmarks' page as JSON."""

from __future__ import annotations

import json
import sys

from documents import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import figures as script


def test_a_table() -> None:
    table = "| | words/s |\n|---|---|\n| `ner` | **9,000** |\n| a \\| b | |\n"
    page = f"# Speed\n\nOn two cores,\none thread:\n\n{table}\nMore.\n"
    assert script.tables(page) == [
        {
            "heading": "Speed",
            "text": "On two cores, one thread:",
            "columns": ["", "words/s"],
            "rows": [["ner", "9,000"], ["a \\| b", ""]],
        }
    ]


def test_the_file_has_what_the_page_has() -> None:
    expected = script.tables(script.PAGE.read_text(encoding="utf-8"))
    assert json.loads(script.FIGURES.read_text(encoding="utf-8")) == expected, "Run python benchmarks/figures.py."
