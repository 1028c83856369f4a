"""Kills commands that write files, and looks at what is left.

    python benchmarks/kills.py [--kills 20] [--times 5] [--only NAME] [--seed 1] [--keep FOLDER]

Commands of `kill_scenarios.py` (train, card, evaluate --save-best, tag --output, tag --shards) run in processes that
are forked from this one and killed, `--kills` times each at file events spread over all that there are
(`file_events.py`: a file opened, half written, closed, a rename, a removal ...), and `--times` times at moments drawn
by chance. After each kill

- what was there and the command does not write is as it was; what it writes is the old content or the new, whole;
- the tagger loads, or the error says that the folder is no whole one;
- the same command (`train` with `--resume`) comes to its end, and to the result of one that was never killed.

Prints kills and failures by command; exit code 1 where something failed. `--keep` keeps such folders. Linux only.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from file_events import FileEvents
from kill_scenarios import OWN_TEXT, SCENARIOS, Scenario, copy_of, write_corpus

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.model_card import END

_LIMIT = 300.0  # seconds that no command takes
_KILLED = -int(signal.SIGKILL)


def in_child(function: Callable[[], Any], folder: Path, alive: float = _LIMIT) -> tuple[int, str]:
    """Call a function in a forked process, in a folder.

    Args:
        function: its result is left aside.
        folder: to work in; standard output and error go to a file beside it.
        alive: seconds after which the process is killed.

    Returns:
        Its exit code, negative for a signal, and what it wrote.
    """
    said = folder.with_name(f"{folder.name}.said")
    child = os.fork()
    if not child:
        code = 1
        try:
            os.chdir(folder)
            out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            function()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    ends = time.monotonic() + alive
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), said.read_text(encoding="utf-8", errors="replace")
        if time.monotonic() > ends:
            os.kill(child, signal.SIGKILL)
            ends += _LIMIT
        time.sleep(0.005)


def command(folder: Path, arguments: list[str], log: Path | None = None, kill_at: int = 0) -> Callable[[], None]:
    """A command of tagsmith to run in a child, its file events in the folder noted in a log."""

    def run() -> None:
        import datasets

        from tagsmith.training.commands import command_line, command_options

        datasets.config.HF_DATASETS_CACHE = folder / "cache"
        for console in (command_options.messages, command_options.errors):
            console.file = os.fdopen(os.dup(2), "w")
        sys.argv = ["tagsmith", *arguments]
        sys.stdout = os.fdopen(os.dup(1), "w")
        sys.stderr = os.fdopen(os.dup(2), "w")
        if log is not None:
            FileEvents([folder], log, kill_at).watch()
        command_line.main()

    return run


def finish(folder: Path, arguments: list[str]) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    code, said = in_child(command(folder, arguments), folder)
    if code:
        raise RuntimeError(f"tagsmith {' '.join(arguments)}: exit code {code}\n{said}")


def load(folder: Path) -> tuple[bool, str]:
    """Whether a folder's tagger loads, and else what is said."""

    def run() -> None:
        from tagsmith.training.tagging.load_tagger import load_tagger

        try:
            load_tagger(str(folder))
        except InputError as error:
            os.write(1, str(error).encode())
            raise SystemExit(2) from None

    code, said = in_child(run, folder.parent)
    if code not in (0, 2):
        return False, f"exit code {code}: {said.strip().splitlines()[-1:]}"
    return code == 0, said


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder except for the cache, checkpoints, locks, and parts that wait for their name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        passing = any(mark in name for mark in (".part", "/checkpoints/", ".lock", ".shards"))
        if path.is_file() and not passing and not name.startswith("cache"):
            found[name] = path.read_bytes()
    return found


def is_whole(name: str, content: bytes) -> bool:
    """Whether a file that a command writes is not cut short, by what its kind ends with."""
    try:
        if name.endswith(".json"):
            return isinstance(json.loads(content), dict | list)
        if name.endswith(".safetensors"):
            from safetensors.torch import load

            return bool(load(content))
        if name.endswith(".png"):
            return content[-8:-4] == b"IEND"
        if name.endswith("README.md"):
            return END.encode() in content
    except Exception:  # of whatever is cut short
        return False
    return content.endswith((b"\n", b"}"))


