"""How peers.py runs a peer in a process of its own, and what it makes of that peer's lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tagsmith.tokenization.tag_schemes import tags_to_spans
from tagsmith.training.evaluation.span_counts import SpanCounts

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS")
_LINE = "epoch +[\\d.]+ .*dev {} +([\\d.]+)"


class PeerError(Exception):
    """A peer's process failed."""


@dataclass(frozen=True)
class Tagger:
    """A peer as it is run.

    Attributes:
        name: in tables and for `--peer`.
        adapter: `peer_ADAPTER.py`.
        beside: the tagsmith that it is compared with.
        job: what the adapter is told besides the corpus.
        works: of `speed`: "train"; "tokens", words of the corpus tagged; "text", raw text tagged; "one", a sentence at
            a time; "start", from the process's start to the first spans; "crf", the loss and gradient of that layer.
        python: its name for `--python`; the adapter's where it is empty.
        learnt: the one of `LEARNERS` by which it tags; where it is empty, by what it learns on the spot.
        corpus: "spans", or "tags" for parts of speech.
        many: whether more than one thread changes anything, or is asked for.
        note: what a reader of the table must know.
    """

    name: str
    adapter: str
    beside: str = "tagsmith"
    job: dict[str, Any] = field(default_factory=dict)
    works: tuple[str, ...] = ("train", "tokens")
    python: str = ""
    learnt: str = ""
    corpus: str = "spans"
    many: bool = True
    note: str = ""

    @property
    def interpreter(self) -> str:
        """The name by which `--python` gives it one of its own."""
        return self.python or self.adapter


class Process:
    """A command whose lines are read as they come, each with the seconds since its start.

    Args:
        command: with its arguments.
        threads: that numeric libraries are told to use.
        log: takes standard error.
        limit: seconds, after which it is killed.
        both: read standard error's lines too.
    """

    def __init__(
        self, command: Sequence[str], threads: int, log: Path, limit: float | None = None, both: bool = False
    ) -> None:
        self.command, self.log, self.limit, self.both, self.killed = command, log, limit, both, False
        self.environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads)), "COLUMNS": "200"}

    def lines(self) -> Iterator[tuple[float, str]]:
        """Seconds and line.

        Raises:
            PeerError: it ended by an error.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w", encoding="utf-8") as log:
            error = subprocess.STDOUT if self.both else log
            started = time.monotonic()
            with subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=error, text=True, env=self.environment
            ) as process:
                yield from self._read(process, started, log)
        if process.returncode and not self.killed:
            raise PeerError(f"{self.command[1]} failed; see {self.log}")

    def _read(self, process: subprocess.Popen[str], started: float, log: TextIO) -> Iterator[tuple[float, str]]:
        assert process.stdout is not None
        timer = threading.Timer(self.limit or threading.TIMEOUT_MAX, self._kill, [process])
        timer.daemon = True
        timer.start()
        try:
            for line in process.stdout:
                if self.both:
                    log.write(line)
                if line.endswith("\n"):  # not one that was cut short
                    yield time.monotonic() - started, line
            process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()

    def _kill(self, process: subprocess.Popen[str]) -> None:
        self.killed = True
        process.kill()


def accuracy_of(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """The share of words with the right tag."""
    pairs = [pair for expected, tags in zip(gold, found, strict=True) for pair in zip(expected, tags, strict=True)]
    return sum(expected == tag for expected, tag in pairs) / len(pairs)


def f1_of(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """F1 of spans from 0 to 1, of IOB2 tags."""
    counts = SpanCounts()
    for expected, tags in zip(gold, found, strict=True):
        if len(expected) != len(tags):
            raise PeerError(f"{len(tags)} tags for {len(expected)} words")
        counts.add(tags_to_spans(expected, "IOB2"), tags_to_spans(tags, "IOB2"))
    return float(counts.result()["f1"])


def score_in(line: str, gold: Sequence[Sequence[str]]) -> float | None:
    """The dev F1 that a line tells of, or of gold tags without spans the accuracy; None of other lines.

    Such a line has tags in JSON, or is one of `tagsmith train`.
    """
    spans = any(tag.startswith("B-") for tags in gold for tag in tags)
    if line.startswith("{"):
        found = json.loads(line).get("tags")
        return None if found is None else (f1_of if spans else accuracy_of)(gold, found)
    match = re.search(_LINE.format("f1" if spans else "accuracy"), line)
    return float(match[1]) / 100 if match else None


def best_by(evaluations: Sequence[dict[str, float]], minutes: float) -> float | None:
    """The best F1 of the evaluations that were there so many minutes after the start."""
    return max((found["f1"] for found in evaluations if found["seconds"] <= 60 * minutes), default=None)


def kept(path: Path, case: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The lines of a run that came to its end, if it was of this very case."""
    if not path.is_file():
        return None
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return lines[1:] if lines and lines[0] == {"case": case} and "end" in lines[-1] else None


def adapter_command(tagger: Tagger, python: str, job: dict[str, Any], folder: Path) -> list[str]:
    """The command that does a job, which is written to a folder."""
    defaults = {"settings": [], "learnt": None, "batch_size": 32, "folder": str(folder)}
    path = folder / "job.json"
    path.write_text(json.dumps({**defaults, **tagger.job, **job}), encoding="utf-8")
    return [python, str(Path(__file__).with_name(f"peer_{tagger.adapter}.py")), str(path)]


def train_command(
    tagger: Tagger, python: str, case: dict[str, Any], folder: Path, settings: Sequence[str] = ()
) -> list[str]:
    """`tagsmith train` of a recipe into a folder."""
    command = [python, "-m", "tagsmith", "train", tagger.job["recipe"], f"--threads={case['threads']}"]
    command += [f"--train={case['train_file']}", f"--dev={case['dev_file']}", f"--output-dir={folder}"]
    return command + [part for text in (*tagger.job.get("settings", []), *settings) for part in ("--set", text)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """How many times theirs ours is, round by round."""
    return [own / other for own, other in zip(ours, theirs, strict=True)]
