"""The bundled tagger inside spaCy beside its own pipeline: the spans of both, and words a second.

    python benchmarks/in_spacy.py [--texts 2000]

Texts are the dev sentences of the bundled sample, repeated. spaCy's own words are those of a blank pipeline; where a
span does not fall on their borders it is widened (`alignment_mode: expand`), and compared as widened; of those that
then overlap the longest stays. Seconds are of the processor, on one thread; each round times all in turn, and the
ratio is the median of the rounds' own.
"""

from __future__ import annotations

import statistics
import time
from typing import Annotated

import spacy
import torch
import typer
from spacy.util import filter_spans

import tagsmith
from runtime import sample_sentences


def main(
    texts: Annotated[int, typer.Option(min=1, help="How many.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed, in turn.")] = 5,
) -> None:
    """Compare and time both."""
    torch.set_num_threads(1)
    sentences = sample_sentences()
    chosen = [sentences[number % len(sentences)].text for number in range(texts)]
    words = sum(len(sentences[number % len(sentences)].words) for number in range(texts))
    pipeline = tagsmith.pipeline()
    nlp = spacy.blank("xx")
    nlp.add_pipe("tagsmith", config={"alignment_mode": "expand", "existing": "replace"})
    seconds: dict[str, list[float]] = {"pipeline": [], "spaCy": [], "spaCy's words alone": []}
    blank = spacy.blank("xx")
    for _ in range(rounds):
        start = time.process_time()
        own = list(pipeline(iter(chosen), batch_size=64))
        seconds["pipeline"].append(time.process_time() - start)
        start = time.process_time()
        docs = list(nlp.pipe(chosen, batch_size=64))
        seconds["spaCy"].append(time.process_time() - start)
        start = time.process_time()
        list(blank.pipe(chosen))
        seconds["spaCy's words alone"].append(time.process_time() - start)
    unlike = 0
    for doc, spans in zip(docs, own, strict=True):
        found = {(span.start_char, span.end_char, span.label_) for span in doc.ents}
        places = [(one["start"], one["end"], one["entity_group"]) for one in spans]
        moved = [doc.char_span(*place, alignment_mode="expand") for place in places]
        kept = filter_spans([span for span in moved if span is not None])
        unlike += found != {(span.start_char, span.end_char, span.label_) for span in kept}
    typer.echo(f"{texts:,} texts, {words:,} words; {unlike} texts with other spans")
    for name, own_seconds in seconds.items():
        typer.echo(f"{name}: {words / statistics.median(own_seconds):,.0f} words a second")
    ratios = sorted(own / there for own, there in zip(seconds["pipeline"], seconds["spaCy"], strict=True))
    least, most = ratios[0], ratios[-1]
    typer.echo(
        f"in spaCy {statistics.median(ratios):.2f} ({least:.2f} to {most:.2f}) times the pipeline's words a second"
    )


if __name__ == "__main__":
    typer.run(main)
