"""The routes of `tagsmith serve`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tagsmith.training.families import reads_bytes
from tagsmith.training.serving.annotation_tools import VERSION, Labelling, prodigy_task
from tagsmith.training.serving.limits import Limits
from tagsmith.training.serving.request_batches import HungUp, Overloaded, RequestBatches
from tagsmith.training.serving.request_bodies import Refused, answer, read_object
from tagsmith.training.serving.web_guard import Guard, Measures

_PLAYGROUND = Path(__file__).with_name("playground.html")
_OPTIONS: dict[str, Any] = {
    "model": {"type": "string", "description": "Name of a model, of several."},
    "head": {"type": "string", "description": "One of several heads."},
    "min_score": {"type": "number", "minimum": 0, "maximum": 1},
}
_Route = Callable[[Request], Awaitable[Response]]
_TEXT = {"text": {"type": "string"}}
_TEXTS = {"texts": {"type": "array", "items": {"type": "string"}}}


class Service:
    """Taggers by name, and what asks them."""

    def __init__(self, taggers: Mapping[str, Any], limits: Limits, measures: Measures) -> None:
        self.taggers, self.limits, self.measures = dict(taggers), limits, measures
        self.batches = {
            name: RequestBatches(tagger, limits, measures.batches.observe) for name, tagger in taggers.items()
        }
        measures.waiting.set_function(lambda: sum(batches.waiting for batches in self.batches.values()))

    async def read(self, request: Request) -> dict[str, Any]:
        """The body of a request."""
        return await read_object(request, self.limits.max_bytes, self.limits.max_wait)

    async def tag(self, texts: list[str], content: Mapping[str, Any], request: Request) -> list[Any]:
        """What the model that a request names finds in texts.

        Raises:
            Refused: 400 where its client has hung up, 404 for a model that is not there, 422 for a wrong option or
                text, 503 where too much waits.
        """
        name = content.get("model", next(iter(self.batches)))
        if not isinstance(name, str) or name not in self.batches:
            raise Refused(404, f"there is no model {name!r}; there are {', '.join(self.batches)}")
        if not texts:
            return []
        options = {key: content[key] for key in ("head", "min_score") if content.get(key) is not None}
        _check_options(options)
        try:
            found = await self.batches[name].tag(texts, request.is_disconnected, **options)
        except HungUp as error:
            raise Refused(400, str(error)) from None
        except Overloaded as error:
            raise Refused(503, f"{error}; try again", {"Retry-After": "1"}) from None
        except (ValueError, TypeError) as error:
            raise Refused(422, str(error)) from None
        self.measures.texts.inc(len(texts))
        return found


def _check_options(options: Mapping[str, Any]) -> None:
    score = options.get("min_score", 0.0)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise Refused(422, f"min_score is {score!r}; it is a number from 0 to 1")
    if not isinstance(options.get("head", ""), str):
        raise Refused(422, f"head is {options['head']!r}; it is a name")


def _strings(content: Mapping[str, Any]) -> list[str]:
    texts = content.get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(422, '"texts" is missing, or not a list of strings')
    return texts


def _takes(known: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(known), "required": required}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _check_names(content: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    if unknown := sorted(content.keys() - known.keys()):
        raise Refused(422, f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")


def make_app(taggers: Mapping[str, Any], limits: Limits | None = None, token: str = "") -> Any:
    """The server of taggers, as an ASGI app.

    Args:
        taggers: by name, the default first.
        limits: what it takes.
        token: that requests must bear as `Authorization: Bearer TOKEN`; empty for none.
    """
    import tagsmith

    measures = Measures()
    service = Service(taggers, limits or Limits(), measures)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for batches in service.batches.values():
            batches.close()

    app = FastAPI(title="tagsmith", version=tagsmith.__version__, lifespan=lifespan)

    async def refuse(_: Request, error: Any) -> Response:
        return error.response()

    app.add_exception_handler(Refused, refuse)
    posts = _add_tagging(app, service)
    _add_annotation(app, service)
    _add_facts(app, service)
    paths = {route.path for route in app.routes if hasattr(route, "path")}
    _add_playground(app)
    return Guard(app, measures, paths, posts, token)


def _add_tagging(app: FastAPI, service: Service) -> dict[str, _Route]:
    """The routes that tag, which the app describes; by their paths."""
    one, several = {**_TEXT, **_OPTIONS}, {**_TEXTS, **_OPTIONS}

    @app.post("/tag", openapi_extra=_takes(one, ["text"]))
    async def tag(request: Request) -> Response:
        """The spans of a text, as the pipeline gives them; of several heads, a list for each."""
        content = await service.read(request)
        _check_names(content, one)
        text = content.get("text")
        if not isinstance(text, str):
            raise Refused(422, '"text" is missing, or not a string')
        return answer((await service.tag([text], content, request))[0])

    @app.post("/tag/batch", openapi_extra=_takes(several, ["texts"]))
    async def tag_batch(request: Request) -> Response:
        """The spans of each text."""
        content = await service.read(request)
        _check_names(content, several)
        return answer(await service.tag(_strings(content), content, request))

    @app.post("/suggest", openapi_extra=_takes(several, ["texts"]))
    async def suggest(request: Request) -> Response:
        """Each text as a task of Prodigy: `text`, `spans`, and the lowest score in `meta`."""
        content = await service.read(request)
        _check_names(content, several)
        texts = _strings(content)
        found = await service.tag(texts, content, request)
        return answer([prodigy_task(text, spans) for text, spans in zip(texts, found, strict=True)])

    return {"/tag": tag, "/tag/batch": tag_batch, "/suggest": suggest}


def _add_annotation(app: FastAPI, service: Service) -> None:
    tasks = {"tasks": {"type": "array", "items": {"type": "object"}}, "label_config": {"type": "string"}}

    @app.post("/predict", openapi_extra=_takes(tasks, ["tasks"]))
    async def predict(request: Request) -> Response:
        """Label Studio asks for predictions of tasks."""
        content = await service.read(request)
        given = content.get("tasks")
        if not isinstance(given, list):
            raise Refused(422, '"tasks" is missing, or not a list')
        labelling = Labelling(str(content.get("label_config") or ""))
        texts = [labelling.text_of(task, number) for number, task in enumerate(given)]
        found = await service.tag(texts, {}, request)
        return answer({"results": [labelling.prediction(spans) for spans in found], "model_version": VERSION})

    @app.post("/setup", openapi_extra=_takes({"schema": {"type": "string"}}, []))
    async def setup(request: Request) -> Response:
        """Label Studio shows its labelling interface, and learns the version."""
        content = await service.read(request)
        Labelling(str(content.get("schema") or ""))
        return answer({"model_version": VERSION})


def _add_facts(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> Response:
        """Whether it is up."""
        return answer({"status": "UP", "model_class": VERSION, "models": list(service.taggers)})

    @app.get("/models")
    async def models() -> Response:
        """The models: their names, kinds and labels."""
        return answer([_describe(name, tagger) for name, tagger in service.taggers.items()])

    @app.get("/metrics")
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(service.measures.registry), media_type=CONTENT_TYPE_LATEST)


def _describe(name: str, tagger: Any) -> dict[str, Any]:
    config = tagger.model.config
    if reads_bytes(tagger):
        return {"name": name, "model_type": config.model_type, "labels": list(tagger.tokenizer.labels)}
    heads = {head or "": list(tagger.model.head(head).span_labels) for head in config.head_names}
    labels = {"labels": heads[""]} if "" in heads else {"heads": heads}
    return {"name": name, "model_type": config.model_type, **labels}


def _add_playground(app: FastAPI) -> None:
    """A page to try the server by hand."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return HTMLResponse(_PLAYGROUND.read_text(encoding="utf-8"))
