"""What the adapters of peers.py share: a job comes as a file of JSON, what was measured goes out as lines of JSON.

An adapter runs under an interpreter that may have its own library alone, so this imports the standard library only.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from typing import Any

Sentence = tuple[list[str], list[str]]  # words and their tags, in IOB2
CHUNK = 1024  # sentences that a peer is given to tag at a time
WARM_LINES = 50  # that are tagged one at a time before the clock starts


class Peer:
    """A tagger that learns from `job["train"]`, from scratch; it has those of these methods that its works need.

    Attributes:
        warm: steps before the clock starts.
        packages: whose versions are told.
    """

    warm = 3
    packages: tuple[str, ...] = ()

    def __init__(self, job: dict[str, Any]) -> None:
        """Make the untrained tagger, vocabulary included, or have it made when it first trains."""
        self.job = job

    def steps(self) -> Iterator[int]:
        """Train without an end; the words of each step."""
        raise NotImplementedError

    def tag(self, sentences: list[list[str]]) -> list[list[str]]:
        """The tags of sentences that are split into words, in IOB2."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write all that tagging needs."""
        raise NotImplementedError

    def tag_text(self, lines: list[str]) -> None:
        """Tag raw text; of taggers that split it into words themselves."""
        raise NotImplementedError

    def tag_one(self, given: Any) -> None:
        """Tag one sentence: raw text where the tagger takes it, else words."""
        if self.takes_text():
            self.tag_text([given])
        else:
            self.tag([given])

    def load(self, folder: Path) -> None:
        """Tag from now on by what `save` wrote to a folder, in another process perhaps."""
        raise NotImplementedError

    @classmethod
    def takes_text(cls) -> bool:
        """Whether it splits text into words itself."""
        return cls.tag_text is not Peer.tag_text

    def evaluations(self) -> Iterator[None]:
        """Train by the library's own customs, and stop wherever these evaluate: after each pass, if not said else."""
        words, seen = sum(len(words) for words, _ in self.job["train"]), 0
        for step in self.steps():
            seen += step
            if seen >= words:
                seen = 0
                yield


def shuffled(sentences: list[Any], size: int, seed: int = 1) -> Iterator[list[Any]]:
    """Batches in random order, pass after pass; the last of a pass may be smaller."""
    order = random.Random(seed)
    while True:
        mixed = order.sample(sentences, len(sentences))
        yield from (mixed[start : start + size] for start in range(0, len(mixed), size))


def spans_of(tags: Iterable[str]) -> list[tuple[int, int, str]]:
    """Start, end and label of the spans that IOB2 tags spell, in words."""
    spans: list[tuple[int, int, str]] = []
    for number, tag in enumerate(tags):
        if tag.startswith("B-"):
            spans.append((number, number + 1, tag[2:]))
        elif tag.startswith("I-"):
            start, _, label = spans.pop()
            spans.append((start, number + 1, label))
    return spans


