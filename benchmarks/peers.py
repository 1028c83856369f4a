"""tagsmith beside the taggers that one could take instead: the CRF layer, speed and size, F1 against time.

    python benchmarks/peers.py layer [--rounds N] [--threads N]
    python benchmarks/peers.py speed --train FILE --dev FILE [--pos-train FILE --pos-dev FILE] [--threads 1,2]
                                     [--seconds N] [--rounds N] [--minutes N] [--learnt NAME=FOLDER]...
    python benchmarks/peers.py f1 --train FILE --dev FILE [--minutes 5,15,45] [--threads N]

The last two with [--peer NAME]... [--python NAME=PATH]..., all with [--output FOLDER], where peers-COMMAND.json and
.md are written. A peer runs in a process of its own (`peer_ADAPTER.py`), and under its own interpreter if `--python`
names one. Two need one. Flair does not go with transformers 5:

    python -m venv flair && flair/bin/pip install flair==0.15.1 torch==2.13.0

and tagsmith as it was at 721f221, with its own recipes, is what today's is compared with:

    git worktree add --detach tagsmith-before 721f221
    python -m venv before && before/bin/pip install -c constraints.txt -e tagsmith-before

Then `--python flair=flair/bin/python --python before=before/bin/python`; without one its peers are left out. `speed`
first trains, once, what tags (in OUTPUT/learnt; `--rounds 0` does no more, and may be done beside other work), then
measures all in turn. Started again, it goes on with what it has not measured yet, and `f1` keeps the runs that came to
their end.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from peer_f1 import f1_cells, f1_process, f1_row, follow
from peer_list import F1, LEARNERS, SPEED, legend
from peer_protocol import WARM_LINES
from peer_ratios import CONTEST_HEADERS, contest_table, ranged, speed_rows, speed_tables
from peer_runs import PeerError, Tagger, kept, ratios
from peer_speed import Kept, Setup, learn, measured, turns
from rich.console import Console
from speed import markdown_table, numbers, show

from tagsmith.training.cards.run_facts import machine_facts
from tagsmith.training.commands.command_options import Threads, prepare_torch
from tagsmith.training.data.corpora import load_corpus

app = typer.Typer(add_completion=False)
console = Console(stderr=True)

SPEED_NOTES = """\
Medians over {rounds} rounds (lowest to highest), the peers in turn, each in a process of its own; {processor}.

- *training*: words a second of steps of 32 sentences after the first ones, for {seconds:g} s (bytes a second of
  `byte-ner`, steps of 128 windows); data are read before, and weights are those of the start.
- *words*, *raw text*: words of dev tagged a second, *words* of the corpus's own words, *raw text* of lines of these
  words joined by spaces, which tagsmith and spaCy split themselves. Features are in it, a file's reading is not.
  Batches are those of each library's own choice (tagsmith 64 sentences, the network in plain torch as many, Flair 32).
- *one sentence*: {lines} lines of dev, one after the other, after {warm} others; raw text where the peer takes it. In
  the first table it is the median over rounds of each round's median or 99th percentile, in the last one that of all.
- *cold start*: from the start of a process to its end after the spans of one line, files in memory, {starts} a round.
- *times*: how many times as fast as the peer tagsmith is in the same round: the peer whose shape or recipe it shares.
- *dev score*: F1 of spans in percent, or the accuracy of tags, of what the peer tags by, trained beforehand: the
  feature CRF to its end, UDPipe for five passes, spaCy for {minutes:g} minutes or more, tagsmith for {passes} passes,
  which does not change its speed. Without one, a peer tags by what {learn_seconds:g} s taught it.
