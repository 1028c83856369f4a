"""How peers.py follows a peer that trains from scratch, and what it makes of the scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peer_runs import Process, Tagger, adapter_command, best_by, score_in, train_command
from rich.console import Console

console = Console(stderr=True)


def f1_process(tagger: Tagger, python: str, case: dict[str, Any], folder: Path, limit: float) -> Process:
    """The training of a peer: `tagsmith train`, or an adapter."""
    if tagger.adapter != "tagsmith":
        command = adapter_command(tagger, python, {**case, "work": "f1"}, folder)
        return Process(command, case["threads"], folder / "log.txt", limit)
    command = train_command(tagger, python, case, folder / "tagger")
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
