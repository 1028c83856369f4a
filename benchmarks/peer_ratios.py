"""What peers.py makes of the rounds it measured: how many times as fast tagsmith is, and the tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any, NamedTuple

from peer_list import SPEED
from peer_runs import Tagger, ratios
from speed import markdown_table, spread

Rounds = list[dict[str, Any]]  # of a peer, with so many threads
Found = dict[tuple[int, str], Rounds]  # by threads and name


def _rate(work: str) -> Callable[[dict[str, Any]], float]:
    return lambda result: result[f"{work}_words"] / result[f"{work}_seconds"]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them is not above."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Measure(NamedTuple):
    """One figure of a round.

    Attributes:
        of: the figure.
        form: how it is written.
        more: whether more is better.
        work: without which a round does not have it.
    """

    of: Callable[[dict[str, Any]], float]
    form: str
    more: bool
    work: str


MEASURES = {
    "training": Measure(_rate("train"), "{:,.0f} a second", True, "train_words"),
    "words": Measure(_rate("tokens"), "{:,.0f} a second", True, "tokens_words"),
    "raw text": Measure(_rate("text"), "{:,.0f} a second", True, "text_words"),
    "one sentence, median": Measure(lambda r: percentile(r["one_ms"], 0.5), "{:.2f} ms", False, "one_ms"),
    "one sentence, 99 %": Measure(lambda r: percentile(r["one_ms"], 0.99), "{:.2f} ms", False, "one_ms"),
    "cold start": Measure(lambda r: statistics.median(s for s, _ in r["starts"]), "{:.2f} s", False, "starts"),
    "memory of a cold start": Measure(lambda r: max(m for _, m in r["starts"]), "{:,.0f} MiB", False, "starts"),
    "loss and gradient": Measure(lambda r: r["crf_ms"], "{:.2f} ms", False, "crf_ms"),
}


class Contest(NamedTuple):
    """Two peers and a measure; what is to be reached on one thread, or on as many as there are."""

    what: str
    measure: str
    ours: str
    theirs: str
    least: float | None = None


_PLAIN = (
    ("naive", "tagsmith-paper", "plain torch, packed"),
    ("naive-padded", "tagsmith-paper", "plain torch, padded"),
    ("naive-fused", "tagsmith-lstm", "plain torch, fused layers"),
)
CONTESTS = [
    Contest("`ner`, its recipe of then, and tagsmith at 721f221", "training", "then", "before", 1.5),
    Contest("`ner`, today's recipe, and tagsmith at 721f221", "training", "tagsmith", "before"),
    Contest("`ner-paper` and tagsmith at 721f221", "training", "then-paper", "before-paper", 1.6),
    Contest("`byte-ner`, float32, and tagsmith at 721f221", "training", "then-bytes", "before-bytes", 1.7),
    Contest("the same in bfloat16", "training", "then-bytes-bfloat16", "before-bytes-bfloat16", 1.15),
    Contest("`ner`, its recipe of then, and tagsmith at 721f221", "raw text", "then", "before", 1.4),
    Contest("the same with `--int8`", "raw text", "then-int8", "before-int8", 1.3),
    Contest("`ner`, today's recipe, and tagsmith at 721f221", "raw text", "tagsmith", "before"),
    Contest("the same with `--int8`", "raw text", "tagsmith-int8", "before-int8"),
    Contest("the CRF and tagsmith's at 721f221", "loss and gradient", "crf", "before-crf", 1.4),
    Contest("`ner` and spaCy", "training", "tagsmith", "spacy"),
    Contest("`ner` and spaCy, batches of 1,000 words", "training", "tagsmith", "spacy-1000"),
    Contest("`ner` and spaCy", "raw text", "tagsmith", "spacy", 3.2),
    Contest("`ner` and Flair", "words", "tagsmith", "flair", 7),
    Contest("Flair's shape and Flair", "training", "tagsmith-flair", "flair"),
    Contest("Flair's shape and Flair", "words", "tagsmith-flair", "flair"),
    Contest("`ner` and a feature CRF, trained to its end", "words", "tagsmith", "crfsuite", 1.2),
    Contest("the same with `--int8`", "words", "tagsmith-int8", "crfsuite"),
    *(Contest(f"`ner-paper` and {text}", "training", ours, theirs) for theirs, ours, text in _PLAIN),
    *(Contest(f"`ner-paper` and {text}", "words", ours, theirs) for theirs, ours, text in _PLAIN),
    Contest("`pos` and UDPipe 1", "words", "pos", "udpipe"),
    *(
        Contest(f"{text} and {other}", measure, ours, theirs, least)
        for measure, least in (("one sentence, median", 1.0), ("one sentence, 99 %", 1.0), ("cold start", None))
        for text, ours, other, theirs in (
            ("`ner`", "tagsmith", "spaCy", "spacy"),
            ("`ner` on numpy", "runtime", "spaCy", "spacy"),
        )
    ),
    *(
        Contest("`ner`, its recipe of then, and tagsmith at 721f221", measure, "then", "before")
        for measure in ("one sentence, median", "one sentence, 99 %", "cold start", "memory of a cold start")
    ),
    Contest("`ner` and spaCy", "memory of a cold start", "tagsmith", "spacy"),
    Contest("`ner` on numpy and spaCy", "memory of a cold start", "runtime", "spacy"),
]
CONTEST_HEADERS = ["measure", "of", "threads", "tagsmith", "the other", "times as good", "at least", "reached"]


def contest_row(contest: Contest, threads: int, found: Found) -> list[str] | None:
    """A row of the table, of the rounds that both have; None where they have none."""
    measure = MEASURES[contest.measure]
    ours, theirs = (found.get((threads, name), []) for name in (contest.ours, contest.theirs))
    pairs = [pair for pair in zip(ours, theirs, strict=False) if all(measure.work in result for result in pair)]
    if not pairs:
        return None
    values = [[measure.of(pair[side]) for pair in pairs] for side in (0, 1)]
    times = ratios(*values) if measure.more else ratios(*reversed(values))
    shown = [measure.form.format(statistics.median(side)) for side in values]
    least = contest.least
    reached = "" if least is None else ("yes" if statistics.median(times) >= least else "**no**")
    target = "" if least is None else f"{least:g}"
    return [contest.measure, contest.what, str(threads), *shown, ranged(times, ".2f"), target, reached]


def contest_table(found: Found) -> list[list[str]]:
    """All rows that can be made of what was measured."""
    threads = sorted({number for number, _ in found})
    rows = (contest_row(contest, number, found) for contest in CONTESTS for number in threads)
    return [row for row in rows if row is not None]


def ranged(values: Sequence[float], form: str) -> str:
    """Median, lowest and highest as text."""
    found = {name: format(value, form) for name, value in spread(values).items()}
    return f"{found['median']} ({found['lowest']} to {found['highest']})"


SPEED_HEADERS = ["peer", "threads", "training", "times", "words", "times", "raw text", "peak MiB", "MB"]


def speed_row(tagger: Tagger, results: Rounds, beside: Rounds | None) -> dict[str, Any]:
    """A peer's rounds as one row of figures; beside are those of the tagsmith that it is compared with."""
    row: dict[str, Any] = {**asdict(tagger), "rounds": len(results)}
    for name in ("train_memory", "memory", "bytes"):
        if values := [result[name] for result in results if name in result]:
            row[name] = max(values)
    for work in ("train", "tokens", "text"):
        if f"{work}_words" not in results[0]:
            continue
        row[work] = list(map(_rate(work), results))
        if beside and (tagger.adapter != "tagsmith" or tagger.python) and f"{work}_words" in beside[0]:
            rounds = min(len(results), len(beside))
            row[f"{work}_ratios"] = ratios(list(map(_rate(work), beside[:rounds])), row[work][:rounds])
    if "one_ms" in results[0]:
        row["one_ms"] = list(chain.from_iterable(result["one_ms"] for result in results))
    if "starts" in results[0]:
        row["starts"] = list(chain.from_iterable(result["starts"] for result in results))
    return row


