"""Byte-to-span taggers as graphs: what ONNX Runtime finds by them, and what they compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_export import export
from test_runtime import FROZEN, TEXTS, assert_same, fuzz_texts, sample_texts
from test_runtime_bytes import ENCODERS, FEW, NGRAMS, TAGS, make_byte_tagger, released
from toys import assert_one_line, script, tagsmith

import tagsmith as package
from tagsmith.modeling.byte_states import BytesRead
from tagsmith.modeling.symbol_rules import FIRST_START
from tagsmith.runtime import load
from tagsmith.tokenization.span_codec import GO_ID

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def windows(size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Windows of every length, as ids and where these are bytes."""
    rows = np.frombuffer("".join(TEXTS).encode()[: 2 * size * size], dtype=np.uint8).reshape(-1, size)
    mask = np.arange(size) < 1 + np.arange(len(rows))[:, None] % size
    return np.where(mask, rows, 258).astype(np.int64), mask


def check_export(folder: Path, texts: list[Any] = FEW, **options: Any) -> list[Any]:
    """Both runtimes give what torch gives of an exported folder, in batches of any size."""
    expected = package.pipeline(folder)(texts, **options)  # of the weights in 16 bits
    for runtime in ("onnx", "numpy"):
        tagger = load(folder, runtime)
        for batch_size in (64, 3):
            assert_same(tagger(texts, batch_size=batch_size, **options), expected)
    return expected


