"""The bundled tagger in Ray Data: texts a second of two workers beside one process.

    pip install -c constraints.txt -e '.[ray]'
    OMP_NUM_THREADS=1 python benchmarks/in_ray.py [--texts 4000] [--workers 2]

Each worker, and the one process, calls `tagsmith.BatchTagger` on batches of 256 texts, on one thread. Seconds are of
the clock; those of the workers hold their start, of which a first small run tells, those of the one process do not.
Cores that other work has are missing from the ratio, so how many processes shared the machine stands beside it.
"""

from __future__ import annotations

import os
import time
from typing import Annotated, Any

import ray
import typer

import tagsmith
from runtime import sample_sentences

BATCH = 256


def main(
    texts: Annotated[int, typer.Option(min=1, help="How many.")] = 4000,
    workers: Annotated[int, typer.Option(min=1, help="Of Ray.")] = 2,
) -> None:
    """Tag the same texts both ways."""
    sentences = [sentence.text for sentence in sample_sentences()]
    chosen = [sentences[number % len(sentences)] for number in range(texts)]
    tagger: Any = tagsmith.BatchTagger()
    tagger({"text": chosen[:BATCH]})
    start = time.perf_counter()
    own = [spans for at in range(0, texts, BATCH) for spans in tagger({"text": chosen[at : at + BATCH]})["spans"]]
    alone = time.perf_counter() - start
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    pool = ray.data.ActorPoolStrategy(size=workers)
    rows = ray.data.from_items([{"id": number, "text": text} for number, text in enumerate(chosen)])
    rows = rows.repartition(max(workers, texts // BATCH)).materialize()
    seconds = []
    for part in (rows.limit(BATCH * workers), rows):  # the first has little to do but to start
        start = time.perf_counter()
        tagged = part.map_batches(tagsmith.BatchTagger, batch_size=BATCH, compute=pool).take_all()
        seconds.append(time.perf_counter() - start)
    found = {row["id"]: [(s["start"], s["end"], s["entity_group"]) for s in row["spans"]] for row in tagged}
    places = [[(s["start"], s["end"], s["entity_group"]) for s in spans] for spans in own]
    unlike = sum(found.get(number) != spans for number, spans in enumerate(places))
    busy = os.getloadavg()[0]
    typer.echo(f"{texts:,} texts, {unlike} lost or with other spans; {busy:.1f} processes on {os.cpu_count()} cores")
    typer.echo(f"one process: {texts / alone:,.0f} texts a second")
    typer.echo(f"{workers} workers: {texts / seconds[1]:,.0f} texts a second, {alone / seconds[1]:.2f} times as many")
    typer.echo(f"of their {seconds[1]:.0f} seconds starting and {BATCH * workers} texts take {seconds[0]:.0f}")
    rate = (texts - BATCH * workers) / (seconds[1] - seconds[0])
    typer.echo(f"once they have started {rate:,.0f} texts a second, {rate * alone / texts:.2f} times as many")


if __name__ == "__main__":
    typer.run(main)
