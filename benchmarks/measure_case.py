"""Measure one case of speed.py or scaling.py in this process, so that memory is the case's own.

    python benchmarks/measure_case.py '{"recipe": "ner", "mode": "train", "batch_size": 32}'

prints a line of JSON: see `Case` in workloads.py.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import datasets
import torch
from datasets import disable_progress_bars
from matrix_products import MatrixRate
from torch.profiler import ProfilerActivity, profile
from workloads import DTYPES, Case, TaggingWork, TrainingWork, lines_of

from tagsmith.modeling.crf import ConditionalRandomField
from tagsmith.training.cards.run_facts import machine_facts, package_versions
from tagsmith.training.commands.command_options import prepare_torch
from tagsmith.training.data.sample import sample_files

_SLICE, _LOOK = 1.0, 0.2  # seconds of work between two looks at the machine's rate, and of such a look
_CRF_BATCH = (32, 25)  # sentences and words


def peak_memory() -> float:
    """The most memory that this process has had (resident set), in MiB."""
    try:  # a child's own: the kernel's count for `getrusage` begins with its parent's
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def rate(case: Case) -> dict[str, Any]:
    """Count the work of some seconds, with looks at the machine's own rate in between."""
    work: Any = TrainingWork(case) if case.mode == "train" else TaggingWork(case)
    machine = {name: MatrixRate(DTYPES[name]) for name in DTYPES if name in ("float32", case.dtype)}
    before, counts, took, looked = peak_memory(), Counter[str](), 0.0, 0.0
    work.warm_up()
    while took < case.seconds:
        started = time.perf_counter()
        done = work.step()
        took += time.perf_counter() - started - work.paused
        counts.update(work.count(done))
        if took - looked > min(_SLICE, case.seconds / 4) or took >= case.seconds:
            looked = took
            for matrices in machine.values():
                matrices.run(_LOOK)
    memory = {"memory_before": before, "memory": peak_memory()}
    rates = {name: matrices.rate for name, matrices in machine.items()}
    facts = {"rates": rates, "rates_by_library": machine["float32"].rates, "parameters": work.model.num_parameters()}
    return {"seconds": took, **counts, **memory, **facts}


def operators(case: Case) -> dict[str, Any]:
    """Where the time goes: operators by their own time."""
    work: Any = TrainingWork(case) if case.mode == "train" else TaggingWork(case)
    work.warm_up()
    started, took = time.perf_counter(), 0.0
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        while took < case.seconds:
            work.step()
            took = time.perf_counter() - started
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    own = sum(event.self_cpu_time_total for event in events) / 1e6
    listed = [
        {"operator": event.key, "calls": event.count, "seconds": event.self_cpu_time_total / 1e6} for event in events
    ]
    return {"seconds": took, "in_operators": own, "operators": listed[:10]}


def document(case: Case) -> dict[str, Any]:
    """Tag `size` bytes as one document, or as a stream of lines; as often as the time allows, and at least once."""
    work = TaggingWork(case)
    lines = lines_of(case.text)
    text = "" if case.mode == "stream" else "\n".join(first_bytes(lines, case.size))
    work.warm_up()
    before, runs, took = peak_memory(), 0, 0.0
    while took < case.seconds:
        started = time.perf_counter()
        if case.mode == "stream":
            work.tag(first_bytes(lines, case.size))
        else:
            work.pipeline(text, batch_size=case.batch_size)
        took += time.perf_counter() - started
        runs += 1
    return {"seconds": took / runs, "memory_before": before, "memory": peak_memory()}


def first_bytes(lines: Iterable[str], size: int) -> Iterator[str]:
    """Lines again and again, until they and the line feeds between them have so many bytes."""
    for line in itertools.cycle(lines):
        data = line.encode()[:size]
        yield data.decode(errors="ignore")
        size -= len(data) + 1
        if size <= 0:
            return


def corpus(case: Case) -> dict[str, Any]:
    """Seconds before the first step of training on `size` sentences, or of a step after it."""
    with tempfile.TemporaryDirectory() as folder:
        datasets.config.HF_DATASETS_CACHE = Path(folder, "cache")
        train = Path(folder, "train.conll")
        blocks = sample_files()["train"].read_text(encoding="utf-8").strip("\n").split("\n\n")
        with train.open("w", encoding="utf-8") as file:
            file.writelines(f"{block}\n\n" for block in itertools.islice(itertools.cycle(blocks), case.size))
        before, started, steps = peak_memory(), time.perf_counter(), 1
        work = TrainingWork(replace(case, train=str(train)))
        if case.mode == "train":
            work.warm_up()
            started, steps = time.perf_counter(), 0
            while time.perf_counter() - started < case.seconds or not steps:
                work.step()
                steps += 1
        took = time.perf_counter() - started
        return {"seconds": took / steps, "memory_before": before, "memory": peak_memory()}


def crf(case: Case) -> dict[str, Any]:
    """Seconds of a CRF's loss with its gradient, or of its decoding, for 32 sentences of 25 words."""
    torch.manual_seed(1)
    layer = ConditionalRandomField(case.tags)
    emissions = torch.randn(*_CRF_BATCH, case.tags, requires_grad=True)
    tags = torch.randint(case.tags, _CRF_BATCH)

    def learn() -> None:
        layer(emissions, tags).backward()

    run: Callable[[], Any] = learn if case.mode == "train" else lambda: layer.decode(emissions)
    before = peak_memory()
    run()
    runs, started, took = 0, time.perf_counter(), 0.0
    while took < case.seconds:
        run()
        runs += 1
        took = time.perf_counter() - started
    return {"seconds": took / runs, "memory_before": before, "memory": peak_memory()}


WORK = {"rate": rate, "profile": operators, "document": document, "corpus": corpus, "crf": crf}


def main(description: str) -> None:
    """Measure a case given as JSON, and print what came of it as a line of JSON."""
    case = Case(**json.loads(description))
    prepare_torch(case.threads)
    disable_progress_bars()
    result = WORK[case.work](case)
    print(
        json.dumps(
            {
                "case": asdict(case),
                **result,
                "versions": package_versions(),
                "machine": machine_facts(torch.device("cpu")),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
