"""The speed scripts: what they count, what they fit, what they print, and a tiny run of each."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from toys import BYTE_MODEL, script
from typer.testing import CliRunner

from tagsmith.modeling import recurrent
from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.recurrent import RecurrentStack

SMALL = {"character_embedding_size": 3, "character_hidden_size": 4, "word_embedding_size": 5, "hidden_size": 6}
SMALL_BYTES = [f"model.{name}={value}" for name, value in BYTE_MODEL.items() if "dropout" not in name]
SMALL_WORDS = [f"model.{name}={value}" for name, value in SMALL.items()]


@pytest.fixture(scope="module")
def products() -> Any:
    return script("matrix_products")


@pytest.fixture(scope="module")
def workloads() -> Any:
    return script("workloads")


@pytest.fixture(scope="module")
def measure() -> Any:
    return script("measure_case")


@pytest.fixture(scope="module")
def speed() -> Any:
    return script("speed")


@pytest.fixture(scope="module")
def scaling() -> Any:
    return script("scaling")


def words_model(**choices: Any) -> HierarchicalTaggerForTokenClassification:
    tags = {} if "heads" in choices else {0: "O", 1: "S-X", 2: "S-Y"}
    names = {"id2label": tags, "label2id": {tag: index for index, tag in tags.items()}}
    shape = {"output": "softmax", "vocab_size": 9, "character_vocab_size": 9, **SMALL, **names, **choices}
    return HierarchicalTaggerForTokenClassification(HierarchicalTaggerConfig(**shape))


def words_batch() -> dict[str, torch.Tensor]:
    """Three sentences of 4, 2 and 1 words; of the seven words four are distinct, with 3 + 1 + 2 + 5 characters."""
    spelled = {1: [1, 2, 3, 0, 0], 2: [4, 0, 0, 0, 0], 3: [5, 6, 0, 0, 0], 4: [7, 8, 1, 2, 3], 0: [0] * 5}
    ids = torch.tensor([[1, 2, 1, 3], [2, 4, 0, 0], [1, 0, 0, 0]])
    characters = torch.tensor([[spelled[word] for word in row] for row in ids.tolist()])
    mask = (ids > 0).long()
    return {"input_ids": ids, "character_ids": characters, "attention_mask": mask, "labels": ids.sub(1).clamp(max=2)}


def bytes_model(**choices: Any) -> ByteToSpanForSpanTagging:
    names = {"id2label": {0: "X", 1: "Y"}, "label2id": {"X": 0, "Y": 1}}
    return ByteToSpanForSpanTagging(ByteToSpanConfig(**{**BYTE_MODEL, **choices}, **names))


def bytes_batch(model: ByteToSpanForSpanTagging) -> dict[str, torch.Tensor]:
    """Three windows of 9, 5 and 2 bytes; one span and STOP, STOP alone twice."""
    lengths = torch.tensor([9, 5, 2])
    ids = torch.where(torch.arange(9) < lengths[:, None], 65, model.config.pad_token_id)
    stop = model.config.stop_id
    span = [260, model.config.first_length_id + 2, stop + 1, stop]
    labels = torch.tensor([span, [stop, -100, -100, -100], [stop, -100, -100, -100]])
    return {"input_ids": ids, "attention_mask": (ids != model.config.pad_token_id).long(), "labels": labels}


def counted(run: Any) -> int:
    """The products of the loop over steps: those of PyTorch's own recurrent operators are not seen by the counter."""
    slow = [patch.object(recurrent, name, return_value=False) for name in ("fits_fused", "fits_small")]
    with slow[0], slow[1], FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def learn(model: Any, batch: dict[str, Any]) -> None:
    model(**batch).loss.backward()


