"""`tagsmith serve` under load: sentences a second, waiting times, answers lost or unlike the pipeline's, memory.

    python benchmarks/serve.py [--clients 64] [--seconds 30] [--requests 0]

A server of the bundled tagger runs in a process of its own. First every dev sentence of the bundled sample is asked
for by concurrent clients, and its spans are compared with the pipeline's. Then the same sentences in turn come from
wrk, a compiled load generator (Debian's package of that name), where it is installed, else from this process, which
then takes a good part of the machine. Its processor's seconds a sentence hardly depend on what else the machine does;
beside them are those of the runtime's pipeline in batches of 64, in this process. With `--requests` so many follow in
the same way, and the server's memory is told at tenths.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import local
from time import perf_counter, process_time
from typing import Annotated, Any

import typer

from runtime import sample_sentences
from tagsmith import runtime
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

LUA = """
local file = io.open("bodies.txt"); local bodies = {}
for line in file:lines() do bodies[#bodies + 1] = line end
local next = 0
function request()
  next = next % #bodies + 1
  return wrk.format("POST", "/tag", {["Content-Type"] = "application/json"}, bodies[next])
end
"""
_kept = local()


@contextmanager
def served() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server: its port, and its process."""
    command = [sys.executable, "-m", "tagsmith", "serve", "--port", "0"]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=alone)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                yield int(found.group(1)), process
                break
    finally:
        process.terminate()
        process.wait(30)


def ask(port: int, body: bytes) -> Any:
    """One request of this thread's own connection."""
    if getattr(_kept, "port", None) != port:
        _kept.port, _kept.connection = port, HTTPConnection("127.0.0.1", port, timeout=60)
    _kept.connection.request("POST", "/tag", body, {"Content-Type": "application/json"})
    answer = _kept.connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content[:200]!r}")
    return json.loads(content)


def memory(process: subprocess.Popen[str]) -> int:
    """MB that the process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found.group(1)) // 1024 if found else 0


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Seconds of the processor that the process has taken."""
    times = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def answered(port: int) -> int:
    """How many requests for tags the server has answered with spans."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    figures = connection.getresponse().read().decode()
    connection.close()
    found = re.search(r'tagsmith_requests_total\{path="/tag",status="200"\} (\S+)', figures)
    return int(float(found.group(1))) if found else 0


def unlike(tagger: Any, port: int, bodies: list[bytes], texts: list[str], clients: int) -> int:
    """How many texts have other spans from the server than from the runtime's own pipeline."""
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda body: ask(port, body), bodies))
    places = ("start", "end", "entity_group", "word")
    own = [[tuple(span[key] for key in places) for span in spans] for spans in tagger.pipe(texts)]
    found = [[tuple(span[key] for key in places) for span in spans] for spans in answers]
    return sum(one != other for one, other in zip(own, found, strict=True))


def by_wrk(port: int, bodies: list[bytes], clients: int, seconds: int) -> str:
    """What wrk says."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bodies.txt").write_bytes(b"\n".join(bodies))
        Path(folder, "texts.lua").write_text(LUA, encoding="utf-8")
        options = ["-t1", f"-c{clients}", f"-d{seconds}", "--timeout", "20", "--latency", "-s", "texts.lua"]
        command = ["wrk", *options, f"http://127.0.0.1:{port}/tag"]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def by_hand(port: int, bodies: list[bytes], clients: int, count: int) -> float:
    """Sentences a second that clients of this process get answered."""
    begin = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(lambda number: ask(port, bodies[number % len(bodies)]), range(count)):
            pass
    return count / (perf_counter() - begin)


def load(port: int, bodies: list[bytes], clients: int, seconds: int) -> str:
    """So many seconds of requests; what is to be said of them."""
    if shutil.which("wrk"):
        return by_wrk(port, bodies, clients, seconds)
    rate = by_hand(port, bodies, clients, 200 * seconds)
    return f"{rate:,.0f} sentences a second, the clients' own work included"


def main(
    clients: Annotated[int, typer.Option(min=1, help="That ask at a time.")] = 64,
    seconds: Annotated[int, typer.Option(min=1, help="Of requests.")] = 30,
    requests: Annotated[int, typer.Option(min=0, help="More requests, with the memory at each tenth.")] = 0,
) -> None:
    """Serve, ask, compare."""
    texts = [sentence.text for sentence in sample_sentences()]
    bodies = [json.dumps({"text": text}).encode() for text in texts]
    tagger = runtime.load(DEFAULT_TAGGER)
    with served() as (port, process):
        typer.echo(f"{unlike(tagger, port, bodies, texts, clients)} of {len(texts):,} texts unlike the pipeline's")
        typer.echo(f"memory {memory(process)} MB")
        count, begin = answered(port), cpu_seconds(process)
        typer.echo(load(port, bodies, clients, seconds))
        own = (cpu_seconds(process) - begin) / max(answered(port) - count, 1)
        begin = process_time()
        tagger(texts * 5, batch_size=64)
        alone = (process_time() - begin) / (5 * len(texts))
        typer.echo(f"{1e3 * own:.2f} ms of the processor a sentence; the pipeline alone {1e3 * alone:.2f}")
        typer.echo(f"memory {memory(process)} MB")
        first = answered(port)
        for tenth in range(10 if requests else 0):
            while answered(port) - first < (tenth + 1) * requests / 10:
                load(port, bodies, clients, 5)
            typer.echo(f"after {answered(port):,} requests: {memory(process)} MB")


if __name__ == "__main__":
    typer.run(main)
