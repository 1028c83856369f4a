"""How time and memory grow: with the length of a text, the size of a corpus, with tags, with the batch, with heads.

    python benchmarks/scaling.py [--what documents|stream|corpus|labels|batch|heads|all] [--output FOLDER]
                                 [--family hierarchical|bytes|both] [--longest 10000000] [--sizes 1,2,4]
                                 [--rounds N] [--threads N]
                                 [--model FOLDER]... [--set KEY=VALUE]...

- documents: tagging one document of 1 kB, 10 kB, ... bytes; stream: the same text line by line.
- corpus: what comes before the first step of training (reading, vocabularies, encoding), and a step, with 1,000 to
  100,000 sentences.
- labels: CRF loss with gradient, CRF decoding, and a step of training, with 5 to 300 tags.
- batch: a batch of training and of tagging, of 1 to 128 sentences or windows.
- heads: a step of training and the tagging of a batch by all heads, with 1 to 8 that share all below the output.

Each point is measured in a process of its own, all in turn, some rounds. Writes scaling.json and scaling.md, and with
the extra `[plots]` scaling.png. An exponent is the slope of the least squares line through the logarithms. A kilobyte
is 1,000 bytes. Documents of 10 MB take minutes each: `--longest 1000000` is faster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from speed import FAMILIES, SHAPES, Family, console, in_rounds, markdown_table, numbers, show, spread, trained
from workloads import Case

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.commands.command_options import Threads
from tagsmith.training.pictures.figures import new_figure, save_figure

TAGS = (5, 17, 50, 100, 300)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
HEADS = tuple(range(1, 9))
SENTENCES = (1000, 10_000, 100_000)
BATCH_OF = {"hierarchical-tagger": 64, "byte-to-span": 128}  # the pipelines' own
TRAINED_IN = {"hierarchical-tagger": 32, "byte-to-span": 128}  # the recipes' own
LINES = 256  # tagged at a time
SMALLEST_GROWTH = 1.0  # MiB; below, memory does not grow

HEADERS = ["series", "at", "seconds (lowest to highest)", "exponent from the one before", "peak MiB", "of the work"]
SUMMARY = ["series", "along", "exponent of time", "exponent of the work's memory"]
NOTES = """\
Medians over {rounds} rounds, in turn over all points, each in a process of its own. {processor}, threads: {threads}.
*Peak MiB* is of the resident set, with torch and the libraries; *of the work*, how far above what it was before. Its
exponent is of the points above {smallest:.0f} MiB, where there are three. Weights are random where no `--model` is
given, and byte-to-span is then made to write nothing but STOP.
"""


class What(StrEnum):
    """Along what time and memory are measured."""

    documents = "documents"
    stream = "stream"
    corpus = "corpus"
    labels = "labels"
    batch = "batch"
    heads = "heads"
    all = "all"


@dataclass
class Series:
    """Cases that differ in one number.

    Attributes:
        what: the group that it is of.
        name: of the series.
        along: what the number is.
        case: what is measured.
        field: of the case, which has the number.
        at: the numbers.
    """

    what: str
    name: str
    along: str
    case: Case
    field: str
    at: Sequence[int]

    @property
    def cases(self) -> list[Case]:
        """A case for each number."""
        return [replace(self.case, **{self.field: number}) for number in self.at]


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The slope of the least squares line through (log x, log y): k of `y = c x^k`."""
    across, up = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    across -= across.mean()
    return float(across @ (up - up.mean()) / (across @ across))


def lengths_up_to(longest: int) -> list[int]:
    """1 kB and ten times as much again and again, and the longest."""
    sizes = [1000]
    while sizes[-1] * 10 <= longest:
        sizes.append(sizes[-1] * 10)
    return sizes if sizes[-1] >= longest else [*sizes, longest]