@pytest.mark.parametrize("ngrams", [{}, NGRAMS], ids=["plain", "n-grams"])
@pytest.mark.parametrize("order", ["forward", "reversed"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_bytes_by_their_tags(tmp_path: Path, encoder: str, order: str, ngrams: dict[str, Any]) -> None:
    folder = make_byte_tagger(tmp_path / "own", **TAGS, **ENCODERS[encoder], **ngrams, input_order=order)
    export(folder, tmp_path / "out")
    assert any(check_export(tmp_path / "out", recall_bias=0.5))
    model, tagger = package.pipeline(tmp_path / "out").model, load(tmp_path / "out", "onnx")
    ids, mask = windows()
    expected = model.score_tags(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    assert np.abs(tagger.network.score_tags(ids, mask) - expected)[mask].max() < 1e-4


# What reads in every shape with attention and without, and of these by turns what else there is.
OTHERS: list[dict[str, Any]] = [{}, {"input_order": "reversed"}, NGRAMS, {"input_order": "reversed", **NGRAMS}]
WRITERS = [
    {**shape, "attention": attention, **OTHERS[(number + attention) % 4]}
    for number, shape in enumerate(ENCODERS.values())
    for attention in (False, True)
]


@pytest.mark.parametrize("fields", WRITERS, ids=lambda fields: "-".join(map(str, fields.values())))
def test_windows_that_are_written(tmp_path: Path, fields: dict[str, Any]) -> None:
    export(make_byte_tagger(tmp_path / "own", **fields), tmp_path / "out")
    assert any(check_export(tmp_path / "out"))
    check_steps(tmp_path / "out")


@torch.no_grad()
def check_steps(folder: Path) -> None:
    """Two symbols of each of two ways, scored by the graph and by the model."""
    model, network = package.pipeline(folder).model, load(folder, "onnx").network
    ids, mask = windows()
    read = model.model(torch.from_numpy(ids), torch.from_numpy(mask))
    writing = network.read(ids, mask).follow(np.zeros((len(ids), 2), dtype=np.int64))
    symbols, states = np.full((len(ids), 2), GO_ID), [read.states, read.states]
    for step in range(2):
        scores, writing = network.step(symbols, writing)
        for way in (0, 1):
            one = torch.from_numpy(symbols[:, way : way + 1])
            hidden, states[way] = model.model.write(one, torch.ones_like(one, dtype=torch.bool), states[way])
            expected = model.score_next(hidden, BytesRead(read.last_hidden_state, read.mask, read.states))
            assert np.abs(scores[:, way] - expected[:, 0, FIRST_START:].numpy()).max() < 1e-4
            assert np.abs(writing.states[:, way] - states[way].numpy()).max() < 1e-4
        symbols = FIRST_START + (7 * np.arange(2 * len(ids)).reshape(-1, 2) + step) % scores.shape[2]


def test_how_beams_are_compared(tmp_path: Path) -> None:
    rules = {"num_beams": 4, "length_penalty": 0.7, "early_stopping": True}
    export(make_byte_tagger(tmp_path / "own", rules, attention=True), tmp_path / "out")
    check_export(tmp_path / "out", num_beams=4)
    content = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert content["beams"] == {"length_penalty": 0.7, "early_stopping": True}


def test_one_copy_of_the_weights_in_16_bits(tmp_path: Path) -> None:
    pipeline = export(released(tmp_path / "own"), tmp_path / "out")
    graphs = {"bytes.onnx", "writer.onnx"}
    files = {"config.json", "generation_config.json", "tokenizer_config.json", "manifest.json", "model.safetensors"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == graphs | files
    for name in graphs:
        graph = onnx.load(tmp_path / "out" / name, load_external_data=False)
        assert all(tensor.external_data and not tensor.raw_data for tensor in graph.graph.initializer)
        assert {opset.domain for opset in graph.opset_import} == {""}
        assert (tmp_path / "out" / name).stat().st_size < 20_000
    numbers = pipeline.model.num_parameters()
    assert (tmp_path / "out" / "model.safetensors").stat().st_size < 2.2 * numbers + 5000


@pytest.mark.parametrize("decode", ["spans", "tags"])
def test_the_manifest(tmp_path: Path, decode: str) -> None:
    choices = {"attention": True, "tag_loss": 1.0, "decode": decode, **NGRAMS}
    pipeline = export(make_byte_tagger(tmp_path / "own", **choices), tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert (content["family"], content["version"], content["decode"]) == ("byte-to-span", 2, decode)
    assert content["bytes"] == {"window_size": 16, "overlap": 8, "pad_id": 258}
    assert content["labels"] == ["PER", "LOC"] and content["calibration"] is None
    assert content["ngrams"]["hashes"] == pipeline.model.model.ngrams.hashes.tolist()
    assert content["graphs"] == {"bytes": "bytes.onnx", **({"writer": "writer.onnx"} if decode == "spans" else {})}
    if decode == "tags":
        assert content["tags"][:3] == ["O", "B-PER", "I-PER"] and "symbols" not in content
    else:
        layout = pipeline.tokenizer.layout
        wanted = {"first_start_id": 259, "stop_id": layout.stop, "first_label_id": layout.first_label, "go_id": GO_ID}
        assert wanted.items() <= content["symbols"].items()
        graph = onnx.load(tmp_path / "out" / "writer.onnx", load_external_data=False).graph
        assert {item.name for item in graph.input} == {"symbols", "states", "memory", "lengths"}


def test_what_is_missing_or_cannot_be_exported(tmp_path: Path) -> None:
    own = make_byte_tagger(tmp_path / "own")
    with pytest.raises(package.InputError, match="not exported"):
        load(own, "onnx")
    pipeline = export(own, tmp_path / "out")
    (tmp_path / "out" / "writer.onnx").unlink()
    with pytest.raises(package.InputError, match=r"a graph that manifest\.json names is missing"):
        load(tmp_path / "out", "onnx")
    pipeline.model.generation_config.repetition_penalty = 2.0
    pipeline.save_pretrained(own)
    with pytest.raises(package.InputError, match="is set to: repetition_penalty"):
        export(own, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("decode", ["spans", "tags"])
def test_int8(tmp_path: Path, decode: str) -> None:
    folder = make_byte_tagger(tmp_path / "own", attention=True, tag_loss=1.0, decode=decode)
    export(folder, tmp_path / "out", int8=True)
    for name in ("bytes", *(["writer"] if decode == "spans" else [])):
        graph = onnx.load(tmp_path / "out" / f"{name}.int8.onnx")
        assert "DynamicQuantizeLSTM" in {node.op_type for node in graph.graph.node}
    assert any(load(tmp_path / "out", "onnx")(FEW))


def test_on_the_command_line(tmp_path: Path) -> None:
    export(FROZEN / "bytes", tmp_path / "out")
    text = (TEXTS[0] + "\n").encode()
    expected = tagsmith("tag", tmp_path / "out", "--runtime", "torch", stdin=text).out
    assert "[" in expected
    for runtime in ("auto", "onnx", "numpy"):
        assert tagsmith("tag", tmp_path / "out", "--runtime", runtime, stdin=text).out == expected
    assert "byte-to-span, by onnx" in tagsmith("tag", tmp_path / "out", "-v", stdin=text).err
    outcome = tagsmith("tag", FROZEN / "bytes", "--runtime", "onnx", stdin=text)
    assert_one_line(outcome, "not exported", "tagsmith export")


@pytest.mark.parametrize("count", [40, pytest.param(1600, marks=pytest.mark.slow)])
def test_conformance_texts(count: int, tmp_path: Path) -> None:
    """Texts of all scripts and the sample's, with a tagger that is released, by its graphs."""
    texts = fuzz_texts(count, seed=7) + sample_texts(count)
    export(released(tmp_path / "own"), tmp_path / "out")
    expected = package.pipeline(tmp_path / "out", device="cpu")(texts)
    assert sum(map(len, expected)) > count / 2
    assert_same(load(tmp_path / "out", "onnx")(texts), expected)


def test_the_script_that_times_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    try:
        script("runtime_bytes").main(sentences=40, rounds=1)
    finally:
        torch.set_num_threads(threads)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| | torch | numpy | ONNX Runtime | with --int8 |"
    assert lines[5].startswith("| spans as by torch | 100.0 % | 100.0 % |")
