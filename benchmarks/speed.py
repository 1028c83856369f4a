"""How fast taggers of both families learn and tag, what of the machine's own rate that is, and where the time goes.

    python benchmarks/speed.py [--family hierarchical|bytes|both] [--batch-sizes 8,32,128] [--threads 1,2]
                               [--output FOLDER] [--text FILE] [--model FOLDER]... [--set KEY=VALUE]...
                               [--vary KEY=VALUE,VALUE] [--recipe NAME]...

Taggers of the shapes of `ner`, `ner-paper` and `byte-ner` learn from the bundled sample, with the project's collators,
orders and models and the recipe's optimizer, and tag raw lines through the pipeline. Each case runs in a process of
its own, all in turn, some rounds; `--vary model.word_encoder=gru,sru` makes each case once with every value. Writes
speed.json and speed.md.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from transformers import AutoConfig
from workloads import Case

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.processor import processor_flags

console = Console(stderr=True)

SHAPES = {"hierarchical-tagger": ("ner", "ner-paper"), "byte-to-span": ("byte-ner",)}
HEADERS = ["tagger", "work", "batch", "threads", "type", "a second (lowest to highest)", "bytes a second"]
HEADERS += ["symbols a window", "GFLOP/s", "machine's", "share", "peak MiB", "of the work"]
NOTES = """\
Medians over {rounds} rounds, in turn over all cases, each in a process of its own. {processor}.

- *a second*: words of the hierarchical tagger, windows of byte-to-span. *batch*: sentences, or windows.
- *GFLOP/s*: of the matrix products alone, counted from the shapes; a backward pass counts as two forward passes.
  What is done once counts once: the spelling of a word that recurs in a batch, in tagging all that a word is before
  its sentence, and the first product of a byte or character, also where an operator of PyTorch's does it
  again. Padding counts where it is multiplied, except for what such an operator pads. The CRF and what goes
  element by element are left out of the count, not of the time.
- *machine's*: the rate of products of two matrices of 1,024 by 1,024 in the same type (float32 beside int8), between
  the steps of the case; of float32 by the library that is fastest here with float32's precision: {libraries}.
- *peak MiB*: of the resident set, with torch and the libraries; *of the work*: how far above what it was before the
  first step.
- A step of training is batch, forward, backward, clipping, optimizer and average of the weights; the Trainer's
  learning rate schedule, logging, evaluation and checkpoints are not in it. The sample has fewer words than a corpus,
  so that the table of embeddings and its optimizer are smaller.
- Tagging is the whole pipeline, {lines:,} lines at a time, from text to spans.{weights}
"""
RANDOM = """ Weights are random where no `--model` is given: the
  hierarchical tagger then finds more spans than a trained one, and byte-to-span is made to write nothing but STOP in
  every window, which is an upper bound of its speed. Give a trained one for figures to rely on."""


class Family(StrEnum):
    """Which taggers are measured."""

    hierarchical = "hierarchical"
    bytes = "bytes"
    both = "both"


FAMILIES = {Family.hierarchical: "hierarchical-tagger", Family.bytes: "byte-to-span"}


def measured(case: Case) -> dict[str, Any]:
    """Measure a case in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("measure_case.py")), json.dumps(asdict(case))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def numbers(text: str) -> list[int]:
    """Numbers above 0, with commas between."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 8,32,128")
    return found


def trained(folders: list[str]) -> dict[str, str]:
    """The folders of trained taggers by their family."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            tagsmith.check_folder(folder)
        except InputError as error:
            raise typer.BadParameter(str(error)) from None
        family = AutoConfig.from_pretrained(folder).model_type
        if family in found:
            raise typer.BadParameter(f"{found[family]} and {folder} are both of the family {family}; give one of each")
        found[family] = folder
    return found


def cases_of(family: str, sizes: list[int], models: dict[str, str], base: Case) -> list[Case]:
    """What is measured of a family: training and tagging with each shape, or tagging with the trained tagger alone."""
    cases = []
    for recipe in SHAPES[family]:
        types = ["float32"]
        if family == "byte-to-span" and processor_flags() & {"avx512_bf16", "amx_bf16"}:
            types.append("bfloat16")
        cases += [
            replace(base, recipe=recipe, mode="train", dtype=dtype, batch_size=size)
            for dtype in types
            for size in sizes
        ]
        if family not in models:
            cases += _tagging(base, sizes, recipe)
    if family in models:
        cases += _tagging(base, sizes, SHAPES[family][0], models[family])
    return cases


def _tagging(base: Case, sizes: list[int], recipe: str, model: str | None = None) -> list[Case]:
    case = replace(base, recipe=recipe, mode="tag", model=model)
    return [replace(case, dtype=dtype, batch_size=size) for dtype in ("float32", "int8") for size in sizes]


