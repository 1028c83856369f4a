"""A tagger over columns in Ray Data: a local cluster of two workers, one of which is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tagsmith

ray = pytest.importorskip("ray")

TEXTS = ["Ada Lovelace lived in London .", "Grace went to New York City .", "It rains in 1843 ."]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Once(tagsmith.BatchTagger):
    """Kills its own process once, as a machine that fails would."""

    def __init__(self, model: Path, sign: Path) -> None:
        super().__init__(model)
        self.sign = sign

    def __call__(self, batch: Any) -> Any:
        if not self.sign.exists():
            self.sign.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


def found(rows: Any, tagger: Any, **options: Any) -> dict[int, list[tuple[int, int, str]]]:
    tagged = rows.map_batches(tagger, batch_size=16, **options).take_all()
    return {row["id"]: [(span["start"], span["end"], span["entity_group"]) for span in row["spans"]] for row in tagged}


def test_two_workers_of_ray(cluster: None, tiny_folder: Path, tmp_path: Path) -> None:
    texts = TEXTS * 30
    spans: Any = tagsmith.pipeline(tiny_folder)(texts)
    expected = {
        number: [(span["start"], span["end"], span["entity_group"]) for span in own]
        for number, own in enumerate(spans)
    }
    rows = ray.data.from_items([{"id": number, "text": text} for number, text in enumerate(texts)])
    assert found(rows, tagsmith.BatchTagger(tiny_folder)) == expected
    assert found(rows, Once(tiny_folder, tmp_path / "sign")) == expected, "a worker that is killed loses nothing"
    assert (tmp_path / "sign").exists()
    by_actors = found(
        rows, tagsmith.BatchTagger, fn_constructor_args=(str(tiny_folder),), compute=ray.data.ActorPoolStrategy(size=2)
    )
    assert by_actors == expected
