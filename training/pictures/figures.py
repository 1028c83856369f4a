"""Pictures for the extra `[plots]`: figures, colours, legends, t-SNE, and the numbers beside a picture."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.machine.whole_files import check_new, whole_file, whole_path

FEWEST_POINTS = 5  # with fewer there are no neighbours to keep
_MARKERS = "o^sDvPX*<>ph"  # all of them filled
_LEGEND = 20  # entries of a legend, beside the one that counts the rest


def check_output(output: str | Path, *, overwrite: bool = False, read: Iterable[str | Path] = ()) -> Path:
    """See that a picture and its numbers can be written, before a model works for them.

    Args:
        output: the picture; the numbers are beside it, by the same name with the ending `.csv`.
        overwrite: files that are there may be replaced.
        read: files that are read, and never replaced.

    Raises:
        InputError: another ending, no such folder, or files are there by these names.
    """
    path = _picture(output)
    files = [path, path.with_suffix(".csv")]
    for file in read:
        if any(target.exists() and Path(file).exists() and target.samefile(file) for target in files):
            found = "the picture or its numbers would overwrite this file, which is read"
            raise InputError(found, path=file, fix="Give the picture another name.")
    for file in files if not overwrite else ():
        check_new(file, "Give the picture another name, or replace it and its numbers with --overwrite.")
    return path


def _picture(output: str | Path) -> Path:
    path = Path(output)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError("a picture ends in .png, .svg or .pdf", path=path, fix="Give it one of these endings.")
    if not path.parent.is_dir():
        raise InputError("there is no such folder to write to", path=path, fix=f"Make {path.parent} first.")
    return path


def check_packages() -> None:
    """See that matplotlib and scikit-learn are there.

    Raises:
        InputError: one of them is missing.
    """
    try:
        import matplotlib  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        missing = f"plots need matplotlib and scikit-learn ({error})"
        raise InputError(missing, fix="Install them: pip install 'tagsmith[plots]'") from error


def new_figure(width: float = 8, height: float = 6) -> Any:
    """An empty matplotlib figure of so many inches, laid out by itself, and none of pyplot's.

    Raises:
        InputError: a package of the extra `plots` is missing.
    """
    check_packages()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, output: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF, by the output's ending.

    Raises:
        InputError: another ending, no such folder, or a full disk.
    """
    path = _picture(output)
    with whole_path(path) as part:
        figure.savefig(part, dpi=150, format=path.suffix.lower().removeprefix("."))


def project(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Vectors `(points, features)` to places `(points, 2)` by t-SNE."""
    from sklearn.manifold import TSNE

    if not np.ptp(vectors, axis=0).any():  # t-SNE would divide by no variance at all, and crash
        fix = "Give words or texts that the model tells apart, or train it."
        raise InputError(f"all {len(vectors)} vectors are the same: nothing to lay out", fix=fix)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)


def colours_of(names: Sequence[str]) -> dict[str, Any]:
    """A colour for each name; where they run out, the last names share those of the first."""
    import matplotlib

    palette = matplotlib.color_sequences["tab10" if len(names) <= 10 else "tab20"]
    return {name: palette[index % len(palette)] for index, name in enumerate(names)}


def markers_of(names: Sequence[str]) -> dict[str, str]:
    """A marker for each name; where they run out, the last names share those of the first."""
    return {name: _MARKERS[index % len(_MARKERS)] for index, name in enumerate(names)}


def legend(figure: Any, title: str, entries: Sequence[tuple[str, Any, str]], place: str) -> None:
    """Names with their colours and markers, outside the axes; the first ones and how many more there are."""
    from matplotlib.lines import Line2D

    shown = list(entries[:_LEGEND])
    if len(entries) > _LEGEND:
        shown.append((f"… and {len(entries) - _LEGEND} more", "none", ""))
    handles = [Line2D([], [], color=colour, marker=marker, linestyle="") for _, colour, marker in shown]
    names = [name for name, _, _ in shown]
    made = figure.legend(handles, names, title=title, loc=f"outside right {place}", fontsize=8)
    for text in made.get_texts():
        text.set_parse_math(False)  # a label with dollar signs is no formula


def write_csv(picture: Path, names: list[str], places: np.ndarray, rows: Iterable[tuple[str, ...]]) -> None:
    """The points beside their picture."""
    with whole_file(picture.with_suffix(".csv")) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["x", "y", *names])
        for (x, y), row in zip(places.tolist(), rows, strict=True):
            writer.writerow([f"{x:.6g}", f"{y:.6g}", *row])
