"""The curve of precision against recall of a byte-to-span tagger, as a picture and a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tagsmith.training.evaluation.precision_recall import Setting, best_setting
from tagsmith.training.machine.whole_files import whole_file
from tagsmith.training.pictures.figures import check_output, new_figure, save_figure


def draw_curve(settings: Sequence[Setting], output: str | Path, *, overwrite: bool = False) -> Path:
    """Draw precision against recall, a line for each bias, and write the numbers beside it.

    Args:
        settings: as `precision_recall` gives them.
        output: the picture, whose ending says its format (.png, .svg, .pdf).
        overwrite: the picture and its numbers may be there, and are replaced.

    Returns:
        The path of the numbers, the picture's with the ending `.csv`.

    Raises:
        InputError: matplotlib is missing, or does not write such files; files are there by these names.
    """
    table = check_output(output, overwrite=overwrite).with_suffix(".csv")
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
