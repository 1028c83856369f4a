"""Bodies of requests: their size and time bounded, strict JSON in UTF-8, and errors that say what is wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import parse_json
from tagsmith.training.serving.limits import READ_AND_DROPPED


class Refused(Exception):
    """A request that gets an error for an answer.

    Args:
        status: of HTTP.
        message: what is wrong.
        headers: of the answer.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}

    def response(self) -> Response:
        """What the client gets."""
        return answer({"error": self.message}, self.status, self.headers)


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Response(body, status, headers, "application/json")


async def read_object(request: Request, max_bytes: int, max_seconds: float) -> dict[str, Any]:
    """The JSON object that a request has for a body.

    Raises:
        Refused: 408 where it does not arrive in time, 413 where it is too large, 400 where it is not such an object.
    """
    try:
        async with asyncio.timeout(max_seconds):
            body = await _read(request, max_bytes)
    except TimeoutError:
        message = f"the body did not arrive within {max_seconds:g} seconds"
        raise Refused(408, message, {"Connection": "close"}) from None
    except ClientDisconnect:
        raise Refused(400, "the client hung up", {"Connection": "close"}) from None
    try:
        content = parse_json(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8: byte {error.start + 1} is {body[error.start]:#04x}") from None
    except (ValueError, RecursionError, InputError) as error:
        raise Refused(400, f"the body is not JSON: {str(error) or 'it is nested too deeply'}") from None
    if not isinstance(content, dict):
        raise Refused(400, f"the body is not a JSON object but {type(content).__name__}")
    return content


async def _read(request: Request, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= max_bytes:
            parts.append(part)
        else:
            parts.clear()
        if size > READ_AND_DROPPED:
            break
    if size > max_bytes:
        message = f"the body is larger than {max_bytes:,} bytes; send fewer texts at a time"
        raise Refused(413, message, {"Connection": "close"})
    return b"".join(parts)
