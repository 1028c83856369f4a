from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import tagsmith
from tagsmith.training.machine import process_tuning
from tagsmith.training.machine.process_tuning import ProcessTuning, float32_products, tune_process

AVX512 = frozenset({"avx2", "avx512f", "avx512bw", "avx512vl", "avx512dq"})
BACKENDS = ("cuda", "mkldnn")


def precisions() -> list[str]:
    """All that says how exact float32 products are, of the process and of its backends."""
    backends: Any = [torch.backends, torch.backends.cudnn, *(getattr(torch.backends, name) for name in BACKENDS)]
    parts = [getattr(backend, part, None) for backend in backends for part in ("matmul", "conv", "rnn")]
    known = [str(part.fp32_precision) for part in parts if hasattr(part, "fp32_precision")]
    return [torch.get_float32_matmul_precision(), *known]


def untouched() -> None:
    """PyTorch's precision as a new process has it, whatever ran in this one before."""
    torch.set_float32_matmul_precision("highest")
    for backend in process_tuning._backends():
        backend.fp32_precision = "none"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    untouched()  # a command that another test ran may have tuned this process
    yield
    untouched()
    torch.set_num_threads(threads)


@pytest.fixture
def amd(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A processor by AMD with AVX-512, and no GPU."""
    monkeypatch.setattr(process_tuning, "is_amd", lambda: True)
    monkeypatch.setattr(process_tuning, "processor_flags", lambda: AVX512)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    return monkeypatch


def test_onednn_multiplies_on_amd(amd: pytest.MonkeyPatch) -> None:
    amd.setattr(process_tuning, "_largest_error", lambda: 4e-7)
    for _ in range(2):  # a second call changes nothing
        tuned = tune_process(1)
        assert tuned.float32_products == float32_products() == "oneDNN"
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (AVX512 | {"amx_tile", "amx_bf16"}, "AMX"),
        (AVX512 - {"avx512dq"}, "without AVX-512"),
        (frozenset({"avx2"}), "without AVX-512"),
        (frozenset(), "without AVX-512"),
    ],
)
def test_other_processors_stay_as_they_are(amd: pytest.MonkeyPatch, flags: frozenset[str], reason: str) -> None:
    amd.setattr(process_tuning, "processor_flags", lambda: flags)
    before = precisions()
    tuned = tune_process()
    assert reason in tuned.reason and tuned.float32_products != "oneDNN" and precisions() == before


@pytest.mark.parametrize(
    ("target", "name", "value", "reason"),
    [
        (process_tuning, "is_amd", False, "AMD"),
        (torch.accelerator, "is_available", True, "GPU"),
        (torch.backends.mkldnn, "is_available", False, "oneDNN"),
    ],
)
def test_other_machines_stay_as_they_are(
    amd: pytest.MonkeyPatch, target: Any, name: str, value: bool, reason: str
) -> None:
    amd.setattr(target, name, lambda: value)
    before = precisions()
    assert reason in tune_process().reason and precisions() == before


def test_products_with_a_larger_error_are_not_taken(amd: pytest.MonkeyPatch) -> None:
    amd.setattr(process_tuning, "_largest_error", lambda: 1e-4)
    before = precisions()
    tuned = tune_process()
    assert "1e-04" in tuned.reason and tuned.float32_products != "oneDNN" and precisions() == before


@pytest.mark.parametrize("chosen", ["medium", "high"])
def test_what_the_process_chose_stays(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setattr(process_tuning, "is_amd", lambda: False)
    torch.set_float32_matmul_precision(chosen)
    before = precisions()
    tuned = tune_process()
    assert chosen in tuned.reason and chosen in tuned.float32_products and precisions() == before


@pytest.mark.skipif(not process_tuning._backends(), reason="this PyTorch has no precision of single backends")
def test_the_precision_of_a_backend_stays() -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]
    tuned = tune_process()
    assert "of its own" in tuned.reason and "of its own" in tuned.float32_products
    assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"  # type: ignore[attr-defined]


def test_the_check_tells_float32_from_less(monkeypatch: pytest.MonkeyPatch) -> None:
    bmm = torch.bmm

    def rounded(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return bmm(left.bfloat16().to(left.dtype), right.bfloat16().to(right.dtype))

    state = torch.get_rng_state()
    exact = process_tuning._largest_error()
    assert exact < process_tuning._FLOAT32_ERROR / 2 and exact == process_tuning._largest_error()
    assert torch.equal(torch.get_rng_state(), state)  # no seed draws other numbers
    monkeypatch.setattr(torch, "bmm", rounded)
    assert process_tuning._largest_error() > 100 * process_tuning._FLOAT32_ERROR


def test_threads_stay_where_none_are_asked_for() -> None:
    torch.set_num_threads(1)
    assert tune_process().threads == 1 and torch.get_num_threads() == 1
    assert tune_process(2).threads == torch.get_num_threads() == 2


def test_the_line_of_the_log() -> None:
    assert str(ProcessTuning(1, True, "oneDNN", "AMD")) == "float32 products by oneDNN (AMD), 1 thread"
    assert str(ProcessTuning(2, True, "MKL", "no processor of AMD")).endswith(", 2 threads")


def test_in_a_process_of_its_own() -> None:
    code = """
import json, os, tagsmith, torch
for given in ({}, {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}):
    os.environ.pop("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None)
    os.environ.update(given)
    tuned, again = tagsmith.tune_process(1), tagsmith.tune_process(1)
    capacity = os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]
    print(json.dumps([tuned[:3] == again[:3], tuned.threads, tuned.keeps_freed_memory, capacity]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    for line, wanted in zip(done.stdout.splitlines(), ("128", "7"), strict=True):
        same, threads, kept, capacity = json.loads(line)
        assert same and threads == 1 and capacity == wanted
        assert kept or not sys.platform.startswith("linux")


def test_it_is_public() -> None:
    assert tagsmith.tune_process is tune_process and tagsmith.ProcessTuning is ProcessTuning
