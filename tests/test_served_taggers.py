"""The server with every kind of tagger that it takes, and with clients that do not wait for their answers."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers import Server, assert_close, serving

import tagsmith
from tagsmith.training.tagging.export import export_tagger

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

FROZEN = Path(__file__).parent / "frozen"
TEXTS = [
    "Ada Lovelace lived in London .",
    "",
    "Angela Merkel and Barack Obama met in Washington .",
    "日本 👨‍👩‍👧 Ada\nsaw Lund .",
]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")


@pytest.fixture(scope="module")
def torch_folder(byte_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that only torch has: it sets what the runtime's writing does not know."""
    folder = tmp_path_factory.mktemp("torch") / "tagger"
    shutil.copytree(byte_folder, folder)
    path = folder / "generation_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "repetition_penalty": 2.0}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(tiny_folder: Path, byte_folder: Path, torch_folder: Path) -> Iterator[Server]:
    """Four models: of words, of two heads, of bytes, and one that only torch has."""
    models = [f"tiny={tiny_folder}", str(FROZEN / "heads"), f"windows={byte_folder}", f"odd={torch_folder}"]
    with serving(*models) as running:
        yield running


def test_several_models(server: Server, tiny_folder: Path, byte_folder: Path) -> None:
    assert server.ask("/health")[1]["models"] == ["tiny", "heads", "windows", "odd"]
    folders = {"tiny": tiny_folder, "windows": byte_folder, "odd": byte_folder}
    expected: dict[str, Any] = {name: tagsmith.pipeline(folder)(TEXTS) for name, folder in folders.items()}
    with ThreadPoolExecutor(8) as pool:  # requests of both, mixed
        asked = [(name, number) for _ in range(6) for name in folders for number in range(len(TEXTS))]
        answers = pool.map(lambda one: server.ask("/tag", {"text": TEXTS[one[1]], "model": one[0]}), asked)
        for (name, number), (status, found, _) in zip(asked, answers, strict=True):
            assert status == 200
            assert_close(found, expected[name][number])
    assert_close(server.ask("/tag", {"text": TEXTS[0]})[1], expected["tiny"][0])  # the first is the default
    assert server.ask("/tag", {"text": "Ada", "model": "other"})[0] == 404


def test_several_heads(server: Server) -> None:
    pipeline = tagsmith.pipeline(FROZEN / "heads")
    both: Any = pipeline(TEXTS)
    status, found, _ = server.ask("/tag/batch", {"texts": TEXTS, "model": "heads"})
    assert status == 200 and any(spans["en"] for spans in found)
    for one, other in zip(found, both, strict=True):
        assert one.keys() == other.keys() == {"en", "da"}
        for head in other:
            assert_close(one[head], other[head])
    for head in ("en", "da"):
        one = server.ask("/tag", {"text": TEXTS[2], "model": "heads", "head": head})[1]
        assert_close(one, both[2][head])
        least = server.ask("/tag", {"text": TEXTS[2], "model": "heads", "head": head, "min_score": 0.9})[1]
        assert least == [span for span in one if span["score"] >= 0.9]
    status, found, _ = server.ask("/tag", {"text": "Ada", "model": "heads", "head": "fr"})
    assert status == 422 and "fr" in found["error"]
    described = {model["name"]: model for model in server.ask("/models")[1]}
    labels = ["LOC", "ORG", "PER"]
    assert described["heads"]["heads"] == {"da": labels, "en": labels} and "labels" not in described["heads"]


def test_heads_in_annotation_tools(server: Server) -> None:
    found = server.ask("/tag", {"text": TEXTS[2], "model": "heads"})[1]
    places = sorted((span["start"], span["end"], span["entity_group"]) for spans in found.values() for span in spans)
    (task,) = server.ask("/suggest", {"texts": [TEXTS[2]], "model": "heads"})[1]
    assert sorted((span["start"], span["end"], span["label"]) for span in task["spans"]) == places


def test_a_tagger_that_only_torch_has(server: Server, torch_folder: Path, byte_folder: Path) -> None:
    assert f"{torch_folder}: served by torch" in server.said and f"{byte_folder}: served" not in server.said
    described = {model["name"]: model for model in server.ask("/models")[1]}
    assert described["windows"] == {"name": "windows", "model_type": "byte-to-span", "labels": ["LOC", "PER"]}
    status, found, _ = server.ask("/tag", {"text": "Ada", "model": "windows", "head": "ner"})
    assert status == 422 and "head" in found["error"]


@on_linux
def test_exported_taggers(tiny_folder: Path, byte_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    for name, folder in {"words": tiny_folder, "bytes": byte_folder}.items():
        export_tagger(tagsmith.pipeline(folder, device="cpu"), tmp_path / name, str(folder))
    expected: dict[str, Any] = {name: tagsmith.pipeline(tmp_path / name)(TEXTS) for name in ("words", "bytes")}
    with serving(tmp_path / "words", tmp_path / "bytes") as running:
        answers = {name: running.ask("/tag/batch", {"texts": TEXTS, "model": name}) for name in expected}
        libraries = running.libraries()
    for name, (status, found, _) in answers.items():
        assert status == 200 and any(found)
        for one, other in zip(found, expected[name], strict=True):
            assert_close(one, other)
    assert "onnxruntime" in libraries and "libtorch" not in libraries


@on_linux
def test_clients_that_hang_up_after_their_bodies(server: Server) -> None:
    """They keep nobody waiting, nobody else's answer is lost, and neither texts nor connections stay."""
    tagged = server.figure("tagsmith_texts_total")
    expected = server.ask("/tag", {"text": TEXTS[0]})[1]
    before = server.connections()
    body = json.dumps({"text": " ".join(TEXTS * 5)}).encode()
    request = b"POST /tag HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    long = " ".join(TEXTS * 2000)

    def hang_up(number: int) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
            client.sendall(request)
            if number % 2:  # with a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with ThreadPoolExecutor(16) as pool:
        first = pool.submit(server.ask, "/tag", {"text": long})  # they hang up while it is tagged
        while not server.figure("tagsmith_waiting_texts") and not first.done():
            time.sleep(0.01)
        gone = [pool.submit(hang_up, number) for number in range(200)]
        answers = list(pool.map(lambda _: server.ask("/tag", {"text": TEXTS[0]}), range(50)))
        assert [one.result() for one in gone] == [None] * 200
        assert first.result()[0] == 200
    assert {status for status, _, _ in answers} == {200}
    for _, found, _ in answers:
        assert_close(found, expected)
    end = time.monotonic() + 30
    left = [True]
    while time.monotonic() < end and any(left):  # that of the question itself, too
        time.sleep(0.1)
        left = [server.figure("tagsmith_waiting_texts") > 0, server.connections() > before]
    assert left == [False, False]
    assert server.figure("tagsmith_texts_total") < tagged + 52 + 200, "what nobody waits for is not tagged"