def series_of(what: str, base: Case, models: dict[str, str], longest: int) -> list[Series]:
    """What is measured of a group."""
    ner = replace(base, recipe="ner")
    step, tagging = replace(ner, mode="train"), replace(ner, mode="tag")
    if what == "labels":
        crf = {"CRF loss and gradient": replace(step, work="crf"), "CRF decoding": replace(tagging, work="crf")}
        named = {**crf, "step of training, ner": step}
        return [Series(what, name, "tags", case, "tags", TAGS) for name, case in named.items()]
    if what == "heads":
        named = {"step of training, ner": step, "batch of tagging by all heads, ner": tagging}
        return [Series(what, name, "heads", case, "heads", HEADS) for name, case in named.items()]
    found = []
    for family, (shape, *_) in SHAPES.items():
        model = models.get(family)
        name = shape if model is None else Path(model).name
        if what == "corpus":
            case = replace(base, work="corpus", recipe=shape, batch_size=TRAINED_IN[family])
            named = {"before training": replace(case, mode="read"), "step of training": replace(case, mode="train")}
            found += [Series(what, f"{kind}, {shape}", "sentences", c, "size", SENTENCES) for kind, c in named.items()]
            continue
        tagging = replace(base, recipe=shape, mode="tag", model=model)
        if what == "batch":
            along = "sentences" if family == "hierarchical-tagger" else "windows"
            step = replace(base, recipe=shape, mode="train")
            named = {f"batch of training, {shape}": step, f"batch of tagging, {name}": tagging}
            found += [Series(what, name, along, case, "batch_size", BATCHES) for name, case in named.items()]
            continue
        mode, kind = ("stream", "stream of lines") if what == "stream" else ("tag", "document")
        case = replace(tagging, work="document", mode=mode, batch_size=BATCH_OF[family])
        found.append(Series(what, f"{kind}, {name}", "bytes", case, "size", lengths_up_to(longest)))
    return found


