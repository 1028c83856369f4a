from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from toys import BYTE_MODEL, BYTE_TRAINING, Outcome, assert_last_line, assert_one_line, people_and_places, tagsmith

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.training.commands import audit_command
from tagsmith.training.data.reading_options import ReadingOptions
from tagsmith.training.doubts.audited import Audited, as_corpus, read_audited
from tagsmith.training.doubts.folds import cut_folds
from tagsmith.training.doubts.planting import KINDS, plant_errors, surface
from tagsmith.training.doubts.ranking import Logistic
from tagsmith.training.doubts.strings import Strings, usual

pytestmark = pytest.mark.usefixtures("datasets_cache")

KEYS = ["file", "line", "end_line", "kind", "found", "expected", "score"]
SMALL = ["word_embedding_size=8", "character_embedding_size=6", "character_hidden_size=6", "hidden_size=12"]
RATES = ["rare_word_dropout", "embedding_dropout", "character_dropout", "hidden_dropout"]
QUICK = ["--folds", 2, "--taggers", 1]
for setting in [*(f"model.{size}" for size in SMALL), *(f"model.{rate}=0.1" for rate in RATES)]:
    QUICK += ["--set", setting]
for setting in ("num_train_epochs=4", "per_device_train_batch_size=4", "learning_rate=0.03", "use_cpu=true"):
    QUICK += ["--set", f"training.{setting}"]


