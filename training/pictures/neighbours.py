"""How often points that lie near each other are of one kind, as a figure beside a picture of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

COUNT = 10  # nearest neighbours of each point


class NeighbourShares(NamedTuple):
    """The share of points' nearest neighbours that are of their own kind, 0 to 1.

    Attributes:
        plane: of neighbours in the picture.
        space: of neighbours among the vectors that the picture is made of.
        chance: of any two points.
    """

    plane: float
    space: float
    chance: float


def neighbour_shares(places: np.ndarray, vectors: np.ndarray, kinds: Sequence[str]) -> NeighbourShares:
    """Compare each point with its ten nearest ones, or with all others where there are fewer, by Euclidean distance.

    Args:
        places: `(points, 2)` in the picture.
        vectors: `(points, features)`.
        kinds: of each point, such as its label.
    """
    numbers = np.unique(np.asarray(kinds), return_inverse=True)[1]
    total = len(numbers)
    pairs = sum(size * (size - 1) for size in Counter(numbers.tolist()).values())
    return NeighbourShares(_share(places, numbers), _share(vectors, numbers), pairs / (total * (total - 1)))


def _share(points: np.ndarray, numbers: np.ndarray) -> float:
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=min(COUNT, len(points) - 1)).fit(points)
    near = nearest.kneighbors(return_distance=False)  # a point is none of its own
    return float((numbers[near] == numbers[:, None]).mean())
