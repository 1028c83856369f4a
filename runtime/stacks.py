"""The weights that layers upon each other have, by their names."""

from __future__ import annotations

from .linear_recurrences import LINEAR, linear_shapes
from .recurrences import recurrent_shapes


def stack_shapes(
    place: str, cell: str, width: int, size: int, layers: int, directions: int = 2
) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights of a stack.

    Args:
        place: its name, before theirs.
        cell: of the layers.
        width: of what the first reads.
        size: of the state of each direction.
        layers: their number.
        directions: 1 or 2.
    """
    of_layer = linear_shapes if cell in LINEAR else recurrent_shapes
    found: dict[str, tuple[int, ...]] = {}
    for index in range(layers):
        own = of_layer(cell, directions * size if index else width, size, directions)
        found |= {f"{place}.layers.{index}.{name}": shape for name, shape in own.items()}
    return found
