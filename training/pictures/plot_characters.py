"""What the character encoder of a hierarchical tagger has learnt: how near words are that are spelt alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import UNK_ID, HierarchicalTaggerTokenizer
from tagsmith.training.data.text_lines import read_lines
from tagsmith.training.pictures.figures import (
    FEWEST_POINTS,
    check_output,
    check_packages,
    colours_of,
    legend,
    markers_of,
    new_figure,
    project,
    save_figure,
    write_csv,
)

if TYPE_CHECKING:
    from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification

_BATCH = 64  # words that go through the model together
_GROUPS = ("first", "second")  # the columns of a word list that does not name them
_TIE = 1e-6  # cosines as near as this are equal: float32 does not tell them apart


@dataclass(frozen=True)
class CharactersPlot:
    """What `plot_characters` drew.

    Attributes:
        points: how many; a word that a group has twice is one.
        groups: points by group, in the order given.
        unknown: words with a character that the tagger does not know: it sees less of their spelling than the reader.
        mutual: the share of distinct pairs that are each other's nearest neighbours, 0 to 1; None without pairs.
    """

    points: int
    groups: dict[str, int]
    unknown: int
    mutual: float | None


class WordList(NamedTuple):
    """Words with their groups, and which are translations of each other; None for a list in one language."""

    words: list[tuple[str, str]]
    pairs: list[tuple[str, str]] | None


def plot_characters(
    model: HierarchicalTaggerForTokenClassification,
    tokenizer: HierarchicalTaggerTokenizer,
    words: Iterable[tuple[str, str]],
    output: str | Path,
    *,
    seed: int = 1,
    pairs: Iterable[tuple[str, str]] | None = None,
    overwrite: bool = False,
) -> CharactersPlot:
    """Draw the vectors that the character encoder gives words, after Yang et al. (2016), Figure 3.

    Colours are groups. With pairs, a line joins partners, dark where they are each other's nearest neighbours: among
    all words of the other group, by cosine of the vectors themselves and not of their places in the picture. Whoever
    shares the first place with another word is not nearest. The CSV has x, y, group and word. Words are written in
    matplotlib's `font.family`; set it for scripts that its own font lacks.

    Args:
        model: the tagger; it is put in evaluation mode.
        tokenizer: its tokenizer.
        words: `(group, word)`, where a group may be a language.
        output: the picture's path.
        seed: of t-SNE.
        pairs: `(word of the first group, word of the second)`, such as a country's name in two languages.
        overwrite: the picture and its numbers may be there, and are replaced.

    Raises:
        InputError: a tagger without a character encoder, an output that cannot be written, a missing package, fewer
            than 5 words, vectors that are all the same, pairs of other than two groups, or of words not given.
    """
    path = check_output(output, overwrite=overwrite)
    check_packages()
    if getattr(model.config, "character_encoder", "none") == "none":
        raise InputError("this tagger has no character encoder", fix="Give one that was trained with characters.")
    model.eval()
    points = list(dict.fromkeys(words))
    if len(points) < FEWEST_POINTS:
        raise InputError(f"there are {len(points)} words", fix=f"Give at least {FEWEST_POINTS}.")
    groups = dict(Counter(group for group, _ in points))
    joined = [] if pairs is None else _locate_pairs(points, list(groups), list(dict.fromkeys(pairs)))
    vectors, unknown = _spell(model, tokenizer, [word for _, word in points])
    mutual = _mutual_of(points, vectors, joined)
    places = project(vectors, seed)
    _draw_words(path, places, points, joined, mutual)
    write_csv(path, ["group", "word"], places, points)
    share = None if pairs is None else float(mutual.mean())
    return CharactersPlot(len(points), groups, unknown, share)


def read_word_list(path: str | Path) -> WordList:
    """Read a list of words, one a line, or of translations, two a line with a tab between them, in UTF-8.

    A first line such as `# en`, or `# en<tab>es` for translations, names the groups; else they are the file's name, or
    "first" and "second". Empty lines and spaces around words do not count.

    Raises:
        InputError: no such file, not UTF-8, no word in it, three columns, lines of different columns, an empty column,
            two groups of one name.
    """
    path = Path(path)
    rows: list[list[str]] = []
    for number, line in enumerate(read_lines(path, "utf-8"), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > 2 or (rows and len(cells) != len(rows[0])):
            expected = len(rows[0]) if rows else "one or two"
            fix = "Give one word a line throughout, or two with one tab between them."
            raise InputError(f"{len(cells)} columns, expected {expected}", path=path, line=number, fix=fix)
        if not all(cells):
            column = cells.index("") + 1
            raise InputError(f"column {column} is empty", path=path, line=number, column=column, fix="Fill it.")
        rows.append(cells)
    names = rows.pop(0) if rows and rows[0][0].startswith("# ") else None
    if not rows:
        raise InputError("there is no word", path=path, fix="Give one word a line, or two with a tab between them.")
    names = [name.removeprefix("# ").strip() for name in names or ([path.stem] if len(rows[0]) == 1 else _GROUPS)]
    if len(set(names)) < len(names):
        raise InputError(f"both columns are {names[0]!r}", path=path, line=1, fix="Give the groups two names.")
    words = [(group, row[column]) for column, group in enumerate(names) for row in rows]
    return WordList(words, [(left, right) for left, right in rows] if len(names) == 2 else None)


@torch.no_grad()
def _spell(
    model: HierarchicalTaggerForTokenClassification, tokenizer: HierarchicalTaggerTokenizer, words: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Words' vectors `(words, features)`, and how many words have a character that is unknown."""
    parts, unknown = [], 0
    for first in range(0, len(words), _BATCH):
        ids = tokenizer.spell(words[first : first + _BATCH])
        unknown += int((ids == UNK_ID).any(axis=1).sum())
        spelled = torch.from_numpy(ids).to(model.device)
        parts.append(model.encoder.characters(spelled).float().cpu())  # type: ignore[misc]
    return torch.cat(parts).numpy(), unknown


