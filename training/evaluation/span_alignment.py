"""Gold spans and found ones, each with the one that it goes with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tagsmith.tokenization.spans import Span

Pair = tuple[Span | None, Span | None]


def align_spans(gold: Sequence[Span], found: Sequence[Span]) -> list[Pair]:
    """Each gold span with one found span at most: the one in just its place, or else the one that overlaps it most.

    Args:
        gold: spans that do not overlap among themselves.
        found: spans that do not overlap among themselves.

    Returns:
        Pairs of a gold and a found span, in order; None for gold where a span is spurious, for found where one was
        missed.
    """
    left, right = sorted(gold), sorted(found)
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(_overlaps(left, right)):
        if i not in matched and j not in taken:
            matched[i] = j
            taken.add(j)
    pairs: list[Pair] = [(span, right[matched[i]] if i in matched else None) for i, span in enumerate(left)]
    pairs += [(None, span) for j, span in enumerate(right) if j not in taken]
    return sorted(pairs, key=lambda pair: min(span for span in pair if span is not None))


def _overlaps(left: Sequence[Span], right: Sequence[Span]) -> Iterator[tuple[tuple[bool, int], int, int]]:
    """Pairs that overlap, by their numbers, with a rank that is the lower the better they fit."""
    i = j = 0
    while i < len(left) and j < len(right):
        gold, found = left[i], right[j]
        common = min(gold.end, found.end) - max(gold.start, found.start)
        if common > 0:
            yield ((gold.start, gold.end) != (found.start, found.end), -common), i, j
        if gold.end <= found.end:
            i += 1
        else:
            j += 1
