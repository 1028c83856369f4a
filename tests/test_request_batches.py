"""Concurrent requests become batches; what is too much is turned away, and nothing gets another's answer."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import asdict
from typing import Any

import pytest
from documents import ROOT

from tagsmith.training.serving.limits import BATCH_CHARACTERS, KEEP_ALIVE, READ_AND_DROPPED, Limits
from tagsmith.training.serving.request_batches import HungUp, Overloaded, RequestBatches


class Tagger:
    """Gives each text's length, when it may; it does not take "bad"."""

    def __init__(self) -> None:
        self.may, self.sizes = threading.Event(), list[int]()
        self.may.set()

    def __call__(self, texts: list[str], **options: Any) -> list[Any]:
        assert self.may.wait(10)
        self.sizes.append(len(texts))
        if "bad" in texts:
            raise ValueError("bad text")
        return [(len(text), *options.values()) for text in texts]


async def gather(batches: RequestBatches, tagger: Tagger, requests: list[list[str]], **options: Any) -> list[Any]:
    """The answers of requests that all come while a first one is computed."""
    tagger.may.clear()
    first = asyncio.create_task(batches.tag(["first"]))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(batches.tag(texts, **options)) for texts in requests]
    await asyncio.sleep(0.01)
    tagger.may.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_what_comes_together_is_computed_together() -> None:
    tagger, seen = Tagger(), list[int]()
    batches = RequestBatches(tagger, Limits(max_batch=8), observe=seen.append)
    found = asyncio.run(gather(batches, tagger, [["x" * number] for number in range(20)]))
    assert found == [[(number,)] for number in range(20)]
    assert tagger.sizes == seen == [1, 8, 8, 4] and batches.waiting == 0
    batches.close()


def test_a_bad_text_is_its_own_requests_mistake() -> None:
    tagger = Tagger()
    found = asyncio.run(gather(RequestBatches(tagger, Limits()), tagger, [["a"], ["bad", "b"], ["ccc", "dd"]]))
    assert found[0] == [(1,)] and found[2] == [(3,), (2,)]
    assert isinstance(found[1], ValueError)


def test_a_full_queue_and_a_long_wait() -> None:
    tagger = Tagger()
    full = asyncio.run(gather(RequestBatches(tagger, Limits(max_waiting=3)), tagger, [["a"], ["b"], ["c"]]))
    assert full[:2] == [[(1,)], [(1,)]] and isinstance(full[2], Overloaded)
    late = RequestBatches(tagger, Limits(max_wait=0.0001))
    assert isinstance(asyncio.run(gather(late, tagger, [["a"]]))[0], Overloaded)
    assert late.waiting == 0


def test_one_request_of_more_texts_than_may_wait_is_tagged_where_nothing_waits() -> None:
    assert asyncio.run(RequestBatches(Tagger(), Limits(max_waiting=2)).tag(["a"] * 5)) == [(1,)] * 5


def test_requests_of_other_options_go_apart() -> None:
    tagger = Tagger()

    async def mixed() -> list[Any]:
        batches = RequestBatches(tagger, Limits())
        return await asyncio.gather(*(batches.tag(["a"], head=head) for head in "xyx"))

    assert asyncio.run(mixed()) == [[(1, "x")], [(1, "y")], [(1, "x")]]


def test_a_request_that_is_given_up_is_not_computed() -> None:
    tagger = Tagger()

    async def given_up() -> None:
        batches = RequestBatches(tagger, Limits())
        tagger.may.clear()
        first = asyncio.create_task(batches.tag(["first"]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(batches.tag(["second"]))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        tagger.may.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        await asyncio.sleep(0.05)
        assert tagger.sizes == [1] and batches.waiting == 0

    asyncio.run(given_up())


def test_a_request_whose_client_has_gone_is_not_computed() -> None:
    tagger = Tagger()

    async def asked() -> list[Any]:
        batches = RequestBatches(tagger, Limits())
        yes, no = asyncio.Event(), asyncio.Event()
        yes.set()

        async def gone(event: asyncio.Event) -> bool:
            await asyncio.sleep(0)
            return event.is_set()

        requests = [
            batches.tag(["a" * (number + 1)], lambda e=event: gone(e)) for number, event in enumerate([no, yes, no])
        ]
        found = await asyncio.gather(*requests, return_exceptions=True)
        assert batches.waiting == 0
        return found

    found = asyncio.run(asked())
    assert found[0] == [(1,)] and isinstance(found[1], HungUp) and found[2] == [(3,)]
    assert sum(tagger.sizes) == 2


def test_the_guide_states_the_limits() -> None:
    page = (ROOT / "docs" / "guides" / "serve.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+)[^|]*\|([^|]*)\|$", page, flags=re.MULTILINE)
    stated = sorted((int(number.replace(",", "")), option.strip(" `")) for number, option in rows)
    own = [(value, f"--{name.replace('_', '-')}") for name, value in asdict(Limits()).items()]
    assert stated == sorted([*own, (BATCH_CHARACTERS, ""), (KEEP_ALIVE, ""), (READ_AND_DROPPED, "")])
