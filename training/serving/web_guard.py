"""Around all routes: the token, the counts and times that /metrics shows, and a short way to the routes that tag."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.responses import Response

from tagsmith.training.serving.request_bodies import Refused, answer

_OPEN = ("/", "/health")  # a browser shows the page before a token can be typed; who restarts a container has none
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Measures:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("tagsmith_requests", "Requests answered.", ["path", "status"], **own)
        self.seconds = Histogram("tagsmith_request_seconds", "From request to answer.", ["path"], **own)
        self.texts = Counter("tagsmith_texts", "Texts tagged.", **own)
        self.batches = Histogram("tagsmith_batch_texts", "Texts of a batch.", buckets=_SIZES, **own)
        self.waiting = Gauge("tagsmith_waiting_texts", "Texts not tagged yet.", **own)


class Guard:
    """ASGI around an app: asks for the token where there is one, and counts.

    Args:
        app: what answers.
        measures: what counts.
        paths: that are counted by their names; all others together.
        posts: what answers a POST of a path by itself, as the app would: its layers take as long as small taggers do.
        token: that requests must bear; empty for none.
    """

    def __init__(
        self,
        app: Any,
        measures: Measures,
        paths: set[str],
        posts: Mapping[str, Callable[[Request], Awaitable[Response]]],
        token: str,
    ) -> None:
        self.app, self.measures, self.paths, self.posts = app, measures, paths, posts
        self.expected = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self.paths else "other"
        begin, status = perf_counter(), 500

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if not self._may(scope):
                refusal = answer({"error": "the token is missing or wrong"}, 401, {"WWW-Authenticate": "Bearer"})
                await refusal(scope, receive, noting)
            elif path in self.posts and scope["method"] == "POST":
                response = await self._answer(path, Request(scope, receive))
                await response(scope, receive, noting)
            else:
                await self.app(scope, receive, noting)
        finally:
            self.measures.requests.labels(path, status).inc()
            self.measures.seconds.labels(path).observe(perf_counter() - begin)

    async def _answer(self, path: str, request: Request) -> Response:
        try:
            return await self.posts[path](request)
        except Refused as error:
            return error.response()

    def _may(self, scope: Any) -> bool:
        if not self.expected or scope["path"] in _OPEN:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self.expected)
