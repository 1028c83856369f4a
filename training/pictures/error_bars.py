"""A tagger's errors as bars, one for each label, for the extra `plots`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.whole_files import whole_file
from tagsmith.training.pictures.figures import check_output, new_figure, save_figure

_COLOURS = ("#4c9f70", "#e3b505", "#3d85c6", "#8e6bbf", "#999999", "#cc4125")
_MOST = 40  # labels that are drawn, those with the most spans


def error_figure(labels: Mapping[str, Mapping[str, int]], kinds: Sequence[str]) -> Any:
    """Bars of each label, of its spans that are right and of each kind of error.

    Args:
        labels: counts by kind, by label.
        kinds: in order.

    Raises:
        InputError: there are no spans; a package of the extra is missing.
    """
    shown = sorted(labels, key=lambda label: -sum(labels[label][kind] for kind in kinds))[:_MOST]
    if not shown:
        raise InputError("the data has no spans, and none were found: there is nothing to draw")
    figure = new_figure(8, 1.5 + 0.4 * len(shown))
    axes = figure.subplots()
    left = [0] * len(shown)
    for kind, colour in zip(kinds, _COLOURS, strict=True):
        values = [labels[label][kind] for label in shown]
        axes.barh(range(len(shown)), values, left=left, color=colour, label=kind)
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.set_yticks(range(len(shown)), shown)
    axes.invert_yaxis()
    for text in axes.get_yticklabels():
        text.set_parse_math(False)  # a label with dollar signs is no formula
    axes.set_xlabel("spans")
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    return figure


def draw_errors(
    labels: Mapping[str, Mapping[str, int]], kinds: Sequence[str], output: str | Path, *, overwrite: bool = False
) -> Path:
    """Draw the bars, and write their numbers beside them.

    Args:
        labels: as `error_figure` takes them.
        kinds: as `error_figure` takes them.
        output: the picture, whose ending says its format (.png, .svg, .pdf).
        overwrite: the picture and its numbers may be there, and are replaced.

    Returns:
        The path of the numbers, the picture's with the ending `.csv`.

    Raises:
        InputError: as `error_figure`; another ending, or files are there by these names.
    """
    table = check_output(output, overwrite=overwrite).with_suffix(".csv")
    save_figure(error_figure(labels, kinds), output)
    with whole_file(table) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", *kinds])
        writer.writerows([label, *(counts[kind] for kind in kinds)] for label, counts in labels.items())
    return table


def figure_as_svg(figure: Any) -> str:
    """A figure as SVG that may stand inside a page of HTML."""
    out = StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]