def _locate_pairs(
    points: Sequence[tuple[str, str]], groups: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> list[tuple[int, int]]:
    """Pairs of words as pairs of points."""
    if len(groups) != 2:
        raise InputError(f"there are pairs, and {len(groups)} groups of words", fix="Give words of two groups.")
    if not pairs:
        raise InputError("the list of pairs is empty", fix="Give a pair, or leave the list out.")
    where = {point: index for index, point in enumerate(points)}
    for pair in pairs:
        for point in zip(groups, pair, strict=True):
            if point not in where:
                raise InputError(f"the pair {pair} has no word {point[1]!r} in {point[0]!r}", fix="Add it.")
    return [(where[groups[0], left], where[groups[1], right]) for left, right in pairs]


def _mutual_of(points: Sequence[tuple[str, str]], vectors: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Which pairs of points are mutual nearest neighbours, bool `(pairs,)`."""
    if not pairs:
        return np.empty(0, dtype=bool)
    is_first = np.array([group == points[0][0] for group, _ in points])
    ranks = np.where(is_first, is_first.cumsum(), (~is_first).cumsum()) - 1  # of a point in its group
    return mutual_nearest(vectors[is_first], vectors[~is_first], ranks[np.array(pairs)])


def mutual_nearest(left: np.ndarray, right: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Which pairs are each other's nearest neighbours by cosine; none that shares its place with another vector.

    Args:
        left: `(n, features)`.
        right: `(m, features)`.
        pairs: `(pairs, 2)` rows of `left` and of `right`.

    Returns:
        bool `(pairs,)`.
    """
    units = [part / np.linalg.norm(part, axis=1, keepdims=True).clip(1e-12) for part in (left, right)]
    cosines = units[0] @ units[1].T
    bar = (cosines[pairs[:, 0], pairs[:, 1]] - _TIE)[:, None]
    alone = (cosines[pairs[:, 0]] >= bar).sum(1) == 1
    return alone & ((cosines.T[pairs[:, 1]] >= bar).sum(1) == 1)


def _draw_words(
    path: Path,
    places: np.ndarray,
    points: Sequence[tuple[str, str]],
    pairs: Sequence[tuple[int, int]],
    mutual: np.ndarray,
) -> None:
    """Words in their groups' colours, lines between partners."""
    from matplotlib.collections import LineCollection

    groups = list(dict.fromkeys(group for group, _ in points))
    colours, markers = colours_of(groups), markers_of(groups)
    title = f"{len(points):,} words as the character encoder spells them (t-SNE)"
    if pairs:
        title += f"\n{mutual.sum():,} of {len(pairs):,} pairs are mutual nearest neighbours (dark lines)"
    # Room for the words: the side grows with the root of their number.
    side = float(np.clip(0.8 * len(points) ** 0.5, 8, 40))
    figure = new_figure(side * 1.25, side)
    axes = figure.subplots()
    axes.set(xticks=[], yticks=[], title=title)
    shades = np.where(mutual, "0.35", "0.85").tolist()
    axes.add_collection(
        LineCollection([places[list(pair)] for pair in pairs], colors=shades, linewidths=0.6, zorder=0)
    )
    for group in groups:
        chosen = [index for index, point in enumerate(points) if point[0] == group]
        axes.scatter(*places[chosen].T, color=colours[group], marker=markers[group], s=14, linewidths=0)
    for (group, word), place in zip(points, places, strict=True):
        style = {"fontsize": 7, "color": colours[group], "parse_math": False}  # dollar signs make no formula
        axes.annotate(word, place, xytext=(3, 2), textcoords="offset points", **style)
    legend(figure, "group", [(group, colours[group], markers[group]) for group in groups], "upper")
    save_figure(figure, path)