- *peak MiB*: of the resident set, over training, and over all; *MB*: on disk.
"""
F1_NOTES = """\
Best dev F1 of spans so far, so many minutes after the process started: imports, vocabulary, training and tagging of
dev are in it. Trained from scratch for at most {limit:g} minutes, one seed, one after the other, {threads} thread(s);
{processor}. *evaluations*: how many there were, and how the run ended.
"""
OWN = ("before", "flair")  # interpreters that must be given

PeerNames = Annotated[list[str] | None, typer.Option("--peer", help="Only this one; may be given again.")]
Pythons = Annotated[list[str] | None, typer.Option("--python", help="NAME=PATH, an interpreter of its own.")]
Output = Annotated[Path, typer.Option(help="Folder of the tables.")]
_EXISTING: dict[str, Any] = {"exists": True, "dir_okay": False, "resolve_path": True}
File = Annotated[Path, typer.Option(help="A column file with spans.", **_EXISTING)]
TagFile = Annotated[Path | None, typer.Option(help="A column file with parts of speech.", **_EXISTING)]


def chosen(taggers: list[Tagger], names: list[str] | None) -> list[Tagger]:
    """The peers of these names, in the order of the table; all without names."""
    if unknown := set(names or []) - {tagger.name for tagger in taggers}:
        known = ", ".join(tagger.name for tagger in taggers)
        raise typer.BadParameter(f"there is no peer {min(unknown)!r}; there are {known}")
    return [tagger for tagger in taggers if not names or tagger.name in names]


def named(given: list[str] | None, names: Sequence[str], kind: str) -> dict[str, Path]:
    """Paths given as NAME=PATH."""
    found = {}
    for text in given or []:
        name, _, path = text.partition("=")
        if name not in names or not path or not Path(path).exists():
            raise typer.BadParameter(
                f"{text!r} is not NAME=PATH of {kind} that there is; names are {', '.join(names)}"
            )
        found[name] = Path(path)
    return found


def interpreters(given: list[str] | None) -> dict[str, str]:
    """Names and the interpreters that are theirs; those of `OWN` have none unless it is given."""
    names = list(dict.fromkeys(tagger.interpreter for tagger in SPEED))
    own = {name: str(path.absolute()) for name, path in named(given, names, "an interpreter").items()}
    return {name: sys.executable for name in names if name not in OWN} | own


def read_corpus(train: Path, dev: Path, spans: bool = True) -> dict[str, list[tuple[list[str], list[str]]]]:
    """Words and tags of the sentences of both files, in IOB2 where there are spans."""
    corpus = load_corpus({"train": train, "dev": dev})
    if corpus.is_plain() == spans:
        raise typer.BadParameter(f"{train} has {'no spans' if spans else 'spans, and no tag for each word'}")
    return {
        split: [pair for pair in zip(rows["tokens"], rows["tags"], strict=True) if pair[0]]
        for split, rows in corpus.items()
    }


def write(output: Path, name: str, report: dict[str, Any], title: str, tables: Sequence[str]) -> None:
    """Write peers-NAME.json and peers-NAME.md."""
    output.mkdir(parents=True, exist_ok=True)
    (output / f"peers-{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (output / f"peers-{name}.md").write_text("\n".join([f"# {title}\n", *tables]), encoding="utf-8")


def _machine() -> dict[str, Any]:
    return machine_facts(torch.device("cpu"))


LAYER_HEADERS = ["batch of 32", "valid words", "work", "tagsmith ms", "pytorch-crf ms", "times as fast"]


@app.command()
def layer(
    rounds: Annotated[int, typer.Option(min=1, help="Over all cases.")] = 10,
    threads: Threads = 1,
    seconds: Annotated[float, typer.Option(min=0, help="Of each layer and case in a round.")] = 0.5,
    output: Output = Path("peers"),
) -> None:
    """The CRF layer beside pytorch-crf's, in one process: loss with gradient, and decoding."""
    from peer_layer import measure
    from peer_protocol import versions

    prepare_torch(threads)
    rows = [{**row, "ratios": ratios(row["pytorch-crf"], row["tagsmith"])} for row in measure(rounds, seconds)]
    table = [
        [row["shape"], f"{row['words']:,}", row["work"]]
        + [ranged(row[name], ".2f") for name in ("tagsmith", "pytorch-crf", "ratios")]
        for row in rows
    ]
    report = {"rounds": rounds, "threads": threads, "machine": _machine(), "rows": rows}
    report["versions"] = versions(("tagsmith", "pytorch-crf", "torch"))
    notes = f"Medians over {rounds} rounds (lowest to highest), by turns; {threads} thread(s).\n"
    write(output, "layer", report, "The CRF layer", [markdown_table(LAYER_HEADERS, table), notes])
    show("The CRF layer", LAYER_HEADERS, table)


@app.command()
def speed(
    train: File,
    dev: File,
    pos_train: TagFile = None,
    pos_dev: TagFile = None,
    threads: Annotated[str, typer.Option(help="Of each peer.")] = "1,2",
    seconds: Annotated[float, typer.Option(min=0.1, help="Of training, and of each kind of tagging.")] = 3.0,
    learn_seconds: Annotated[float, typer.Option(min=0, help="Of training on, for those that keep nothing.")] = 3.0,
    lines: Annotated[int, typer.Option(min=1, help="That are tagged one at a time.")] = 500,
    starts: Annotated[int, typer.Option(min=1, help="Of a process, in each round.")] = 3,
    rounds: Annotated[int, typer.Option(min=0, help="Over all peers; 0 trains alone.")] = 2,
    minutes: Annotated[float, typer.Option(min=0, help="Of training spaCy.")] = 5.0,
    passes: Annotated[int, typer.Option(min=1, help="Of training tagsmith.")] = 2,
    learnt: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER, trained before.")] = None,
    peer: PeerNames = None,
    python: Pythons = None,
    output: Output = Path("peers"),
) -> None:
    """Words a second in training and tagging, single sentences, cold starts, memory and size: all in one run."""
    if (pos_train is None) != (pos_dev is None):
        raise typer.BadParameter("--pos-train and --pos-dev go together")
    given = named(learnt, [tagger.name for tagger in LEARNERS], "a trained tagger")
    files = {"spans": (train, dev)} | ({"tags": (pos_train, pos_dev)} if pos_train and pos_dev else {})
    corpora = {kind: read_corpus(*pair, spans=kind == "spans") for kind, pair in files.items()}
    job = {"seconds": seconds, "learn_seconds": learn_seconds, "lines": lines, "starts": starts}
    with tempfile.TemporaryDirectory() as name:
        setup = Setup(corpora, files, interpreters(python), Path(name), output, job, dict(given))
        taggers = [tagger for tagger in chosen(SPEED, peer) if setup.can_run(tagger)]
        for tagger in chosen(SPEED, peer):
            if tagger not in taggers:
                missing = f"--python {tagger.interpreter}=PATH" if tagger.interpreter in OWN else "--pos-train FILE"
                console.print(f"{tagger.name} is left out without {missing}", style="yellow", highlight=False)
        scores = learn(setup, {tagger.learnt for tagger in taggers}, minutes, passes)
        facts = {**job, "minutes": minutes, "passes": passes}
        _take_turns(setup, list(turns(taggers, numbers(threads), rounds)), facts, scores)


