"""Recurrent layers by PyTorch's own operators, where these are faster than the loop over packed steps in `recurrent`.

The LSTM's is on a CPU one kernel of oneDNN for all steps of a direction. It takes sequences of one length. Sequences
of about one length are padded to it; each direction then reads by itself, the backward one mirrored, so that padding
comes last and changes nothing of what is kept.

In tagging a few words at a time, what costs is each operation and not arithmetic: there the loop in C++ is taken,
which reads packed steps. All results are those of the loop in `recurrent`, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .packing import Packing

_FEW = 512  # steps up to which the loop in C++ is faster
_FILLED = 0.8  # share of steps that are no padding from which on the kernel is faster


# Of the cells that PyTorch has too.
_OPERATORS: dict[str, Any] = {"gru": torch.gru, "lstm": torch.lstm, "rnn": torch.rnn_tanh}


def fits_small(cell: str, like: Tensor, packing: Packing) -> bool:
    """Whether the loop in C++ is at hand for a batch, and faster; the arguments as `fits_fused` has them."""
    plain = like.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    if torch.is_grad_enabled() or like.device.type != "cpu" or not plain or cell not in _OPERATORS:
        return False
    return bool(packing.sizes) and packing.sizes[0] == packing.shape[0] and len(packing.gather) <= _FEW


def run_small(
    cell: str, packed: Tensor, packing: Packing, weights: Sequence[Tensor], initial: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Read packed sequences of any lengths without gradients: as `run_fused`, and always with the last states."""
    flat = [tensor.t().squeeze(1) for direction in zip(*weights, strict=True) for tensor in direction]
    states = tuple(initial) if len(initial) > 1 else initial[0]
    sizes = torch.tensor(packing.sizes)
    outputs, *final = _OPERATORS[cell](packed, sizes, states, flat, True, 1, 0.0, False, len(weights[0]) == 2)
    return outputs, final


def fits_fused(like: Tensor, packing: Packing, ends: bool) -> bool:
    """Whether the kernel is at hand for a batch, and faster.

    Args:
        like: what the layer reads, or of the same type and device.
        packing: of the batch.
        ends: whether the last states are wanted, of which there is no cell where sequences are padded.
    """
    if like.dtype != torch.float32 or like.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False  # in float64 the loop is as fast, and oneDNN has it not
    if not packing.sizes or packing.sizes[0] < packing.shape[0] or not torch.backends.mkldnn.is_available():
        return False
    share = len(packing.gather) / (packing.sizes[0] * len(packing.sizes))
    return share == 1 or (share >= _FILLED and not ends)


def run_fused(
    packed: Tensor, packing: Packing, weights: Sequence[Tensor], initial: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Read packed sequences.

    Args:
        packed: `(steps, input_size)`.
        packing: of the sequences, none of them empty.
        weights: of inputs `(directions, input_size, 4 * size)` and states `(directions, size, 4 * size)`, and their
            biases `(directions, 1, 4 * size)`.
        initial: hidden state and cell to start from, `(directions, batch, size)` each, longest sequence first.

    Returns:
        `(steps, directions * size)`, the forward half first; and the last states as the initial ones come, where all
        sequences have one length, else none.
    """
    flat = [tensor.t().contiguous().squeeze(1) for direction in zip(*weights, strict=True) for tensor in direction]
    directions, batch, longest = len(weights[0]), packing.sizes[0], len(packing.sizes)
    if len(packed) == batch * longest:
        outputs, *final = _lstm(packed.unflatten(0, (longest, batch)), initial, flat)
        return outputs.flatten(0, 1), final
    place = torch.empty_like(packing.order)
    place[packing.order] = torch.arange(batch, device=place.device)
    time = packing.shape[1]
    rows = packing.gather % time * batch + place[packing.gather // time]  # of the time-major grid
    ways = []
    for direction, read in enumerate(packing.ways(packed, directions)):
        grid = read.new_zeros(longest * batch, read.shape[1]).index_copy(0, rows, read)
        states = [state[direction : direction + 1] for state in initial]
        outputs, *_ = _lstm(grid.unflatten(0, (longest, batch)), states, flat[4 * direction : 4 * direction + 4])
        ways.append(outputs.flatten(0, 1)[rows])
    return packing.side_by_side(torch.stack(ways)), []


def _lstm(grid: Tensor, initial: Sequence[Tensor], weights: list[Tensor]) -> Any:
    """One layer over `(time, batch, input_size)`: outputs, and last hidden states and cells."""
    gradients, both = torch.is_grad_enabled(), len(weights) == 8
    return torch.lstm(grid, tuple(initial), weights, True, 1, 0.0, gradients, both, False)
