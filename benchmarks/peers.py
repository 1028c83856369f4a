"""tagsmith beside the taggers that one could take instead: the CRF layer, speed and size, F1 against time.

    python benchmarks/peers.py layer [--rounds N] [--threads N]
    python benchmarks/peers.py speed --train FILE --dev FILE [--threads 1,2] [--seconds N] [--rounds N]
    python benchmarks/peers.py f1 --train FILE --dev FILE [--minutes 5,15,45] [--threads N]

The last two with [--peer NAME]... [--python ADAPTER=PATH]..., all with [--output FOLDER], where peers-COMMAND.json and
.md are written. A peer runs in a process of its own (`peer_ADAPTER.py`), and under its own interpreter if `--python`
names one: Flair does not go with transformers 5. Started again, `f1` keeps the runs that came to their end.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from peer_runs import PeerError, Process, Tagger, best_by, kept, ratios, score_in
from rich.console import Console
from speed import markdown_table, numbers, show, spread

from tagsmith.training.cards.run_facts import machine_facts
from tagsmith.training.commands.command_options import Threads, prepare_torch
from tagsmith.training.data.corpora import load_corpus

app = typer.Typer(add_completion=False)
console = Console(stderr=True)

_FLAIR_SHAPE = ["word_embedding_size=300", "character_embedding_size=25", "character_encoder=lstm"]
_FLAIR_SHAPE += ["character_hidden_size=25", "character_num_layers=1", "word_encoder=lstm", "hidden_size=256"]
_FLAIR_SHAPE += ["num_hidden_layers=1", "cost=0"]
FLAIR_SHAPE = [*(f"model.{choice}" for choice in _FLAIR_SHAPE), "tokenizer.min_count=3"]

SPEED = [
    Tagger("tagsmith", "tagsmith", job={"recipe": "ner"}, note="recipe `ner`"),
    Tagger("tagsmith-int8", "tagsmith", job={"recipe": "ner", "int8": True}, note="the same, tagging with `--int8`"),
    Tagger("tagsmith-paper", "tagsmith", job={"recipe": "ner-paper"}, note="recipe `ner-paper`"),
    Tagger("tagsmith-flair", "tagsmith", job={"recipe": "ner", "settings": FLAIR_SHAPE}, note="the shape of `flair`"),
    Tagger("naive", "naive", "tagsmith-paper", note="the network of `ner-paper` in plain torch, packed"),
    Tagger("naive-padded", "naive", "tagsmith-paper", job={"padded": True}, note="the same, padding read like words"),
    Tagger("flair", "flair", "tagsmith-flair", note="BiLSTM-CRF over one-hot words and characters"),
    Tagger("spacy", "spacy", note="default `ner` for the CPU"),
    Tagger("spacy-1000", "spacy", job={"batch_words": 1000}, note="batches of 1,000 words, where its schedule ends"),
    Tagger(
        "crfsuite",
        "crfsuite",
        compared=("tokens",),
        note="feature CRF; words a second of each pass of L-BFGS, of which it takes 100; features are made before",
    ),
]
TRAINED = ("tagsmith", "tagsmith-int8")  # which tag by the tagger of --model
F1 = [
    Tagger("tagsmith", "tagsmith", job={"recipe": "ner"}, note="recipe `ner`, twelve passes"),
    Tagger(
        "tagsmith-6",
        "tagsmith",
        job={"recipe": "ner", "settings": ["training.num_train_epochs=6"]},
        note="the same, six passes",
    ),
    Tagger("crfsuite", "crfsuite", note="100 passes of L-BFGS, one evaluation"),
    Tagger("spacy", "spacy", note="default `ner` for the CPU, evaluated every 200 steps"),
    Tagger("naive", "naive", job={"batch_size": 10}, note="the network of `ner-paper` in plain torch"),
    Tagger("flair", "flair", job={"batch_size": 32}, note="BiLSTM-CRF over one-hot words and characters"),
]
SPEED_NOTES = """\
Medians over {rounds} rounds (lowest to highest), the peers in turn, each in a process of its own; {processor}.

