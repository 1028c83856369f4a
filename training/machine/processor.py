"""The processor of this machine: its name, its maker, and what instructions it has."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

_AMD = ("AuthenticAMD", "HygonGenuine")


def processor_name() -> str:
    """As the system has it; empty where it says nothing."""
    return _field("model name") or platform.processor()


def is_amd() -> bool:
    """Whether AMD made the processor, or designed it; False where the system does not say."""
    return _field("vendor_id") in _AMD


def processor_flags() -> frozenset[str]:
    """The instruction sets, as Linux names them ("avx2", "avx512f", "amx_tile"); empty on other systems."""
    return frozenset(_field("flags").split())


def _field(name: str) -> str:
    """What /proc/cpuinfo says of the first core, or nothing."""
    found = re.search(rf"^{name}\s*:\s*(.+)$", _description(), flags=re.M)
    return found[1].strip() if found else ""


@cache
def _description() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