def speed_cells(row: dict[str, Any]) -> list[str]:
    """A row of figures as text, under `SPEED_HEADERS`."""
    forms = {"train": ",.0f", "train_ratios": ".2f", "tokens": ",.0f", "tokens_ratios": ".2f", "text": ",.0f"}
    rates = [ranged(row[name], form) if name in row else "" for name, form in forms.items()]
    memory = ", ".join(f"{row[name]:,.0f}" for name in ("train_memory", "memory") if name in row)
    size = f"{row['bytes'] / 1e6:.1f}" if "bytes" in row else ""
    return [row["name"], str(row["threads"]), *rates, memory, size]


ALONE_HEADERS = ["peer", "threads", "one sentence, ms", "99 %, ms", "cold start, s", "its MiB", "dev score"]


def alone_cells(row: dict[str, Any], scores: dict[str, float]) -> list[str]:
    """One sentence at a time and a cold start as text, under `ALONE_HEADERS`, with the score of what it tags by."""
    times = [f"{percentile(row['one_ms'], share):.2f}" for share in (0.5, 0.99)] if "one_ms" in row else ["", ""]
    cold = ["", ""]
    if "starts" in row:
        cold = [f"{statistics.median(s for s, _ in row['starts']):.2f}", f"{max(m for _, m in row['starts']):,.0f}"]
    score = scores.get(row["learnt"])
    return [row["name"], str(row["threads"]), *times, *cold, "" if score is None else f"{100 * score:.2f}"]


def speed_rows(found: Found) -> list[dict[str, Any]]:
    """Rows of all peers that were measured, with their threads."""
    by_name = {tagger.name: tagger for tagger in SPEED}
    return [
        {"threads": threads, **speed_row(by_name[name], results, found.get((threads, by_name[name].beside)))}
        for (threads, name), results in found.items()
        if results
    ]


def speed_tables(rows: list[dict[str, Any]], found: Found, scores: dict[str, float]) -> list[str]:
    """The tables in markdown: ratios, what is behind them, and single sentences."""
    alone = [alone_cells(row, scores) for row in rows if "one_ms" in row or "starts" in row]
    return [
        "## How many times as good\n",
        markdown_table(CONTEST_HEADERS, contest_table(found)),
        "## Words a second\n",
        markdown_table(SPEED_HEADERS, list(map(speed_cells, filter(_has_rates, rows)))),
        "## One sentence at a time, and cold starts\n",
        markdown_table(ALONE_HEADERS, alone),
    ]


def _has_rates(row: dict[str, Any]) -> bool:
    return any(work in row for work in ("train", "tokens", "text"))
