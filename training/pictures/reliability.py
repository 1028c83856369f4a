"""The reliability diagram: how often spans of a score are right, for the extra `plots`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.evaluation.calibration import Bin, expected_error
from tagsmith.training.machine.whole_files import whole_file
from tagsmith.training.pictures.figures import check_output, new_figure, save_figure


def draw_reliability(bins: Sequence[Bin], output: str | Path, *, overwrite: bool = False) -> Path:
    """Draw the share of right spans against their scores, and write the numbers beside it.

    Args:
        bins: of `reliability`.
        output: the picture, whose ending says its format (.png, .svg, .pdf).
        overwrite: the picture and its numbers may be there, and are replaced.

    Returns:
        The path of the numbers, the picture's with the ending `.csv`.

    Raises:
        InputError: no spans; matplotlib is missing; files are there by these names.
    """
    table = check_output(output, overwrite=overwrite).with_suffix(".csv")
    if not bins:
        raise InputError("no spans were found: there is nothing to draw")
    figure = new_figure(5, 5)
    axes = figure.subplots()
    for own in bins:
        axes.bar(own.low, own.right, own.high - own.low, align="edge", color="#3d85c6", edgecolor="white")
    axes.plot([0, 1], [0, 1], "k--", linewidth=1)
    axes.plot([own.score for own in bins], [own.right for own in bins], "o", color="#cc4125")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("score")
    axes.set_ylabel("share of right spans")
    axes.set_title(f"expected calibration error {expected_error(bins):.3f}")
    save_figure(figure, output)
    with whole_file(table) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Bin._fields)
        writer.writerows(bins)
    return table
