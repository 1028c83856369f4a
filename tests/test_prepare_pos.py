"""The script that makes treebanks ready for the tagger of parts of speech."""

from __future__ import annotations

from pathlib import Path

from toys import script


def test_tags_are_those_of_the_second_version(tmp_path: Path) -> None:
    prepare = script("prepare_pos")
    for language in prepare.TREEBANKS:
        (tmp_path / "pos" / language).mkdir(parents=True)
        for name in ("train.tsv", "dev.tsv"):
            (tmp_path / "pos" / language / name).write_text("og\tCONJ\nCONJ\tX\n\nja\tCCONJ\n", encoding="utf-8")
    prepare.main(tmp_path, tmp_path / "out")
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.glob("out/*/*"))
    assert made == sorted(f"{language}/{name}" for language in prepare.TREEBANKS for name in ("train.tsv", "dev.tsv"))
    text = (tmp_path / "out" / "da" / "dev.tsv").read_text(encoding="utf-8")
    assert text == "og\tCCONJ\nCONJ\tX\n\nja\tCCONJ\n"