def only(cases: list[Case], recipes: list[str] | None) -> list[Case]:
    """The cases of these recipes, or all."""
    if recipes is None:
        return cases
    known = sorted({case.recipe for case in cases})
    if wrong := [name for name in recipes if name not in known]:
        raise typer.BadParameter(f"{wrong[0]!r} is not among the shapes measured: {', '.join(known)}")
    return [case for case in cases if case.recipe in recipes]


def varied(cases: list[Case], change: str | None) -> list[Case]:
    """Each case once with every value of `KEY=VALUE,VALUE`."""
    if change is None:
        return cases
    key, equals, values = change.partition("=")
    if not equals:
        raise typer.BadParameter(f"{change!r} is not like model.word_encoder=gru,sru")
    settings = [f"{key}={value}" for value in values.split(",")]
    return [replace(case, settings=(*case.settings, setting)) for case in cases for setting in settings]


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """A case's rounds as one row of figures."""
    first = results[0]
    case = first["case"]
    unit = "words" if "words" in first else "windows"
    flops = [result["operations"] / result["seconds"] for result in results]
    rates = [result["rates"][_rate_of(case)] for result in results]
    row: dict[str, Any] = {"case": case, "unit": unit, "parameters": first["parameters"]}
    for name in (unit, "bytes"):
        if name in first:
            row[f"{name}_per_second"] = spread([result[name] / result["seconds"] for result in results])
    if "symbols" in first:
        row["symbols_per_window"] = sum(r["symbols"] for r in results) / sum(r["windows"] for r in results)
    row["flops"] = spread(flops)
    row["machine"] = {name: spread([result["rates"][name] for result in results]) for name in first["rates"]}
    row["rates_by_library"] = {
        library: spread([result["rates_by_library"][library] for result in results])
        for library in first["rates_by_library"]
    }
    row["share"] = spread([own / machine for own, machine in zip(flops, rates, strict=True)])
    row["memory_mib"] = spread([result["memory"] for result in results])
    row["memory_of_work_mib"] = spread([result["memory"] - result["memory_before"] for result in results])
    return row


def cells(row: dict[str, Any]) -> list[str]:
    """A row of figures as text, under `HEADERS`."""
    case, speed = row["case"], row[f"{row['unit']}_per_second"]
    each = row.get("symbols_per_window")
    return [
        _name(case),
        "training" if case["mode"] == "train" else "tagging",
        str(case["batch_size"]),
        str(case["threads"]),
        case["dtype"],
        f"{speed['median']:,.0f} {row['unit']} ({speed['lowest']:,.0f} to {speed['highest']:,.0f})",
        f"{row['bytes_per_second']['median']:,.0f}" if "bytes_per_second" in row else "",
        "" if each is None else f"{each:.2f}",
        f"{row['flops']['median'] / 1e9:.1f}",
        f"{row['machine'][_rate_of(case)]['median'] / 1e9:.0f}",
        f"{row['share']['median']:.0%}",
        f"{row['memory_mib']['median']:,.0f}",
        f"{row['memory_of_work_mib']['median']:,.0f}",
    ]


def library_rates(rows: Sequence[dict[str, Any]]) -> str:
    """The libraries that multiply float32, the fastest first, by the thread, with medians over all cases."""
    texts = []
    for threads in sorted({row["case"]["threads"] for row in rows}):
        found = [row["rates_by_library"] for row in rows if row["case"]["threads"] == threads]
        medians = {name: statistics.median(rates[name]["median"] for rates in found) / 1e9 for name in found[0]}
        order = sorted(medians, key=lambda name: -medians[name])
        rates = ", ".join(f"{name} {medians[name]:.0f} GFLOP/s" for name in order)
        texts.append(f"{rates} with {threads} thread{'' if threads == 1 else 's'}")
    return "; ".join(texts)


def _rate_of(case: dict[str, Any]) -> str:
    """The type of the machine's rate that a case is compared with."""
    return "float32" if case["dtype"] == "int8" else str(case["dtype"])


def _name(case: dict[str, Any]) -> str:
    return " ".join([case["recipe"], *case["settings"]]) if case["model"] is None else Path(case["model"]).name


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text: the first column to the left, the others to the right."""
    lines = [headers, ["---"] + ["---:"] * (len(headers) - 1), *rows]
    return "".join(f"| {' | '.join(text.replace('|', '&#124;') for text in line)} |\n" for line in lines)


def show(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The same table on standard output."""
    table = Table(title=escape(title), title_justify="left")
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def profile_rows(profile: dict[str, Any]) -> list[list[str]]:
    """The operators of a profile as text: name, calls, milliseconds, share of the time in operators."""
    return [
        [
            f"`{event['operator']}`",
            f"{event['calls']:,}",
            f"{event['seconds'] * 1e3:,.0f}",
            f"{event['seconds'] / profile['in_operators']:.1%}",
        ]
        for event in profile["operators"]
    ]