def _take_turns(
    setup: Setup, order: list[tuple[int, int, Tagger]], facts: dict[str, Any], scores: dict[str, float]
) -> None:
    """Measure what is not there yet, and write the tables after each peer."""
    machine, failed = _machine(), set[str]()
    kinds = {kind: list(map(str, pair)) for kind, pair in setup.files.items()}
    path = setup.output / "speed.jsonl"
    case = {**setup.job, "files": kinds, "processor": machine.get("processor")}
    done = Kept(path, case)
    for place, (turn, number, tagger) in enumerate(order, 1):
        if (turn, number, tagger.name) in done.found or tagger.name in failed:
            continue
        about = f"{place} of {len(order)}, round {turn + 1}: {tagger.name}, threads: {number}"
        console.print(about, highlight=False)
        try:
            done.add(turn, number, tagger.name, measured(setup, tagger, number))
        except PeerError as error:
            console.print(str(error), style="red", markup=False)
            failed.add(tagger.name)
            continue
        found = done.by_peer([known.name for known in SPEED])
        rows = speed_rows(found)
        report = {**facts, "machine": machine, "failed": sorted(failed), "scores": scores, "rows": rows}
        rounds = max(map(len, found.values()))
        notes = SPEED_NOTES.format(**facts, rounds=rounds, processor=machine.get("processor"), warm=WARM_LINES)
        write(setup.output, "speed", report, "Speed", [*speed_tables(rows, found, scores), notes, legend(SPEED)])
    show("How many times as good", CONTEST_HEADERS, contest_table(done.by_peer([known.name for known in SPEED])))
    if failed:
        console.print(f"failed, see {setup.output / 'logs'}: {', '.join(sorted(failed))}", style="red")
        raise typer.Exit(1)


@app.command()
def f1(
    train: File,
    dev: File,
    minutes: Annotated[
        str, typer.Option(help="At which the score is told; training ends at the greatest.")
    ] = "5,15,45",
    threads: Threads = 1,
    peer: PeerNames = None,
    python: Pythons = None,
    output: Output = Path("peers"),
) -> None:
    """The dev F1 that each peer reaches from scratch in so many minutes; runs that came to their end are kept."""
    taggers, pythons, limits = chosen(F1, peer), interpreters(python), sorted(numbers(minutes))
    case = {"train_file": str(train), "dev_file": str(dev), "threads": threads, "minutes": limits[-1]}
    corpus = read_corpus(train, dev)
    gold = [tags for _, tags in corpus["dev"]]
    headers = ["peer", *(f"{limit} min" for limit in limits), "best", "evaluations"]
    notes = F1_NOTES.format(limit=limits[-1], threads=threads, processor=_machine().get("processor"))
    for tagger in taggers:
        if tagger.interpreter not in pythons:
            console.print(f"{tagger.name} is left out without --python {tagger.interpreter}=PATH", style="yellow")
            continue
        own, folder = {**case, **tagger.job}, (output / "f1" / tagger.name).resolve()
        if kept(folder / "course.jsonl", own) is not None:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / "corpus.json"
        path.write_text(json.dumps(corpus), encoding="utf-8")
        console.print(f"{tagger.name}, for at most {limits[-1]} minutes", highlight=False)
        process = f1_process(
            tagger, pythons[tagger.interpreter], {**own, "corpus": str(path)}, folder, 60 * limits[-1]
        )
        try:
            follow(process, gold, folder / "course.jsonl", own)
        except PeerError as error:
            console.print(str(error), style="red", markup=False)
        path.unlink()
    courses = [(t, kept(output / "f1" / t.name / "course.jsonl", {**case, **t.job})) for t in F1]
    rows = [f1_row(tagger, lines, limits) for tagger, lines in courses if lines]
    table = list(map(f1_cells, rows))
    write(
        output,
        "f1",
        {**case, "machine": _machine(), "rows": rows},
        "F1 by time",
        [markdown_table(headers, table), notes, legend(F1)],
    )
    show("F1 by time", headers, table)


if __name__ == "__main__":
    app()
