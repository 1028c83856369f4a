"""The script that measures what vectors cost that are not trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import script, toy_file


def test_a_row_for_each_count(tmp_path: Path, datasets_cache: None, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = script("frozen_vectors")
    made = benchmark.workloads.tagger_of
    benchmark.main(toy_file(tmp_path / "train.conll", 40, 1), "0,50", 2)
    _, _, *rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line]
    assert [row[0] for row in rows] == ["0", "50", "50 as parameters"]
    few, frozen, trained = (int(row[1].replace(",", "")) for row in rows)
    assert few == frozen == trained - 50 * 100
    assert rows[0][3] == "1.00" and benchmark.workloads.tagger_of is made