class Trial:
    """A scenario: its folder before and after, its events, and its kills.

    Args:
        scenario: what is killed.
        work: an empty folder.
    """

    def __init__(self, scenario: Scenario, work: Path) -> None:
        self.scenario, self.work = scenario, work
        self.template = work / "before"
        self.template.mkdir(parents=True)
        write_corpus(self.template)
        scenario.prepare(self.template, finish)
        shutil.rmtree(self.template / "cache", ignore_errors=True)
        self.before = contents(self.template)
        after = copy_of(self.template, work / "after")
        log = work / "events"
        started = time.monotonic()
        code, said = in_child(command(after, scenario.command, log), after)
        if code:
            raise RuntimeError(f"{scenario.name}: exit code {code}\n{said}")
        self.seconds = time.monotonic() - started
        self.after, self.events = contents(after), log.read_text(encoding="utf-8").splitlines()

    def kill(self, number: int, kill_at: int = 0, alive: float = _LIMIT) -> list[str]:
        """Kill the command at an event or after some seconds, and say what is wrong afterwards."""
        folder = copy_of(self.template, self.work / str(number))
        log = self.work / f"{number}.log"
        run = command(folder, self.scenario.command, log, kill_at)
        code, said = in_child(run, folder, alive)
        if code not in (0, _KILLED):
            return [f"exit code {code}: {said[-500:]}"]
        wrong = [*self._look_at(folder)]
        if self.scenario.tagger:
            wrong += self._load(folder)
        code, said = in_child(command(folder, [*self.scenario.command, *self.scenario.again]), folder)
        if code:
            return [*wrong, f"started again: exit code {code}: {' '.join(said.split())[-300:]}"]
        wrong += self._compare(folder)
        if not wrong:
            shutil.rmtree(folder)
        return wrong

    def _look_at(self, folder: Path) -> list[str]:
        found, wrong = contents(folder), []
        for name, old in self.before.items():
            new = found.get(name)
            if new == old or (new is not None and new == self.after.get(name)):
                continue
            if new is None:
                if name in self.after and (self.scenario.was_tagger or not name.startswith(self.scenario.tagger)):
                    wrong.append(f"{name} is lost")
            elif self.after.get(name) == old:
                wrong.append(f"{name} is changed, and the command does not write it")
            elif not is_whole(name, new):
                wrong.append(f"{name} has {len(new)} bytes, neither the old content nor the new")
        wrong += [
            f"{name} is cut short" for name in found.keys() - self.before.keys() if not is_whole(name, found[name])
        ]
        card = f"{self.scenario.tagger}/README.md"
        if OWN_TEXT.encode() in self.before.get(card, b"") and OWN_TEXT.encode() not in found.get(card, b""):
            wrong.append("a person's own text is lost from README.md")
        return wrong

    def _load(self, folder: Path) -> list[str]:
        loads, said = load(folder / self.scenario.tagger)
        weights = contents(folder).get(f"{self.scenario.tagger}/model.safetensors")
        if not loads:
            if self.scenario.was_tagger:
                return [f"the tagger does not load any more: {said}"]
            clear = "missing" in said or "not the folder of a tagger" in said
            return [] if clear else [f"what is left is not said to be unfinished: {said}"]
        name = f"{self.scenario.tagger}/model.safetensors"
        known = (self.before.get(name), self.after.get(name))
        return [] if weights in known else ["the tagger loads, and is neither the old one nor the new"]

    def _compare(self, folder: Path) -> list[str]:
        found = contents(folder)
        wrong = [
            f"{name} is not as without a kill"
            for name in self.scenario.same
            if found.get(name) != self.after.get(name)
        ]
        if missing := self.after.keys() - found.keys():
            wrong.append(f"missing in the end: {', '.join(sorted(missing))}")
        wrong += [
            f"{name} is changed in the end"
            for name in ("NOTES.txt", "tagger/NOTES.txt")
            if name in self.before and found.get(name) != self.before[name]
        ]
        if (folder / "out.jsonl.shards").exists():
            wrong.append("the folder of shards is left")
        return wrong


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers from 1 to `count`, evenly spread."""
    most = min(most, count)
    return sorted({1 + number * (count - 1) // max(most - 1, 1) for number in range(most)})


def run(
    scenario: Scenario, work: Path, kills: int, times: int, chance: random.Random, say: Callable[[str], None] = print
) -> tuple[int, int, int]:
    """Kill a command; gives the number of its events, of kills, and of kills that left something wrong."""
    trial = Trial(scenario, work)
    places: list[tuple[str, dict[str, Any]]] = [
        (f"event {at}, {trial.events[at - 1]}", {"kill_at": at}) for at in spread(len(trial.events), kills)
    ]
    moments = [chance.uniform(0, trial.seconds) for _ in range(times)]
    places += [(f"after {moment:.2f} s", {"alive": moment}) for moment in moments]
    failed = 0
    for number, (place, how) in enumerate(places):
        if wrong := trial.kill(number, **how):
            failed += 1
            say(f"failure: {scenario.name}, {place}: {'; '.join(wrong)}")
    return len(trial.events), len(places), failed


def import_all() -> None:
    """Import what the commands need, so that children need not; nothing is computed, and no thread is started."""
    import datasets
    import torch
    import transformers

    import tagsmith.training.commands.command_line
    import tagsmith.training.runs.byte_run
    import tagsmith.training.runs.hierarchical_run
    import tagsmith.training.tagging.load_tagger  # noqa: F401

    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()


def main(
    kills: Annotated[int, typer.Option(help="At file events, of each command at most.")] = 20,
    times: Annotated[int, typer.Option(help="At moments drawn by chance, of each command.")] = 5,
    only: Annotated[str, typer.Option(help="Commands whose name holds this.")] = "",
    seed: int = 1,
    keep: Annotated[Path | None, typer.Option(help="Folder for what failed.")] = None,
) -> None:
    """Kill commands, and look at what is left."""
    import_all()
    started, rows = time.monotonic(), []
    with TemporaryDirectory() as name:
        for number, scenario in enumerate(SCENARIOS):
            if only not in scenario.name:
                continue
            work = Path(keep or name, str(number))
            rows.append((scenario.name, *run(scenario, work, kills, times, random.Random(f"{seed}/{number}"))))
            print(
                f"{rows[-1][0]:24}{rows[-1][1]:8,} events{rows[-1][2]:6,} kills{rows[-1][3]:6,} failures", flush=True
            )
    total = [sum(row[place] for row in rows) for place in (1, 2, 3)]
    print(f"{'all':24}{total[0]:8,} events{total[1]:6,} kills{total[2]:6,} failures")
    print(f"seed {seed}, {(time.monotonic() - started) / 60:.1f} minutes")
    raise typer.Exit(int(total[2] > 0))


if __name__ == "__main__":
    typer.run(main)
