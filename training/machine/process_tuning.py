"""How a process computes: threads, freed memory, and the library that multiplies float32 matrices.

PyTorch gives float32 products on an x86 processor to MKL, which on AMD's processors with AVX-512 runs at half their
rate; oneDNN, which comes with PyTorch too, runs at all of it. PyTorch has one switch for that, its "medium" precision
of float32 products. On a processor that multiplies bfloat16 in tiles (AMX) the same switch would give up precision, so
that it is taken only where the processor is known, and where products turn out to have the error of float32. Nothing
is timed: on the same processor the choice, and so the result of a run, is always the same.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple

import torch
from torch import nn

from tagsmith.training.machine.processor import is_amd, processor_flags

_NEEDED = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})  # else the switch does nothing
_AS_IT_IS, _BY_ONEDNN = "highest", "medium"  # PyTorch's names

# Rows, inner and outer sizes of products in recurrent layers of words, bytes and characters.
_SHAPES = ((64, 200, 800), (100, 260, 800), (128, 128, 512), (300, 64, 512), (20, 25, 100))
# Of a sum's error, to the sum of magnitudes: float32 comes to 4e-7 at most, and bfloat16 to 1e-4 at least.
_FLOAT32_ERROR = 2e-6


class ProcessTuning(NamedTuple):
    """What `tune_process` did.

    Attributes:
        threads: of PyTorch's operators.
        keeps_freed_memory: whether memory that is freed stays with the process.
        float32_products: what multiplies matrices of float32: "oneDNN", or what PyTorch takes by itself, as "MKL".
        reason: why that.
    """

    threads: int
    keeps_freed_memory: bool
    float32_products: str
    reason: str

    def __str__(self) -> str:
        threads = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        return f"float32 products by {self.float32_products} ({self.reason}), {threads}"


def tune_process(threads: int | None = None) -> ProcessTuning:
    """Have this process compute fast, as the command `tagsmith` does; call it once, before the first model.

    It sets, for the whole process and all that runs in it:

    - PyTorch's threads, where a number is given.
    - That the C library keeps what is freed (glibc; elsewhere nothing is set). A step of training takes and gives back
      hundreds of megabytes in large pieces, and else waits for fresh pages, a sixth of its time.
    - That oneDNN keeps 128 kernels, unless `ONEDNN_PRIMITIVE_CACHE_CAPACITY` says otherwise. There is one for each
      shape of a product, of some megabytes, and its own limit of 1,024 comes to 5 GB.
    - On AMD's processors with AVX-512 and without AMX, where no GPU is at hand: that oneDNN multiplies matrices of
      float32, by `torch.set_float32_matmul_precision("medium")`. Products there keep the error of float32, which is
      checked, and are about twice as fast. Where the check fails, everything stays as it was. So does a precision that
      the process has chosen already.

    Args:
        threads: of PyTorch's operators; by default as many as there are.

    Returns:
        What was set, and why. `print` shows it in a line.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    if threads is not None:
        torch.set_num_threads(threads)
    kept = _keep_freed_memory()
    reason = _choose_products()
    return ProcessTuning(torch.get_num_threads(), kept, float32_products(), reason)


def float32_products() -> str:
    """What multiplies matrices of float32 in this process, on its CPU."""
    precision = _precision()
    if precision == _BY_ONEDNN and _obstacle() is None:
        return "oneDNN"
    library = "MKL" if torch.backends.mkl.is_available() else "PyTorch"
    return library if precision == _AS_IT_IS else f"{library}, precision {precision}"


def _choose_products() -> str:
    """Let oneDNN multiply where that is faster and as exact; the reason for what is so in the end."""
    if (precision := _precision()) != _AS_IT_IS:
        return f"precision {precision} was chosen before"
    if obstacle := _obstacle():
        return obstacle
    before = [backend.fp32_precision for backend in _backends()]
    torch.set_float32_matmul_precision(_BY_ONEDNN)
    error = _largest_error()
    if error <= _FLOAT32_ERROR:
        return f"AMD with AVX-512, largest error {error:.0e}"
    torch.set_float32_matmul_precision(_AS_IT_IS)
    for backend, precision in zip(_backends(), before, strict=True):
        backend.fp32_precision = precision
    return f"by oneDNN the error would be {error:.0e}"


def _obstacle() -> str | None:
    """Why the switch is not for this machine; None where it is."""
    flags = processor_flags()
    if not torch.backends.mkldnn.is_available():
        return "this PyTorch has no oneDNN"
    if torch.accelerator.is_available():
        return "a GPU is at hand, whose products the same switch would change"
    if not is_amd():
        return "no processor of AMD"
    if any(flag.startswith("amx") for flag in flags):
        return "a processor with AMX, which would multiply in bfloat16"
    if not flags >= _NEEDED:
        return "a processor without AVX-512"
    return None


def _backends() -> list[Any]:
    """What the switch sets besides; PyTorch before 2.9 has nothing of the kind."""
    found = (torch.backends.mkldnn, torch.backends.cuda)
    return [backend.matmul for backend in found if hasattr(getattr(backend, "matmul", None), "fp32_precision")]


def _precision() -> str:
    """PyTorch's precision of float32 products; "of its own" where that of single backends has been set."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "of its own"


@torch.no_grad()
def _largest_error() -> float:
    """The largest error of a product, beside the sum of the magnitudes of what is added."""
    source = torch.Generator().manual_seed(0)  # the process draws its own numbers as if nothing had been drawn
    how: dict[str, Any] = {"generator": source, "dtype": torch.float32, "device": "cpu"}
    errors = []
    for rows, inner, outer in _SHAPES:
        left, right = torch.randn(2, rows, inner, **how), torch.randn(2, inner, outer, **how)
        onto = torch.randn(2, rows, outer, **how)
        exact, scale = left.double() @ right.double(), left.double().abs() @ right.double().abs()
        found = [
            torch.bmm(left, right) - exact,
            torch.bmm(right.mT, left.mT).mT - exact,  # as gradients are made
            torch.baddbmm(onto, left, right) - (exact + onto),
            torch.stack([torch.mm(*pair) for pair in zip(left, right, strict=True)]) - exact,
            nn.functional.linear(left, right[0].T.contiguous())[0] - exact[0],
        ]
        errors += [float((error.abs() / scale).max()) for error in found]
    return max(errors)


def _keep_freed_memory() -> bool:
    """Let the C library keep what is freed, where it is glibc; whether it does."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # another C library
    trim_threshold, mmap_threshold = -1, -3
    return bool(mallopt(trim_threshold, 2**31 - 1) and mallopt(mmap_threshold, 2**30))