def tags_of(spans: Iterable[tuple[int, int, str]], length: int) -> list[str]:
    """IOB2 tags of spans."""
    tags = ["O"] * length
    for start, end, label in spans:
        tags[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return tags


def peak_memory() -> float:
    """The most memory that this process has had (resident set), in MiB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def trained_words(peer: Peer, steps: Iterator[int], seconds: float) -> dict[str, float]:
    """Words and seconds of training after the first steps."""
    for _ in range(peer.warm):
        next(steps)
    words, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds or not words:
        words += next(steps)
    return {"train_words": words, "train_seconds": took, "train_memory": peak_memory()}


def tagged(tag: Callable[[Any], Any], chunks: list[tuple[Any, int]], seconds: float) -> tuple[int, float]:
    """Words tagged and the seconds it took, chunk after chunk, from the first again after the last."""
    tag(chunks[0][0][:16])
    words, started = 0, time.perf_counter()
    for chunk, size in cycle(chunks):
        tag(chunk)
        words += size
        took = time.perf_counter() - started
        if took >= seconds:
            break
    return words, took


def alone(peer: Peer, sentences: list[list[str]], count: int) -> list[float]:
    """Milliseconds of `count` sentences from all over the corpus, tagged one at a time after others that warm up."""
    spread = [sentences[number * len(sentences) // count] for number in range(min(count, len(sentences)))]
    others = sentences[1 :: max(1, len(sentences) // WARM_LINES)][:WARM_LINES]
    warm, given = ([" ".join(words) if peer.takes_text() else words for words in some] for some in (others, spread))
    for sentence in warm:
        peer.tag_one(sentence)
    times = []
    for sentence in given:
        started = time.perf_counter()
        peer.tag_one(sentence)
        times.append(round(1e3 * (time.perf_counter() - started), 4))
    return times


def speed(peer: Peer, job: dict[str, Any]) -> dict[str, Any]:
    """How fast a peer does the works of its job, its peak of memory, and its size on disk in bytes.

    It trains from scratch, and tags by what lies in `job["learnt"]`; where that is None, by what it has learnt in
    `job["learn_seconds"]` more.
    """
    works, result = job["works"], {}
    steps = peer.steps() if "train" in works or not job["learnt"] else iter(())
    if "train" in works:
        result.update(trained_words(peer, steps, job["seconds"]))
    if works == ["train"]:
        return result
    if job["learnt"]:
        peer.load(Path(job["learnt"]))
    else:
        started = time.perf_counter()
        while time.perf_counter() - started < job["learn_seconds"]:
            next(steps)
    sentences = [words for words, _ in job["dev"]]
    chunks = [sentences[start : start + CHUNK] for start in range(0, len(sentences), CHUNK)]
    sizes = [sum(map(len, chunk)) for chunk in chunks]
    ways: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {"tokens": (peer.tag, chunks)}
    ways["text"] = peer.tag_text, [list(map(" ".join, chunk)) for chunk in chunks]
    for name, (tag, inputs) in ways.items():
        if name in works:
            words, took = tagged(tag, list(zip(inputs, sizes, strict=True)), job["seconds"])
            result.update({f"{name}_words": words, f"{name}_seconds": took})
    if "one" in works:
        result["one_ms"] = alone(peer, sentences, job["lines"])
    result["memory"] = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(job["learnt"] or folder)
        if not job["learnt"]:
            peer.save(saved)
        result["bytes"] = size_of(saved)
    return result


def learn(peer: Peer, job: dict[str, Any]) -> list[list[str]]:
    """Train for so many minutes, or to the end where that is earlier, and save; the tags of dev."""
    end = time.perf_counter() + 60 * job["minutes"]
    evaluations = peer.evaluations()  # a name of its own: dropped, it would take back the averaged weights
    for number, _ in enumerate(evaluations):
        if number and time.perf_counter() >= end:  # spaCy's first comes before it has learnt
            break
    Path(job["folder"]).mkdir(parents=True, exist_ok=True)
    peer.save(Path(job["folder"]))
    return peer.tag([words for words, _ in job["dev"]])


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of installed packages."""
    return {name: version(name) for name in packages}


def main(kind: type[Peer]) -> None:
    """Do the job in the file named on the command line."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print too

    def tell(fact: dict[str, Any]) -> None:
        print(json.dumps(fact), file=out, flush=True)

    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    corpus = json.loads(Path(job["corpus"]).read_text(encoding="utf-8"))
    job = {**job, **corpus}
    peer = kind(job)
    tell({"versions": versions(kind.packages)})
    if job["work"] == "speed":
        tell(speed(peer, job))
        return
    if job["work"] == "learn":
        tell({"tags": learn(peer, job)})
        return
    sentences = [words for words, _ in job["dev"]]
    for _ in peer.evaluations():
        tell({"tags": peer.tag(sentences)})
