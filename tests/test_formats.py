"""Each format of annotation tools and other taggers: files of the shape that its tool documents, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.annotated_files import open_sentences
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.reading_options import FORMATS, ReadingOptions
from tagsmith.training.data.reading_report import Report, Sentence

TESSA = "Tessa Ruiz lives in Oderau."
SPANS = [(0, 10, "PER"), (20, 26, "LOC")]
SMILE = "\U0001f642\U0001f642 Tessa Ruiz lives in Oderau."


def read(path: Path, **options: Any) -> tuple[list[Sentence], Report]:
    report = Report()
    return list(open_sentences(path, ReadingOptions(**options), report)), report


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8", newline="")
    return path


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def brat(folder: Path, annotation: str, text: str = TESSA) -> Path:
    write(folder, "a.txt", text)
    return write(folder, "a.ann", annotation)


def studio(*spans: tuple[int, int, str, str], text: str = TESSA, **more: Any) -> dict[str, Any]:
    results = [
        {
            "value": {"start": start, "end": end, "text": quote, "labels": [label]},
            "id": f"r{start}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "origin": "manual",
        }
        for start, end, quote, label in spans
    ]
    annotation = {"id": 5, "completed_by": 1, "result": results, "was_cancelled": False, "lead_time": 4.2}
    return {"id": 7, "data": {"text": text}, "annotations": [annotation], "predictions": [], "meta": {}, **more}


PAIR = [(0, 10, "Tessa Ruiz", "PER"), (20, 26, "Oderau", "LOC")]
SHORT = [{"start": a, "end": b, "text": quote, "labels": [label]} for a, b, quote, label in PAIR]
LISTS = [[start, end, label] for start, end, label in SPANS]
DICTS = [{"start": start, "end": end, "label": label} for start, end, label in SPANS]
OFFSETS = [{"id": n, "start_offset": a, "end_offset": b, "label": label} for n, (a, b, label) in enumerate(SPANS)]
ENTITIES = [
    {"entity_group": label, "score": 0.9, "word": TESSA[start:end], "start": start, "end": end}
    for start, end, label in SPANS
]
TOKENS = [{"text": "Tessa", "start": 0, "end": 5, "id": 0, "ws": True}]
OLD = [
    {"orth": word, "ner": tag, "id": n}
    for n, (word, tag) in enumerate(
        zip(["Tessa", "Ruiz", "lives", "in", "Oderau", "."], ["B-PER", "L-PER", "O", "O", "U-LOC", "O"], strict=True)
    )
]
TSV = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.lexmorph.type.pos.POS|PosValue|coarseValue\n"
    "#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n\n"
    "#Text=Tessa Ruiz lives in Oderau.\n"
    "1-1\t0-5\tTessa\tN\tN\t*[1]\tPER[1]\t\n"
    "1-2\t6-10\tRuiz\tN\tN\t*[1]\tPER[1]\t\n"
    "1-3\t11-16\tlives\tV\tV\t_\t_\t\n"
    "1-4\t17-19\tin\tP\tP\t_\t_\t\n"
    "1-5\t20-26\tOderau\tN\tN\t*\tLOC\t\n"
    "1-6\t26-27\t.\t_\t_\t_\t_\t\n"
)
CONLL = (
    "#begin document (a/b); part 000\n"
    "a/b 0 0 Tessa NNP (TOP(S(NP* - - - - (PERSON* (ARG0* (1\n"
    "a/b 0 1 Ruiz NNP *) - - - - *) *) 1)\n"
    "a/b 0 2 lives VBZ (VP* live 01 1 - * (V*) -\n"
    "a/b 0 3 in IN (PP* - - - - * * -\n"
    "a/b 0 4 Oderau NNP (NP*)))) - - - - (GPE) * -\n\n#end document\n"
)

# Name of the file, its content, and the format it is taken for; each says the two names of `TESSA`.
SAMPLES: dict[str, tuple[str, Any, str]] = {
    "tagged": ("a.jsonl", lines({"text": TESSA, "entities": ENTITIES}), "JSON lines"),
    "list of rows": ("a.json", [{"text": TESSA, "spans": DICTS}], "JSON lines"),
    "rows over lines": ("a.json", json.dumps([{"text": TESSA, "spans": DICTS}], indent=2), "JSON lines"),
    "doccano": ("all.jsonl", lines({"id": 1, "text": TESSA, "label": LISTS, "Comments": []}), "doccano"),
    "doccano labels": ("all.jsonl", lines({"id": 1, "text": TESSA, "labels": LISTS, "meta": {}}), "doccano"),
    "doccano relations": (
        "all.jsonl",
        lines({"id": 1, "text": TESSA, "entities": OFFSETS, "relations": [], "Comments": []}),
        "doccano",
    ),
    "doccano 1.0": ("all.json", [{"id": 1, "data": TESSA, "label": LISTS}], "doccano"),
    "Label Studio": ("project.json", [studio(*PAIR)], "Label Studio"),
    "Label Studio, other name": (
        "project.json",
        [{**studio(*PAIR), "data": {"id": "x7", "text": TESSA, "url": "a"}}],
        "Label Studio",
    ),
    "JSON-MIN": ("min.json", [{"id": 1, "text": TESSA, "label": SHORT, "annotator": 1}], "Label Studio"),
    "Label Studio lines": ("project.jsonl", lines(studio(*PAIR)), "Label Studio"),
    "Prodigy": (
        "prodigy.jsonl",
        lines(
            {"text": TESSA, "_input_hash": 1, "_task_hash": 2, "tokens": TOKENS, "spans": DICTS, "answer": "accept"}
        ),
        "Prodigy",
    ),
    "spaCy 2": ("train.json", [[TESSA, {"entities": LISTS}]], "JSON of spaCy"),
    "spaCy annotator": (
        "train.json",
        {"classes": ["PER", "LOC"], "annotations": [[TESSA, {"entities": LISTS}], None]},
        "JSON of spaCy",
    ),
    "Doc.to_json": ("train.jsonl", lines({"text": TESSA, "ents": DICTS, "tokens": TOKENS}), "JSON of spaCy"),
    "spaCy corpus": (
        "train.json",
        [{"id": 0, "paragraphs": [{"raw": TESSA, "sentences": [{"tokens": OLD, "brackets": []}]}]}],
        "JSON of spaCy",
    ),
    "GLiNER": (
        "train.json",
        [{"tokenized_text": ["Tessa", "Ruiz", "lives", "in", "Oderau", "."], "ner": [[0, 1, "PER"], [4, 4, "LOC"]]}],
        "GLiNER",
    ),
    "WebAnno": ("a.tsv", TSV, "WebAnno TSV"),
    "CoNLL-2012": ("a.gold_conll", CONLL.replace("PERSON", "PER").replace("GPE", "LOC"), "CoNLL-2012"),
    "CoNLL-2003": (
        "a.conll",
        "-DOCSTART- -X- -X- O\n\nTessa NNP B-NP B-PER\nRuiz NNP I-NP I-PER\nlives VBZ B-VP O\nin IN B-PP O\n"
        "Oderau NNP B-NP B-LOC\n. . O O\n",
        "",
    ),
    "CoNLL-2002": ("a.conll", "Tessa B-PER\nRuiz I-PER\nlives O\nin O\nOderau B-LOC\n. O\n", ""),
}


@pytest.mark.parametrize(("name", "content", "said"), SAMPLES.values(), ids=SAMPLES)
def test_samples(tmp_path: Path, name: str, content: Any, said: str) -> None:
    (sentence,), report = read(write(tmp_path, name, content))
    found = [(sentence.text[start:end], label) for start, end, label in sentence.spans]
    assert found == [("Tessa Ruiz", "PER"), ("Oderau", "LOC")]
    assert report.format == (said if said != "JSON lines" else "")
    assert said in report.lines()[0] and not report.irregular
    assert dict(report.labels) == {"PER": 1, "LOC": 1}


def test_every_format_has_a_sample() -> None:
    assert len(FORMATS) == 14, "brat, .spacy and tables have tests of their own"


def test_training_reads_them_directly(tmp_path: Path, datasets_cache: None) -> None:
    brat(tmp_path, "T1\tPER 0 10\tTessa Ruiz\n")
    for path in (tmp_path / "a.ann", tmp_path):
        corpus = load_corpus(path)
        assert corpus["train"][0]["spans"] == [{"start": 0, "end": 10, "label": "PER"}]
    (tmp_path / "a.txt").write_text(TESSA + " She left.", encoding="utf-8")
    assert load_corpus(tmp_path / "a.ann")["train"][0]["text"].endswith("left."), "the text counts for the cache too"
    tasks = write(tmp_path, "tasks.json", [studio(*PAIR)])
    assert load_corpus(tasks, map={"PER": "PERSON"})["train"][0]["spans"][0]["label"] == "PERSON"


# brat.


def test_brat(tmp_path: Path) -> None:
    text = f"{TESSA}\r\nVantor pays Tessa\nRuiz."
    annotation = (
        "T1\tPER 0 10\tTessa Ruiz\n"
        "T2\tPER 41 46;47 51\tTessa Ruiz\n"
        "T3\tLOC 20 26\tOderau\n"
        "T4\tPER 0 5;20 26\tTessa Oderau\n"
        "R1\tlives_in Arg1:T1 Arg2:T3\n*\tEquiv T1 T2\nA1\tSure T1\n#1\tAnnotatorNotes T1\twell\n"
    )
    sentences, report = read(brat(tmp_path, annotation, text))
    assert [sentence.text for sentence in sentences] == [TESSA, "Vantor pays Tessa", "Ruiz."]
    assert sentences[1].spans == [(12, 22, "PER")], "over the line end, as brat writes it"
    assert report.irregular["discontinuous spans, left out"].count == 1
    assert {kind.partition(" left")[0] for kind in report.notes} == {
        "relations",
        "equivalences",
        "attributes",
        "notes of annotators",
    }
    with pytest.raises(InputError, match=r"a\.ann:4: a discontinuous span"):
        read(tmp_path / "a.ann", on_error="raise")


def test_a_folder_of_brat(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    brat(tmp_path / "sub", "T1\tLOC 20 26\tOderau\n")
    brat(tmp_path, "T1\tPER 0 10\tTessa Ruiz\n")
    write(tmp_path, "alone.txt", "Nobody has looked at this.")
    sentences, report = read(tmp_path)
    assert [(sentence.document, sentence.spans) for sentence in sentences] == [(0, SPANS[:1]), (1, SPANS[1:])]
    assert report.notes["texts without annotation file, left aside"].found == "alone.txt"


# UTF-16 and bytes, by what the files themselves say.


def test_offsets_that_quotes_prove(tmp_path: Path) -> None:
    for shift in (3, 5):  # characters, then UTF-16 units
        spans = [(shift + a, shift + b, quote, label) for a, b, quote, label in PAIR]
        (sentence,), report = read(write(tmp_path, "a.json", [studio(*spans, text=SMILE)]))
        assert sentence.spans == [(3 + a, 3 + b, label) for a, b, label in SPANS]
    assert any("JavaScript" in kind for kind in report.notes)
    in_bytes = "".join(f"T{n}\t{label} {9 + a} {9 + b}\t{TESSA[a:b]}\n" for n, (a, b, label) in enumerate(SPANS, 1))
    (sentence,), report = read(brat(tmp_path, in_bytes, SMILE))
    assert sentence.spans == [(3 + a, 3 + b, label) for a, b, label in SPANS]
    assert any("UTF-8 bytes" in kind for kind in report.notes)


def test_offsets_that_only_look_wrong(tmp_path: Path) -> None:
    row = {"text": f"{SMILE} For years.", "label": [[5 + a, 5 + b, label] for a, b, label in SPANS]}
    path = write(tmp_path, "a.jsonl", lines(*[row] * 3))
    _, report = read(path)
    assert "--offsets utf-16" in next(iter(report.irregular.values())).found
    sentences, _ = read(path, offsets="utf-16")
    assert sentences[0].spans == [(3 + a, 3 + b, label) for a, b, label in SPANS]


# What is left aside, with its count.


@pytest.mark.parametrize(
    ("name", "content", "kept", "said"),
    [
        ("a.json", [studio(*PAIR), studio(*PAIR, annotations=[])], 1, "tasks without annotation, left aside"),
        (
            "a.json",
            [studio(*PAIR), studio(annotations=[{"result": [], "was_cancelled": True}])],
            1,
            "skipped annotations, left aside",
        ),
        ("a.json", [studio(*PAIR, predictions=[{"result": []}])], 1, "tasks with predictions, which are left aside"),
        ("a.json", [studio(*PAIR, annotations=studio(*PAIR)["annotations"] * 2)], 1, "tasks with several annotations"),
        (
            "a.json",
            [studio(*PAIR, annotations=[{"result": [{"type": "choices", "value": {"choices": ["x"]}}]}])],
            1,
            "results of type 'choices' left aside",
        ),
        *(
            (
                "a.jsonl",
                lines({"text": "a", "spans": [], "answer": "accept"}, {"text": "b", "answer": answer}),
                1,
                f"rows with the answer '{answer}', left aside",
            )
            for answer in ("reject", "ignore")
        ),
        (
            "a.jsonl",
            lines({"text": "a", "spans": [], "answer": "accept"}, {"text": "b", "_task_hash": 1}),
            1,
            "rows without answer, left aside",
        ),
        ("a.json", {"classes": [], "annotations": [[TESSA, {"entities": LISTS}], None]}, 1, "empty annotations"),
        ("a.jsonl", lines({"text": TESSA, "ents": [], "cats": {"x": 1.0}}), 1, "key 'cats' left aside"),
        ("a.tsv", TSV, 1, "column POS.PosValue left aside"),
        ("a.conll", CONLL, 1, "columns of syntax"),
    ],
)
def test_left_aside_with_counts(tmp_path: Path, name: str, content: Any, kept: int, said: str) -> None:
    sentences, report = read(write(tmp_path, name, content))
    assert len(sentences) == kept
    assert any(kind.startswith(said) for kind in report.notes), report.notes


# What is refused.

BAD: dict[str, tuple[str, Any, str]] = {
    "quote": ("a.json", [studio((0, 5, "Tesso", "PER"))], "covers 'Tessa', not 'Tesso'"),
    "two annotations": (
        "a.json",
        [studio(annotations=studio(*PAIR)["annotations"] + studio(PAIR[0])["annotations"])],
        "2 annotations that differ",
    ),
    "nobody": ("a.json", [studio(annotations=[])], "no annotated text (tasks without annotation, left aside: 1)"),
    "several labels": (
        "a.json",
        [{"id": 1, "text": TESSA, "label": [{"start": 0, "end": 5, "text": "Tessa", "labels": ["A", "B"]}]}],
        "several labels",
    ),
    "which text": (
        "a.json",
        [{**studio(annotations=[{"result": []}]), "data": {"a": "x", "b": "y"}}],
        "which of the task's keys",
    ),
    "nested": ("a.jsonl", lines({"text": TESSA, "label": [[0, 10, "PER"], [0, 5, "X"]]}), "overlaps"),
    "outside": ("a.jsonl", lines({"text": TESSA, "label": [[0, 99, "PER"]]}), "outside a text of 27"),
    "doccano classes": ("a.jsonl", lines({"text": TESSA, "label": ["good"]}), "no span"),
    "answer": ("a.jsonl", lines({"text": TESSA, "answer": "maybe"}), "the answer 'maybe'"),
    "word": (
        "a.jsonl",
        lines({"text": TESSA, "entities": [{**ENTITIES[0], "word": "Tesso Ruiz"}]}),
        "covers 'Tessa Ruiz'",
    ),
    "heads": ("a.jsonl", lines({"text": TESSA, "entities": {"ner": [], "pos": []}}), "several heads"),
    "gliner": ("a.json", [{"tokenized_text": ["a"], "ner": [[0, 1, "X"]]}], "outside a sentence of 1"),
    "gliner nested": ("a.json", [{"tokenized_text": ["a", "b"], "ner": [[0, 1, "X"], [1, 1, "Y"]]}], "overlaps"),
    "spaCy": ("a.json", [["text", {"entities": [[0, "x", "PER"]]}]], "no entity"),
    "BILUO": (
        "a.json",
        [{"paragraphs": [{"sentences": [{"tokens": [{"orth": "a", "ner": "L-X"}]}]}]}],
        "no BILUO",
    ),
    "CoNLL-2012": ("a.conll", CONLL.replace("(GPE)", "(GPE*"), "not closed"),
    "CoNLL-2012 nested": ("a.conll", CONLL.replace("*) *) 1)", "(X) *) 1)"), "nests"),
    "WebAnno column": ("a.tsv", TSV.replace("NamedEntity", "Name"), "which column has the labels?"),
    "WebAnno offsets": ("a.tsv", TSV.replace("20-26", "21-27"), "not where their offsets say"),
    "other JSON": ("a.json", [{"foo": 1}], "in none of the formats"),
}


@pytest.mark.parametrize(("name", "content", "said"), BAD.values(), ids=BAD)
def test_refused(tmp_path: Path, name: str, content: Any, said: str) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert said in str(caught.value) and str(path) in str(caught.value) and caught.value.fix


@pytest.mark.parametrize(
    "annotation", ["T1 PER 0 10 Tessa Ruiz\n", "T1\tPER 0 10\tTesso\n", "T1\tPER 0 99\tTessa\n", "X1\tfoo\n"]
)
def test_refused_of_brat(tmp_path: Path, annotation: str) -> None:
    path = brat(tmp_path, annotation)
    with pytest.raises(InputError, match=r"a\.ann:1: "):
        read(path)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.ann: no such file"):
        read(tmp_path / "a.txt", file_format="brat")


def test_webanno_parts_stacks_and_escapes(tmp_path: Path) -> None:
    head = "#FORMAT=WebAnno TSV 3.2\n#T_SP=webanno.custom.Thing|kind\n\n"
    body = (
        "#Text=\U0001f642 Tes\\\\sa [x]\n"
        "1-1\t0-2\t\U0001f642\t_\t\n1-2\t3-9\tTes\\\\sa\t_\t\n1-2.1\t3-6\tTes\tP\\[1\\][4]\t\n1-3\t10-13\t[x]\tQ[5]\t\n\n"
        "#Text=Lund\n2-1\t14-18\tLund\tQ[5]|R\t\n"
    )
    sentences, report = read(write(tmp_path, "a.tsv", head + body.replace("|R", "")))
    assert sentences[0].text == "\U0001f642 Tes\\sa [x]"
    assert sentences[0].spans == [(2, 5, "P[1]"), (9, 12, "Q")]
    assert [sentence.document for sentence in sentences] == [0, 0]
    assert "annotations across sentences, read as one in each" in report.irregular
    with pytest.raises(InputError, match="overlaps"):
        read(write(tmp_path, "a.tsv", head + body))
    path = write(tmp_path, "b.tsv", TSV)
    for column in ("PosValue", "POS.PosValue", 3):
        assert read(path, tag_column=column)[1].labels["N"] == 3


# spaCy's own files.


def test_spacy_files(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import Doc, DocBin, Span

    nlp = spacy.blank("en")
    doc = nlp(f"\U0001f642 {TESSA}")
    doc.set_ents([Span(doc, 1, 3, "PER"), Span(doc, 5, 6, "LOC")])
    doc.spans["sc"] = [Span(doc, 0, 1, "X")]
    partial = Doc(nlp.vocab, ["Lund", "rains"])
    partial.set_ents([Span(partial, 0, 1, "LOC")], missing=[partial[1:2]])
    path = tmp_path / "train.spacy"
    DocBin(docs=[doc, nlp("Nobody has looked at this."), partial], store_user_data=True).to_disk(path)
    sentences, report = read(path)
    assert [sentence.text for sentence in sentences] == [doc.text, "Lund rains "]
    assert sentences[0].spans == [(2, 12, "PER"), (22, 28, "LOC")]
    assert report.notes["docs without entity annotation, left aside"].count == 1
    assert any("'sc'" in kind for kind in report.notes)
    assert [finding.found for kind, finding in report.irregular.items() if "nobody has said" in kind] == ["rains"]
    with pytest.raises(InputError, match="without entity annotation"):
        read(path, on_error="raise")
    path.write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match=r"train\.spacy: no \.spacy file"):
        read(path)


def test_spacy_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spacy.tokens", None)
    with pytest.raises(InputError, match=r"pip install 'tagsmith\[spacy\]'"):
        read(write(tmp_path, "a.spacy", "x"))


def test_a_format_that_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", lines({"text": TESSA, "spans": DICTS}))
    refused: Callable[[str], Any] = lambda name: pytest.raises(InputError, match=name)  # noqa: E731
    with refused("no annotated text"):
        read(path, file_format="prodigy")
    with refused("file_format='word'"):
        read(path, file_format="word")