def profile_title(profile: dict[str, Any]) -> str:
    """What was profiled, and how much of its time lies in operators at all."""
    case = profile["case"]
    work = "training" if case["mode"] == "train" else "tagging"
    share = profile["in_operators"] / profile["seconds"]
    head = f"{_name(case)}, {work}, batch {case['batch_size']}, {case['dtype']}"
    return f"{head}: {share:.0%} of {profile['seconds']:.1f} s in operators, the profiler's own work included"


PROFILE_HEADERS = ["operator", "calls", "own ms", "share"]


def write(output: Path, report: dict[str, Any], lines: int, models: dict[str, str]) -> None:
    """Write speed.json and speed.md."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "speed.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    machine = report["machine"].get("processor", "the CPU")
    if library := report["machine"].get("float32_products"):
        machine += f", float32 products by {library}"
    facts = {"rounds": report["rounds"], "processor": machine, "libraries": library_rates(report["cases"])}
    notes = NOTES.format(**facts, lines=lines, weights="" if len(models) == len(SHAPES) else RANDOM)
    parts = ["# Speed\n", markdown_table(HEADERS, list(map(cells, report["cases"]))), notes]
    for profile in report["profiles"]:
        parts += [f"{profile_title(profile)}\n", markdown_table(PROFILE_HEADERS, profile_rows(profile))]
    (output / "speed.md").write_text("\n".join(parts), encoding="utf-8")


def in_rounds(cases: Sequence[Case], rounds: int, after: Callable[[list[list[dict[str, Any]]]], None]) -> None:
    """Measure all cases in turn, again and again; what is known so far is handed over after each round."""
    results: list[list[dict[str, Any]]] = [[] for _ in cases]
    for number in range(rounds):
        for case, found in zip(cases, results, strict=True):
            what = {name: value for name, value in asdict(case).items() if value != getattr(Case, name)}
            console.print(f"round {number + 1} of {rounds}: {what}", highlight=False, markup=False, soft_wrap=True)
            found.append(measured(case))
        after(results)


def main(
    family: Annotated[Family, typer.Option(help="Which taggers.")] = Family.both,
    batch_sizes: Annotated[str, typer.Option(help="Sentences, or windows.")] = "8,32,128",
    threads: Annotated[str, typer.Option(help="Of torch.")] = "1",
    output: Annotated[Path, typer.Option(help="Folder of speed.json and speed.md.")] = Path("speed"),
    text: Annotated[Path | None, typer.Option(help="Lines to tag.", exists=True, dir_okay=False)] = None,
    model: Annotated[list[str] | None, typer.Option(help="A trained tagger to tag with, one of each family.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Over all cases.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each case in a round, at least.")] = 5.0,
    lines: Annotated[int, typer.Option(min=1, help="Tagged at a time.")] = 1024,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A change to all recipes, as of tagsmith.")] = None,
    vary: Annotated[str | None, typer.Option(help="A setting and its values, KEY=VALUE,VALUE.")] = None,
    recipe: Annotated[list[str] | None, typer.Option(help="Only this shape; may be given again.")] = None,
) -> None:
    """Measure training and tagging, on the CPU."""
    sizes, models = numbers(batch_sizes), trained(model or [])
    if vary and models:
        raise typer.BadParameter("--vary changes recipes, and a trained tagger has its own: give --vary or --model")
    words = None if text is None else str(text)
    base = Case(seconds=seconds, lines=lines, text=words, settings=tuple(set_ or []))
    chosen = list(SHAPES) if family is Family.both else [FAMILIES[family]]
    cases = only([case for name in chosen for case in cases_of(name, sizes, models, base)], recipe)
    cases = varied(cases, vary)
    cases = [replace(case, threads=count) for case in cases for count in numbers(threads)]
    report: dict[str, Any] = {"rounds": 0, "cases": [], "profiles": []}

    def keep(results: list[list[dict[str, Any]]]) -> None:
        report.update(rounds=len(results[0]), cases=list(map(summary, results)))
        report.update({name: results[0][0][name] for name in ("versions", "machine")})
        write(output, report, lines, models)

    in_rounds(cases, rounds, keep)
    for case in profiled(cases):
        report["profiles"].append(measured(case))
    write(output, report, lines, models)
    show("Speed", HEADERS, list(map(cells, report["cases"])))
    for profile in report["profiles"]:
        show(profile_title(profile), PROFILE_HEADERS, profile_rows(profile))
    console.print(f"the tables are in {output / 'speed.md'}", markup=False)


def profiled(cases: list[Case]) -> list[Case]:
    """One case of each family and mode: its first shape, the middle batch size, the type that it learns in."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        if case.recipe in [shapes[0] for shapes in SHAPES.values()]:
            groups.setdefault((case.recipe, case.mode), []).append(case)
    picked = []
    for (_, mode), group in groups.items():
        dtype = "float32" if mode == "tag" else group[-1].dtype
        last = [case for case in group if case.dtype == dtype]
        picked.append(replace(last[len(last) // 2], work="profile"))
    return picked


if __name__ == "__main__":
    typer.run(main)
