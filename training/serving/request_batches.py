"""Concurrent requests into batches for one tagger, with a bound on what waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tagsmith.training.serving.limits import BATCH_CHARACTERS, Limits


class Overloaded(Exception):
    """More texts wait than are allowed, or some have waited too long."""


class HungUp(Exception):
    """Nobody waits for the answer any more."""


async def _stays() -> bool:
    return False


@dataclass(eq=False)
class _Waiting:
    texts: list[str]
    options: dict[str, Any]
    deadline: float
    answer: asyncio.Future[list[Any]]
    gone: Callable[[], Awaitable[bool]]
    kind: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.kind = tuple(sorted(self.options.items()))


class RequestBatches:
    """What tags the texts of many requests together: those that came while the batch before was computed.

    Args:
        tagger: called with a list of texts and options, in a thread of its own.
        limits: how many texts make a batch, and how many may wait for how long.
        observe: told the number of texts of each batch.
    """

    def __init__(
        self,
        tagger: Callable[..., Any],
        limits: Limits,
        observe: Callable[[int], None] = lambda texts: None,
    ) -> None:
        self.tagger, self.limits, self.observe = tagger, limits, observe
        self.waiting = 0  # texts, of requests that are not computed yet
        self._requests: deque[_Waiting] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tagger")
        self._worker: asyncio.Task[None] | None = None

    async def tag(self, texts: list[str], gone: Callable[[], Awaitable[bool]] = _stays, **options: Any) -> list[Any]:
        """What the tagger finds in each text.

        Args:
            texts: of one request.
            gone: asked when their turn has come: whether nobody waits for them any more. Then they are not tagged.
            **options: of the tagger.

        Raises:
            HungUp: `gone` has said so.
            Overloaded: the queue is full, or the request has waited too long.
            ValueError: of the tagger, for a text or an option that it does not take.
        """
        if self.waiting and self.waiting + len(texts) > self.limits.max_waiting:
            raise Overloaded("too many texts are waiting")
        answer = asyncio.get_running_loop().create_future()
        self._requests.append(_Waiting(texts, options, monotonic() + self.limits.max_wait, answer, gone))
        self.waiting += len(texts)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    def close(self) -> None:
        """End the thread; call it when no request is left."""
        self._thread.shutdown()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._requests:
            batch = await self._next_batch()
            if not batch:
                continue
            texts = [text for request in batch for text in request.texts]
            self.observe(len(texts))
            try:
                found = await loop.run_in_executor(self._thread, self._compute, batch)
            finally:
                self.waiting -= len(texts)
            for request, result in zip(batch, found, strict=True):
                if request.answer.cancelled():
                    continue
                if isinstance(result, Exception):
                    request.answer.set_exception(result)
                else:
                    request.answer.set_result(result)

    async def _next_batch(self) -> list[_Waiting]:
        """Requests of the same options in the order in which they came, as many as a batch holds."""
        batch: list[_Waiting] = []
        texts = characters = 0
        while self._requests:
            request = self._requests[0]
            if (wrong := await self._why_not(request)) is not None:
                self._requests.popleft()
                self.waiting -= len(request.texts)
                if not request.answer.cancelled():
                    request.answer.set_exception(wrong)
                continue
            size = sum(map(len, request.texts))
            full = texts + len(request.texts) > self.limits.max_batch or characters + size > BATCH_CHARACTERS
            if batch and (full or request.kind != batch[0].kind):
                break
            batch.append(self._requests.popleft())
            texts, characters = texts + len(request.texts), characters + size
        return batch

    async def _why_not(self, request: _Waiting) -> Exception | None:
        """What its client gets whose request is not computed though its turn has come."""
        if await request.gone() or request.answer.cancelled():
            return HungUp("the client hung up")
        if request.deadline < monotonic():
            return Overloaded(f"the request has waited {self.limits.max_wait:g} seconds")
        return None

    def _compute(self, batch: list[_Waiting]) -> list[Any]:
        """The answer of each request, or its error: a text that cannot be read is its own request's mistake."""
        try:
            found = list(self.tagger([text for request in batch for text in request.texts], **batch[0].options))
        except Exception as error:
            return [error] if len(batch) == 1 else [answer for one in batch for answer in self._compute([one])]
        answers, first = [], 0
        for request in batch:
            answers.append(found[first : first + len(request.texts)])
            first += len(request.texts)
        return answers
