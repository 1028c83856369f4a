"""What the runtime without torch takes, beside torch and spaCy, in one run: a cold start, a sentence, many, size, F1.

    OMP_NUM_THREADS=1 python benchmarks/runtime.py --sentences 10000

The taggers are the one that comes with the package, and spaCy's default `ner` for the CPU and the language "xx", which
`peer_spacy.py` makes and the sample's train part trains, for `--spacy-steps` batches of 32 sentences: enough to find
spans, not to quote its F1. Without spaCy (extra `[bench]`) it is left out, and that is said. All is on one thread.
Times are CPU seconds of this process, but for the cold start, which is wall time; a busy machine raises all of them,
so that ratios of one run say most. Taggers take turns: of one sentence each tags all texts, five times.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, Any, NamedTuple

import torch
import typer
from packaging.requirements import Requirement

import tagsmith
from tagsmith.runtime import load
from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.data.sample import sample_files
from tagsmith.training.tagging.export import export_tagger

_LINE = "Angela Merkel and Barack Obama met at the White House in Washington.\n"
_LENGTH = 20  # words of a sentence that is timed


class Sentence(NamedTuple):
    """A text, its words, and their gold tags and spans."""

    text: str
    words: list[str]
    tags: list[str]
    spans: set[tuple[int, int, str]]


def sample_sentences(part: str = "dev") -> list[Sentence]:
    """A part of the bundled sample, news, web and literary sentences of eight languages."""
    found: list[Sentence] = []
    text, lines = "", []
    for line in [*sample_files()[part].read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("# text = "):
            text = line.removeprefix("# text = ")
        elif line and line[0] != "#":
            lines.append(line.split("\t"))
        elif lines:
            words, tags = [fields[1] for fields in lines], [fields[-1] for fields in lines]
            found.append(Sentence(text, words, tags, {tuple(span) for span in tags_to_spans(tags, "IOB2")}))
            lines = []
    return found


def cold_start(options: Iterable[str], times: int = 5) -> float:
    """Wall seconds of `tagsmith tag` of one line in a process of its own, the best of some."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "line.txt")
        path.write_text(_LINE, encoding="utf-8")
        command = [sys.executable, "-m", "tagsmith", "tag", str(path), *options]
        return min(_wall(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(times))


def _wall(action: Callable[[], Any]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def of_twenty_words(sentences: Iterable[Sentence], tagger: Any) -> list[str]:
    """Different texts of just so many words, cut from sentences that have more."""
    texts = []
    for sentence in sentences:
        words = tagger.tokenizer.split(sentence.text)[:_LENGTH]
        if len(words) == _LENGTH:
            texts.append(sentence.text[: words[-1].end])
    return texts


class SpacyTagger:
    """spaCy's `ner`, called like the others.

    Args:
        sentences: what trains it, words and their tags.
        steps: batches of 32 sentences.
    """

    def __init__(self, sentences: list[tuple[list[str], list[str]]], steps: int) -> None:
        import peer_spacy

        job = {"language": "xx", "train": sentences, "dev": sentences[:100], "batch_size": 32}
        self.peer = peer_spacy.SpacyTagger(job)
        for _ in islice(self.peer.steps(), steps):
            pass

    def __call__(self, texts: str | Iterable[str]) -> Any:
        """The spans of a text, or of each of several."""
        if isinstance(texts, str):
            return self._spans(self.peer.nlp(texts))
        return map(self._spans, self.peer.nlp.pipe(texts))

    def _spans(self, document: Any) -> list[tuple[int, int, str]]:
        return [(entity.start_char, entity.end_char, entity.label_) for entity in document.ents]


def one_sentence(taggers: Mapping[str, Any], texts: list[str], rounds: int = 5) -> dict[str, list[float]]:
    """CPU milliseconds of a text at a time, by tagger, round after round; from the second on all words are known."""
    taken: dict[str, list[float]] = {name: [] for name in taggers}
    for _ in range(rounds):
        for name, tagger in taggers.items():
            for text in texts[:20]:
                tagger(text)
            for text in texts:
                started = time.process_time()
                tagger(text)
                taken[name].append(1000 * (time.process_time() - started))
    return taken


def words_a_second(tagger: Any, texts: list[str], words: int) -> float:
    """Raw text to spans, by CPU seconds."""
    tagger(texts[:200])
    started = time.process_time()
    for _ in tagger(iter(texts)):
        pass
    return words / (time.process_time() - started)


def f1(tagger: Any, sentences: list[Sentence]) -> float:
    """Of the gold spans, by words as they were given."""
    tagged = tagger([sentence.words for sentence in sentences], is_split_into_words=True)
    found = right = wanted = 0
    for sentence, entities in zip(sentences, tagged, strict=True):
        starts, at = {}, 0
        for number, word in enumerate(sentence.words):
            starts[at], at = number, at + len(word) + 1
        own = {
            (starts[e["start"]], starts[e["start"]] + 1 + e["word"].count(" "), e["entity_group"]) for e in entities
        }
        found, wanted, right = found + len(own), wanted + len(sentence.spans), right + len(own & sentence.spans)
    return 2 * right / (found + wanted)


def installed_megabytes(names: Iterable[str]) -> float:
    """Of distributions and what they require, as far as it is installed here, without compiled Python."""
    seen: set[str] = set()
    return sum(_sizes(names, seen)) / 1e6


def _sizes(names: Iterable[str], seen: set[str]) -> Iterator[int]:
    for name in names:
        if (key := name.lower().replace("_", "-")) in seen:
            continue
        seen.add(key)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        yield from (
            path.stat().st_size for file in package.files or () if (path := Path(str(file.locate()))).is_file()
        )
        required = [Requirement(text) for text in package.requires or ()]
        yield from _sizes(
            [part.name for part in required if not part.marker or part.marker.evaluate({"extra": ""})], seen
        )


def print_one_sentence(taggers: Mapping[str, Any], texts: list[str]) -> None:
    """The least, the median, the 99th percentile, the median after the first round, and the median beside spaCy's."""
    taken = one_sentence(taggers, texts)
    for name, times in taken.items():
        line = f"{_LENGTH} words, {len(texts)} texts, {name}: {min(times):.2f} ms at least, median {median(times):.2f}"
        line += f", 99th percentile {quantiles(times, n=100)[98]:.2f}"
        line += f"; of known words {median(times[len(texts) :]):.2f}"
        if "spaCy" in taken:
            line += f"; {median(times) / median(taken['spaCy']):.2f} of spaCy's median"
        print(line, flush=True)


def print_many(taggers: Mapping[str, Any], texts: list[str], words: int, rounds: int) -> None:
    """Words a second of texts together, by turns; the best round counts."""
    best = dict.fromkeys(taggers, 0.0)
    for _ in range(rounds):
        for name, tagger in taggers.items():
            best[name] = max(best[name], words_a_second(tagger, texts, words))
    for name, rate in best.items():
        print(f"{len(texts):,} sentences, {name}: {rate:,.0f} words a second, {rate / best['torch']:.2f} of torch")


def print_sizes() -> None:
    """Megabytes of what is installed."""
    print(f"installed: numpy and tokenizers {installed_megabytes(['numpy', 'tokenizers']):.0f} MB, with onnxruntime "
          f"{installed_megabytes(['numpy', 'tokenizers', 'onnxruntime']):.0f} MB")  # fmt: skip
    print(f"Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def make_taggers(folder: Path) -> dict[str, Any]:
    """The tagger that comes with the package, by what computes."""
    pipeline = tagsmith.pipeline(device="cpu")
    export_tagger(pipeline, folder / "out", "the bundled tagger")
    export_tagger(pipeline, folder / "int8", "the bundled tagger", int8=True)
    return {
        "torch": pipeline,
        "numpy": load(tagsmith.DEFAULT_TAGGER),
        "ONNX Runtime": load(folder / "out", "onnx"),
        "ONNX Runtime, int8": load(folder / "int8", "onnx"),
    }


def make_spacy(steps: int) -> dict[str, Any]:
    """spaCy, where it is installed."""
    if find_spec("spacy") is None:
        print("without spaCy, which is not installed: pip install 'tagsmith[bench]'")
        return {}
    return {"spaCy": SpacyTagger([(sentence.words, sentence.tags) for sentence in sample_sentences("train")], steps)}


def main(
    sentences: Annotated[int, typer.Option(min=1, help="Tagged together.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Of each throughput, by turns; the best counts.")] = 2,
    spacy_steps: Annotated[int, typer.Option(min=1, help="Batches that train spaCy.")] = 200,
) -> None:
    """Measure and print a table."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise typer.BadParameter("numpy takes its threads from the environment: set OMP_NUM_THREADS=1.")
    torch.set_num_threads(1)
    sample = sample_sentences()
    plain, others = cold_start([]), cold_start(["--format", "jsonl"])
    print(f"cold start, one line: {plain:.2f} s; with an option {others:.2f} s", flush=True)
    print(f"the same by torch: {cold_start(['--runtime', 'torch'], times=2):.2f} s", flush=True)
    with TemporaryDirectory() as folder:
        own = make_taggers(Path(folder))
        taggers = {**own, **make_spacy(spacy_steps)}
        print_one_sentence(taggers, of_twenty_words(sample, own["numpy"]))
        many = list(islice(cycle(sentence.text for sentence in sample), sentences))
        print_many(taggers, many, sum(len(own["numpy"].tokenizer.split(text)) for text in many), rounds)
        for name, tagger in own.items():
            print(f"F1 on the sample's dev part, {name}: {100 * f1(tagger, sample):.2f}")
    print_sizes()


if __name__ == "__main__":
    typer.run(main)
