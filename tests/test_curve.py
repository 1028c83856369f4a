from __future__ import annotations

from pathlib import Path

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.precision_recall import Setting
from tagsmith.training.pictures.curve import draw_curve
from tagsmith.training.pictures.figures import check_output

pytest.importorskip("matplotlib")

SETTINGS = [Setting(0.0, 0.0, 0.5, 1.0, 0.67), Setting(0.0, 0.5, 1.0, 0.5, 0.67)]


@pytest.mark.parametrize("name", ["results.csv", "results.png"])
def test_what_is_there_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"{name}: there is such a file already.*--overwrite"):
        draw_curve(SETTINGS, tmp_path / "results.png")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "a,b\n1,2\n"


def test_unless_that_is_asked_for(tmp_path: Path) -> None:
    assert draw_curve(SETTINGS, tmp_path / "curve.png") == tmp_path / "curve.csv"
    (tmp_path / "curve.png").chmod(0o600)
    draw_curve(SETTINGS[:1], tmp_path / "curve.png", overwrite=True)
    assert (tmp_path / "curve.png").stat().st_mode & 0o777 == 0o600
    lines = (tmp_path / "curve.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("recall_bias,min_score") and len(lines) == 2


def test_what_is_read_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("a\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"words\.csv: .* would overwrite this file, which is read"):
        check_output(tmp_path / "words.svg", overwrite=True, read=[tmp_path / "words.csv"])


def test_a_picture_that_fails_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    draw_curve(SETTINGS, tmp_path / "curve.png")
    old = (tmp_path / "curve.png").read_bytes()

    def full(self: Figure, path: Path, **kwargs: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(InputError, match="No space left on device"):
        draw_curve(SETTINGS, tmp_path / "curve.png", overwrite=True)
    assert (tmp_path / "curve.png").read_bytes() == old
    assert {path.name for path in tmp_path.iterdir()} == {"curve.png", "curve.csv"}
