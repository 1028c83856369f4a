"""Run a table of the sources again, cell by cell, and write it beside the source's figures.

    python benchmarks/reproduce.py TABLE --data ROOT [--minutes N] [--seeds 1,2,3] [--only TEXT] [--set KEY=VALUE]

Tables: lecture, encoders, yang, transfer, gillick (see tables.py). ROOT holds `ner/en/train.conll` and the like: for
each folder `train`, `dev` and, if there is one, `test`, in column files of any ending; without `dev` the last fifth of
`train` is held out. A cell is a run of `tagsmith train` (or of `baselines.py`) in a folder of its own; cells that are
the same run share it. Each continues where it stopped: interrupt a table, or give it `--minutes`, and start it again.
The table so far is written after each cell, as `table.md` and `table.json`.
"""

from __future__ import annotations

import json
import shlex
import signal
import statistics
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import typer
from hold_out import hold_out
from rich.console import Console
from tables import BASELINES, TABLES, Cell

from tagsmith.training.cards.results import Results

TAGSMITH = str(Path(sys.executable).with_name("tagsmith"))
console = Console(stderr=True)


class Run:
    """The run behind a cell, for one seed.

    Args:
        cell: what is run.
        seed: of the run.
        root: of the data.
        output: the table's folder.
        settings: changes to the recipes of all cells.
    """

    def __init__(self, cell: Cell, seed: int, root: Path, output: Path, settings: list[str]) -> None:
        self.cell, self.seed, self.root = cell, seed, root
        self.files = {name: _files(root / folder, output / "held" / folder) for name, folder in cell.data.items()}
        if cell.with_dev:
            self.files = {
                name: {**files, "train": _joined(files, output / "joined" / cell.data[name])}
                for name, files in self.files.items()
            }
        self.settings = [text.replace("{data}", str(root)) for text in (*cell.settings, *settings)]
        what = json.dumps([cell.data, self.settings, *(["with dev"] if cell.with_dev else [])])
        self.folder = output / "runs" / f"{cell.recipe}-{sha256(what.encode()).hexdigest()[:8]}-seed{seed}"
        self.baseline = cell.recipe in BASELINES

    @property
    def results(self) -> dict[str, Any] | None:
        """What the finished run wrote."""
        path = self.folder / "results.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    @property
    def command(self) -> list[str]:
        """The run as a command."""
        if self.baseline:
            options = [f"--{split}={path}" for split, path in self.files[""].items()]
            script = str(Path(__file__).with_name("baselines.py"))
            return [sys.executable, script, self.cell.recipe, *options, f"--output={self.folder}/results.json"]
        command = [TAGSMITH, "train", self.cell.recipe, "--output-dir", str(self.folder), "--resume"]
        for name, files in self.files.items():
            named = f"{name}=" if name else ""
            command += ["--train", f"{named}{files['train']}", "--dev", f"{named}{files['dev']}"]
        for text in (f"training.seed={self.seed}", *self.settings):
            command += ["--set", text]
        return command

    def run(self, seconds: float | None) -> bool:
        """Run it, or continue with it; False where the time did not suffice."""
        if seconds is not None and seconds <= 0:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(self.command, stdout=log, stderr=log)
            try:
                code = process.wait(seconds)
            except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
                process.send_signal(signal.SIGINT)
                process.wait()
                if isinstance(stop, KeyboardInterrupt):
                    raise
                return False
        if code:
            console.print(f"it failed; see {self.folder / 'log.txt'}", style="red")
        return True

    @property
    def tagged(self) -> Path:
        """Where the scores are of the run's tagger, tagging as the cell has it."""
        return self.folder / f"tagged-{sha256(json.dumps(self.cell.tagging).encode()).hexdigest()[:8]}.json"

    def tag(self) -> None:
        """Score the tagger with the cell's parameters of tagging, where it has any, and keep that."""
        if not self.cell.tagging or self.results is None or self.tagged.is_file():
            return
        from tagsmith.training.data.corpora import load_corpus
        from tagsmith.training.evaluation.scoring import score_tagger
        from tagsmith.training.tagging.load_tagger import load_tagger

        loaded = load_tagger(str(self.folder))
        pipeline = type(loaded)(
            model=loaded.model, tokenizer=loaded.tokenizer, task="span-tagging", **dict(self.cell.tagging)
        )
        scores: dict[str, Any] = {}
        for split in ("dev", "test"):
            paths = {name: files[split] for name, files in self.files.items() if split in files}
            rows = {name: load_corpus({"test": path})["test"] for name, path in paths.items()}
            scores[split] = {name: score_tagger(pipeline, own) for name, own in rows.items()}
        whole = {split: own.get("", own) for split, own in scores.items() if own}
        self.tagged.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")

    def test(self) -> None:
        """Score the tagger on test files, where there are any, and keep that with its results."""
        results = self.results
        if self.baseline or results is None or "test" in results:
            return
        scores = {}
        for name, files in self.files.items():
            if "test" in files:
                command = [TAGSMITH, "evaluate", str(self.folder), str(files["test"]), "--json"]
                command += ["--head", name] if self.cell.recipe.startswith("joint") else []
                scores[name] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        if scores:
            text = json.dumps({**results, "test": scores}, indent=2) + "\n"
            (self.folder / "results.json").write_text(text, encoding="utf-8")

    def score(self, split: str) -> float | None:
        """The cell's figure in percent: F1 of spans, accuracy of words for parts of speech."""
        results = self.results or {}
        if self.cell.tagging:
            results = json.loads(self.tagged.read_text(encoding="utf-8")) if self.tagged.is_file() else {}
        by_name = Results.of(results).scores(split)
        if not by_name or (self.cell.with_dev and split == "dev"):
            return None
        measure = {
            name: "accuracy" if folder.startswith("pos/") else "f1"
            for name, folder in self.cell.data.items()
            if name in by_name
        }  # scores of all data together are no figure of a cell
        values = {name: 100 * by_name[name][score] for name, score in measure.items()}
        return statistics.fmean(values.values()) if self.cell.scored is None else values.get(self.cell.scored)