- *training*: words a second of steps of 32 sentences after the first ones, for {seconds:g} s; data are read before.
- *tokens*, *text*: words of dev tagged a second; *tokens* is of the corpus's own words, *text* of lines of these words
  joined by spaces, which tagsmith and spaCy split themselves. Features are in it, a file's reading is not. Batches
  are those of each library's own choice (tagsmith 64 sentences, the naive network as many, Flair 32).
  The taggers have trained for seconds only{model}.
- *times*: how many times as fast as the peer tagsmith is in the same round, in training and in tagging tokens;
  beside `naive` tagsmith has the recipe `ner-paper`, beside `flair` that shape, else the recipe `ner`.
- *peak MiB*: of the resident set, over training, and over all; *MB*: on disk.
"""
F1_NOTES = """\
Best dev F1 of spans so far, so many minutes after the process started: imports, vocabulary, training and tagging of
dev are in it. Trained from scratch for at most {limit:g} minutes, one seed, one after the other, {threads} thread(s);
{processor}. *evaluations*: how many there were, and how the run ended.
"""

PeerNames = Annotated[list[str] | None, typer.Option("--peer", help="Only this one; may be given again.")]
Pythons = Annotated[list[str] | None, typer.Option("--python", help="ADAPTER=PATH, an interpreter of its own.")]
Output = Annotated[Path, typer.Option(help="Folder of the tables.")]
File = Annotated[Path, typer.Option(help="A column file with spans.", exists=True, dir_okay=False, resolve_path=True)]


def chosen(taggers: list[Tagger], names: list[str] | None) -> list[Tagger]:
    """The peers of these names, in the order of the table; all without names."""
    if unknown := set(names or []) - {tagger.name for tagger in taggers}:
        known = ", ".join(tagger.name for tagger in taggers)
        raise typer.BadParameter(f"there is no peer {min(unknown)!r}; there are {known}")
    return [tagger for tagger in taggers if not names or tagger.name in names]


def interpreters(given: list[str] | None) -> dict[str, str]:
    """Adapters and the interpreters that are theirs."""
    adapters = {tagger.adapter: sys.executable for tagger in SPEED}
    for text in given or []:
        name, _, path = text.partition("=")
        if name not in adapters or not Path(path).is_file():
            raise typer.BadParameter(f"{text!r} is not ADAPTER=PATH, of the adapters {', '.join(adapters)}")
        adapters[name] = path
    return adapters


def read_corpus(train: Path, dev: Path) -> dict[str, list[tuple[list[str], list[str]]]]:
    """Words and tags of the sentences of both files, in IOB2."""
    corpus = load_corpus({"train": train, "dev": dev})
    if corpus.is_plain():
        raise typer.BadParameter(f"{train} has no spans")
    return {
        split: [pair for pair in zip(rows["tokens"], rows["tags"], strict=True) if pair[0]]
        for split, rows in corpus.items()
    }


def adapter_command(tagger: Tagger, python: str, job: dict[str, Any], folder: Path) -> list[str]:
    """The command that does a job, which is written to a folder."""
    defaults = {"settings": [], "model": None, "batch_size": 32, "folder": str(folder)}
    path = folder / "job.json"
    path.write_text(json.dumps({**defaults, **tagger.job, **job}), encoding="utf-8")
    return [python, str(Path(__file__).with_name(f"peer_{tagger.adapter}.py")), str(path)]


def write(output: Path, name: str, report: dict[str, Any], title: str, tables: Sequence[str]) -> None:
    """Write peers-NAME.json and peers-NAME.md."""
    output.mkdir(parents=True, exist_ok=True)
    (output / f"peers-{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (output / f"peers-{name}.md").write_text("\n".join([f"# {title}\n", *tables]), encoding="utf-8")


def ranged(values: Sequence[float], form: str) -> str:
    """Median, lowest and highest as text."""
    found = {name: format(value, form) for name, value in spread(values).items()}
    return f"{found['median']} ({found['lowest']} to {found['highest']})"


def legend(taggers: Sequence[Tagger]) -> str:
    """What each peer is, as a list."""
    return "".join(f"- `{tagger.name}`: {tagger.note}\n" for tagger in taggers)


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


SPEED_HEADERS = ["peer", "threads", "training", "times", "tokens", "times", "text", "peak MiB", "MB"]


def speed_row(tagger: Tagger, results: list[dict[str, Any]], beside: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A peer's rounds as one row of figures; beside are those of the tagsmith that it is compared with."""
    row: dict[str, Any] = {**asdict(tagger), "bytes": results[-1]["bytes"], "rounds": len(results)}
    for name in ("train_memory", "memory"):
        row[name] = max(result[name] for result in results)
    for work in ("train", "tokens", "text"):
        if f"{work}_words" not in results[0]:
            continue
        row[work] = _rates(results, work)
        if beside and tagger.adapter != "tagsmith" and work in tagger.compared:
            rounds = min(len(results), len(beside))
            row[f"{work}_ratios"] = ratios(_rates(beside[:rounds], work), row[work][:rounds])
    return row


