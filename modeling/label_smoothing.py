"""Cross entropy against labels that are smoothed: Szegedy et al. (2016), section 7."""

from __future__ import annotations

from torch import Tensor, nn

from .symbol_rules import IMPOSSIBLE


def summed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The sum of `(1 - smoothing) * -log p(label) + smoothing * mean over classes of -log p(class)` over all labels.

    Classes that cannot come, whose scores are about `IMPOSSIBLE` or less, have no part in the mean.

    Args:
        logits: `(..., classes)`.
        labels: `(...)` long, -100 where there is none.
        smoothing: at least 0 and below 1.

    Returns:
        A scalar, float32 or float64.
    """
    logits, labels = logits.flatten(0, -2), labels.flatten()
    logits = logits if logits.dtype.itemsize == 8 else logits.float()
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
    if not smoothing:
        return loss
    possible = logits > IMPOSSIBLE / 2
    even = logits.log_softmax(-1).masked_fill(~possible, 0).sum(-1) / -possible.sum(-1)
    return (1 - smoothing) * loss + smoothing * even.masked_fill(labels < 0, 0).sum()
