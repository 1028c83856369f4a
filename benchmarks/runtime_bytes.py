"""What a byte-to-span tagger takes by torch, numpy and ONNX Runtime, in one run.

    OMP_NUM_THREADS=1 python benchmarks/runtime_bytes.py

Texts, the sentences of the bundled sample, are tagged together, greedily and by beams, and one at a time, by the
released tagger, `model_cards/byte-ner-multilingual`. Times are CPU seconds of this process on one thread, by turns,
the best of some rounds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer

import tagsmith
from runtime import sample_sentences
from tagsmith.runtime import load
from tagsmith.training.tagging.export import export_tagger

TAGGER = Path(__file__).parent.parent / "model_cards" / "byte-ner-multilingual"


def taggers_of(folder: Path) -> dict[str, Any]:
    """The tagger, as it writes spans, by what computes; what that takes goes into a folder."""
    pipeline = tagsmith.pipeline(TAGGER, device="cpu")
    pipeline.model.config.decode = "spans"
    pipeline.save_pretrained(folder / "own")
    found = {"torch": pipeline, "numpy": load(folder / "own")}
    for name, int8 in {"ONNX Runtime": False, "with --int8": True}.items():
        export_tagger(pipeline, folder / name, str(folder / "own"), int8)
        found[name] = load(folder / name, "onnx")
    return found


def seconds(taggers: Mapping[str, Any], work: Callable[[Any], Any], rounds: int) -> dict[str, float]:
    """CPU seconds of some work by each tagger, by turns, the least."""
    best = dict.fromkeys(taggers, float("inf"))
    for _ in range(rounds):
        for name, tagger in taggers.items():
            started = time.process_time()
            work(tagger)
            best[name] = min(best[name], time.process_time() - started)
    return best


def shared_spans(taggers: Mapping[str, Any], texts: list[str]) -> dict[str, float]:
    """Twice the spans that a tagger and torch's both find, by those of the two."""
    found = {
        name: {
            (number, e["start"], e["end"], e["entity_group"]) for number, row in enumerate(tagger(texts)) for e in row
        }
        for name, tagger in taggers.items()
    }
    return {name: 2 * len(own & found["torch"]) / (len(own) + len(found["torch"])) for name, own in found.items()}


def main(
    sentences: Annotated[int, typer.Option(min=1, help="Tagged together; by beams, and one at a time, a part.")] = 442,
    rounds: Annotated[int, typer.Option(min=1, help="By turns; the best counts.")] = 3,
) -> None:
    """Measure and print a table."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise typer.BadParameter("numpy takes its threads from the environment: set OMP_NUM_THREADS=1.")
    torch.set_num_threads(1)
    texts = [sentence.text for sentence in sample_sentences()][:sentences]
    part, single = texts[:: 4 if len(texts) > 3 else 1], texts[:: 10 if len(texts) > 9 else 1]
    with TemporaryDirectory() as folder:
        taggers = taggers_of(Path(folder))
        print(f"| | {' | '.join(taggers)} |\n|---|{'---|' * len(taggers)}")
        for name, own, options in (("greedily", texts, {}), ("by four beams", part, {"num_beams": 4})):
            size = sum(len(text.encode()) for text in own)
            taken = seconds(taggers, lambda tagger, own=own, options=options: tagger(own, **options), rounds)  # type: ignore[misc]
            print(f"| bytes a second, {name} | {' | '.join(f'{size / s:,.0f}' for s in taken.values())} |")
        taken = seconds(taggers, lambda tagger: [tagger(text) for text in single], rounds)
        print(f"| ms of a sentence | {' | '.join(f'{1000 * s / len(single):.1f}' for s in taken.values())} |")
        shares = shared_spans(taggers, texts)
        print(f"| spans as by torch | {' | '.join(f'{100 * share:.1f} %' for share in shares.values())} |")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    typer.run(main)
