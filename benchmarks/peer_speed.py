"""How peers.py measures speed: what tags is trained once and kept, then all take turns; what was measured is kept."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peer_list import LEARNERS
from peer_ratios import Found
from peer_runs import PeerError, Process, Tagger, adapter_command, score_in, train_command
from peer_starts import starts
from rich.console import Console

from tagsmith.training.machine.whole_files import write_whole

console = Console(stderr=True)

Corpus = dict[str, list[tuple[list[str], list[str]]]]


@dataclass
class Setup:
    """All that is the same for every peer.

    Attributes:
        corpora: by kind, "spans" or "tags".
        files: their train and dev files.
        pythons: interpreters by name.
        folder: for jobs, while they run.
        output: for what is kept.
        job: what each is told: seconds and the like.
        learnt: folders of trained taggers by the name of a learner.
    """

    corpora: dict[str, Corpus]
    files: dict[str, tuple[Path, Path]]
    pythons: dict[str, str]
    folder: Path
    output: Path
    job: dict[str, Any]
    learnt: dict[str, Path] = field(default_factory=dict)

    def can_run(self, tagger: Tagger) -> bool:
        """Whether its interpreter and its corpus were given."""
        return tagger.interpreter in self.pythons and tagger.corpus in self.corpora

    def told(self, tagger: Tagger) -> dict[str, Any]:
        """The job of a peer with its corpus, which is written to a file of its own."""
        path = self.folder / f"{tagger.corpus}.json"
        if not path.exists():
            path.write_text(json.dumps(self.corpora[tagger.corpus]), encoding="utf-8")
        train, dev = map(str, self.files[tagger.corpus])
        return {**self.job, "corpus": str(path), "train_file": train, "dev_file": dev}


def learn(setup: Setup, names: set[str], minutes: float, passes: int) -> dict[str, float]:
    """Train what is not there yet, of the learners of these names; dev scores by name, without those that failed."""
    scores = {}
    for tagger in LEARNERS:
        if tagger.name not in names or tagger.name in setup.learnt or not setup.can_run(tagger):
            continue
        folder = setup.output / "learnt" / tagger.name
        facts = folder.with_suffix(".json")
        if not facts.is_file():
            console.print(f"{tagger.name} trains, once", highlight=False)
            try:
                score = _trained(setup, tagger, folder, minutes, passes)
            except PeerError as error:
                console.print(str(error), style="red", markup=False)
                continue
            write_whole(facts, json.dumps({"score": score, "minutes": minutes, "passes": passes}) + "\n")
        setup.learnt[tagger.name] = folder
        scores[tagger.name] = json.loads(facts.read_text(encoding="utf-8"))["score"]
    return scores


def _trained(setup: Setup, tagger: Tagger, folder: Path, minutes: float, passes: int) -> float | None:
    """The best score told on the way; an unfinished folder of before is made anew."""
    python, job = setup.pythons[tagger.interpreter], {**setup.told(tagger), "threads": 1}
    shutil.rmtree(folder, ignore_errors=True)
    log = setup.output / "logs" / f"learn-{tagger.name}.log"
    if tagger.adapter == "tagsmith":
        command = train_command(tagger, python, job, folder, [f"training.num_train_epochs={passes}"])
    else:
        own = {**job, "work": "learn", "minutes": minutes, "folder": str(folder)}
        command = adapter_command(tagger, python, own, setup.folder)
    gold = [tags for _, tags in setup.corpora[tagger.corpus]["dev"]]
    lines = Process(command, 1, log, both=tagger.adapter == "tagsmith").lines()
    scores = [score for _, line in lines if (score := score_in(line, gold)) is not None]
    return max(scores, default=None)


def measured(setup: Setup, tagger: Tagger, threads: int) -> dict[str, Any]:
    """One peer, once.

    Raises:
        PeerError: it failed.
    """
    python, works = setup.pythons[tagger.interpreter], [work for work in tagger.works if work != "start"]
    learnt = setup.learnt.get(tagger.learnt)
    if tagger.learnt and learnt is None:
        raise PeerError(f"{tagger.name} has no tagger {tagger.learnt!r} to tag by")
    own = {"work": "speed", "works": works, "threads": threads, "learnt": learnt and str(learnt.resolve())}
    command = adapter_command(tagger, python, {**setup.told(tagger), **own}, setup.folder)
    lines = Process(command, threads, setup.output / "logs" / f"speed-{tagger.name}.log").lines()
    facts: dict[str, Any] = {}
    for _, line in lines:
        facts.update(json.loads(line))
    if learnt is not None and "start" in tagger.works:
        try:
            facts["starts"] = starts(python, tagger.adapter, learnt, setup.job["starts"], threads)
        except subprocess.CalledProcessError as error:
            raise PeerError(f"{tagger.name} did not start: {error.stderr[-500:]}") from None
    return facts


def turns(taggers: list[Tagger], threads: list[int], rounds: int) -> Iterator[tuple[int, int, Tagger]]:
    """Round, threads and peer, in the order of measurement: rivals stand side by side."""
    for turn in range(rounds):
        for number in threads:
            yield from ((turn, number, tagger) for tagger in taggers if number == min(threads) or tagger.many)


class Kept:
    """What has been measured, a line each: a run that is started again goes on where it stopped."""

    def __init__(self, path: Path, case: dict[str, Any]) -> None:
        self.path, self.case = path, json.loads(json.dumps(case))
        self.found: dict[tuple[int, int, str], dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            fact = json.loads(line)
            if fact["case"] == self.case:
                self.found[fact["round"], fact["threads"], fact["peer"]] = fact["result"]

    def add(self, turn: int, threads: int, peer: str, result: dict[str, Any]) -> None:
        """Write it down at once."""
        self.found[turn, threads, peer] = result
        fact = {"case": self.case, "round": turn, "threads": threads, "peer": peer, "result": result}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            print(json.dumps(fact), file=file, flush=True)

    def by_peer(self, order: list[str]) -> Found:
        """The rounds of each peer by threads, in the order of the table; only whole rows of rounds from the first."""
        found: Found = {}
        keys = {(threads, peer) for _, threads, peer in self.found}
        for threads, peer in sorted(keys, key=lambda key: (key[0], order.index(key[1]))):
            turn = 0
            while (turn, threads, peer) in self.found:
                found.setdefault((threads, peer), []).append(self.found[turn, threads, peer])
                turn += 1
        return found
