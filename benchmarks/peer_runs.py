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
_LINE = re.compile(r"epoch +([\d.]+) .*dev f1 +([\d.]+)")


class PeerError(Exception):
    """A peer's process failed."""


@dataclass(frozen=True)
class Tagger:
    """A peer as it is run.

    Attributes:
        name: in tables and for `--peer`.
        adapter: `peer_ADAPTER.py`; also the name for `--python`.
        beside: the tagsmith that it is compared with.
        job: what the adapter is told besides the corpus.
        compared: works of `speed` in which it is compared.
        note: what a reader of the table must know.
    """

    name: str
    adapter: str
    beside: str = "tagsmith"
    job: dict[str, Any] = field(default_factory=dict)
    compared: tuple[str, ...] = ("train", "tokens")
    note: str = ""


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


def f1_of(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> float:
    """F1 of spans from 0 to 1, of IOB2 tags."""
    counts = SpanCounts()
    for expected, tags in zip(gold, found, strict=True):
        if len(expected) != len(tags):
            raise PeerError(f"{len(tags)} tags for {len(expected)} words")
        counts.add(tags_to_spans(expected, "IOB2"), tags_to_spans(tags, "IOB2"))
    return float(counts.result()["f1"])


def score_in(line: str, gold: Sequence[Sequence[str]]) -> float | None:
    """The dev F1 that a line tells of: tags in JSON, or a line of `tagsmith train`; None of other lines."""
    if line.startswith("{"):
        fact = json.loads(line)
        return f1_of(gold, fact["tags"]) if "tags" in fact else None
    match = _LINE.search(line)
    return float(match[2]) / 100 if match else None


def best_by(evaluations: Sequence[dict[str, float]], minutes: float) -> float | None:
    """The best F1 of the evaluations that were there so many minutes after the start."""
    return max((found["f1"] for found in evaluations if found["seconds"] <= 60 * minutes), default=None)


def kept(path: Path, case: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The lines of a run that came to its end, if it was of this very case."""
    if not path.is_file():
        return None
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return lines[1:] if lines and lines[0] == {"case": case} and "end" in lines[-1] else None


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """How many times theirs ours is, round by round."""
    return [own / other for own, other in zip(ours, theirs, strict=True)]
