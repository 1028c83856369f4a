"""Whether a module still has the weights that it had, without a look at all of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_SAMPLES = 8  # numbers of each tensor that are looked at


class Unchanged:
    """Called, it says whether a module, in evaluation mode, is as it was when this was made.

    Its parts, parameters and buffers must be the same objects in the same memory, as often changed as then. What goes
    past PyTorch's count of changes, by `.data`, is seen where it changes one of some numbers out of each tensor.

    Args:
        module: what is watched.
    """

    def __init__(self, module: nn.Module) -> None:
        self._parts = parts = list(module.modules())
        stores = [store for part in parts for store in (part._parameters, part._buffers, part._modules)]
        self._places = [(store, name, value) for store in stores for name, value in store.items()]
        # Products with weights of 8 bits, which `quantize` sets beside the weights.
        self._places += [(vars(part), "products", part.products) for part in parts if "products" in vars(part)]
        self._tensors = [value for _, _, value in self._places if isinstance(value, Tensor)]
        flat = [tensor.detach().flatten() for tensor in self._tensors]
        self._samples = [numbers[:: max(1, len(numbers) // _SAMPLES)] for numbers in flat]
        self._on_cpu = all(tensor.device.type == "cpu" for tensor in self._tensors)
        self._seen = self._look()

    def _look(self) -> tuple[list[tuple[int, int]], Tensor]:
        marks = [(tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in self._tensors]
        samples = self._samples if self._on_cpu else [sample.cpu() for sample in self._samples]
        return marks, torch.cat(samples)

    def __call__(self) -> bool:
        """Whether it is."""
        if any(part.training for part in self._parts):
            return False
        if any(store.get(name) is not value for store, name, value in self._places):
            return False
        (before, sampled), (now, samples) = self._seen, self._look()
        return before == now and torch.equal(sampled, samples)
