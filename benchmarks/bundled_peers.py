"""Train what one could take instead of the bundled tagger on the same data, and score it on the same dev texts.

    python benchmarks/bundled_peers.py spacy|crfsuite FOLDER [--minutes 30] [--output scores.json]

FOLDER is what `prepare_open.py` made. `spacy` is spaCy's default `ner` for the CPU with the language "xx", trained by
its own schedule for so many minutes; `crfsuite` the feature CRF of baselines.py, trained until its 100 passes are
done. Both are given the words of the annotation, where `bundled.py` gives its tagger the raw text: that is to their
advantage. Beside F1 by language stand words a second on one thread, the size on disk and the peak of memory.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from bundled import Find, Found, annotated, dev_data, scores
from peer_protocol import Peer, peak_memory, size_of
from prepare_open import Sentence, sentences

from tagsmith.training.machine.whole_files import write_whole


def trained(name: str, job: dict[str, Any], minutes: float) -> Peer:
    """A peer that has learnt for so long at least; of a feature CRF, until it is done."""
    if name == "crfsuite":
        from peer_crfsuite import FeatureCrf

        crf = FeatureCrf(job)
        crf.fit(100)
        return crf
    from peer_spacy import SpacyTagger

    peer = SpacyTagger({**job, "language": "xx"})
    end = time.perf_counter() + 60 * minutes
    for _ in peer.evaluations():
        if time.perf_counter() > end:
            break  # the weights are then the averaged ones
    return peer


def finder(peer: Peer) -> Find:
    """A peer as a function from sentences to the spans of each, by character offsets."""

    def find(corpus: list[Sentence]) -> Iterator[Found]:
        for sentence, tags in zip(corpus, peer.tag([sentence.words for sentence in corpus]), strict=True):
            yield annotated(sentence._replace(tags=tags))

    return find


def main(
    peer: Annotated[str, typer.Argument(help="spacy or crfsuite.")],
    folder: Annotated[Path, typer.Argument(help="What prepare_open.py made.")],
    minutes: Annotated[float, typer.Option(help="Of training.")] = 30,
    output: Annotated[Path | None, typer.Option(help="A JSON file for the scores.")] = None,
) -> None:
    """Write F1 of each language as a table."""
    if peer not in ("spacy", "crfsuite"):
        raise typer.BadParameter("spacy or crfsuite")
    torch.set_num_threads(1)
    train = [sentence for path in sorted(folder.glob("*/train.iob2")) for sentence in sentences(path)]
    corpora = dev_data(folder)
    start = time.perf_counter()
    some = next(iter(corpora.values()))  # spaCy wants dev data, which its training is not judged by here
    job = {"train": [_iob2(sentence) for sentence in train], "dev": [_iob2(sentence) for sentence in some]}
    tagger = trained(peer, job, minutes)
    facts = {"training_minutes": (time.perf_counter() - start) / 60}
    start = time.perf_counter()
    f1 = scores(finder(tagger), corpora)
    words = sum(len(sentence.words) for corpus in corpora.values() for sentence in corpus)
    facts |= {"words_per_second": words / (time.perf_counter() - start), "peak_memory_mib": peak_memory()}
    with tempfile.TemporaryDirectory() as saved:
        tagger.save(Path(saved))
        facts["megabytes"] = size_of(Path(saved)) / 1e6
    typer.echo("| | F1 |\n|---|---|\n" + "".join(f"| {name} | {value:.1f} |\n" for name, value in f1.items()))
    typer.echo(", ".join(f"{name.replace('_', ' ')} {value:,.1f}" for name, value in facts.items()))
    if output is not None:
        write_whole(output, json.dumps({**facts, "f1": f1}, indent=2) + "\n")


def _iob2(sentence: Sentence) -> tuple[list[str], list[str]]:
    """Words and tags, of which each span opens with B-: some corpora have spans that open with I-."""
    tags, before = [], "O"
    for tag in sentence.tags:
        tags.append(f"B{tag[1:]}" if tag != "O" and tag[2:] != before[2:] else tag)
        before = tag
    return sentence.words, tags


if __name__ == "__main__":
    typer.run(main)
