"""The comparison with other taggers: its sums, its layers, what it makes of its adapters' lines, and a tiny run."""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import script
from typer.testing import CliRunner

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SENTENCES = ["Ada B-PER\nLovelace I-PER\nvisits O\nLund B-LOC\n. O\n", "Grace B-PER\nsees O\nBohr B-PER\n. O\n"]
SENTENCES += ["Lund B-LOC\nsleeps O\n. O\n", "It O\nrains O\nin O\n1843 O\n. O\n"]
TAGS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["PER", "LOC"])), max_size=5)


@pytest.fixture(scope="module")
def peers() -> Any:
    return script("peers")


@pytest.fixture(scope="module")
def runs() -> Any:
    return script("peer_runs")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for split, times in (("train", 20), ("dev", 2)):
        (tmp_path / f"{split}.conll").write_text("\n".join(SENTENCES * times), encoding="utf-8")
    return [f"--train={tmp_path}/train.conll", f"--dev={tmp_path}/dev.conll", f"--output={tmp_path}/peers"]


def run(peers: Any, *arguments: str) -> Any:
    result = CliRunner().invoke(peers.app, list(arguments))
    assert result.exit_code == 0, result.output
    return result


@given(TAGS)
def test_tags_and_spans(parts: list[tuple[int, int, str]]) -> None:
    protocol, spans, length = script("peer_protocol"), [], 0
    for gap, size, label in parts:
        spans.append((length + gap, length + gap + size, label))
        length += gap + size
    assert protocol.spans_of(protocol.tags_of(spans, length)) == spans


def test_a_pass_has_each_sentence_once() -> None:
    batches = script("peer_protocol").shuffled(list(range(10)), 4)
    first, second = ([next(batches) for _ in range(3)] for _ in range(2))
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10)) and first != second


class TestScores:
    def test_lines(self, runs: Any) -> None:
        gold = [["B-PER", "I-PER", "O"], ["B-LOC"]]
        assert runs.score_in(json.dumps({"tags": [["B-PER", "I-PER", "O"], ["O"]]}), gold) == pytest.approx(2 / 3)
        assert runs.score_in(json.dumps({"versions": {}}), gold) is None
        line = "epoch   1.0     0.8 min  loss  24.1000  dev f1  86.85  dev accuracy  97.40\n"
        assert runs.score_in(line, gold) == pytest.approx(0.8685)
        assert runs.score_in("train: 14,041 sentences\n", gold) is None
        assert runs.score_in(line, [["DET", "VERB"]]) == pytest.approx(0.974)
        assert runs.score_in(json.dumps({"tags": [["DET", "NOUN"]]}), [["DET", "VERB"]]) == 0.5

    def test_other_sentences_are_refused(self, runs: Any) -> None:
        with pytest.raises(runs.PeerError, match="1 tags for 2 words"):
            runs.f1_of([["O", "O"]], [["O"]])

    def test_best_by(self, runs: Any) -> None:
        found = [{"seconds": 50, "f1": 0.5}, {"seconds": 60, "f1": 0.7}, {"seconds": 90, "f1": 0.6}]
        assert [runs.best_by(found, minutes) for minutes in (0.5, 0.9, 1, 2)] == [None, 0.5, 0.7, 0.7]

    def test_row(self, peers: Any, runs: Any) -> None:
        lines = [{"seconds": 30, "f1": 0.5}, {"seconds": 90, "f1": 0.625}, {"end": "time"}]
        row = peers.f1_row(runs.Tagger("flair", "flair"), lines, [1, 2])
        assert peers.f1_cells(row) == ["flair", "50.00", "62.50", "62.50 (1.5 min)", "2, time"]
        none = peers.f1_row(runs.Tagger("flair", "flair"), [{"end": "time"}], [1])
        assert peers.f1_cells(none) == ["flair", "", "", "0, time"]


def rates(train: float, tokens: float) -> dict[str, Any]:
    """A peer's round."""
    words = {"train_words": train, "train_seconds": 2, "tokens_words": tokens, "tokens_seconds": 1}
    return {**words, "train_memory": 5, "memory": 6, "bytes": 10**6}


