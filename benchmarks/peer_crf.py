"""The CRF layer of the tagsmith that is installed, an adapter of peers.py: milliseconds of its loss and gradient."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from peer_protocol import versions

from tagsmith.modeling.crf import ConditionalRandomField

SENTENCES, WORDS, TAGS, CALLS = 32, 50, 17, 20


def milliseconds(seconds: float) -> float:
    """Of one call, on average, for a batch of 32 sentences of 50 words and 17 tags."""
    torch.manual_seed(1)
    layer = ConditionalRandomField(TAGS)
    emissions = torch.randn(SENTENCES, WORDS, TAGS, requires_grad=True)
    tags = torch.randint(TAGS, (SENTENCES, WORDS))
    for _ in range(CALLS):  # caches fill
        layer(emissions, tags).backward()
    calls, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds or not calls:
        emissions.grad = None
        layer(emissions, tags).backward()
        calls += 1
    return took / calls * 1e3


if __name__ == "__main__":
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    print(json.dumps({"versions": versions(("tagsmith", "torch"))}), flush=True)
    print(json.dumps({"crf_ms": milliseconds(job["seconds"])}), flush=True)
