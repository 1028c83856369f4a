"""`tagsmith serve` as another process, for the tests that ask it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Server:
    """A server in a process of its own, and what it said before it took requests."""

    def __init__(self, process: subprocess.Popen[str], port: int, said: str) -> None:
        self.process, self.port, self.said = process, port, said

    def ask(self, path: str, content: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        """Status, body and headers of an answer: of a GET, or where there is content of a POST."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        body = content if isinstance(content, bytes | None) else json.dumps(content).encode()
        connection.request("GET" if body is None else "POST", path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        kind = answer.headers["content-type"] or ""
        return answer.status, json.loads(text) if "json" in kind else text, answer.headers

    def figure(self, name: str) -> float:
        """A figure of /metrics."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("/metrics")[1], flags=re.MULTILINE)
        assert found, name
        return float(found[1])

    def connections(self) -> int:
        """Sockets that the process holds, the one that listens included."""
        links = [os.readlink(file) for file in Path(f"/proc/{self.process.pid}/fd").iterdir() if file.is_symlink()]
        return sum(link.startswith("socket:") for link in links)

    def libraries(self) -> str:
        """What the process has mapped into its memory."""
        return Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")


@contextmanager
def serving(*arguments: Any, token: str = "") -> Iterator[Server]:
    """A server until the end of the block."""
    command = [sys.executable, "-m", "tagsmith", "serve", *map(str, arguments), "--port", "0"]
    environment = {**os.environ, "TAGSMITH_TOKEN": token, "NO_COLOR": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    said, found = "", None
    while not found:
        line = process.stderr.readline()
        assert line, f"the server ended: {said}"
        said += line
        found = re.search(r"^serving .*:(\d+)$", line.strip())
    try:
        yield Server(process, int(found[1]), said)
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def assert_close(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Check that spans are the same, and scores but for rounding."""
    assert [{**span, "score": 0} for span in found] == [{**span, "score": 0} for span in expected]
    assert [span["score"] for span in found] == pytest.approx([span["score"] for span in expected], abs=1e-4)
