"""How fast a byte-to-span tagger learns and tags, beside the rate at which this machine multiplies matrices.

    python benchmarks/byte_speed.py learn [RECIPE] [--threads 2] [--bf16]
    python benchmarks/byte_speed.py tag MODEL --bytes 1000000 [--threads 2]

`learn` prints windows a second over training steps on the bundled sample; `tag` bytes a second and peak memory over so
many bytes of the sample's text again and again, as lines that come from a generator.
"""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated, Any

import torch
import typer

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.tokenization.span_codec import SymbolLayout
from tagsmith.training.byte_corpus import ByteCorpus
from tagsmith.training.command_options import prepare_torch
from tagsmith.training.corpora import label_names, load_corpus
from tagsmith.training.load_tagger import load_tagger
from tagsmith.training.recipe import read_recipe
from tagsmith.training.sample import sample_files
from tagsmith.training.window_dataset import WindowCollator, WindowDataset, WindowSampler

app = typer.Typer(add_completion=False)
Threads = Annotated[int, typer.Option(min=1)]


def matrix_rate(dtype: torch.dtype, seconds: float = 2.0) -> float:
    """GFLOP/s of products as large as those of the encoder's inputs, `(7680, 256) x (256, 1024)`."""
    left, right = torch.randn(7680, 256).to(dtype), torch.randn(256, 1024).to(dtype)
    products, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        left @ right
        products += 1
    return 2 * 7680 * 256 * 1024 * products / (time.perf_counter() - started) / 1e9


def products_of(model: ByteToSpanForSpanTagging, symbols: float) -> float:
    """Multiplications of one window's forward pass: each weight once for each byte or symbol that it meets."""
    config, size = model.config, 0.0
    for name, weight in model.named_parameters():
        if weight.dim() < 2 or "embedding" in name:
            continue
        both = config.encoder == "shared" and ".writer." in name
        reads = ".reader." in name
        steps = config.window_size + symbols if both else config.window_size if reads else symbols
        size += weight.numel() * (1 if "bridge" in name else steps)
    return size


@app.command()
def learn(
    recipe: str = "byte-ner",
    threads: Threads = 2,
    bf16: bool = False,
    seconds: float = 20.0,
    batch_size: int = 128,
) -> None:
    """Windows a second in training."""
    prepare_torch(threads)
    rows = load_corpus({"train": sample_files()["train"]})["train"]
    labels = label_names(rows)
    model = _model(recipe, labels)
    layout = SymbolLayout(model.config.window_size, labels)
    data = WindowDataset([ByteCorpus.of(rows, labels)], layout)
    order, collate = itertools.cycle(WindowSampler([len(data)], seed=1)), WindowCollator()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    short: Any = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    windows = symbols = 0
    started = time.perf_counter()
    for step in itertools.count():
        if step == 3:  # warm by now
            windows, symbols, started = 0, 0, time.perf_counter()
        elif step > 3 and time.perf_counter() - started > seconds:
            break
        batch = collate(data.__getitems__(list(itertools.islice(order, batch_size))))
        with short:
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        windows += batch_size
        symbols += int((batch["labels"] >= 0).sum())
    took = time.perf_counter() - started
    rate = 3 * 2 * products_of(model, symbols / windows) * windows / took / 1e9  # backward is twice forward
    full = matrix_rate(torch.bfloat16 if bf16 else torch.float32)
    print(
        f"{windows / took:.0f} windows/s, {threads} threads, {'bfloat16' if bf16 else 'float32'}: {rate:.0f} of "
        f"{full:.0f} GFLOP/s, {rate / full:.0%}"
    )


def _model(recipe: str, labels: list[str]) -> ByteToSpanForSpanTagging:
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    torch.manual_seed(1)
    return ByteToSpanForSpanTagging(ByteToSpanConfig(**read_recipe(recipe).model, **names)).train()


@app.command()
def tag(
    model: str,
    bytes_: Annotated[int, typer.Option("--bytes")] = 1_000_000,
    batch_size: Annotated[int, typer.Option(min=1, help="Windows.")] = 128,
    threads: Threads = 2,
) -> None:
    """Bytes a second and peak memory in tagging."""
    prepare_torch(threads)
    pipeline = load_tagger(model)
    texts = [row["text"] for row in load_corpus({"dev": sample_files()["dev"]})["dev"]]

    def lines() -> Iterator[str]:
        left = bytes_
        for text in itertools.cycle(texts):
            if left <= 0:
                return
            left -= len(text.encode()) + 1
            yield text

    list(pipeline(iter(texts[:50]), batch_size=batch_size))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    spans = sum(map(len, pipeline(lines(), batch_size=batch_size)))
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{bytes_ / took:,.0f} bytes/s, {threads} threads, {spans:,} spans; peak memory {after / 1024:,.0f} MiB, "
        f"{before / 1024:,.0f} before"
    )


if __name__ == "__main__":
    app()
