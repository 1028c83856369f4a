"""The script that measures a tagger in Ray Data: with Ray where it is installed, and in any case with a stand-in."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from toys import script


class Rows:
    """A data set of Ray, in this process."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def repartition(self, parts: int) -> Rows:
        return self

    def materialize(self) -> Rows:
        return self

    def limit(self, count: int) -> Rows:
        return Rows(self.rows[:count])

    def map_batches(self, make: Callable[[], Any], batch_size: int, compute: Any) -> Rows:
        call, tagged = make(), []
        for start in range(0, len(self.rows), batch_size):
            part = self.rows[start : start + batch_size]
            columns = call({name: [row[name] for row in part] for name in part[0]})
            tagged += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return Rows(tagged)

    def take_all(self) -> list[dict[str, Any]]:
        return self.rows


def check(said: str) -> None:
    lines = said.splitlines()
    assert re.match(r"40 texts, 0 lost or with other spans; \d", lines[0])
    assert re.match(r"one process: [\d,]+ texts a second", lines[1])
    assert re.match(r"2 workers: [\d,]+ texts a second, \d", lines[2])
    assert len(lines) == 5


def test_each_text_is_tagged_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = SimpleNamespace(from_items=Rows, ActorPoolStrategy=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=lambda **_: None, data=data))
    monkeypatch.delitem(sys.modules, "in_ray", raising=False)
    module = script("in_ray")
    monkeypatch.delitem(sys.modules, "in_ray")
    monkeypatch.setattr(module, "BATCH", 8)
    module.main(texts=40, workers=2)
    check(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
def test_with_ray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ray = pytest.importorskip("ray")
    module = script("in_ray")
    monkeypatch.setattr(module, "BATCH", 8)
    try:
        module.main(texts=40, workers=2)
    finally:
        ray.shutdown()
    check(capsys.readouterr().out)
