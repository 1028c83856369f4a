"""What a training run writes down of itself for its model card: data, examples, command, machine, course."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
import transformers
from datasets import IterableDataset

import tagsmith
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.private_text import base_name, hide_secrets, is_secret, without_secrets
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.data.hub_names import may_be_on_hub
from tagsmith.training.data.strict_parsing import parse_yaml
from tagsmith.training.machine.process_tuning import float32_products
from tagsmith.training.machine.processor import processor_name

_EXAMPLES = 5  # of a label
_LOOKED_AT = 20_000  # sentences, for examples
_LONGEST = 40  # characters of an example
_SHORTEST_TIME = 1.0  # seconds; less says little of a speed


def data_facts(corpora: Mapping[Any, Corpus]) -> dict[str, dict[str, Any]]:
    """By corpus, a single one under the empty string, its splits' sizes and each label's commonest spans.

    Args:
        corpora: by name, with "train" and maybe "dev".

    Returns:
        `{name: {"train": sizes, "dev": sizes, "examples": {label: [...]}}}`, with sizes as `split_facts` gives them.
        Examples are of the training data.
    """
    facts: dict[str, dict[str, Any]] = {}
    for name, corpus in corpora.items():
        paths = {split: corpus.reports[split].path if split in corpus.reports else "" for split in corpus}
        facts[name or ""] = {split: split_facts(corpus, split, paths[split]) for split in corpus}
        facts[name or ""]["examples"] = examples(corpus["train"])
    return facts


def split_facts(corpus: Corpus, split: str, path: str = "") -> dict[str, Any]:
    """The file's name, and how many documents, sentences, words and spans there are; what is unknown is left out."""
    rows, plain = corpus[split], corpus.is_plain(split)
    if isinstance(rows, IterableDataset):  # its sizes would take another reading of all
        return {"file": base_name(path)} if path else {}
    counts: Counter[str] = Counter()
    documents: set[int] = set()
    for table in rows.select_columns(["document", "tokens", "spans"]).with_format("arrow").iter(batch_size=1000):
        documents.update(pc.unique(table.column("document")).to_pylist())
        counts["words"] += _items(table.column("tokens"))
        counts["spans"] += 0 if plain else _items(table.column("spans"))
    facts = {"file": base_name(path), "sentences": len(rows), "documents": len(documents), **counts}
    return {name: value for name, value in facts.items() if value}


def _items(lists: pa.ChunkedArray) -> int:
    return pc.sum(pc.list_value_length(lists)).as_py() or 0


def examples(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The commonest spans of each label, commonest first; those say least about single persons or texts."""
    counts: dict[str, Counter[str]] = {}
    for row in islice(rows, _LOOKED_AT):
        for span in row["spans"]:
            text = " ".join(row["text"][span["start"] : span["end"]].split())
            counts.setdefault(span["label"], Counter())[text] += len(text) <= _LONGEST
    return {label: [text for text, count in counts[label].most_common(_EXAMPLES) if count] for label in sorted(counts)}


def words_per_second(data: Mapping[str, Mapping[str, Any]], split: str, seconds: float) -> int | None:
    """How fast a split was tagged; None where it was too short to tell."""
    words = sum(facts.get(split, {}).get("words", 0) for facts in data.values())
    return round(words / seconds) if words and seconds >= _SHORTEST_TIME else None


def machine_facts(device: torch.device) -> dict[str, Any]:
    """`{"processor", "cores", "threads", "float32_products", "gpu"}`; what is unknown is left out."""
    machine = {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "float32_products": float32_products(),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }
    return {name: value for name, value in machine.items() if value}


def package_versions() -> dict[str, str]:
    """Of what a tagger was trained with."""
    return {
        "tagsmith": tagsmith.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


def course(log_history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A trainer's log by step: `{"step", "epoch", "loss", "f1", "accuracy", "by_name": {name: f1}}`, where known."""
    entries: dict[int, dict[str, Any]] = {}
    for log in log_history:
        known = {"loss": log.get("loss"), "f1": log.get("eval_f1"), "accuracy": log.get("eval_accuracy")}
        scalars = _finite(known)
        by_name = _finite({match[1]: log[key] for key in log if (match := re.fullmatch(r"eval_(.+)_f1", key))})
        if scalars or by_name:
            entry = entries.setdefault(log["step"], {"step": log["step"], "epoch": round(log["epoch"], 4)})
            entry.update(scalars, **({"by_name": by_name} if by_name else {}))
    return [entries[step] for step in sorted(entries)]


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    """What JSON can hold."""
    numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
    return {name: round(value, 5) for name, value in numbers.items() if math.isfinite(value)}


def command_said(arguments: Sequence[str]) -> str:
    """`tagsmith train ...` with files but without their folders; nothing where Python code trains."""
    program = Path(arguments[0]).name if arguments else ""
    if program not in ("tagsmith", "__main__.py", "command_line.py") or arguments[1:2] not in (
        ["train"],
        ["distill"],
        ["demo"],
    ):
        return ""
    return hide_secrets(shlex.join(["tagsmith", *map(_argument_without_folders, arguments[1:])]))


def _argument_without_folders(argument: str) -> str:
    """An argument like `en=FILE`, `--output-dir=DIR` or `vectors.paths={en: FILE}`."""
    match = re.fullmatch(r"([^/\\]*=)?(.*)", argument, flags=re.S)
    assert match is not None
    head, value = match[1] or "", match[2]
    if is_secret(argument.partition("=")[0]):
        return f"{argument.partition('=')[0]}=HIDDEN"
    if head == "start_from=" and hub_name(value):
        return argument
    if re.match(r"\s*[{\[].*[/\\]", value):
        with suppress(InputError):
            return head + json.dumps(without_folders(parse_yaml(value)[0]), ensure_ascii=False)
    return head + base_name(value)


def without_folders(value: Any) -> Any:
    """A value, or all that is in it but a description, with paths reduced to their last part; no secret either."""
    if isinstance(value, Mapping):
        shown = without_secrets(dict(value))
        return {key: inner if key == "description" else without_folders(inner) for key, inner in shown.items()}
    if isinstance(value, list):
        return [without_folders(inner) for inner in value]
    return base_name(value) if isinstance(value, str) else value


def hub_name(start_from: str | None) -> str | None:
    """The name on the Hub of a tagger to start from; None for a folder."""
    return start_from if start_from and not os.path.exists(start_from) and may_be_on_hub(start_from) else None