class TestSpeed:
    def test_ratios_are_of_the_same_round(self, peers: Any, runs: Any) -> None:
        tables = script("peer_ratios")
        ours, theirs = [rates(40, 9), rates(20, 9)], [rates(10, 3), rates(10, 1)]
        row = {"threads": 2, **tables.speed_row(runs.Tagger("naive", "naive"), theirs, ours)}
        assert row["train"] == [5, 5] and row["train_ratios"] == [4, 2] and row["tokens_ratios"] == [3, 9]
        cells = tables.speed_cells(row)
        assert len(cells) == len(tables.SPEED_HEADERS)
        assert cells[:4] == ["naive", "2", "5 (5 to 5)", "3.00 (2.00 to 4.00)"] and cells[6:] == ["", "5, 6", "1.0"]
        assert "train_ratios" not in tables.speed_row(runs.Tagger("tagsmith", "tagsmith"), theirs, ours)
        assert "train_ratios" in tables.speed_row(runs.Tagger("before", "tagsmith", python="before"), theirs, ours)

    def test_peers_are_beside_a_tagsmith(self, peers: Any) -> None:
        taggers = {tagger.name: tagger for tagger in peers.SPEED}
        assert len(taggers) == len(peers.SPEED)
        for tagger in [*peers.SPEED, *peers.F1]:
            beside = taggers[tagger.beside]
            assert beside.adapter in ("tagsmith", "crf") and not beside.python and tagger.note
            assert (BENCHMARKS / f"peer_{tagger.adapter}.py").is_file()

    def test_what_tags_has_learnt(self, peers: Any) -> None:
        """By what stands among the learners, of the same corpus, by the same code; a cold start needs a folder."""
        learners, starts = {tagger.name: tagger for tagger in peers.LEARNERS}, script("peer_starts").STARTS
        for tagger in peers.SPEED:
            if tagger.learnt:
                learner = learners[tagger.learnt]
                assert (learner.corpus, learner.python) == (tagger.corpus, tagger.python)
                assert learner.adapter == tagger.adapter or tagger.adapter == "runtime"
            assert "start" not in tagger.works or (tagger.learnt and tagger.adapter in starts)

    def test_the_recipes_of_then(self, peers: Any) -> None:
        known = script("peer_list")
        recipe = script("tagsmith.training.runs.recipe").read_recipe
        assert recipe("ner", known.NER_THEN).model["ngram_sizes"] == []
        assert recipe("ner-paper", known.PAPER_THEN).model["gru_reset"] == "after"
        shape = recipe("byte-ner", known.BYTES_THEN).model
        assert (shape["window_size"], shape["encoder_hidden_size"], shape["decode"]) == (60, 128, "spans")
        assert (shape["patch_hidden_size"], shape["encoder_num_layers"]) == (0, 2)

    @pytest.mark.parametrize(
        ("measure", "ours", "theirs", "times"),
        [
            ("training", {"train_words": 9, "train_seconds": 1}, {"train_words": 3, "train_seconds": 1}, "3.00"),
            ("one sentence, 99 %", {"one_ms": [1, 2]}, {"one_ms": [3, 1]}, "1.50"),
            ("cold start", {"starts": [(1, 9), (3, 7)]}, {"starts": [(5, 9)]}, "2.50"),
            ("memory of a cold start", {"starts": [(1, 9), (3, 7)]}, {"starts": [(5, 9)]}, "1.00"),
            ("loss and gradient", {"crf_ms": 2}, {"crf_ms": 3}, "1.50"),
        ],
    )
    def test_more_is_better(self, measure: str, ours: Any, theirs: Any, times: str) -> None:
        tables = script("peer_ratios")
        contest = tables.Contest("one and another", measure, "a", "b", 1.5)
        row = tables.contest_row(contest, 1, {(1, "a"): [ours], (1, "b"): [theirs]})
        assert row is not None and len(row) == len(tables.CONTEST_HEADERS)
        assert row[5] == f"{times} ({times} to {times})" and row[6] == "1.5"
        assert row[7] == ("yes" if float(times) >= 1.5 else "**no**")
        assert tables.contest_row(contest, 2, {(1, "a"): [ours], (1, "b"): [theirs]}) is None
        assert tables.contest_row(contest, 1, {(1, "a"): [ours], (1, "b"): [{}]}) is None

    def test_contests_are_between_peers_that_do_the_work(self, peers: Any) -> None:
        tables, taggers = script("peer_ratios"), {tagger.name: tagger for tagger in peers.SPEED}
        works = {"train_words": "train", "tokens_words": "tokens", "text_words": "text", "one_ms": "one"}
        works |= {"starts": "start", "crf_ms": "crf"}
        for contest in tables.CONTESTS:
            work = works[tables.MEASURES[contest.measure].work]
            assert work in taggers[contest.ours].works and work in taggers[contest.theirs].works, contest

    def test_percentiles(self) -> None:
        percentile = script("peer_ratios").percentile
        values = list(range(1, 101))
        assert [percentile(values, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
        assert percentile([7], 0.5) == percentile([7], 0.99) == 7

    def test_one_sentence_and_a_start_as_text(self) -> None:
        tables = script("peer_ratios")
        row = {"name": "spacy", "threads": 1, "learnt": "spacy", "one_ms": [1.0, 2.0], "starts": [(0.5, 99)]}
        cells = tables.alone_cells(row, {"spacy": 0.8125})
        assert cells == ["spacy", "1", "1.00", "2.00", "0.50", "99", "81.25"]
        assert len(cells) == len(tables.ALONE_HEADERS)
        assert tables.alone_cells({"name": "x", "threads": 1, "learnt": ""}, {}) == ["x", "1", "", "", "", "", ""]

    def test_it_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        kept, path = script("peer_speed").Kept, tmp_path / "speed.jsonl"
        first = kept(path, {"seconds": 1})
        for turn, peer in ((0, "b"), (1, "b"), (0, "a"), (2, "a")):
            first.add(turn, 1, peer, {"n": turn})
        again = kept(path, {"seconds": 1})
        assert again.found == first.found and not kept(path, {"seconds": 2}).found
        assert again.by_peer(["a", "b"]) == {(1, "a"): [{"n": 0}], (1, "b"): [{"n": 0}, {"n": 1}]}  # no hole

    def test_turns(self, runs: Any) -> None:
        taggers = [runs.Tagger("a", "a"), runs.Tagger("b", "b", many=False)]
        order = [
            (turn, threads, tagger.name) for turn, threads, tagger in script("peer_speed").turns(taggers, [1, 2], 2)
        ]
        assert order == [(turn, *rest) for turn in (0, 1) for rest in ((1, "a"), (1, "b"), (2, "a"))]

    def test_one_at_a_time(self) -> None:
        protocol = script("peer_protocol")

        given: list[Any] = []

        class Words(protocol.Peer):  # type: ignore[name-defined, misc]
            def tag(self, sentences: list[list[str]]) -> list[list[str]]:
                given.extend(sentences)
                return sentences

        peer = Words({})
        sentences = [[str(number)] for number in range(100)]
        assert len(protocol.alone(peer, sentences, 4)) == 4
        assert given[-4:] == [["0"], ["25"], ["50"], ["75"]] and len(given) == protocol.WARM_LINES + 4

    def test_like_lengths(self) -> None:
        sentences = [(["x"] * (1 + number % 10), []) for number in range(100)]
        batches = script("peer_naive").alike(sentences, 10)
        once = [next(batches) for _ in range(10)]
        assert all(len({len(words) for words, _ in batch}) == 1 for batch in once)
        assert sorted(map(len, chain(*(words for words, _ in chain(*once))))) == [1] * 550

    def test_peers_without_an_interpreter_are_left_out(self, peers: Any) -> None:
        assert not {"before", "flair"} & peers.interpreters(None).keys()
        assert peers.interpreters([f"before={sys.executable}"])["before"] == sys.executable

    @pytest.mark.parametrize("option", ["--peer=nltk", "--python=flair", "--python=nltk=python"])
    def test_unknown_names(self, peers: Any, files: list[str], option: str) -> None:
        result = CliRunner().invoke(peers.app, ["speed", *files, option])
        assert result.exit_code == 2 and ("there are" in result.output or "NAME=PATH" in result.output)


class TestLayer:
    def test_both_layers_do_the_same(self) -> None:
        pytest.importorskip("torchcrf")
        layer = script("peer_layer")
        for shape in (layer.Shape("full", 4, 3), layer.Shape("ragged", 5, 3, True)):
            works = layer.works(shape)
            ours, theirs = (work() for work in works["loss and gradient"])
            torch.testing.assert_close(ours, theirs, check_dtype=False)
            tags, paths = (work() for work in works["decoding"])
            assert [[tag for tag in row if tag >= 0] for row in tags.tolist()] == paths

    def test_run(self, peers: Any, tmp_path: Path) -> None:
        pytest.importorskip("torchcrf")
        run(peers, "layer", "--rounds=2", "--seconds=0", f"--output={tmp_path}")
        report = json.loads((tmp_path / "peers-layer.json").read_text(encoding="utf-8"))
        assert len(report["rows"]) == 6 and all(len(row["ratios"]) == 2 for row in report["rows"])
        assert "50 words, 17 tags, ragged" in (tmp_path / "peers-layer.md").read_text(encoding="utf-8")

    def test_the_loop_is_a_crf(self) -> None:
        naive, crf = script("peer_naive"), script("tagsmith.modeling.crf")
        torch.manual_seed(1)
        plain, ours = naive.StepLoopCrf(3), crf.ConditionalRandomField(3)
        with torch.no_grad():
            ours.start.copy_(plain.start), ours.transitions.copy_(plain.transitions)
        emissions, tags = torch.randn(3, 4, 3), torch.randint(3, (3, 4))
        mask = torch.arange(4) < torch.tensor([[4], [1], [2]])
        torch.testing.assert_close(-plain(emissions, tags, mask), ours(emissions, tags, mask))
        paths = [[tag for tag in row if tag >= 0] for row in ours.decode(emissions, mask).tolist()]
        assert plain.decode(emissions, mask) == paths


class TestProcess:
    def test_lines_as_they_come(self, runs: Any, tmp_path: Path) -> None:
        code = "import sys, time; print('a', flush=True); time.sleep(0.2); print('b'); print('c', file=sys.stderr)"
        (first, a), (second, b) = runs.Process([sys.executable, "-c", code], 1, tmp_path / "log").lines()
        assert [a, b] == ["a\n", "b\n"] and second - first >= 0.1
        assert (tmp_path / "log").read_text() == "c\n"

    def test_it_is_killed_in_time(self, runs: Any, tmp_path: Path) -> None:
        code = "import time; print('a', flush=True); time.sleep(60)"
        process = runs.Process([sys.executable, "-c", code], 1, tmp_path / "log", limit=0.5)
        assert [line for _, line in process.lines()] in (["a\n"], []) and process.killed

    def test_failure(self, runs: Any, tmp_path: Path) -> None:
        with pytest.raises(runs.PeerError, match="log"):
            list(runs.Process([sys.executable, "-c", "raise SystemExit(1)"], 1, tmp_path / "log").lines())


@pytest.mark.slow
def test_tiny_run(peers: Any, files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("pycrfsuite")
    names = ["tagsmith", "runtime", "crf", "naive-fused", "crfsuite"]
    only = [f"--peer={name}" for name in names]
    tiny = ["--threads=1", "--rounds=1", "--seconds=0.1", "--learn-seconds=0", "--lines=3", "--starts=1", "--passes=1"]
    run(peers, "speed", *files, *only, *tiny)
    folder = tmp_path / "peers"
    report = json.loads((folder / "peers-speed.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == names and not report["failed"] and report["scores"]["crfsuite"] == 1
    assert all(len(row["one_ms"]) == 3 for row in rows.values() if "one" in row["works"])
    assert all(len(row["starts"]) == 1 for row in rows.values() if "start" in row["works"])
    table = (folder / "peers-speed.md").read_text(encoding="utf-8")
    assert "| words | `ner` and a feature CRF, trained to its end | 1 |" in table
    changed = (folder / "speed.jsonl").stat().st_mtime_ns
    assert "round 1" not in run(peers, "speed", *files, *only, *tiny).output
    assert (folder / "speed.jsonl").stat().st_mtime_ns == changed


@pytest.mark.slow
def test_f1_goes_on_where_it_stopped(peers: Any, files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("pycrfsuite")
    run(peers, "f1", *files, "--peer=crfsuite", "--minutes=1,2")
    course = tmp_path / "peers" / "f1" / "crfsuite" / "course.jsonl"
    *_, score, end = map(json.loads, course.read_text(encoding="utf-8").splitlines())
    assert score["f1"] == 1 and end["end"] == "finished" and "python-crfsuite" in end["versions"]
    changed = course.stat().st_mtime_ns
    assert "for at most" not in run(peers, "f1", *files, "--peer=crfsuite", "--minutes=1,2").output
    assert course.stat().st_mtime_ns == changed
    assert "| crfsuite | 100.00 | 100.00 | 100.00 (" in (tmp_path / "peers" / "peers-f1.md").read_text()
    assert peers.kept(course, {"other": 1}) is None