class TestProducts:
    def test_by_hand(self, products: Any) -> None:
        # Two directions of an LSTM of 3 over 5 features, then over 6: 4 gates, each of 3.
        stack = RecurrentStack("lstm", 5, 3, num_layers=2)
        assert products.recurrent_products(stack, 7) == 2 * 7 * 2 * (5 * 12 + 3 * 12 + 6 * 12 + 3 * 12)

    def test_distinct_words_by_hand(self, products: Any) -> None:
        model = words_model(character_encoder="gru", character_num_layers=1, word_encoder="rnn", num_hidden_layers=1)
        spelling = 2 * 2 * (9 * 3 + 11 * 4) * 12  # both ways, 3 gates of 4: 9 distinct characters' inputs, 11 states
        encoding = 2 * 7 * 2 * ((5 + 8) + 6) * 6
        output = 2 * 7 * 12 * 3
        assert products.hierarchical_products(model, words_batch(), [None]) == spelling + encoding + output

    @pytest.mark.parametrize(
        ("characters", "words"), [("gru", "gru"), ("lstm", "lstm"), ("cnn", "rnn"), ("none", "sru")]
    )
    def test_training_of_a_hierarchical_tagger(self, products: Any, characters: str, words: str) -> None:
        # Its characters' embeddings learn too, so that no product of the backward pass falls away.
        model = words_model(character_encoder=characters, word_encoder=words, character_filters=7).train()
        batch = words_batch()
        assert products.training_products(model, batch) == counted(lambda: learn(model, batch))
        with torch.no_grad():
            forward = counted(lambda: model(**batch))
        assert products.hierarchical_products(model, batch, [None]) == forward

    def test_the_crf_is_left_out(self, products: Any) -> None:
        with_crf, without = words_model(output="crf"), words_model()
        batch = words_batch()
        assert products.training_products(with_crf, batch) == products.training_products(without, batch)
        assert counted(lambda: learn(with_crf, batch)) > products.training_products(with_crf, batch)

    def test_heads_are_encoded_once(self, products: Any) -> None:
        shape = {"tags": ["O", "S-X"], "tag_scheme": "BIOES"}
        model = words_model(sharing="encoder", heads={"a": shape, "b": shape}).eval()
        batch = {name: value for name, value in words_batch().items() if name != "labels"}
        found = counted(lambda: model.predict_heads(["a", "b"], **batch))
        assert products.hierarchical_products(model, batch, ["a", "b"]) == found
        one = products.hierarchical_products(model, batch, ["a"])
        assert found - one == 2 * 7 * 12 * 2

    @pytest.mark.parametrize(
        ("encoder", "attention"), [("shared", False), ("separate", True), ("bidirectional", True)]
    )
    def test_byte_to_span(self, products: Any, encoder: str, attention: bool) -> None:
        torch.manual_seed(1)
        model = bytes_model(encoder=encoder, attention=attention, num_hidden_layers=2)
        batch = bytes_batch(model)
        assert products.training_products(model, batch) == counted(lambda: learn(model.train(), batch))
        # A bias against STOP, by which windows stop at different steps.
        written: list[torch.Tensor] = []
        mask = batch["attention_mask"].bool()
        for bias in (-1e6, 0.0, 1e6):
            operations = counted(
                lambda bias=bias: written.append(model.eval().decode_spans(batch["input_ids"], mask, bias)[0])
            )
            assert products.decoding_products(model, mask, written[-1]) == operations
        assert len(written[0][0]) == 1 < len(written[2][0])

    def test_symbols_written(self, products: Any) -> None:
        assert products.symbols_written(torch.tensor([[5, 6, 7, 9], [9, 9, 9, 9], [5, 6, 7, 8]]), stop=9) == 4 + 1 + 4

    def test_the_machine(self, products: Any) -> None:
        machine = products.MatrixRate(torch.float32)
        machine.run(0.01)
        machine.run(0.01)
        assert sum(machine.seconds.values()) >= 0.02
        assert all(count % (2 * products.SIDE**3) == 0 for count in machine.operations.values())
        assert machine.rate == max(machine.rates.values()) == machine.rates[machine.library] > 1e8

    def test_every_library_of_the_machine_multiplies_float32(self, products: Any) -> None:
        torch.manual_seed(1)
        machine = products.MatrixRate(torch.float32)
        torch.manual_seed(1)
        left, right = torch.randn(2, products.SIDE, products.SIDE)
        exact, scale = left.double() @ right.double(), left.double().abs() @ right.double().abs()
        for multiply in machine.ways.values():
            found = multiply()
            found = found.to_dense() if found.is_mkldnn else found
            assert ((found - exact).abs() / scale).max() < 2e-6  # bfloat16 has 1e-4 at least

    def test_bfloat16_has_one_library(self, products: Any) -> None:
        assert list(products.MatrixRate(torch.bfloat16).ways) == ["oneDNN"]