def _files(folder: Path, held: Path) -> dict[str, Path]:
    """The files of a folder by split; dev is held out of train where there is none."""
    found = {split: path for split in ("train", "dev", "test") for path in sorted(folder.glob(f"{split}.*"))}
    if "train" not in found:
        raise typer.BadParameter(f"there is no {folder}/train.*")
    return found if "dev" in found else {**found, **hold_out(found["train"], held, 0.2)}


def _joined(files: dict[str, Path], folder: Path) -> Path:
    """Training and dev set as one file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"train{files['train'].suffix}"
    texts = [files[split].read_text(encoding="utf-8").strip("\n") for split in ("train", "dev")]
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return path


def _row(cell: Cell, runs: list[Run]) -> dict[str, Any]:
    scores = {split: [run.score(split) for run in runs] for split in ("dev", "test")}
    return {
        "column": cell.column,
        "name": cell.name,
        "source": {
            name: value
            for name in ("source", "source_dev", "gain", "trained_on")
            if (value := getattr(cell, name)) not in (None, "")
        },
        **{split: [value for value in values if value is not None] for split, values in scores.items()},
        "minutes": [run.results["minutes"] for run in runs if run.results],
        **({"tagging": dict(cell.tagging)} if cell.tagging else {}),
        "command": shlex.join(runs[0].command),
    }


def _markdown(title: str, rows: list[dict[str, Any]]) -> str:
    lines = [title, ""]
    lines += ["| | | dev | source, dev | test | source, test | minutes |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        if row["dev"] or row["test"]:
            dev, test = _given(row["source"])
            minutes = f"{statistics.fmean(row['minutes']):.1f}"
            cells = [row["column"], row["name"], _spread(row["dev"]), dev, _spread(row["test"]), test, minutes]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _given(source: dict[str, Any]) -> tuple[str, str]:
    """The source's figures of dev and test set, with what they were trained on where that is said."""
    test = f"{source['source']:.2f}" if "source" in source else ""
    test += f"{source['gain']:+.2f} by the helper" if "gain" in source else ""
    test += f" ({source['trained_on']})" if "trained_on" in source else ""
    return f"{source['source_dev']:.2f}" if "source_dev" in source else "", test


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.2f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.2f}"


def main(
    table: Annotated[str, typer.Argument(help=f"One of {', '.join(TABLES)}.")],
    data: Annotated[Path, typer.Option(help="Root of the data.", exists=True, file_okay=False, resolve_path=True)],
    output: Annotated[Path, typer.Option(help="Folder of the table and its runs.")] = Path("tables"),
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so long; start again to continue.")] = None,
    seeds: Annotated[str, typer.Option(help="Of the runs.")] = "1",
    only: Annotated[list[str] | None, typer.Option(help="Only cells with this in column and name.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A change to all recipes, as of tagsmith.")] = None,
) -> None:
    """Run a table, or continue with it."""
    if table not in TABLES:
        raise typer.BadParameter(f"there is no table {table!r}; there are {', '.join(TABLES)}")
    cells = [cell for cell in TABLES[table]() if any(text in f"{cell.column} {cell.name}" for text in only or [""])]
    run_table(table, cells, seeds, data, output / table, set_ or [], minutes)


def run_table(
    name: str, cells: list[Cell], seeds: str, data: Path, folder: Path, settings: list[str], minutes: float | None
) -> None:
    """Run the cells by each seed, as far as the time allows, and write the table after each run.

    Args:
        name: of the table.
        cells: its rows.
        seeds: with commas between them.
        data: the root of the data.
        folder: of the table and its runs; runs that are in it are not made again.
        settings: changes to the recipes of all cells.
        minutes: of all runs together, or None for no bound.
    """
    numbers = [int(seed) for seed in seeds.split(",")]
    runs = [[Run(cell, seed, data, folder, settings) for seed in numbers] for cell in cells]
    end = None if minutes is None else time.monotonic() + minutes * 60
    for run in (row[index] for index in range(len(numbers)) for row in runs):  # all cells by one seed come first
        if run.results is None:
            left = None if end is None else end - time.monotonic()
            console.print(f"{run.cell.column}: {run.cell.name}, seed {run.seed}", highlight=False)
            if not run.run(left):
                console.print("the time is over; start it again to continue")
                break
        run.test()
        run.tag()
        _write(folder, [_row(cell, row) for cell, row in zip(cells, runs, strict=True)], f"{name}, seeds {seeds}")
    console.print(f"the table is in {folder / 'table.md'}")


def _write(folder: Path, rows: list[dict[str, Any]], title: str) -> None:
    (folder / "table.md").write_text(_markdown(title, rows), encoding="utf-8")
    (folder / "table.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
