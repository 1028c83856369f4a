"""Shapes in which people hand in columns: what is meant without doubt is read and reported, the rest is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.reading_arguments import OPTIONS
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.checks import check_files
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report

CASES = Path(__file__).parent / "cases"
NAMES = [("Tessa Ruiz", "PER"), ("Oderau", "LOC"), ("Vantor", "ORG"), ("Milo", "PER")]
SENTENCES = [
    [("Tessa", "B-PER"), ("Ruiz", "I-PER"), ("lives", "O"), ("in", "O"), ("Oderau", "B-LOC"), (".", "O")],
    [("Vantor", "B-ORG"), ("hired", "O"), ("Milo", "B-PER"), (".", "O")],
] * 6
POS = ["NN", "VB", "IN", "DT", "JJ", "PR"]

Row = Callable[[str, str, int], str]


def text(row: Row = "{0}\t{1}".format, head: str = "", blank: str = "\n") -> str:
    """The sentences with a row written from word, tag and place in the sentence."""
    blocks = ["".join(row(word, tag, n) + "\n" for n, (word, tag) in enumerate(rows)) for rows in SENTENCES]
    return head + blank.join(blocks)


def tags(change: Callable[[str], str]) -> str:
    return text(lambda word, tag, _: f"{word}\t{change(tag)}")


def outside(mark: str) -> str:
    return tags(lambda tag: mark if tag == "O" else tag)


def between(mark: str) -> str:
    return tags(lambda tag: tag.replace("-", mark))


def label_first(mark: str) -> str:
    return tags(lambda tag: mark.join(reversed(tag.split("-"))))


def rows_of(numbers: Callable[[int], Any]) -> str:
    return text(lambda word, tag, n: f"{numbers(n)}\t{word}\t{tag}")


def running() -> str:
    numbers = iter(range(1, 1000))
    return text(lambda word, tag, _: f"{next(numbers)}\t{word}\t{tag}")


def kaggle() -> str:
    lines = ["Sentence #,Word,POS,Tag"]
    for number, rows in enumerate(SENTENCES):
        for place, (word, tag) in enumerate(rows):
            lines.append(f"{f'Sentence: {number + 1}' if not place else ''},{word},NN,{tag}")
    return "\n".join(lines) + "\n"


HIPE = (
    "TOKEN\tNE-COARSE-LIT\tNE-COARSE-METO\tNE-FINE-LIT\tNE-FINE-METO\tNE-FINE-COMP\tNE-NESTED\tNEL-LIT\tNEL-METO\tMISC\n"
    "# hipe2022:document_id = one\n"
)
OUTSIDE, LOWER, BETWEEN, LAST = "read as O", "lower case", "read as a hyphen", "labels before prefixes"

# Read: what the file holds, the options, what the report says of it, and the labels where they are not as usual.
READ: dict[str, tuple[str, dict[str, Any], str]] = {
    **{f"outside {mark}": (outside(mark), {}, OUTSIDE) for mark in ("0", "_", "-", "--", "NONE", "none", "null", "o")},
    **{f"outside {mark} too": (outside(mark), {}, OUTSIDE) for mark in ("nil", "N/A", "OUT", "\u041e")},
    "outside is named": (outside("other"), {"outside": "other"}, ""),
    **{f"{mark} between": (between(mark), {}, BETWEEN) for mark in ("_", ":", ".", "/", "|", "\u2013", "~", "+", " ")},
    **{f"{mark} behind": (label_first(mark), {}, LAST) for mark in ("-", "_", ":", "/", ".")},
    "all in lower case": (tags(str.lower), {}, LOWER),
    "prefixes in lower case": (tags(lambda tag: tag[0].lower() + tag[1:]), {}, LOWER),
    "behind in lower case": (tags(lambda tag: "-".join(reversed(tag.lower().split("-")))), {}, LAST),
    "a blank behind": (tags("{} ".format), {}, "blanks"),
    "a blank before": (tags(" {}".format), {}, "blanks"),
    "no-break space": (tags("{}\u00a0".format), {}, "blanks"),
    "zero width space": (tags("\u200b{}".format), {}, "blanks"),
    "byte order marks": (tags("{}\ufeff".format), {}, "blanks"),
    "no-break space beside spaces": (text(lambda word, tag, _: f"{word} {tag}\u00a0"), {}, "blanks"),
    "double quotes": (tags('"{}"'.format), {}, "quotes"),
    "single quotes": (tags("'{}'".format), {}, "quotes"),
    "curly quotes": (tags("\u201c{}\u201d".format), {}, "quotes"),
    "quotes and blanks": (tags('" {} "'.format), {}, "quotes"),
    "words in quotes too": (text('"{}"\t"{}"'.format), {}, "quotes around every word"),
    "a score last": (text(lambda word, tag, n: f"{word}\t{tag}\t0.{n}"), {}, "numbers in the last column"),
    "a number last": (text(lambda word, tag, n: f"{word} {tag} {n}"), {}, "numbers in the last column"),
    "a tab at the end": (text("{}\t{}\t".format), {}, "nothing in the last column"),
    "tags first": (text("{1}\t{0}".format), {}, "tags in the first column"),
    "tags first by spaces": (text("{1} {0}".format), {}, "tags in the first column"),
    "tags first, named": (text("{1}\tNN\t{0}".format), {"tag_column": 0, "word_column": 2}, ""),
    "words last, named": (text("{1}\tNN\t{0}".format), {"tag_column": 0, "word_column": -1}, ""),
    "a header": (text(head="TOKEN\tNE\n"), {}, "header row"),
    "a header and a blank line": (text(head="Token\tTag\n\n"), {}, "header row"),
    "a header by spaces": (text("{} {}".format, head="Word Tag\n"), {}, "header row"),
    "a header as a comment": (text(head="# token\ttag\n"), {}, "comment line"),
    "a header's names": (text("{1}\t{0}".format, head="tag\tword\n"), {}, "header row"),
    "HIPE": (text("{}\t{}\tO\t_\t_\t_\tO\t_\t_\tNoSpaceAfter".format, head=HIPE), {}, "header row"),
    "commas": (text("{},{}".format), {"separator": "comma"}, ""),
    "commas and blanks": (text("{}, {}".format), {"separator": "comma"}, ""),
    "commas and quotes": (text('"{}","{}"'.format), {"separator": "comma"}, ""),
    "commas and a header": (text("{},{}".format, head="word,tag\n"), {"separator": "comma"}, "header row"),
    "commas for blank lines": (text("{},{}".format, blank=",\n"), {"separator": "comma"}, ""),
    "Kaggle": (kaggle(), {"separator": "comma"}, "header row"),
    "semicolons": (text("{};{}".format), {"separator": "semicolon"}, ""),
    "pipes": (text("{}|{}".format), {"separator": "pipe"}, ""),
    "ids from 0": (rows_of(lambda n: n), {}, "do not begin at 1"),
    "ids from 1": (rows_of(lambda n: n + 1), {}, ""),
    "ids from 5": (rows_of(lambda n: n + 5), {}, "do not begin at 1"),
    "ids over the whole file": (running(), {}, "do not begin at 1"),
    "ids with a gap": (rows_of(lambda n: n + (n > 2)), {}, "leave a gap"),
    "ids named": (rows_of(lambda n: 2 * n), {"word_column": 1}, "leave a gap"),
    "bare labels": (tags(lambda tag: tag[2:] or "O"), {"scheme": "IO"}, ""),
    "bare labels and 0": (tags(lambda tag: tag[2:] or "0"), {"scheme": "io"}, OUTSIDE),
    "bare labels and X": (tags(lambda tag: tag[2:] or "X"), {"scheme": "IO", "outside": "X"}, ""),
    "BMES": (
        "Tessa B-PER\nRuiz E-PER\nOderau S-LOC\n. O\n\nVantor S-ORG\n. O\n\nMilo S-PER\n\na B-X\nb M-X\nc E-X\n",
        {},
        "prefixes M-",
    ),
}  # fmt: skip

# Asked: what the file holds, what the message says, and the options that read it.
ASKED: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "outside other": (outside("other"), "--outside other", {"outside": "other"}),
    "outside X": (outside("X"), "--outside X", {"outside": "X"}),
    "outside twice": (outside("O") + "\nx\t_\n", "--outside '_'", {"outside": "_"}),
    "untyped": (tags(lambda tag: tag[0]), "--untyped-label ENTITY", {"untyped_label": "ENTITY"}),
    "untyped in lower case": (tags(lambda tag: tag[0].lower()), "--untyped-label", {"untyped_label": "E"}),
    "bare labels": (tags(lambda tag: tag[2:] or "O"), "--scheme IO", {"scheme": "IO"}),
    "bare labels and _": (tags(lambda tag: tag[2:] or "_"), "--outside '_'", {"scheme": "IO", "outside": "_"}),
    "three plain tags": ("a X\nb Y\nc Z\n", "--scheme plain", {"scheme": "plain"}),
    "one plain tag too often": ("a V\n" * 9 + "b W\nc X\nd Y\ne Z\n", "--scheme plain", {"scheme": "plain"}),
    "a span tag among plain ones": (
        "".join(f"a {tag}\n" for tag in POS) + "b B-X\n",
        "looks like a span tag",
        {"scheme": "plain"},
    ),
    "numbers only": (text(lambda word, _, n: f"{word}\t0.{n}"), "numbers instead of tags", None),
    "words for tags": ("".join(f"w{n} v{n}\n" for n in range(40)), "are these words?", {"scheme": "plain"}),
    "tags before parts of speech": (
        text(lambda word, tag, n: f"{word}\t{tag}\t{POS[n]}"),
        "--tag-column 1",
        {"tag_column": 1},
    ),
    "tags before lemmas": (text("{0}\t{1}\t{0}".format), "--tag-column 1", {"tag_column": 1}),
    "tags first of three": (text("{1}\tNN\t{0}".format), "--word-column 2", {"tag_column": 0, "word_column": 2}),
    "commas": (text("{},{}".format), "--separator comma", {"separator": "comma"}),
    "commas and blanks": (text("{}, {}".format), "--separator comma", {"separator": "comma"}),
    "three columns by commas": (text("{},NN,{}".format), "--separator comma", {"separator": "comma"}),
    "semicolons": (text("{};{}".format), "--separator semicolon", {"separator": "semicolon"}),
    "pipes": (text("{}|{}".format), "--separator pipe", {"separator": "pipe"}),
    "Kaggle": (kaggle(), "--separator comma", {"separator": "comma"}),
    "numbers that are words": ("1 CD O\n\n1 CD O\n", "--word-column 0", {"word_column": 0}),
    "numbers and words": ("1 CD O\n2 CD O\n3 CD O\n\nTessa NNP B-PER\n", "--word-column 0", {"word_column": 0}),
    "numbers alone": ("1 CD O\n2 CD O\n3 CD O\n", "--word-column 0", {"word_column": 0}),
    "numbers that rise by two": (rows_of(lambda n: 2 * n), "--word-column 1", {"word_column": 1}),
    "one column": ("Tessa\nRuiz\n", "--separator", None),
    "no tag but _": ("a _\nb _\n", "--outside '_'", {"scheme": "IO", "outside": "_"}),
    "tabs in some rows": ("a\tO\nb O\nc\tO\n", "--separator whitespace", {"separator": "whitespace"}),
    "brackets": ("Tessa (PER*\nRuiz *)\nlives *\nOderau (LOC)\n", "CoNLL-2012", None),
    "ids that begin again": (rows_of(lambda n: n + 1).replace("\n\n", "\n"), "word id 1 after 6", None),
    "ids twice": (rows_of(lambda n: n - (n > 2)), "word id 2 after 2", None),
    "decimals as ids": (rows_of(lambda n: f"{n + 1}.0"), "the first column counts", None),
    "a comment between ids": ("1\ta\tO\n2\tb\tO\n3\tc\tO\n# x\n4\td\tO\n", "comment inside a sentence", None),
}  # fmt: skip


def read(path: Path, **options: Any) -> tuple[list[tuple[str, str]], Report]:
    report = Report()
    spans = [
        (sentence.text[start:end], label)
        for sentence in open_sentences(path, ReadingOptions(**options), report)
        for start, end, label in sentence.spans
    ]
    return spans, report


@pytest.mark.parametrize(("content", "options", "said"), READ.values(), ids=READ)
def test_read(tmp_path: Path, content: str, options: dict[str, Any], said: str) -> None:
    path = tmp_path / "data.txt"
    path.write_text(content, encoding="utf-8")
    spans, report = read(path, **options)
    assert spans[:4] == NAMES
    found = {**report.irregular, **report.notes}
    assert len(report.lines()) == 3 + len(found)
    assert any(said in kind for kind in found) if said else not report.irregular
    assert all(finding.line > 0 and finding.count > 0 for finding in found.values())


@pytest.mark.parametrize(("content", "said", "options"), ASKED.values(), ids=ASKED)
def test_asked(tmp_path: Path, content: str, said: str, options: dict[str, Any] | None) -> None:
    path = tmp_path / "data.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert said in message and message.startswith(str(path)) and "\n" not in message
    assert_options_exist(message)
    if options is not None:
        read(path, **options)


def assert_options_exist(message: str) -> None:
    """What a message advises is there, on the command line and in Python."""
    for name in re.findall(r"--([a-z-]+)", message):
        assert name.replace("-", "_") in OPTIONS, message
    for name, value in re.findall(r"\((\w+)=('[^']*'|-?\d+)\)", message):
        if value != "'N'":
            ReadingOptions(**{name: value.strip("'") if value[0] == "'" else int(value)})


def shared_cases() -> Iterator[Any]:
    read_as = {"bare_labels.conll": {"scheme": "IO"}}
    read_as["untyped.conll"] = {"untyped_label": "NAME"}
    for path in sorted(CASES.iterdir()):
        yield pytest.param(path, read_as.get(path.name, {}), id=path.name)


@pytest.mark.parametrize(("path", "options"), [*shared_cases()])
def test_cases(path: Path, options: dict[str, Any]) -> None:
    if options:
        with pytest.raises(InputError) as caught:
            read(path)
        assert f"--{next(iter(options)).replace('_', '-')} " in str(caught.value)
    spans, report = read(path, **options)
    if path.suffix in (".ann", ".json", ".csv") or path.name == "standoff.txt":  # read as their names say
        assert spans[:4] == NAMES[: len(spans)] and not report.irregular
        return
    label = options.get("untyped_label")
    few = path.suffix == ".tsv"
    assert spans[:4] == ([("Tessa", "PER")] if few else [(name, label or kind) for name, kind in NAMES])
    assert options or report.irregular or report.notes


def test_bare_prefixes_of_other_schemes(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("a S\nb O\n\nc B\nd E\n")
    assert read(path, untyped_label="X")[0] == [("a", "X"), ("c d", "X")]


def test_slips_in_a_file_of_usual_tags(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text(text() + "\nx\tb-per\ny\tI_PER\nz\tPER-B\nk\t0\n")
    spans, report = read(path)
    assert spans[-2:] == [("x y", "PER"), ("z", "PER")]
    assert {finding.line for finding in report.irregular.values()} == {73, 74, 75, 76}
    with pytest.raises(InputError, match="tags in lower case"):
        read(path, on_error="raise")
    for tag in ("PER", "Q-PER", "B-", "I"):
        path.write_text(text() + f"\nx\t{tag}\n")
        with pytest.raises(InputError) as caught:
            read(path)
        assert (caught.value.line, caught.value.column) == (73, 2)


@pytest.mark.parametrize(
    ("most", "few", "line"),
    [
        ("a B-X\nb I-X\nc O\n\n" * 20, "a B-X\nb E-X\n\nc S-X\n", 82),
        ("a U-X\n\nb B-X\nc L-X\n\n" * 10, "a S-X\n\nb B-X\nc E-X\n\n", 51),
        ("a S-X\n\nb B-X\nc E-X\n\n" * 10, "a U-X\n\nb B-X\nc L-X\n\n", 51),
    ],
)
def test_a_scheme_that_changes_names_the_line_of_the_change(tmp_path: Path, most: str, few: str, line: int) -> None:
    path = tmp_path / "data.conll"
    path.write_text(most + few)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.line == line
    path.write_text(few + "\n" + most)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.line is not None and caught.value.line <= few.count("\n")


def test_plain_tags_without_question(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("".join(f"a {tag}\n" for tag in POS) * 3)
    assert read(path)[1].scheme == "plain"
    path.write_text("word pos\na X\nb X\n")
    assert read(path)[1].scheme == "plain"
    path.write_text("1\ta\ta\tX\t_\t_\t_\t_\t_\t_\n2\tb\tb\tX\t_\t_\t_\t_\t_\t_\n")
    assert read(path)[1].column_name == "upos"


def test_ranges_and_ids_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    path.write_text("0-1\tdas\tO\n0\tda\tO\n1\ts\tO\n2\tOderau\tB-LOC\n\n0\tTessa\tB-PER\n1\tRuiz\tI-PER\n")
    report = Report()
    first, second = open_sentences(path, ReadingOptions(), report)
    assert first.tokens == ["da", "s", "Oderau"] and first.text == "das Oderau"
    assert first.spans == [(4, 10, "LOC")] and second.spans == [(0, 10, "PER")]


def test_files_without_blank_lines(tmp_path: Path) -> None:
    path = CASES / "no_blank_lines.conll"
    warnings = check_files([path]).warnings
    assert any("are blank lines missing?" in warning and "--sentence-end" in warning for warning in warnings)
    spans, report = read(path, sentence_end="auto")
    assert (report.sentences, spans) == (144, NAMES * 72)
    assert not report.irregular


def test_a_trailing_hash_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "data.conll"
    for content in (
        "Tessa B-PER\n\n#\n",
        "1\tTessa\tB-PER\n2\tx\tO\n\n#\n",
        "# x y z\nTessa B-PER\n\n# y = 1\n# z = 2\n",
    ):
        path.write_text(content)
        assert "comment line" in read(path)[1].notes
    path.write_text("Tessa B-PER\n#\n")
    with pytest.raises(InputError, match="1 column"):
        read(path)


def test_every_option_that_a_message_may_name_exists() -> None:
    for path in sorted((Path(__file__).parent.parent / "training" / "data").glob("*.py")):
        for name in re.findall(r"option\(\"(\w+)\"|option\('(\w+)'", path.read_text(encoding="utf-8")):
            assert (name[0] or name[1]) in OPTIONS, path
