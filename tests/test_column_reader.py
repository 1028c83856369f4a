from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tag_schemes import spans_to_tags
from tagsmith.training.data.column_reader import read_sentences
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER


-DOCSTART- -X- O O

BRUSSELS NNP I-NP I-LOC
Paris NNP I-NP B-LOC
"""

UNER = (
    '# newdoc id = one\n# sent_id = 1\n# text = Al-Zaman: "Hi"\n'
    '1\tAl\tB-ORG\t-\tann\n2\t-\tI-ORG\t-\tann\n3\tZaman\tI-ORG\t-\tann\n4\t:\tO\t-\t-\n5\t"\tO\t-\t-\n6\tHi\tO\t-\t-\n'
    '7\t"\tO\t-\t-\n\n# newdoc id = two\n# text = Oslo\n1\tOslo\tB-LOC\t-\tann\n'
)

CONLLU = (
    "# text = Vámonos al mar.\n"
    "1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_\n1\tVamos\tir\tVERB\t_\t_\t_\t_\t_\t_\n2\tnos\tnosotros\tPRON\t_\t_\t_\t_\t_\t_\n"
    "3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_\n3\ta\ta\tADP\t_\t_\t_\t_\t_\t_\n4\tl\tel\tDET\t_\t_\t_\t_\t_\t_\n"
    "4.1\tnada\t_\t_\t_\t_\t_\t_\t_\t_\n5\tmar\tmar\tNOUN\t_\t_\t_\t_\t_\tSpaceAfter=No\n6\t.\t.\tPUNCT\t_\t_\t_\t_\t_\t_\n"
)


def write(folder: Path, text: str | bytes, name: str = "data.conll") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path: Path, **options: object) -> tuple[list[Sentence], Report]:
    report = Report()
    return list(read_sentences(path, ReadingOptions(**options), report)), report  # type: ignore[arg-type]


def fails(path: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    assert caught.value.path is not None and str(path) in str(caught.value)
    assert caught.value.fix and "\n" not in str(caught.value)
    return caught.value


class TestColumns:
    def test_iob1_documents_and_offsets(self, tmp_path: Path) -> None:
        sentences, report = read(write(tmp_path, CONLL))
        assert [sentence.document for sentence in sentences] == [0, 0, 1]
        first = sentences[0]
        assert (first.text, first.raw) == ("EU rejects German", False)
        assert first.tags == ["B-ORG", "O", "B-MISC"]
        assert first.spans == [(0, 2, "ORG"), (11, 17, "MISC")]
        assert sentences[2].spans == [(0, 8, "LOC"), (9, 14, "LOC")]
        assert (report.scheme, report.tag_column, report.separator) == ("IOB1", 3, "whitespace")
        assert (report.documents, report.sentences, report.tokens, report.spans) == (2, 3, 7, 5)
        assert not report.irregular
        assert "IOB1" in report.lines()[0] and "LOC 2" in report.lines()[2]

    @pytest.mark.parametrize(
        ("column", "scheme", "tags"), [(1, "plain", ["NNP", "NNP"]), (-2, "IOB1", ["B-NP", "I-NP"])]
    )
    def test_other_columns(self, tmp_path: Path, column: int, scheme: str, tags: list[str]) -> None:
        asked = "plain" if scheme == "plain" else "auto"
        sentences, report = read(write(tmp_path, CONLL), tag_column=column, scheme=asked)
        assert (sentences[1].tags, report.scheme) == (tags, scheme)
        assert read(write(tmp_path, CONLL), tag_column=str(column), scheme=asked)[0] == sentences

    def test_plain_tags_are_one_span_a_word(self, tmp_path: Path) -> None:
        sentences, report = read(write(tmp_path, "to walk\tVERB\n(\t-LRB-\n\nx\tX\n"), scheme="plain")
        assert sentences[0].tokens == ["to walk", "("]
        assert sentences[0].spans == [(0, 7, "VERB"), (8, 9, "-LRB-")]
        assert (report.scheme, report.separator) == ("plain", "tab")

    def test_windows_line_ends_and_byte_order_mark(self, tmp_path: Path) -> None:
        plain = read(write(tmp_path, CONLL, "a.conll"))[0]
        windows = write(tmp_path, b"\xef\xbb\xbf" + CONLL.replace("\n", "\r\n").encode(), "b.conll")
        assert read(windows)[0] == plain

    def test_no_break_space_is_part_of_a_word(self, tmp_path: Path) -> None:
        sentences, _ = read(write(tmp_path, "10\u00a0000 O\nEuro\u3000  B-X \n"))
        assert sentences[0].tokens == ["10\u00a0000", "Euro\u3000"]

    def test_hash_may_be_a_word(self, tmp_path: Path) -> None:
        text = "# id 7f3a domain=en\n# # B-X\nb c I-X\n# # O\n\n#hashtag H O\n# x O\n"
        sentences, report = read(write(tmp_path, text))
        assert [sentence.tokens for sentence in sentences] == [["#", "b", "#"], ["#hashtag", "#"]]
        assert report.notes["comment line"].count == 1

    def test_raw_text_beside_plain_columns(self, tmp_path: Path) -> None:
        (sentence,), _ = read(write(tmp_path, "# text = So-so.\nSo O\n- O\nso B-X\n. O\n"))
        assert (sentence.text, sentence.raw, sentence.spans) == ("So-so.", True, [(3, 5, "X")])

    def test_other_encodings(self, tmp_path: Path) -> None:
        path = write(tmp_path, "Zürich B-LOC\n".encode("latin-1"))
        assert read(path, encoding="latin-1")[0][0].text == "Zürich"
        path = write(tmp_path, "Zürich B-LOC\n".encode("utf-16"))
        assert read(path, encoding="utf-16")[0][0].text == "Zürich"

    def test_a_sentence_of_a_hundred_thousand_words(self, tmp_path: Path) -> None:
        (sentence,), _ = read(write(tmp_path, "word O\n" * 99_999 + "Rome B-LOC\n"))
        assert len(sentence.tokens) == 100_000
        assert sentence.text[slice(*sentence.spans[0][:2])] == "Rome"

    def test_memory_does_not_grow(self, tmp_path: Path) -> None:
        path = write(tmp_path, "some O\nwords B-X\n\n" * 8_000)
        tracemalloc.start()
        for _ in read_sentences(path):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 300_000  # the rows alone are megabytes


SPANS = [Span(0, 1, "LOC"), Span(1, 3, "LOC"), Span(4, 7, "PER")]


class TestSchemes:
    @pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "BIOES", "BILOU"])
    def test_all_come_out_as_iob2(self, tmp_path: Path, scheme: str) -> None:
        tags = spans_to_tags(SPANS, 8, scheme)
        (sentence,), report = read(write(tmp_path, "".join(f"w {tag}\n" for tag in tags)))
        assert report.scheme == scheme
        assert sentence.tags == spans_to_tags(SPANS, 8, "IOB2")
        assert sentence.spans == [(2 * start, 2 * end - 1, label) for start, end, label in SPANS]

    def test_slips_are_counted_once_with_their_place(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a B-X\nb B-Y\nz B-X\n\nc I-X\nd O\ne I-X\nf B-X\n")
        sentences, report = read(path)
        assert sentences[1].spans == [(0, 1, "X"), (4, 5, "X"), (6, 7, "X")]
        assert sentences[1].tags == ["B-X", "O", "B-X", "B-X"]
        (finding,) = report.irregular.values()
        assert (finding.count, finding.line) == (2, 5)
        assert f"{path}:5" in report.lines()[-1]
        error = fails(path, on_error="raise")
        assert (error.line, error.column) == (5, 2)

    @pytest.mark.parametrize(
        ("tags", "line", "found"),
        [
            (["S-X", "O", "E-LOC"], 3, "E-LOC after O|E-LOC with no span open"),
            (["S-X", "B-LOC", "O"], 2, "left open"),
            (["B-X", "E-X", "B-LOC"], 3, "end of the sentence"),
            (["S-X", "B-LOC", "E-PER"], 2, "B-LOC is left open before E-PER"),
            (["S-X", "I-LOC", "E-LOC"], 2, "nothing opened"),
            (["B-X", "O", "Q-LOC"], 3, "'Q-LOC'"),
            (["B-X", "O", "LOC"], 3, "'LOC'"),
            (["B-X", "B-", "O"], 2, "no label"),
            (["U-X", "S-X", "U-X"], 2, "does not know"),
        ],
    )
    def test_impossible_tags(self, tmp_path: Path, tags: list[str], line: int, found: str) -> None:
        error = fails(write(tmp_path, "".join(f"w N {tag}\n" for tag in tags)))
        assert (error.line, error.column) == (line, 3)
        assert any(part in error.message for part in found.split("|"))

    def test_a_named_scheme_is_kept_to(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a B-X\nb E-X\n")
        assert read(path, scheme="IOBES")[0][0].spans == [(0, 3, "X")]
        assert fails(path, scheme="IOB2").line == 2
        assert read(path, scheme="plain")[0][0].tags == ["B-X", "E-X"]


class TestIds:
    def test_raw_text_and_documents(self, tmp_path: Path) -> None:
        sentences, report = read(write(tmp_path, UNER))
        assert sentences[0].text == 'Al-Zaman: "Hi"' and sentences[0].raw
        assert sentences[0].spans == [(0, 8, "ORG")]
        assert [sentence.document for sentence in sentences] == [0, 1]
        assert (report.tag_column, report.word_column, report.scheme) == (2, 1, "IOB2")

    def test_text_that_does_not_fit(self, tmp_path: Path) -> None:
        path = write(tmp_path, UNER.replace('Hi"\n1', 'Ho"\n1'))
        sentences, report = read(path)
        assert (sentences[0].text, sentences[0].raw) == ('Al - Zaman : " Hi "', False)
        assert sentences[0].spans == [(0, 10, "ORG")]
        (finding,) = report.irregular.values()
        assert (finding.count, finding.line) == (1, 3)
        assert fails(path, on_error="raise").line == 3
        assert not read(write(tmp_path, UNER.replace('"Hi"\n1', '"Hi" more\n1')))[0][0].raw

    def test_multiword_tokens_and_empty_nodes(self, tmp_path: Path) -> None:
        (sentence,), report = read(write(tmp_path, CONLLU))
        assert sentence.tokens == ["Vamos", "nos", "a", "l", "mar", "."]
        assert sentence.text == "Vámonos al mar."
        surfaces = [sentence.text[a:b] for a, b in zip(sentence.starts, sentence.ends, strict=True)]
        assert surfaces == ["Vámonos", "Vámonos", "a", "l", "mar", "."]
        assert (report.column_name, report.scheme) == ("upos", "plain")
        assert report.notes["multiword token"].count == 2
        assert report.notes["empty node left aside"].line == 8

    def test_text_from_space_after(self, tmp_path: Path) -> None:
        path = write(tmp_path, CONLLU.partition("\n")[2])
        (sentence,), _ = read(path)
        assert (sentence.text, sentence.raw) == ("Vámonos al mar.", True)
        (other,), _ = read(write(tmp_path, CONLLU.partition("\n")[2].replace("SpaceAfter=No", "_")))
        assert (other.text, other.raw) == ("Vámonos al mar .", False)

    def test_named_columns(self, tmp_path: Path) -> None:
        assert read(write(tmp_path, CONLLU), tag_column="LEMMA")[0][0].tags[0] == "ir"
        named = "# global.columns = ID FORM UPOS X:NER\n1\tRome\tPROPN\tB-LOC\n2\tis\tAUX\tO\n"
        assert read(write(tmp_path, named))[0][0].tags == ["PROPN", "AUX"]
        assert read(write(tmp_path, named), tag_column="x:ner")[0][0].spans == [(0, 4, "LOC")]
        assert "upos" in fails(write(tmp_path, named), tag_column="ner").fix  # type: ignore[operator]

    @pytest.mark.parametrize(
        ("old", "new", "line", "found"),
        [
            ("3\tZaman", "2\tZaman", 6, "word id 2 after 2"),
            ("3\tZaman", "x\tZaman", 6, "'x' is no word id"),
            ("3\tZaman", "3-4\tZaman", 6, "without its words"),
            ("3\tZaman", "3-999999999\tZaman", 6, "without its words"),
            ("3\tZaman", "²\tZaman", 6, "no word id"),
            ("\n\n# newdoc", "\n# newdoc", 11, "comment inside"),
            ("3\tZaman\tI-ORG", "3\tZaman\t", 6, "no tag for the word 'Zaman'"),
            ("3\tZaman", "3\t", 6, "empty word"),
        ],
    )
    def test_broken_rows(self, tmp_path: Path, old: str, new: str, line: int, found: str) -> None:
        error = fails(write(tmp_path, UNER.replace(old, new)))
        assert error.line == line and found in error.message

    def test_gaps_in_ids_are_counted(self, tmp_path: Path) -> None:
        _, report = read(write(tmp_path, UNER.replace('7\t"', '9\t"')))
        assert report.irregular["word ids leave a gap"].line == 10

    def test_no_column_of_span_tags(self, tmp_path: Path) -> None:
        assert "none of the columns" in fails(write(tmp_path, "1\ta\tx\ty\n2\tb\tx\ty\n")).message


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "line", "found"),
        [
            (b"", None, "is empty"),
            (b"\n\n", None, "no row"),
            (b"-DOCSTART- O\n\n", None, "no row"),
            (b"word\nword\n", 1, "no tags"),
            (b"a O\n\xe4\x00b O\n", 2, "binary"),
            (b"a O\n\x00b O\n", 2, "binary"),
            ("a O\nZürich B-LOC\n".encode("latin-1"), 2, "byte 0xfc at offset 5 is not utf-8"),
            (b"a N O\nb O\n", 2, "2 columns, where line 1 has 3"),
            (b"a N O\n\nb N O O\n", 3, "4 columns"),
            (b"a N O\nb\tN O\nc N O\n", 2, "a tab, where 2 other rows"),
            (b"a\tO\nb O\nc\tO\n", 2, "no tab, where 2 other rows"),
            (b"a\tO\n\tO\n", 2, "an empty word"),
            (b"a\tO\nb\t\n", 2, "no tag for the word 'b'"),
            (b"a\rb O\n", 1, "carriage return"),
            (b"#hashtag O\nb N O\n#hashtag O\n", 1, "2 columns"),
        ],
    )
    def test_each_is_one_clear_error(self, tmp_path: Path, content: bytes, line: int | None, found: str) -> None:
        error = fails(write(tmp_path, content))
        assert error.line == line and found in error.message

    def test_missing_files_and_columns(self, tmp_path: Path) -> None:
        path = write(tmp_path, CONLL)
        assert "no such file" in fails(tmp_path / "nothing").message
        assert "cannot be read" in fails(tmp_path).message
        assert "rows have 4 columns" in fails(path, tag_column=4).message
        assert "rows have 4 columns" in fails(path, tag_column=-5).message
        assert "holds the words" in fails(path, tag_column=0).message
        assert "no column is called 'ner'" in fails(path, tag_column="ner").message
        assert "no encoding" in fails(path, encoding="utf-9").message
        assert "word ids" in fails(write(tmp_path, UNER), tag_column=0).message

    @pytest.mark.parametrize("options", [{"on_error": "skip"}, {"separator": ","}, {"scheme": "IOB9"}])
    def test_unknown_options(self, tmp_path: Path, options: dict[str, str]) -> None:
        with pytest.raises(InputError):
            read(write(tmp_path, CONLL), **options)

    def test_separator_on_request(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a\tN  O\nb N O\n")
        assert read(path, separator="whitespace")[0][0].tokens == ["a", "b"]
        assert fails(path, separator="tab").line == 2


word = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=" "), min_size=1, max_size=5
)


@given(
    st.lists(
        st.lists(st.tuples(word, st.sampled_from(["O", "B-A", "B-B"])), min_size=1, max_size=6), min_size=1, max_size=4
    ),
    st.sampled_from([" ", "\t"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_words_survive(tmp_path: Path, rows: list[list[tuple[str, str]]], separator: str) -> None:
    words = [[w for w, _ in sentence] for sentence in rows]
    if any(w.startswith(("#", "-DOCSTART-", "\ufeff")) for sentence in words for w in sentence):
        return
    text = "\n".join("".join(f"{w}{separator}{tag}\n" for w, tag in sentence) for sentence in rows)
    sentences, _ = read(write(tmp_path, text), scheme="IOB2")
    assert [sentence.tokens for sentence in sentences] == words
    for sentence in sentences:
        pieces = [sentence.text[a:b] for a, b in zip(sentence.starts, sentence.ends, strict=True)]
        assert pieces == sentence.tokens