def audited(*sentences: str) -> list[Audited]:
    """Words with their labels behind a slash; a span for each."""
    made = []
    for line in sentences:
        pairs = [word.partition("/") for word in line.split()]
        words = [word for word, _, _ in pairs]
        spans = tuple(Span(n, n + 1, label) for n, (_, _, label) in enumerate(pairs) if label)
        made.append(Audited("x", 0, words, range(1, len(words) + 1), spans))
    return made


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up language with one place that is called a person, in line 2 of the second sentence."""
    path = people_and_places(tmp_path_factory.mktemp("audit") / "train.conll", 150, 1)
    text = path.read_text(encoding="utf-8")
    path.write_text("abville B-PER\nis O\n\n" + text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def audit(spoiled: Path) -> tuple[Any, Outcome]:
    """What an audit has found, and what it wrote."""
    found = []
    audited_by = audit_command._audit

    def noted(*arguments: Any) -> Any:
        found.append(audited_by(*arguments))
        return found[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit_command, "_audit", noted)
        return found, tagsmith("audit", spoiled, "--json", *QUICK)


@pytest.fixture(scope="module")
def rows(audit: tuple[Any, Outcome]) -> list[dict[str, Any]]:
    outcome = audit[1]
    assert outcome.code == 0, outcome.err
    assert "folds are stretches of sentences" in outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_rows(rows: list[dict[str, Any]], spoiled: Path) -> None:
    assert all(list(row) == KEYS for row in rows)
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    place = next(n for n, row in enumerate(rows) if row["line"] == 1)
    row = rows[place]
    assert place < 5, "the planted error is among the worst"
    assert (row["file"], row["end_line"], row["kind"]) == (str(spoiled), 1, "label")
    assert row["found"] == [{"start": 0, "end": 7, "label": "PER", "text": "abville"}]
    assert row["expected"] == [{"start": 0, "end": 7, "label": "LOC", "text": "abville"}]


def test_an_audit_by_taggers_of_bytes(spoiled: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "bytes.yaml"
    model = {**BYTE_MODEL, "decode": "tags", "hidden_size": 24, "encoder_hidden_size": 16}
    training = {**BYTE_TRAINING, "max_steps": 150, "learning_rate": 0.02}
    recipe.write_text(yaml.safe_dump({"model_type": "byte-to-span", "model": model, "training": training}))
    command = ["audit", spoiled, "--json", "--folds", 2, "--taggers", 1, "--recipe", recipe]
    outcome = tagsmith(*command)
    assert outcome.code == 0, outcome.err
    found = [json.loads(line) for line in outcome.out.splitlines()]
    place, row = next((n, row) for n, row in enumerate(found) if row["line"] == 1)
    assert place < 5 and [span["label"] for span in row["expected"]] == ["LOC"]
    assert_one_line(tagsmith(*command, "--set", "model.ngram_sizez=[]"), "ngram_sizez")


def test_accept_writes_a_corrected_copy(rows: list[dict[str, Any]], spoiled: Path, tmp_path: Path) -> None:
    accepted, copy = tmp_path / "accepted.jsonl", tmp_path / "corrected.conll"
    row = next(row for row in rows if row["line"] == 1)
    accepted.write_text(json.dumps(row) + "\n", encoding="utf-8")
    outcome = tagsmith("audit", spoiled, "--accept", accepted, "--output", copy)
    assert outcome.code == 0, outcome.err
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (spoiled, copy))
    assert after[0] == "abville B-LOC" and after[1:] == before[1:]
    assert_one_line(tagsmith("audit", spoiled, "--accept", accepted, "--output", copy), "already")
    accepted.write_text((json.dumps(row) + "\n") * 2, encoding="utf-8")
    again = tmp_path / "again.conll"
    assert_one_line(
        tagsmith("audit", spoiled, "--accept", accepted, "--output", again), "accepted.jsonl:2", "any more"
    )
    assert not again.exists()
    other = tmp_path / "other.conll"
    other.write_text(spoiled.read_text(encoding="utf-8"), encoding="utf-8")
    assert_one_line(tagsmith("audit", other, "--accept", accepted, "--output", again), "not given")


def correct(tmp_path: Path, name: str, content: str, *changes: dict[str, Any]) -> Outcome:
    source, accepted = tmp_path / name, tmp_path / "accepted.jsonl"
    source.write_text(content, encoding="utf-8", newline="")
    empty: dict[str, Any] = {"end_line": 0, "kind": "label", "found": [], "expected": [], "score": 1.0}
    accepted.write_text(
        "".join(json.dumps({"file": str(source), **empty, **change}) + "\n" for change in changes), encoding="utf-8"
    )
    return tagsmith("audit", source, "--accept", accepted, "--output", tmp_path / f"new-{name}")


def span(start: int, end: int, label: str) -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def test_other_columns_and_line_ends_stay(tmp_path: Path) -> None:
    rows = [
        "# sent_id = 1",
        "# text = Ada Ruiz left.",
        "1\tAda\tB-PER\tx",
        "2\tRuiz\tO\ty",
        "3\tleft\tO\tz",
        "4\t.\tO\tz",
    ]
    content = "\r\n".join([*rows, "", ""])
    change = {"line": 3, "found": [span(0, 3, "PER")], "expected": [span(0, 8, "PER")]}
    outcome = correct(tmp_path, "a.conll", content, change)
    assert outcome.code == 0, outcome.err
    with open(tmp_path / "new-a.conll", encoding="utf-8", newline="") as file:
        assert file.read() == content.replace("Ruiz\tO", "Ruiz\tI-PER")


def test_iob1_of_a_neighbour_is_written_too(tmp_path: Path) -> None:
    content = "Ada I-PER\nRuiz O\nLund I-LOC\n\nKern I-LOC\nVale B-LOC\n\n"
    change = {"line": 3, "found": [span(9, 13, "LOC")], "expected": [span(9, 13, "PER")]}
    assert correct(tmp_path, "a.conll", content, change).code == 0
    assert (tmp_path / "new-a.conll").read_text(encoding="utf-8").splitlines()[:3] == [
        "Ada I-PER",
        "Ruiz O",
        "Lund I-PER",
    ]


def test_json_lines_of_several_lines_of_text(tmp_path: Path) -> None:
    row = {"text": "Ada left.\nLund was cold.", "spans": [span(0, 3, "LOC"), span(10, 14, "LOC")]}
    outcome = correct(
        tmp_path,
        "a.jsonl",
        json.dumps(row) + "\n",
        {"line": 1, "found": [span(0, 3, "LOC")], "expected": [span(0, 3, "PER")]},
        {"line": 1, "found": [span(10, 14, "LOC")]},
    )
    assert outcome.code == 0, outcome.err
    (line,) = (tmp_path / "new-a.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["spans"] == [span(0, 3, "PER")] and json.loads(line)["text"] == row["text"]


def test_bad_rows(tmp_path: Path) -> None:
    content = "Ada B-PER\nleft O\n\n"
    assert_one_line(correct(tmp_path, "a.conll", content, {"line": "1"}), "'line'")
    assert_one_line(correct(tmp_path, "a.conll", content, {"line": 1, "found": [{"label": "PER"}]}), "'found'")
    assert_one_line(correct(tmp_path, "a.conll", content), ["the file is empty", "no rows"][1])
    assert_one_line(correct(tmp_path, "a.conll", content, {"line": 9}), "any more")
    assert_one_line(tagsmith("audit", tmp_path / "a.conll", "--accept", tmp_path / "accepted.jsonl"), "--output")


def test_page(audit: tuple[Any, Outcome], spoiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "audit.html"
    monkeypatch.setattr(audit_command, "_audit", lambda *arguments: audit[0][0])
    outcome = tagsmith("audit", spoiled, "--html", page, "--count", 5, *QUICK)
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 5
    assert_one_line(tagsmith("audit", spoiled, "--html", spoiled, *QUICK), "such a file already")
    accepting = ("audit", spoiled, "--accept", page, "--output", tmp_path / "x")
    for option in (["--json"], ["--html", tmp_path / "y.html"]):
        assert_one_line(tagsmith(*accepting, *option), f"Leave out {option[0]}")
    html = page.read_text(encoding="utf-8")
    assert html.count("<input") == 5 and 'src="' not in html and "<link" not in html
    row = html.partition('data-row="')[2].partition('"')[0].replace("&#34;", '"').replace("&quot;", '"')
    assert list(json.loads(row)) == sorted(KEYS) or list(json.loads(row)) == KEYS


def test_what_a_new_user_may_give(spoiled: Path, tmp_path: Path) -> None:
    one, nothing, plain = tmp_path / "one.conll", tmp_path / "nothing.conll", tmp_path / "plain.conll"
    one.write_text("Ada B-PER\nleft O\n", encoding="utf-8")
    nothing.write_text("it O\nrains B-LOC\n\n", encoding="utf-8")
    people_and_places(plain, 20, 1, plain=True)
    assert_last_line(tagsmith("audit", one, "--folds", 5), "1 sentences cannot be cut into 5 folds")
    assert_one_line(tagsmith("audit", one, one), "given twice")
    assert_one_line(tagsmith("audit", one, "--evidence", one), "given twice")
    assert_one_line(tagsmith("audit", tmp_path / "none"), "no such file")
    assert_last_line(tagsmith("audit", plain, "--scheme", "plain"), "plain tag for each word")
    assert_last_line(tagsmith("audit", one, "--evidence", nothing), "the evidence has the labels LOC", "--map")
    assert_one_line(tagsmith("audit", spoiled, "--recipe", "nosuch"), "no recipe")
    two = tmp_path / "two.conll"
    two.write_text("Ada B-PER\nleft O\n\nit O\nrains O\n", encoding="utf-8")
    assert_last_line(tagsmith("audit", two, "--folds", 2), "--evidence")


def test_folds() -> None:
    by_document = cut_folds([0, 0, 1, 1, 2, 2], [5] * 6, 3)
    assert by_document.by_document and by_document.numbers.tolist() == [0, 0, 1, 1, 2, 2]
    one = cut_folds([0] * 6, [5] * 6, 3)
    assert not one.by_document and one.numbers.tolist() == [0, 0, 1, 1, 2, 2]
    for sentences, folds in ((3, 4), (3, 1)):
        with pytest.raises(InputError):
            cut_folds(range(sentences), [1] * sentences, folds)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=60), st.integers(2, 6), st.floats(0, 0.99))
def test_no_fold_is_empty(words: list[int], folds: int, shift: float) -> None:
    if len(words) >= folds:
        numbers = cut_folds([0] * len(words), words, folds, shift).numbers
        assert set(numbers.tolist()) == set(range(folds))


def test_planted_errors() -> None:
    clean = audited(*["Ada/PER saw the town of Lund/LOC and Kern/LOC again", "Lund/LOC met Ada/PER here"] * 40)
    spoiled, planted = plant_errors(clean, 0.1, 1)
    assert len(planted) == 20 and {error.kind for error in planted} == set(KINDS)
    assert (spoiled, planted) == plant_errors(clean, 0.1, 1)
    for error in planted:
        before, after = set(clean[error.sentence].spans), set(spoiled[error.sentence].spans)
        assert error.before is None or (error.before in before and error.before not in after)
        assert error.after is None or (error.after in after and error.after not in before)
    untouched = {error.sentence for error in planted}
    assert all(spoiled[n] == clean[n] for n in range(len(clean)) if n not in untouched)
    assert surface(clean[0], clean[0].spans[1]) == "Lund"
    assert plant_errors(audited("it rains"), 0.5, 1)[1] == []


def test_strings_elsewhere() -> None:
    sentences = audited("Lund/LOC is Lund/ORG", "in Lund/LOC", "Lund rains")
    strings = Strings.of(sentences)
    assert strings.elsewhere(sentences[0], 0, 1) == ({"ORG": 1, "LOC": 1}, 1)
    assert strings.elsewhere(sentences[2], 0, 1) == ({"LOC": 2, "ORG": 1}, 0)
    assert strings.elsewhere(sentences[0], 1, 2) == ({}, 0)
    assert usual({"LOC": 3}, 1)[0] == "LOC" and usual({}, 2)[0] is None and usual({}, 0) == (None, 0.0)


def test_the_logistic_model_is_that_of_others() -> None:
    model = pytest.importorskip("sklearn.linear_model").LogisticRegression(C=1.0, max_iter=1000)
    chance = np.random.default_rng(1)
    features = chance.normal(size=(200, 3))
    wrong = (features @ [1, -2, 0] + chance.normal(size=200) > 0).astype(float)
    ours = Logistic().fit(features, wrong, np.ones(200))
    scaled = (features - ours.middle) / ours.scale
    theirs = model.fit(scaled, wrong).predict_proba(scaled)[:, 1]
    assert ours.predict(features) == pytest.approx(theirs, abs=1e-3)


def test_reading_and_training_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("# newdoc\n# text = Ada saw Lund.\n1 Ada B-PER\n2 saw O\n3 Lund B-LOC\n4 . O\n", encoding="utf-8")
    (sentence,) = read_audited(path, ReadingOptions())
    assert list(sentence.lines) == [3, 4, 5, 6] and sentence.starts[2] == 8
    (row,) = as_corpus([sentence])["train"]
    assert row["text"] == "Ada saw Lund ." and row["tags"] == ["B-PER", "O", "B-LOC", "O"]
    assert [row["text"][s["start"] : s["end"]] for s in row["spans"]] == ["Ada", "Lund"]