def _rates(results: Sequence[dict[str, Any]], work: str) -> list[float]:
    return [result[f"{work}_words"] / result[f"{work}_seconds"] for result in results]


def speed_cells(row: dict[str, Any], threads: int) -> list[str]:
    """A row of figures as text, under `SPEED_HEADERS`."""
    forms = {"train": ",.0f", "train_ratios": ".2f", "tokens": ",.0f", "tokens_ratios": ".2f", "text": ",.0f"}
    rates = [ranged(row[name], form) if name in row else "" for name, form in forms.items()]
    memory = f"{row['train_memory']:,.0f}, {row['memory']:,.0f}"
    return [row["name"], str(threads), *rates, memory, f"{row['bytes'] / 1e6:.1f}"]


def speed_table(found: dict[tuple[int, str], list[dict[str, Any]]], taggers: list[Tagger]) -> list[dict[str, Any]]:
    """Rows of all peers that were measured, with their threads."""
    by_name = {tagger.name: tagger for tagger in taggers}
    return [
        {"threads": threads, **speed_row(by_name[name], results, found.get((threads, by_name[name].beside)))}
        for (threads, name), results in found.items()
        if results
    ]


@app.command()
def speed(
    train: File,
    dev: File,
    threads: Annotated[str, typer.Option(help="Of each peer.")] = "1,2",
    seconds: Annotated[float, typer.Option(min=0.1, help="Of training, and of each kind of tagging.")] = 20.0,
    learn_seconds: Annotated[float, typer.Option(min=0, help="Of training on, so as to have a tagger.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1, help="Over all peers.")] = 5,
    model: Annotated[str | None, typer.Option(help="A trained tagger by which `tagsmith` tags.")] = None,
    peer: PeerNames = None,
    python: Pythons = None,
    output: Output = Path("peers"),
) -> None:
    """Words a second in training and in tagging, memory, and size on disk."""
    taggers, pythons, settings = chosen(SPEED, peer), interpreters(python), numbers(threads)
    found: dict[tuple[int, str], list[dict[str, Any]]] = {(n, t.name): [] for n in settings for t in taggers}
    report: dict[str, Any] = {"seconds": seconds, "machine": _machine(), "versions": {}, "failed": []}
    job = {"work": "speed", "seconds": seconds, "learn_seconds": learn_seconds, "train_file": str(train)}
    note = ", except for `tagsmith` and `tagsmith-int8`, which tag by a trained one" if model else ""
    notes = SPEED_NOTES.format(
        rounds=rounds, processor=report["machine"].get("processor"), seconds=seconds, model=note
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job["corpus"] = str(folder / "corpus.json")
        Path(job["corpus"]).write_text(json.dumps(read_corpus(train, dev)), encoding="utf-8")
        for turn, number, tagger in ((r, n, t) for r in range(rounds) for n in settings for t in taggers):
            if tagger.name in report["failed"]:
                continue
            console.print(f"round {turn + 1} of {rounds}: {tagger.name}, threads: {number}", highlight=False)
            own = {**job, "threads": number, "model": model if tagger.name in TRAINED else None}
            command = adapter_command(tagger, pythons[tagger.adapter], own, folder)
            try:
                lines = Process(command, number, output / "logs" / f"speed-{tagger.name}.log").lines()
                first, result = (json.loads(line) for _, line in lines)
            except PeerError as error:
                console.print(str(error), style="red", markup=False)
                report["failed"].append(tagger.name)
                continue
            report["versions"][tagger.name] = first["versions"]
            found[number, tagger.name].append(result)
            report["rows"] = speed_table(found, taggers)
            table = [speed_cells(row, row["threads"]) for row in report["rows"]]
            write(output, "speed", report, "Speed", [markdown_table(SPEED_HEADERS, table), notes, legend(taggers)])
    show("Speed", SPEED_HEADERS, [speed_cells(row, row["threads"]) for row in report.get("rows", [])])


def f1_process(tagger: Tagger, python: str, case: dict[str, Any], folder: Path, limit: float) -> Process:
    """The training of a peer: `tagsmith train`, or an adapter."""
    if tagger.adapter != "tagsmith":
        command = adapter_command(tagger, python, {**case, "work": "f1"}, folder)
        return Process(command, case["threads"], folder / "log.txt", limit)
    command = [python, "-m", "tagsmith", "train", tagger.job["recipe"], f"--threads={case['threads']}"]
    command += [f"--train={case['train_file']}", f"--dev={case['dev_file']}", f"--output-dir={folder / 'tagger'}"]
    command += chain.from_iterable(("--set", text) for text in tagger.job.get("settings", []))
    return Process(command, case["threads"], folder / "log.txt", limit, both=True)


def follow(process: Process, gold: list[list[str]], path: Path, case: dict[str, Any]) -> None:
    """Keep the score of each evaluation, and in the last line how the run ended.

    Raises:
        PeerError: the peer failed.
    """
    versions: dict[str, str] = {}
    with path.open("w", encoding="utf-8") as file:
        print(json.dumps({"case": case}), file=file, flush=True)
        for seconds, line in process.lines():
            if line.startswith('{"versions"'):
                versions = json.loads(line)["versions"]
            score = score_in(line, gold)
            if score is not None:
                print(json.dumps({"seconds": round(seconds, 2), "f1": score}), file=file, flush=True)
                console.print(f"{seconds / 60:6.1f} min  dev f1 {100 * score:6.2f}", highlight=False)
        print(json.dumps({"end": "time" if process.killed else "finished", "versions": versions}), file=file)


def f1_row(tagger: Tagger, lines: list[dict[str, Any]], minutes: list[int]) -> dict[str, Any]:
    """What a peer reached by each of the minutes."""
    *evaluations, end = lines
    best = max(evaluations, key=lambda found: found["f1"], default=None)
    by_minutes = {str(limit): best_by(evaluations, limit) for limit in minutes}
    return {**asdict(tagger), "by_minutes": by_minutes, "best": best, **end, "evaluations": evaluations}


def f1_cells(row: dict[str, Any]) -> list[str]:
    """A row as text: the peer, a column for each of the minutes, the best and when it was, evaluations."""
    scores = ["" if score is None else f"{100 * score:.2f}" for score in row["by_minutes"].values()]
    best = row["best"]
    last = "" if best is None else f"{100 * best['f1']:.2f} ({best['seconds'] / 60:.1f} min)"
    return [row["name"], *scores, last, f"{len(row['evaluations'])}, {row['end']}"]


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
        own, folder = {**case, **tagger.job}, (output / "f1" / tagger.name).resolve()
        if kept(folder / "course.jsonl", own) is not None:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / "corpus.json"
        path.write_text(json.dumps(corpus), encoding="utf-8")
        console.print(f"{tagger.name}, for at most {limits[-1]} minutes", highlight=False)
        process = f1_process(tagger, pythons[tagger.adapter], {**own, "corpus": str(path)}, folder, 60 * limits[-1])
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
