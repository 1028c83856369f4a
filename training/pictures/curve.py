"""The curve of precision against recall of a byte-to-span tagger, as a picture and a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.precision_recall import Setting, best_setting
from tagsmith.training.machine.whole_files import whole_file
from tagsmith.training.pictures.figures import new_figure, save_figure


def check_table(output: str | Path) -> Path:
    """The path of the numbers beside a picture, after a look whether another file is there by that name.

    Raises:
        InputError: one is, which `draw_curve` has not written.
    """
    table = Path(output).with_suffix(".csv")
    if table.exists():
        with open(table, encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
        if first != ",".join(Setting._fields):
            raise InputError(
                "this file is not a curve's, and would be overwritten", path=table, fix="Name another picture."
            )
    return table


def draw_curve(settings: Sequence[Setting], output: str | Path) -> Path:
    """Draw precision against recall, a line for each bias, and write the numbers beside it.

    Args:
        settings: as `precision_recall` gives them.
        output: the picture, whose ending says its format (.png, .svg, .pdf).

    Returns:
        The path of the numbers, the picture's with the ending `.csv`.

    Raises:
        InputError: matplotlib is missing, or does not write such files.
    """
    table = check_table(output)
    figure = new_figure()
    axes = figure.subplots()
    for bias in sorted({setting.recall_bias for setting in settings}):
        points = [(s.recall, s.precision) for s in settings if s.recall_bias == bias and s.precision]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", label=f"recall_bias {bias:g}")
    best = best_setting(settings)
    name = f"best F1 {best.f1 * 100:.2f}\n(recall_bias {best.recall_bias:g}, min_score {best.min_score:g})"
    axes.plot([best.recall], [best.precision], "k*", markersize=12, label=name)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")
    save_figure(figure, output)
    with whole_file(table) as file:
        writer = csv.writer(file)
        writer.writerow(Setting._fields)
        writer.writerows(settings)
    return table