class TestWork:
    """In this process, for the counts; what memory there was before is not theirs."""

    @pytest.mark.parametrize(("recipe", "settings"), [("ner", SMALL_WORDS), ("byte-ner", SMALL_BYTES)])
    @pytest.mark.parametrize("mode", ["train", "tag"])
    def test_counts(self, measure: Any, workloads: Any, recipe: str, settings: list[str], mode: str) -> None:
        case = workloads.Case(recipe=recipe, mode=mode, batch_size=4, seconds=0.01, lines=8, settings=tuple(settings))
        found = measure.rate(case)
        assert found["seconds"] >= 0.01 and found["memory"] >= found["memory_before"] > 10
        assert found["operations"] > 0 and found["rates"]["float32"] > 0
        if recipe == "ner":
            assert found["words"] >= found["sentences"] >= found["batches"]
        else:
            assert found["windows"] <= 4 * found["batches"]
            assert (
                found["symbols"] >= found["windows"] if mode == "train" else "symbols" not in found
            )  # bytes are tagged

    def test_heads_and_tags(self, workloads: Any) -> None:
        base = workloads.Case(batch_size=4, settings=tuple(SMALL_WORDS))
        work = workloads.TrainingWork(replace(base, heads=2))
        assert [work.step()["head"] for _ in range(4)] == ["head-0", "head-1"] * 2
        work = workloads.TrainingWork(replace(base, tags=2))
        assert set(work.step()["labels"].unique().tolist()) <= {-100, 0, 1}
        assert work.model.config.tags == ["T0", "T1"]

    def test_operators(self, measure: Any, workloads: Any) -> None:
        case = workloads.Case(work="profile", batch_size=4, seconds=0.01, settings=tuple(SMALL_WORDS))
        found = measure.operators(case)
        times = [event["seconds"] for event in found["operators"]]
        assert len(times) == 10 and times == sorted(times, reverse=True)
        assert sum(times) <= found["in_operators"]

    @pytest.mark.parametrize(("recipe", "settings"), [("ner", SMALL_WORDS), ("byte-ner", SMALL_BYTES)])
    @pytest.mark.parametrize("mode", ["read", "train"])
    def test_a_corpus(
        self,
        measure: Any,
        workloads: Any,
        recipe: str,
        settings: list[str],
        mode: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(measure.datasets.config, "HF_DATASETS_CACHE", "restored when the test has ended")
        case = workloads.Case("corpus", recipe, mode, 4, seconds=0.01, size=30, settings=tuple(settings))
        found = measure.corpus(case)
        assert found["seconds"] > 0 and found["memory"] > 10

    @pytest.mark.parametrize("mode", ["tag", "stream"])
    def test_a_document(self, measure: Any, workloads: Any, mode: str) -> None:
        case = workloads.Case(work="document", mode=mode, size=500, seconds=0.01, settings=tuple(SMALL_WORDS))
        assert measure.document(case)["seconds"] > 0

    def test_lines(self, workloads: Any, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("one\n\n two \n", encoding="utf-8")
        assert workloads.lines_of(str(path)) == ["one", " two "]
        assert len(workloads.lines_of(None)) == 1680 + 442
        path.write_text("\n", encoding="utf-8")
        with pytest.raises(workloads.InputError, match="no line to tag"):
            workloads.lines_of(str(path))

    def test_first_bytes(self, measure: Any) -> None:
        assert list(measure.first_bytes(["abc", "de"], 9)) == ["abc", "de", "ab"]
        assert list(measure.first_bytes(["aé"], 2)) == ["a"]  # no half a character
        for size in range(1, 20):
            assert len("\n".join(measure.first_bytes(["abc", "de"], size))) in (size, size - 1)

    @pytest.mark.parametrize("mode", ["train", "tag"])
    def test_crf(self, measure: Any, workloads: Any, mode: str) -> None:
        assert measure.crf(workloads.Case(work="crf", mode=mode, tags=3, seconds=0.01))["seconds"] > 0


class TestTables:
    def test_spread(self, speed: Any) -> None:
        assert speed.spread([3.0, 1.0, 8.0]) == {"median": 3.0, "lowest": 1.0, "highest": 8.0}

    def test_numbers(self, speed: Any) -> None:
        assert speed.numbers("8,32") == [8, 32]
        for text in ("", "8,x", "0"):
            with pytest.raises(speed.typer.BadParameter, match="such as 8,32,128"):
                speed.numbers(text)

    def test_markdown(self, speed: Any) -> None:
        assert speed.markdown_table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | ---: |\n| x&#124;y | 1 |\n"

    def test_a_row(self, speed: Any, workloads: Any) -> None:
        case = asdict(workloads.Case(recipe="byte-ner", mode="train", batch_size=8, dtype="bfloat16"))
        common = {"case": case, "parameters": 5, "windows": 40, "bytes": 2400, "symbols": 60, "memory_before": 500.0}
        common["rates_by_library"] = {"MKL": 4e9, "oneDNN": 5e9}
        rounds = [
            {
                **common,
                "seconds": seconds,
                "operations": 4e9,
                "memory": 520.0,
                "rates": {"float32": 5e9, "bfloat16": 10e9},
            }
            for seconds in (1.0, 2.0, 4.0)
        ]
        row = speed.summary(rounds)
        assert row["windows_per_second"] == {"median": 20.0, "lowest": 10.0, "highest": 40.0}
        assert row["share"] == {"median": 0.2, "lowest": 0.1, "highest": 0.4}
        assert speed.library_rates([row]) == "oneDNN 5 GFLOP/s, MKL 4 GFLOP/s with 1 thread"
        cells = speed.cells(row)
        assert len(cells) == len(speed.HEADERS)
        assert cells[:6] == ["byte-ner", "training", "8", "1", "bfloat16", "20 windows (10 to 40)"]
        assert cells[6:] == ["1,200", "1.50", "2.0", "10", "20%", "520", "20"]

    def test_only_some_recipes(self, speed: Any) -> None:
        cases = speed.cases_of("hierarchical-tagger", [8], {}, speed.Case())
        assert speed.only(cases, None) == cases
        assert {case.recipe for case in speed.only(cases, ["ner"])} == {"ner"}
        with pytest.raises(speed.typer.BadParameter, match="'pos' is not among the shapes measured: ner, ner-paper"):
            speed.only(cases, ["ner", "pos"])

    def test_every_value_of_a_setting(self, speed: Any) -> None:
        cases = speed.varied(
            [speed.Case(settings=("model.cost=0",)), speed.Case(mode="tag")], "model.word_encoder=a,b"
        )
        assert [case.settings[-1] for case in cases] == ["model.word_encoder=a", "model.word_encoder=b"] * 2
        assert speed._name(asdict(cases[0])) == "ner model.cost=0 model.word_encoder=a"
        assert speed.varied(cases, None) == cases
        with pytest.raises(speed.typer.BadParameter, match="is not like"):
            speed.varied(cases, "model.word_encoder")

    def test_a_trained_tagger_takes_the_place_of_shapes(self, speed: Any, tiny_folder: Path) -> None:
        with pytest.raises(speed.typer.BadParameter, match=r"config\.json is missing"):
            speed.trained([str(tiny_folder.parent)])
        models = speed.trained([str(tiny_folder)])
        assert models == {"hierarchical-tagger": str(tiny_folder)}
        cases = speed.cases_of("hierarchical-tagger", [8, 32], models, speed.Case())
        assert [case.recipe for case in cases if case.mode == "train"] == ["ner"] * 2 + ["ner-paper"] * 2
        assert [case.model for case in cases if case.mode == "tag"] == [str(tiny_folder)] * 4
        assert [case.dtype for case in cases if case.mode == "tag"] == ["float32"] * 2 + ["int8"] * 2
        profiled = speed.profiled(cases)
        assert [(case.mode, case.recipe, case.batch_size) for case in profiled] == [
            ("train", "ner", 32),
            ("tag", "ner", 32),
        ]
        with pytest.raises(speed.typer.BadParameter, match="give one of each"):
            speed.trained([str(tiny_folder), str(tiny_folder)])


class TestFits:
    @pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0, 3.0])
    def test_a_power_law(self, scaling: Any, power: float) -> None:
        sizes = [1, 3, 10, 40, 1000]
        assert scaling.exponent(sizes, [7 * size**power for size in sizes]) == pytest.approx(power, abs=1e-12)

    def test_noise_of_both_signs(self, scaling: Any) -> None:
        sizes = [1, 10, 100, 1000]  # symmetric about the middle: the slope stays
        assert scaling.exponent(sizes, [s * n for s, n in zip(sizes, [2, 0.5, 0.5, 2], strict=True)]) == pytest.approx(
            1
        )

    def test_lengths(self, scaling: Any) -> None:
        assert scaling.lengths_up_to(10_000_000) == [10**3, 10**4, 10**5, 10**6, 10**7]
        assert scaling.lengths_up_to(25_000) == [1000, 10_000, 25_000]
        assert scaling.lengths_up_to(1000) == [1000]

    def test_series(self, scaling: Any) -> None:
        found = [series for what in scaling.What for series in scaling.series_of(what, scaling.Case(), {}, 10**4)]
        assert len({(series.what, series.name) for series in found}) == len(found)
        for series in found:
            assert [getattr(case, series.field) for case in series.cases] == list(series.at)

    def test_a_summary(self, scaling: Any) -> None:
        series = scaling.Series("labels", "CRF", "tags", scaling.Case(), "tags", [1, 2, 4])
        results = [
            [
                {"seconds": 3.0 * n**2 * k, "batches": 3, "memory": 500.0 + 8 * n, "memory_before": 500.0}
                for k in (1, 2, 9)
            ]
            for n in series.at
        ]
        summary = scaling.summary(series, results)
        assert summary["time_exponent"] == pytest.approx(2) and summary["memory_exponent"] == pytest.approx(1)
        assert scaling.summary_row(summary) == ["CRF", "tags", "2.00", "1.00"]
        rows = scaling.point_rows(summary)
        assert rows[0] == ["CRF", "1 tags", "2 (1 to 9)", "", "508", "8"]
        assert rows[2] == ["CRF", "4 tags", "32 (16 to 144)", "2.00", "532", "32"]

    def test_memory_that_does_not_grow_has_no_exponent(self, scaling: Any) -> None:
        series = scaling.Series("stream", "lines", "bytes", scaling.Case(), "size", [10, 100, 1000])
        results = [[{"seconds": float(n), "memory": 500.5, "memory_before": 500.0}] for n in series.at]
        assert scaling.summary_row(scaling.summary(series, results)) == ["lines", "bytes", "1.00", ""]


