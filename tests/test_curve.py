from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.precision_recall import Setting
from tagsmith.training.pictures.curve import check_table, draw_curve

SETTINGS = [Setting(0.0, 0.0, 0.5, 1.0, 0.67), Setting(0.0, 0.5, 1.0, 0.5, 0.67)]


def test_a_strangers_table_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"results\.csv: this file is not a curve's"):
        draw_curve(SETTINGS, tmp_path / "results.png")
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]


def test_its_own_is(tmp_path: Path) -> None:
    for _ in range(2):
        assert draw_curve(SETTINGS, tmp_path / "curve.png") == check_table(tmp_path / "curve.png")
    assert (tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()[0].startswith("recall_bias,min_score")
