"""Mutated corpora in a few hundred tries, and the oracle itself; `benchmarks/mutations.py` makes many thousands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toys import script
from typer.testing import CliRunner

from tagsmith.tokenization.input_error import InputError, printable
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.checks import check_files
from tagsmith.training.data.column_corpus import sentence_row
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.strict_parsing import parse_yaml


def test_mutated_corpora_are_read_as_they_say_or_refused() -> None:
    mutations = script("mutations")
    outcomes = list(mutations.run(range(250), seed=2, load_every=50))
    failed = [(number, mutant.changes, wrong) for number, mutant, _, wrong in outcomes if wrong]
    assert not failed
    assert {"refused", "read", "read, with notes"} == {outcome for *_, outcome, _ in outcomes}
    assert len({mutant.format for _, mutant, *_ in outcomes}) > 15


def mutant(content: str, **facts: Any) -> Any:
    return script("mutants").Mutant("columns", "IOB2", content=content.encode(), **facts)


@pytest.mark.parametrize(
    ("content", "change", "wrong"),
    [
        ("a\tO\nb\tB-X\n", lambda rows: rows[:1], "is lost"),
        ("a\tO\n\nb\tB-X\n", lambda rows: [*rows, rows[0]], "does not have"),
        ("a\tB-X\nb\tO\n", lambda rows: [row._replace(tokens=["a", "c"]) for row in rows], "not in"),
        ("a\tB-X\nb\tO\n", lambda rows: [row._replace(tags=["B-Y", "O"]) for row in rows], "and the file has"),
    ],
)
def test_the_oracle_sees_what_is_lost_or_changed(tmp_path: Path, content: str, change: Any, wrong: str) -> None:
    mutations, path = script("mutations"), tmp_path / "a.conll"
    path.write_text(content, encoding="utf-8")
    report = mutations.Report()
    rows = list(open_sentences(path, report=report))
    mutations._compare_columns(rows, report, mutant(content))  # as it was read
    changed = change(rows) if len(rows) > 1 or "lost" not in wrong else []
    with pytest.raises(mutations.Failure, match=wrong):
        mutations._compare_columns(changed, report, mutant(content))


def test_the_oracle_sees_what_the_report_does_not_say(tmp_path: Path) -> None:
    mutations, path, content = script("mutations"), tmp_path / "a.conll", "a\tb-x\nb\to\n# said\n"
    path.write_text(content, encoding="utf-8")
    report = mutations.Report()
    rows = list(open_sentences(path, report=report))
    mutations._compare_columns(rows, report, mutant(content))
    report.irregular.clear()
    with pytest.raises(mutations.Failure, match="another spelling"):
        mutations._compare_columns(rows, report, mutant(content))
    report.notes.clear()
    with pytest.raises(mutations.Failure, match="1 rows are lost"):
        mutations._compare_columns(rows, report, mutant(content))


def test_exceptions_and_poor_messages_are_failures() -> None:
    mutations = script("mutations")

    def raises(error: Exception) -> Any:
        def read() -> None:
            raise error

        return read

    for error, wrong in [
        (KeyError("x"), "KeyError"),
        (InputError("x"), "no fix"),
        (InputError("x " * 2000, fix="y"), "a message of"),
    ]:
        with pytest.raises(mutations.Failure, match=wrong):
            mutations._guarded(raises(error))


def test_the_script_counts_and_keeps_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mutations = script("mutations")
    app = mutations.typer.Typer()
    app.command()(mutations.main)
    found = CliRunner().invoke(app, ["--tries", "20", "--load-every", "100"])
    assert found.exit_code == 0 and "all" in found.output and "seed 1" in found.output

    def fail(*arguments: Any, **options: Any) -> str:
        raise mutations.Failure("something is lost")

    monkeypatch.setattr(mutations, "try_mutant", fail)
    found = CliRunner().invoke(app, ["--only", "3", "--keep", str(tmp_path / "kept")])
    assert found.exit_code == 1 and "failure 3" in found.output
    assert len(list((tmp_path / "kept").iterdir())) == 1


# What mutations found.


def read(path: Path, content: str, **options: Any) -> list[Any]:
    path.write_text(content, encoding="utf-8")
    return [sentence_row(sentence) for sentence in open_sentences(path, ReadingOptions(**options))]


@pytest.mark.parametrize("indent", [" ", "   ", "\t"])
@pytest.mark.parametrize("mark", [" ", ",", ";"])
def test_ids_that_are_indented_are_ids(tmp_path: Path, indent: str, mark: str) -> None:
    content = "".join(f"{indent}{n}{mark}w{n}{mark}{'B-PER' if n == 9 else 'O'}\n" for n in range(8, 12))
    options = {"separator": {",": "comma", ";": "semicolon"}.get(mark, "whitespace")}
    (row,) = read(tmp_path / "a.conll", content, **options)
    assert row["tokens"] == ["w8", "w9", "w10", "w11"]


@pytest.mark.parametrize("first", [10**9, 10**12, 10**17])
def test_ids_of_many_digits_are_ids(tmp_path: Path, first: int) -> None:
    content = "".join(f"{first + n}\tw{n}\t{'B-PER' if n else 'O'}\n" for n in range(4))
    with pytest.raises(InputError, match="may hold word ids or words"):
        read(tmp_path / "a.conll", content)
    assert read(tmp_path / "a.conll", content, word_column=1)[0]["tokens"] == ["w0", "w1", "w2", "w3"]
    with pytest.raises(InputError, match=r"is no word id|may hold word ids"):
        read(tmp_path / "b.conll", content.replace(str(first), str(10**30)).replace(str(first + 1), str(10**30 + 1)))


@pytest.mark.parametrize("tag", ["\u00a0", "\u200b", " ", "\ufeff", "\u3000"])
@pytest.mark.parametrize("scheme", ["auto", "plain", "IO"])
def test_a_tag_of_blanks_alone_is_none(tmp_path: Path, tag: str, scheme: str) -> None:
    with pytest.raises(InputError, match="blanks alone") as caught:
        read(tmp_path / "a.conll", f"a\tB-X\nb\tO\nc\t{tag}\nd\tO\n", scheme=scheme)
    assert caught.value.line == 3


@pytest.mark.parametrize("odd", ["(", "PROPN", ""])
def test_scores_are_no_tags_though_one_row_is_amiss(tmp_path: Path, odd: str) -> None:
    rows = [f"{'abcdefghijkl'[n]}\t{'B-X' if n % 3 else 'O'}\t0.{n}" for n in range(12)]
    rows[5] = f"w5\tNOUN\t{odd}"
    with pytest.raises(InputError, match=r"column 1 does|no tag for"):
        read(tmp_path / "a.conll", "\n".join(rows) + "\n")
    alone = [f"{'abcdefghijkl'[n]}\t0.{n}" for n in range(12)]
    alone[5] = "w5\tPROPN"
    with pytest.raises(InputError, match="numbers instead of tags"):
        read(tmp_path / "b.conll", "\n".join(alone) + "\n")


@pytest.mark.parametrize("odd", ["w5\tNOUN\tO", "w5\tx\tVERB", "NOUN\tB-X\tw5"])
def test_a_column_of_span_tags_is_asked_about_though_one_row_is_amiss(tmp_path: Path, odd: str) -> None:
    parts = ["NOUN", "VERB", "DET", "ADP", "NUM"]
    rows = [f"{'abcdefghijkl'[n]}\t{'B-X' if n % 3 else 'O'}\t{parts[n % 5]}" for n in range(12)]
    rows[5] = odd
    with pytest.raises(InputError, match="column 2 holds no span tags, but column 1 does"):
        read(tmp_path / "a.conll", "\n".join(rows) + "\n")


@pytest.mark.parametrize("value", ["{}", '""', "0", "false", '"x"'])
@pytest.mark.parametrize("row", ['{"text": "a", "spans": VALUE}', '{"text": "a", "spans": [], "tokens": VALUE}'])
def test_what_is_no_list_is_not_taken_for_an_empty_one(tmp_path: Path, row: str, value: str) -> None:
    with pytest.raises(InputError, match="is not a list"):
        read(tmp_path / "a.jsonl", row.replace("VALUE", value))


def test_reports_and_messages_have_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "spans": [], "\\u001b[2J": "\\u0007\\n\\u2028"}\n', encoding="utf-8")
    shown = check_files([path]).lines()
    assert any("\\x1b[2J" in line and "\\x07" in line for line in shown)
    assert all(line.isprintable() for line in shown)
    assert all(line.isprintable() for line in check_files([path]).reports[str(path)].lines())
    with pytest.raises(InputError) as caught:
        read(tmp_path / "a.conll", "a\tB-X\nb\tO\nc\tQ-\x1b[31m\n")
    assert "\x1b" not in str(caught.value) and "\\x1b[31m" in str(caught.value)


def test_long_words_are_shortened_in_messages() -> None:
    assert printable("x" * 299) == "x" * 299
    assert printable(f"a {'x' * 5000} b") == f"a {'x' * 100}… b"
    assert len(str(InputError("y" * 9000, path="p", fix="z"))) < 200


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 10_000, "a:\n  b: " + "{c: " * 9_000, "- " * 9_000 + "a", "? " * 9_000]
)
def test_deep_yaml_is_refused_at_once(text: str) -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        parse_yaml(text, "own.yaml")


def test_brackets_side_by_side_are_not_deep() -> None:
    assert parse_yaml("a: [" + "[1], " * 500 + "]")[0] == {"a": [[1]] * 500}
    assert parse_yaml("a: '" + "[" * 150 + "'")[0] == {"a": "[" * 150}