def run(module: ModuleType, *arguments: str) -> str:
    app = module.typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_speed(speed: Any, tmp_path: Path) -> None:
    settings = [part for text in SMALL_BYTES for part in ("--set", text)]
    options = ["--family", "bytes", "--batch-sizes", "4", "--rounds", "1", "--seconds", "0.1", "--lines", "4"]
    printed = run(speed, *options, "--output", str(tmp_path), *settings)
    report = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert {row["case"]["mode"] for row in report["cases"]} == {"train", "tag"}
    assert [len(profile["operators"]) for profile in report["profiles"]] == [10, 10]
    table = (tmp_path / "speed.md").read_text(encoding="utf-8")
    for row in report["cases"]:
        assert f"| {' | '.join(speed.cells(row))} |" in table
    assert "byte-ner" in printed and "aten::" in printed


@pytest.mark.slow
def test_scaling(scaling: Any, tmp_path: Path) -> None:
    options = ["--what", "labels", "--family", "hierarchical", "--sizes", "2,4", "--rounds", "1", "--seconds", "0.1"]
    settings = [part for text in SMALL_WORDS for part in ("--set", text)]
    printed = run(scaling, *options, "--output", str(tmp_path), *settings)
    report = json.loads((tmp_path / "scaling.json").read_text(encoding="utf-8"))
    assert [len(series["points"]) for series in report["series"]] == [2, 2, 2]
    assert "CRF decoding" in printed
    assert "| CRF decoding | tags |" in (tmp_path / "scaling.md").read_text(encoding="utf-8")
    assert (tmp_path / "scaling.png").is_file() == ("matplotlib" in sys.modules)
