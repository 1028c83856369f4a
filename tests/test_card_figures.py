"""The pictures of a model card, and the command that puts them, and scores, into it."""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from toys import BYTE_MODEL, card_of, results_of, toy_file
from typer.testing import CliRunner

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.commands.card_command import card
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.evaluation.scoring import score_tagger
from tagsmith.training.pictures.card_figures import (
    count_confusions,
    draw_confusions,
    draw_learning_curve,
    gold_and_found,
)
from tagsmith.training.tagging.load_tagger import load_tagger

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

COURSE = [
    {"step": 5, "epoch": 1.0, "loss": 2.0, "f1": 0.4, "by_name": {"$en$": 0.3, "de": 0.5}},
    {"step": 10, "epoch": 2.0, "loss": 1.0},
    {"step": 15, "epoch": 3.0, "f1": 0.6, "by_name": {"$en$": 0.5}},
]


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 3000


class TestConfusions:
    @pytest.mark.parametrize(
        ("gold", "found", "expected"),
        [
            ([], [], {}),
            ([(0, 3, "A")], [(0, 3, "A")], {("A", "A"): 1}),
            ([(0, 3, "A")], [(0, 3, "B")], {("A", "B"): 1}),
            ([(0, 3, "A")], [(3, 5, "A")], {("A", None): 1, (None, "A"): 1}),
            ([(0, 3, "A")], [(2, 5, "B")], {("A", "B"): 1}),
            ([(0, 9, "A")], [(0, 2, "B"), (3, 9, "C")], {("A", "C"): 1, (None, "B"): 1}),
            ([(0, 2, "A"), (3, 9, "B")], [(0, 9, "C")], {("B", "C"): 1, ("A", None): 1}),
            ([(0, 4, "A"), (5, 6, "B")], [(5, 6, "B"), (3, 4, "C")], {("A", "C"): 1, ("B", "B"): 1}),
        ],
    )
    def test_counts(self, gold: list[Any], found: list[Any], expected: dict[Any, int]) -> None:
        assert count_confusions([([Span(*g) for g in gold], [Span(*f) for f in found])]) == expected

    @given(st.lists(st.tuples(*[st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.sampled_from("AB")))] * 2)))
    def test_every_span_counts_once(self, texts: Any) -> None:
        laid_out = [tuple(map(spans_of, both)) for both in texts]
        counts = count_confusions(laid_out)
        for side in (0, 1):
            labels = Counter(span.label for both in laid_out for span in both[side])
            assert labels == sum_by(counts, side)

    def test_the_diagonal_has_what_is_right(self, tiny_folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "dev.conll"
        path.write_text("Ada B-PER\nLovelace I-PER\nlived O\nin O\nLund B-PER\n\nGrace B-PER\nrains O\n")
        rows = load_corpus({"dev": path}, cache_dir=tmp_path / "cache")["dev"]
        pipeline = load_tagger(str(tiny_folder))
        texts = list(gold_and_found(pipeline, rows))
        assert {label: score["support"] for label, score in score_tagger(pipeline, rows)["labels"].items()} | {
            "LOC": 0
        } == {"PER": 3, "LOC": 0}
        counts = count_confusions(texts)
        assert counts["PER", "PER"] == 2 and counts["PER", "LOC"] == 1

    def test_picture(self, tmp_path: Path) -> None:
        draw_confusions(Counter({("$A$", "_B"): 3, (None, "_B"): 1, ("$A$", None): 1}), tmp_path / "small.png")
        draw_confusions(Counter({(f"L{n}", f"L{n}"): n for n in range(27)}), tmp_path / "large.png")
        assert is_picture(tmp_path / "small.png") and is_picture(tmp_path / "large.png")
        with pytest.raises(InputError, match="nothing to draw"):
            draw_confusions(Counter(), tmp_path / "none.png")


def spans_of(parts: list[tuple[bool, int, str]]) -> list[Span]:
    """Spans one after another, with gaps of one or none."""
    spans, start = [], 0
    for gap, length, label in parts:
        start += gap
        spans.append(Span(start, start + length, label))
        start += length
    return spans


def sum_by(counts: Counter[tuple[str | None, str | None]], side: int) -> Counter[str]:
    totals: Counter[str] = Counter()
    for pair, count in counts.items():
        if (label := pair[side]) is not None:
            totals[label] += count
    return totals


class TestLearningCurve:
    @pytest.mark.parametrize("course", [COURSE, COURSE[1:2], COURSE[2:]])
    def test_picture(self, course: Any, tmp_path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            draw_learning_curve(course, tmp_path / "curve.png")
        assert is_picture(tmp_path / "curve.png")

    def test_nothing_to_draw(self, tmp_path: Path) -> None:
        for course in ([], [{"step": 1, "epoch": 1.0}]):
            with pytest.raises(InputError, match="course"):
                draw_learning_curve(course, tmp_path / "curve.png")


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


class TestCommand:
    def test_options(self, folder: Path) -> None:
        app = typer.Typer()
        app.command()(card)
        options = ["--language", "en", "--language", "de", "--license", "mit", "--dataset", "a/b", "--name", "me/it"]
        done = CliRunner().invoke(app, [str(folder), *options])
        assert done.exit_code == 0, done.output
        data = ModelCard(card_of(folder)).data
        assert (data.language, data.license, data.datasets) == (["en", "de"], "mit", ["a/b"])
        assert card_of(folder).count("# me/it\n") == 1
        assert not (folder / "results.json").exists()

    def test_scores_and_pictures(self, folder: Path, tmp_path: Path) -> None:
        (folder / "results.json").write_text(json.dumps({"course": COURSE, "minutes": 1.5}))
        test, dev = (str(toy_file(tmp_path / f"{name}.conll", 6, 1)) for name in ("test", "dev"))
        card(folder, test=[f"news={test}", test], dev=[dev], pictures=True)
        results, text = results_of(folder), card_of(folder)
        assert results["test"].keys() == {"news", "", "all"} and "f1" in results["dev"]
        assert results["data"]["news"]["test"]["file"] == "test.conll"
        for said in (
            "![Loss and dev F1 over training](learning-curve.png)",
            "![Confusion of labels](confusion.png)",
            "On test data:",
            "On dev data:",
            "| news | test | test.conll |",
        ):
            assert said in text, said
        assert is_picture(folder / "learning-curve.png") and is_picture(folder / "confusion.png")
        assert {entry.dataset_split for entry in ModelCard(text).data.eval_results} == {"validation", "test"}
        card(folder)
        assert card_of(folder) == text, "what was scored and drawn stays"

    def test_a_picture_of_another_hand_is_not_overwritten(self, folder: Path, tmp_path: Path) -> None:
        dev = str(toy_file(tmp_path / "dev.conll", 6, 1))
        (folder / "confusion.png").write_bytes(b"mine")
        with pytest.raises(InputError, match=r"confusion\.png: this picture is there already"):
            card(folder, dev=[dev], pictures=True)
        assert (folder / "confusion.png").read_bytes() == b"mine" and not (folder / "results.json").exists()
        (folder / "confusion.png").unlink()
        for _ in range(2):  # an earlier card's own is replaced
            card(folder, dev=[dev], pictures=True)
        assert is_picture(folder / "confusion.png")

    def test_a_name_that_stands_for_all_data(self, folder: Path, tmp_path: Path) -> None:
        test = str(toy_file(tmp_path / "test.conll", 6, 1))
        with pytest.raises(InputError, match="'all' is what the scores of all data are called"):
            card(folder, test=[f"news={test}", f"all={test}"])

    def test_dev_data_are_those_of_the_run(self, folder: Path, tmp_path: Path) -> None:
        dev, other = (str(toy_file(tmp_path / f"{seed}.conll", 6, seed)) for seed in (1, 2))
        card(folder, dev=[dev])
        results = results_of(folder)
        assert "f1" in results["dev"] and "On dev data:" in card_of(folder)
        stale = {**results["dev"], "f1": 0.123}
        (folder / "results.json").write_text(json.dumps({**results, "best_epoch": 2.0, "dev": stale}))
        with pytest.raises(InputError, match="not the dev data of the run"):
            card(folder, dev=[other])
        with pytest.raises(InputError, match=f"--test news={dev}"):
            card(folder, dev=[f"news={dev}"])
        card(folder, dev=[dev], pictures=True)
        assert results_of(folder)["dev"] == results["dev"], "scored again, as after a change of settings"
        assert "On dev data (the checkpoint was chosen on these):" in card_of(folder)
        assert "learning-curve" not in card_of(folder)

    def test_bytes(self, tmp_path: Path) -> None:
        torch.manual_seed(1)
        shape = {**BYTE_MODEL, "initializer_range": 1.0, "recall_bias": 3.0}
        config = ByteToSpanConfig(id2label={0: "LOC"}, label2id={"LOC": 0}, **shape)
        ByteToSpanForSpanTagging(config).save_pretrained(tmp_path / "bytes")
        ByteToSpanTokenizer(16, ["LOC"]).save_pretrained(tmp_path / "bytes")
        files = [f"{name}={toy_file(tmp_path / f'{name}.conll', 6, 1)}" for name in ("en", "de")]
        card(tmp_path / "bytes", dev=files, pictures=True)
        assert results_of(tmp_path / "bytes")["pictures"] == {"confusion": {"": "confusion.png"}}
        assert ModelCard(card_of(tmp_path / "bytes")).data.language == ["de", "en"]

    def test_heads(self, tmp_path: Path) -> None:
        tokenizer = HierarchicalTaggerTokenizer.train([["abc", "ABC"]])
        heads = {
            "pos": {"tags": ["NAME", "WORD"], "tag_scheme": "plain"},
            "ner": {"tags": ["O", "S-LOC"], "tag_scheme": "BIOES"},
        }
        sizes = {"vocab_size": tokenizer.vocab_size, "character_vocab_size": tokenizer.character_vocab_size}
        config = HierarchicalTaggerConfig(sharing="encoder", heads=heads, id2label={}, label2id={}, **sizes)
        HierarchicalTaggerForTokenClassification(config).save_pretrained(tmp_path / "heads")
        tokenizer.save_pretrained(tmp_path / "heads")
        plain, spans = toy_file(tmp_path / "pos.conll", 6, 1, plain=True), toy_file(tmp_path / "ner.conll", 6, 1)
        card(tmp_path / "heads", dev=[f"pos={plain}", f"ner={spans}"], pictures=True)
        text = card_of(tmp_path / "heads")
        assert "![Confusion of labels, pos](confusion-pos.png)" in text
        assert "![Confusion of labels, ner](confusion-ner.png)" in text
        with pytest.raises(InputError, match=r"several heads.*--test HEAD=FILE"):
            card(tmp_path / "heads", test=[str(spans)])
        with pytest.raises(InputError, match="a plain tag for each word, and this file has spans"):
            card(tmp_path / "heads", test=[f"pos={spans}"])

    def test_errors(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no such folder"):
            card(tmp_path / "nowhere")
        with pytest.raises(InputError, match="nothing to draw"):
            card(folder, pictures=True)
        file = str(toy_file(tmp_path / "test.conll", 6, 1))
        with pytest.raises(InputError, match="--test is given twice for 'a'"):
            card(folder, test=[f"a={file}", f"a={file}"])
        assert not (folder / "README.md").exists() and not (folder / "results.json").exists()
