"""The server on loopback, as another process: answers equal to the pipeline's, faults answered, nothing lost."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers import Server, assert_close, serving

import tagsmith

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

TEXTS = ["Ada Lovelace lived in London .", "", "Grace went to New York City .", "日本 👨‍👩‍👧 Ada\nsaw Lund ."]


@pytest.fixture(scope="module")
def server(tiny_folder: Path) -> Iterator[Server]:
    with serving(f"tiny={tiny_folder}", "--max-wait", 1, "--max-bytes", 100_000) as running:
        yield running


def test_answers_are_the_pipelines(server: Server, tiny_folder: Path) -> None:
    expected: Any = tagsmith.pipeline(tiny_folder)(TEXTS)
    assert any(expected)
    status, found, _ = server.ask("/tag/batch", {"texts": TEXTS})
    assert status == 200
    with ThreadPoolExecutor(8) as pool:
        single = list(pool.map(lambda text: server.ask("/tag", {"text": text})[1], TEXTS * 8))
    for one, other in zip([*found, *single], expected * 9, strict=True):
        assert_close(one, other)
    assert server.ask("/tag/batch", {"texts": []})[:2] == (200, [])


def test_facts(server: Server) -> None:
    status, page, _ = server.ask("/")
    assert status == 200 and '<textarea id="text"' in page
    assert server.ask("/health")[1] == {"status": "UP", "model_class": "tagsmith", "models": ["tiny"]}
    assert server.ask("/models")[1] == [
        {"name": "tiny", "model_type": "hierarchical-tagger", "labels": ["LOC", "PER"]}
    ]
    routes = server.ask("/openapi.json")[1]["paths"]
    assert {"/tag", "/tag/batch", "/predict", "/setup", "/health", "/models", "/suggest", "/metrics"} <= set(routes)
    assert 'tagsmith_requests_total{path="/health",status="200"}' in server.ask("/metrics")[1]
    assert "<title>tagsmith" in server.ask("/")[1] or "html" in server.ask("/")[1]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b'{"text": ', 400, "not JSON"),
        (b'{"text": "\xff"}', 400, "not UTF-8: byte 11 is 0xff"),
        (b"", 400, "not JSON"),
        (b"[" * 50_000, 400, "not JSON"),
        (b"[1]", 400, "not a JSON object"),
        ({}, 422, "text"),
        ({"text": 3}, 422, "text"),
        ({"text": "Ada", "haed": "ner"}, 422, "haed"),
        ({"text": "Ada", "head": "ner"}, 422, "ner"),
        ({"text": "Ada", "min_score": 2}, 422, "min_score"),
        ({"text": "Ada", "min_score": True}, 422, "min_score"),
        ({"text": "Ada", "model": "other"}, 404, "other"),
        ({"text": "Ada", "model": ["tiny"]}, 404, "no model"),
        (b'{"text": "\\ud800"}', 422, ""),
    ],
)
def test_bad_requests(server: Server, content: Any, status: int, words: str) -> None:
    found = server.ask("/tag", content)
    assert found[0] == status and words in found[1]["error"], found
    assert server.ask("/tag", {"text": TEXTS[0]})[0] == 200


def test_a_body_that_is_too_large(server: Server) -> None:
    status, found, _ = server.ask("/tag", b"x" * 40_000_000)
    assert status == 413 and "100,000 bytes" in found["error"]
    assert server.ask("/tag", {"text": TEXTS[0]})[0] == 200


def test_a_slow_client_and_one_that_hangs_up(server: Server) -> None:
    head = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(head + b'{"te')
        gone = socket.create_connection(("127.0.0.1", server.port))
        gone.sendall(head + b'{"te')
        gone.close()
        assert server.ask("/tag", {"text": TEXTS[0]})[0] == 200
        slow.settimeout(10)
        assert b" 408 " in slow.recv(1000)


LABELLING = """<View><Labels name="ner" toName="doc"><Label value="PER"/></Labels>
<Text name="doc" value="$body"/></View>"""


def test_label_studio(server: Server) -> None:
    assert server.ask("/setup", {"project": "1", "schema": LABELLING})[1] == {"model_version": "tagsmith"}
    tasks = [{"id": 1, "data": {"body": TEXTS[0]}}, {"id": 2, "data": {"body": ""}}]
    status, found, _ = server.ask("/predict", {"tasks": tasks, "label_config": LABELLING, "params": {}})
    assert status == 200
    first, second = found["results"]
    assert second["result"] == []
    (result,) = first["result"]  # London is a LOC, which the interface does not have
    assert (result["from_name"], result["to_name"], result["type"]) == ("ner", "doc", "labels")
    assert result["value"] == {"start": 0, "end": 12, "text": "Ada Lovelace", "labels": ["PER"]}
    assert first["score"] == result["score"]
    plain = server.ask("/predict", {"tasks": [{"data": {"text": TEXTS[0]}}]})[1]["results"]
    assert len(plain[0]["result"]) == 2
    for wrong in ("<View>", "<View/>", "<!DOCTYPE x><View/>"):
        assert server.ask("/setup", {"schema": wrong})[0] == 400
    assert server.ask("/predict", {"tasks": [{"data": {"other": "x"}}]})[0] == 422


def test_prodigy(server: Server) -> None:
    (task,) = server.ask("/suggest", {"texts": [TEXTS[0]]})[1]
    assert task["text"] == TEXTS[0] and [span["label"] for span in task["spans"]] == ["PER", "LOC"]
    assert task["meta"]["score"] == pytest.approx(min(span["score"] for span in task["spans"]), abs=1e-3)


def test_a_token_and_a_full_queue_and_the_end_under_load(tiny_folder: Path) -> None:
    with serving(f"tiny={tiny_folder}", "--max-waiting", 4, "--max-batch", 2, token="secret") as running:
        assert running.ask("/health")[0] == 200
        for headers in ({}, {"Authorization": "Bearer other"}):
            status, _, given = running.ask("/tag", {"text": "Ada"}, headers)
            assert status == 401 and given["WWW-Authenticate"] == "Bearer"
        bearer = {"Authorization": "Bearer secret"}
        long = " ".join(TEXTS * 20)

        def ask(_: int) -> Any:
            try:
                return running.ask("/tag", {"text": long}, bearer)
            except ConnectionError:
                return (0, None, {})

        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(ask, range(48)))
            assert {status for status, _, _ in answers} == {200, 503}
            assert all(given["Retry-After"] == "1" for status, _, given in answers if status == 503)
            last = [pool.submit(ask, number) for number in range(3)]
            while "tagsmith_waiting_texts 0.0" in running.ask("/metrics", headers=bearer)[1]:
                if all(one.done() for one in last):
                    break
            running.process.send_signal(signal.SIGTERM)
            found = [one.result() for one in last]
        assert running.process.wait(30) in (0, -signal.SIGTERM)
        # What was accepted is answered; what came too late was never accepted.
        expected = next(content for status, content, _ in answers if status == 200)
        assert any(status == 200 for status, _, _ in found)
        assert all(content == expected for status, content, _ in found if status == 200)
        assert {status for status, _, _ in found} <= {0, 200, 503}
