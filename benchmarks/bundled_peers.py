"""What one could take instead of the bundled tagger, trained on the same data and scored on the same dev texts.

    python benchmarks/bundled_peers.py compare FOLDER [--minutes 30] [--passes 50] [--min-count 3] [--only NAME]...
                                       [--spacy FOLDER] [--crfsuite FOLDER] [--output OUTPUT]

FOLDER is what `prepare_open.py` made. `spacy` is spaCy's default `ner` for the CPU with the language "xx", trained by
its own schedule for so many minutes; `crfsuite` the feature CRF of baselines.py, of features that occur `--min-count`
times, trained for `--passes` passes of L-BFGS (all features and 100 passes took more than 21 minutes). They are
trained once, into OUTPUT, or taken from a folder where they were. `tagsmith` is the tagger of `--tagger`, `runtime`
the same on numpy. Each is scored in a process of its own, on one thread; started again, those that are done are kept.

spaCy and the feature CRF are given the words of the annotation, where tagsmith is given the raw text: that is to their
advantage. Beside F1 by language stand words a second in batches, the size on disk, and of a cold start, from the start
of a process to the spans of one line, seconds and the peak of memory.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from bundled import Found, annotated, dev_data, scores
from peer_protocol import Peer, size_of
from peer_starts import starts
from prepare_open import Sentence, sentences

from tagsmith.training.machine.processor import processor_name
from tagsmith.training.machine.whole_files import write_whole

app = typer.Typer(add_completion=False)

TAGGER = Path(__file__).parent.parent / "model_cards" / "ner-multilingual"
PEERS = ("tagsmith", "runtime", "spacy", "crfsuite")
TRAINED = ("spacy", "crfsuite")
FACTS = "training.json"  # in the folder of what was trained here

Data = Annotated[Path, typer.Argument(help="What prepare_open.py made.", exists=True, file_okay=False)]
Name = Annotated[str, typer.Argument(help="tagsmith, runtime, spacy or crfsuite.")]
Minutes = Annotated[float, typer.Option(min=0, help="Of training spaCy.")]
Passes = Annotated[int, typer.Option(min=1, help="Of L-BFGS, for the feature CRF.")]
MinCount = Annotated[int, typer.Option(min=1, help="Of a feature, for the feature CRF.")]


def adapter(name: str, job: dict[str, Any]) -> Peer:
    """A peer that learns, or loads."""
    if name == "crfsuite":
        from peer_crfsuite import FeatureCrf

        return FeatureCrf(job)
    from peer_spacy import SpacyTagger

    return SpacyTagger({**job, "language": "xx"})


@app.command()
def train(
    name: Name, folder: Data, output: Path, minutes: Minutes = 30, passes: Passes = 50, min_count: MinCount = 3
) -> None:
    """Train spaCy or the feature CRF into a folder."""
    if name not in TRAINED:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(TRAINED)}")
    learnt = [_iob2(sentence) for path in sorted(folder.glob("*/train.iob2")) for sentence in sentences(path)]
    some = next(iter(dev_data(folder).values()))  # spaCy wants dev data, which its training is not judged by here
    job = {"train": learnt, "dev": [_iob2(sentence) for sentence in some], "passes": passes, "min_count": min_count}
    peer, started = adapter(name, job), time.perf_counter()
    evaluations = peer.evaluations()  # a name of its own: dropped, it would take back the averaged weights
    for number, _ in enumerate(evaluations):
        if number and time.perf_counter() - started >= 60 * minutes:  # spaCy's first comes before it has learnt
            break
    output.mkdir(parents=True, exist_ok=True)
    peer.save(output)
    facts: dict[str, Any] = {"minutes": (time.perf_counter() - started) / 60}
    facts |= {"passes": passes, "min_count": min_count} if name == "crfsuite" else {}
    write_whole(output / FACTS, json.dumps(facts) + "\n")


@dataclass
class Reader:
    """A tagger, the spans of what it finds, and the seconds that it took to find it."""

    tag: Callable[[list[Sentence]], list[Any]]
    spans: Callable[[Sentence, Any], Found]
    seconds: list[float] = field(default_factory=list)

    def find(self, corpus: list[Sentence]) -> list[Found]:
        """The spans of each sentence, by character offsets."""
        started = time.perf_counter()
        found = self.tag(corpus)
        self.seconds.append(time.perf_counter() - started)
        return [self.spans(sentence, one) for sentence, one in zip(corpus, found, strict=True)]


def reader(name: str, tagger: Path) -> Reader:
    """Of raw text by tagsmith, else of words."""
    if name in TRAINED:
        peer = adapter(name, {})
        peer.load(tagger)
        return Reader(
            lambda corpus: peer.tag([sentence.words for sentence in corpus]),
            lambda sentence, tags: annotated(sentence._replace(tags=tags)),
        )
    pipeline: Any
    if name == "runtime":
        from tagsmith.runtime import load

        pipeline = load(tagger)
    else:
        from tagsmith import pipeline as make
        from tagsmith.training.commands.command_options import prepare_torch

        prepare_torch(1)
        pipeline = make(str(tagger), device="cpu")
    return Reader(
        lambda corpus: list(pipeline((str(sentence.text) for sentence in corpus), batch_size=64)),
        lambda _, spans: {(span["start"], span["end"], span["entity_group"]) for span in spans},
    )


@app.command()
def score(name: Name, folder: Data, tagger: Path, output: Path, times: int = 5) -> None:
    """Score a tagger, and write what was found as JSON."""
    corpora = dev_data(folder)
    read = reader(name, tagger)
    read.tag(next(iter(corpora.values()))[:64])  # caches fill
    f1 = scores(read.find, corpora)
    words = sum(len(sentence.words) for corpus in corpora.values() for sentence in corpus)
    own = tagger / FACTS
    facts = {
        "training": json.loads(own.read_text(encoding="utf-8")) if own.is_file() else None,
        "words_per_second": words / sum(read.seconds),
        "megabytes": (size_of(tagger) - (own.stat().st_size if own.is_file() else 0)) / 1e6,
        "starts": starts(sys.executable, name, tagger, times),
        "f1": f1,
    }
    write_whole(output, json.dumps(facts, indent=2) + "\n")


@app.command()
def compare(
    folder: Data,
    minutes: Minutes = 30,
    passes: Passes = 50,
    min_count: MinCount = 3,
    only: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    spacy: Annotated[Path | None, typer.Option(help="A trained one.", exists=True)] = None,
    crfsuite: Annotated[Path | None, typer.Option(help="A trained one.", exists=True)] = None,
    tagger: Annotated[Path, typer.Option(help="Of tagsmith.", exists=True)] = TAGGER,
    output: Annotated[Path, typer.Option(help="Of what is trained, scores, tables.")] = Path("bundled-peers"),
) -> None:
    """Train what is not there, score all, and write the tables."""
    if unknown := set(only or []) - set(PEERS):
        raise typer.BadParameter(f"there is no {min(unknown)!r}; there are {', '.join(PEERS)}")
    folders = {"spacy": spacy or output / "spacy", "crfsuite": crfsuite or output / "crfsuite"}
    for name in PEERS:
        found = output / f"{name}.json"
        if found.is_file() or (only and name not in only):
            continue
        own = folders.get(name, tagger)
        if name in TRAINED and not any(own.glob("*")):
            options = [f"--minutes={minutes}", f"--passes={passes}", f"--min-count={min_count}"]
            _run("train", name, folder, own, *options)
        _run("score", name, folder, own, found)
    done = {name: output / f"{name}.json" for name in PEERS if (output / f"{name}.json").is_file()}
    text = tables({name: json.loads(path.read_text(encoding="utf-8")) for name, path in done.items()})
    write_whole(output / "bundled-peers.md", text)
    typer.echo(text)


def _run(command: str, *arguments: object) -> None:
    """A command of this script in a process of its own, on one thread."""
    typer.echo(f"{command}: {arguments[0]}", err=True)
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    subprocess.run([sys.executable, __file__, command, *map(str, arguments)], check=True, env=environment)


def tables(found: dict[str, dict[str, Any]]) -> str:
    """Figures and F1 by language of all that were scored, in markdown."""
    rows = {
        "F1, mean of languages": [f"{facts['f1']['mean']:.1f}" for facts in found.values()],
        "F1, all spans": [f"{facts['f1']['all']:.1f}" for facts in found.values()],
        "words a second": [f"{facts['words_per_second']:,.0f}" for facts in found.values()],
        "MB": [f"{facts['megabytes']:.1f}" for facts in found.values()],
        "cold start, s": [f"{statistics.median(s for s, _ in facts['starts']):.2f}" for facts in found.values()],
        "its peak memory, MiB": [f"{max(m for _, m in facts['starts']):,.0f}" for facts in found.values()],
        "training": [_training(facts["training"]) for facts in found.values()],
    }
    first = next(iter(found.values()))["f1"]
    languages = {
        name: [f"{facts['f1'][name]:.1f}" for facts in found.values()] for name in first if name not in ("mean", "all")
    }
    head = f"| | {' | '.join(found)} |\n|---|{'---|' * len(found)}\n"
    lines = [f"| {name} | {' | '.join(cells)} |\n" for name, cells in (*rows.items(), *languages.items())]
    return head + "".join(lines) + f"\n{processor_name() or 'The CPU'}, one thread.\n"


def _training(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return ""
    more = f", {facts['passes']} passes, features seen {facts['min_count']} times" if "passes" in facts else ""
    return f"{facts['minutes']:.0f} minutes{more}"


def _iob2(sentence: Sentence) -> tuple[list[str], list[str]]:
    """Words and tags, of which each span opens with B-: some corpora have spans that open with I-."""
    tags, before = [], "O"
    for tag in sentence.tags:
        tags.append(f"B{tag[1:]}" if tag != "O" and tag[2:] != before[2:] else tag)
        before = tag
    return sentence.words, tags


if __name__ == "__main__":
    app()
