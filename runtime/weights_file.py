"""Weights out of a safetensors file, as numpy arrays that lie in the file's own memory until they are used."""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..tokenization.input_error import InputError

# bfloat16 is not among numpy's types: it is read as the upper half of a float32.
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "BOOL": "|b1"}
_LONGEST_HEADER = 100_000_000
_FETCH = "Fetch it again."


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of a file by their names.

    Raises:
        InputError: it is damaged, or holds numbers that are not finite.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise _damaged(path, "it ends within its header")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            header.pop("__metadata__", None)
            content: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size > 8 + length else b""
            found = {name: _tensor(content, 8 + length, entry) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, str(error)) from error
    for name, tensor in found.items():
        if tensor.dtype.kind == "f" and not _is_finite(tensor):
            raise InputError(f"the weights are damaged: {name} holds what is no finite number", path=os.fspath(path))
    return found


def check_shapes(weights: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]], folder: str) -> None:
    """See that a file of weights has the tensors that a configuration calls for, and no others.

    Raises:
        InputError: it has not; three of them are named.
    """
    wrong = sorted(
        name for name in {*weights, *wanted} if name not in weights or weights[name].shape != wanted.get(name)
    )
    if wrong:
        raise InputError(f"the weights do not fit config.json: {', '.join(wrong[:3])}", path=folder)


def _tensor(content: Any, base: int, entry: dict[str, Any]) -> np.ndarray:
    kind, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if kind not in _TYPES:
        raise ValueError(f"the type {kind} is not read")
    dtype, count = np.dtype(_TYPES[kind]), math.prod(shape)
    if min(shape, default=0) < 0 or not 0 <= start <= end or end - start != count * dtype.itemsize:
        raise ValueError("a tensor's place does not fit its shape")
    numbers = np.frombuffer(content, dtype, count, base + start) if count else np.empty(0, dtype)
    if kind == "BF16":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.reshape(shape)


def _is_finite(tensor: np.ndarray) -> bool:
    if tensor.dtype == np.float16:  # by their exponents, which is several times faster than by their values
        return not bool(((tensor.view(np.uint16) & 0x7C00) == 0x7C00).any())
    return bool(np.isfinite(tensor).all())


def _damaged(path: str | os.PathLike[str], why: str) -> InputError:
    return InputError(f"its weights are damaged ({why})", path=os.fspath(path), fix=_FETCH)