def summary(series: Series, results: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """A series with the rounds of its points, and its exponents."""
    points = []
    for x, rounds in zip(series.at, results, strict=True):
        seconds = [found["seconds"] / found.get("batches", 1) for found in rounds]
        memory = spread([found["memory"] for found in rounds])
        growth = spread([found["memory"] - found["memory_before"] for found in rounds])
        points.append({"at": x, "seconds": spread(seconds), "memory_mib": memory, "memory_of_work_mib": growth})
    times = [point["seconds"]["median"] for point in points]
    grown = [point for point in points if point["memory_of_work_mib"]["median"] > SMALLEST_GROWTH]
    growth = [point["memory_of_work_mib"]["median"] for point in grown]
    return {
        "what": series.what,
        "name": series.name,
        "along": series.along,
        "points": points,
        "time_exponent": exponent(series.at, times) if len(points) > 1 else None,
        "memory_exponent": exponent([point["at"] for point in grown], growth) if len(grown) > 2 else None,
    }


def point_rows(series: dict[str, Any]) -> list[list[str]]:
    """The points of a series as text, under `HEADERS`."""
    rows: list[list[str]] = []
    before = None
    for point in series["points"]:
        seconds, local = point["seconds"], ""
        if before is not None:
            pair = [before["at"], point["at"]], [before["seconds"]["median"], seconds["median"]]
            local = f"{exponent(*pair):.2f}"
        times = f"{seconds['median']:.4g} ({seconds['lowest']:.4g} to {seconds['highest']:.4g})"
        memory = [f"{point[name]['median']:,.0f}" for name in ("memory_mib", "memory_of_work_mib")]
        rows.append([series["name"], f"{point['at']:,} {series['along']}", times, local, *memory])
        before = point
    return rows


def summary_row(series: dict[str, Any]) -> list[str]:
    """The exponents of a series as text, under `SUMMARY`."""
    slopes = [series["time_exponent"], series["memory_exponent"]]
    return [series["name"], series["along"], *("" if slope is None else f"{slope:.2f}" for slope in slopes)]


def draw(report: dict[str, Any], output: Path) -> None:
    """Time, and memory below it, along each number, on logarithmic axes."""
    groups = list(dict.fromkeys(series["what"] for series in report["series"]))
    figure = new_figure(5 * len(groups), 8)
    axes = figure.subplots(2, len(groups), squeeze=False)
    measures = (("seconds", "seconds"), ("memory_of_work_mib", "MiB of the work"))
    for column, group in enumerate(groups):
        members = [series for series in report["series"] if series["what"] == group]
        for row, (measure, label) in enumerate(measures):
            panel = axes[row][column]
            for series in members:
                values = [point[measure] for point in series["points"]]
                middle = np.array([value["median"] for value in values])
                middle = middle if measure == "seconds" else middle.clip(min=0.1)
                ends = [[value[end] for value in values] for end in ("lowest", "highest")]
                spans = np.abs(np.array(ends) - middle) if measure == "seconds" else None
                at = [point["at"] for point in series["points"]]
                panel.errorbar(at, middle, yerr=spans, marker="o", markersize=4, label=series["name"])
            panel.set(xscale="log", yscale="log", xlabel="/".join(dict.fromkeys(s["along"] for s in members)))
            panel.set_ylabel(label)
            panel.grid(True, alpha=0.3)
        axes[0][column].set_title(group)
        axes[0][column].legend(fontsize=7)
    save_figure(figure, output / "scaling.png")


def write(output: Path, report: dict[str, Any], threads: int) -> None:
    """Write scaling.json, scaling.md and, where it can be drawn, scaling.png."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "scaling.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    processor = report["machine"].get("processor", "The CPU")
    notes = NOTES.format(rounds=report["rounds"], processor=processor, threads=threads, smallest=SMALLEST_GROWTH)
    rows = [row for series in report["series"] for row in point_rows(series)]
    parts = ["# Scaling\n", markdown_table(SUMMARY, list(map(summary_row, report["series"]))), notes]
    (output / "scaling.md").write_text("\n".join([*parts, markdown_table(HEADERS, rows)]), encoding="utf-8")


def main(
    what: Annotated[What, typer.Option(help="Along what.")] = What.all,
    output: Annotated[Path, typer.Option(help="Folder of scaling.json, scaling.md and scaling.png.")] = Path(
        "scaling"
    ),
    family: Annotated[Family, typer.Option(help="Which taggers.")] = Family.both,
    longest: Annotated[int, typer.Option(min=1000, help="Bytes of the longest document.")] = 10_000_000,
    sizes: Annotated[str | None, typer.Option(help="Of the points, in place of the usual ones: 1,2,4.")] = None,
    threads: Threads = 1,
    text: Annotated[Path | None, typer.Option(help="Lines to tag.", exists=True, dir_okay=False)] = None,
    model: Annotated[list[str] | None, typer.Option(help="A trained tagger to tag with, one of each family.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Over all points.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each point in a round, at least.")] = 2.0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A change to all recipes, as of tagsmith.")] = None,
) -> None:
    """Measure how time and memory grow."""
    models, words = trained(model or []), None if text is None else str(text)
    base = Case(threads=threads, seconds=seconds, lines=LINES, text=words, settings=tuple(set_ or []))
    groups = [each.value for each in What if each is not What.all] if what is What.all else [what.value]
    every = [series for group in groups for series in series_of(group, base, models, longest)]
    if family is not Family.both:
        every = [series for series in every if series.case.recipe in SHAPES[FAMILIES[family]]]
    if sizes is not None:
        every = [replace(series, at=numbers(sizes)) for series in every]
    cases = [case for series in every for case in series.cases]
    report: dict[str, Any] = {}

    def keep(results: list[list[dict[str, Any]]]) -> None:
        left = iter(results)
        found = [summary(series, [next(left) for _ in series.at]) for series in every]
        report.update(rounds=len(results[0]), series=found)
        report.update({name: results[0][0][name] for name in ("versions", "machine")})
        write(output, report, threads)

    in_rounds(cases, rounds, keep)
    show("Points", HEADERS, [row for series in report["series"] for row in point_rows(series)])
    show("Exponents", SUMMARY, list(map(summary_row, report["series"])))
    try:
        draw(report, output)
    except InputError as error:
        console.print(f"no picture: {error}", style="yellow", markup=False)
    console.print(f"the tables are in {output / 'scaling.md'}", markup=False)


if __name__ == "__main__":
    typer.run(main)
