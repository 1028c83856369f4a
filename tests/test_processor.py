from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagsmith.training.machine import processor
from tagsmith.training.machine.processor import is_amd, processor_flags, processor_name

ZEN = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9554 64-Core Processor
flags\t\t: fpu sse2 avx2 avx512f avx512bw

processor\t: 1
vendor_id\t: GenuineIntel
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    processor._description.cache_clear()
    yield
    processor._description.cache_clear()


def described(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """Have the system say this of its processor, or nothing."""

    def read(path: Path, **how: Any) -> str:
        assert path == Path("/proc/cpuinfo")
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(Path, "read_text", read)


def test_the_first_core_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    described(monkeypatch, ZEN)
    assert processor_name() == "AMD EPYC 9554 64-Core Processor"
    assert is_amd() and processor_flags() == {"fpu", "sse2", "avx2", "avx512f", "avx512bw"}


@pytest.mark.parametrize(("vendor", "amd"), [("HygonGenuine", True), ("GenuineIntel", False), ("AMDs", False)])
def test_makers(monkeypatch: pytest.MonkeyPatch, vendor: str, amd: bool) -> None:
    described(monkeypatch, f"vendor_id : {vendor}\n")
    assert is_amd() is amd and processor_flags() == frozenset()


@pytest.mark.parametrize("text", [None, "", "Processor : ARMv8\nFeatures : fp asimd\n"])
def test_a_system_that_says_nothing(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    described(monkeypatch, text)
    monkeypatch.setattr("platform.processor", lambda: "arm")
    assert processor_name() == "arm" and not is_amd() and not processor_flags()
