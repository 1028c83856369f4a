"""What a model card says of a tagger: the pieces that its template, `model_cards/card_template.md`, puts together."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from huggingface_hub import ModelCardData
from safetensors import safe_open

from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.cards.card_markdown import as_code, as_table, as_text
from tagsmith.training.cards.private_text import base_name
from tagsmith.training.cards.results import RESULTS_FILE, Results
from tagsmith.training.cards.run_facts import without_folders
from tagsmith.training.data.strict_parsing import parse_yaml
from tagsmith.training.families import FAMILIES

_NAMED = 12  # labels in the introduction
_SPLITS = ("train", "dev", "test")


def card_text(folder: Path, config: Any, results: Results, data: ModelCardData) -> dict[str, Any]:
    """The template's variables; every text in them is Markdown already.

    Args:
        folder: of the tagger.
        config: its configuration.
        results: what its `results.json` holds.
        data: the card's metadata.
    """
    recipe = _read_mapping(folder / "recipe.yaml")
    tokenizer = _read_mapping(folder / "tokenizer_config.json")
    said = FAMILIES[config.model_type].card.load()
    heads = said.labels_by_head(config)
    pictures, facts = results.pictures, results.data
    return {
        **_of_the_model(config, heads),
        **said.shape_said(config),
        "title": as_text(data.model_name),
        "model": json.dumps(data.model_name, ensure_ascii=False).replace("<", "\\u003c"),
        "remote_code": "custom_pipelines" in _read_mapping(folder / "config.json"),
        "origin": _origin(recipe, results),
        "labels": _label_table(heads, facts),
        "has_examples": any(corpus.get("examples") for corpus in facts.values()),
        "scores": [
            {
                "name": split,
                "table": table,
                "scored_with": results.scored_with.get(split),
                "chosen": split == "dev" and results.best_epoch is not None,
                "intervals": _intervals(results.intervals.get(split, {})),
            }
            for split in _SPLITS[1:]
            if (table := _score_table(results.scores(split)))
        ],
        "calibration": _calibration(results),
        "confusions": [
            {"path": quote(base_name(path)), "said": f", {as_text(name)}" if name else ""}
            for name, path in pictures.get("confusion", {}).items()
        ],
        "learning_curve": quote(base_name(pictures.get("learning_curve", ""))),
        "size": _size(folder, results),
        "speed": _speed(results),
        "data": _data_table(facts),
        "training_said": _training(results),
        "command": as_code(results.command, "bash") if results.command else "",
        "recipe": as_code(_recipe_text(recipe, results), "yaml") if recipe else "",
        "languages": _listed(map(as_text, data.language or [])),
        "lowercase": tokenizer.get("lowercase", True),
        "splitter": as_text(tokenizer.get("splitter", "")),
        "citation": as_code(said.CITATION, "bibtex"),
    }


def _intervals(by_name: Mapping[str, Mapping[str, Any]]) -> str:
    """How sure the F1 of each corpus or head is."""
    found = []
    for name, own in by_name.items():
        low, high = own["f1"]["low"] * 100, own["f1"]["high"] * 100
        said = f" ({as_text(name)})" if name else ""
        found.append(f"F1{said} {low:.2f} to {high:.2f} over {own['units']:,} {own['drawn']}")
    return "; ".join(found)


def _calibration(results: Results) -> list[str]:
    """What was found of each head's scores, a sentence each."""
    said = []
    for head, own in results.calibration.items():
        of = f" of {as_text(head)}" if head else ""
        error, file = own["expected_calibration_error"], as_text(base_name(own["file"]))
        parts = [f"expected calibration error{of} {error:.3f} on {file}"]
        if "temperature" in own:
            parts.append(
                f"after scaling by a temperature of {own['temperature']:.2f} "
                f"({own['before']:.3f} before, {own['after']:.3f} after it on documents that it was not fitted on)"
            )
        if least := own.get("thresholds"):
            named = ", ".join(f"{as_text(label)} {row['score']:.2f}" for label, row in least.items())
            parts.append(f"spans below these scores are left out: {named}")
        said.append("; ".join(parts))
    return said


def _read_mapping(path: Path) -> dict[str, Any]:
    """A file of JSON or YAML, by its ending; nothing where there is none."""
    if not path.is_file():
        return {}
    if path.suffix == ".json":
        return read_json(path)
    try:
        return dict(parse_yaml(path.read_text(encoding="utf-8"), path)[0])
    except (UnicodeDecodeError, TypeError) as error:
        raise InputError(f"this cannot be read: {error}", path=path) from error


def _of_the_model(config: Any, heads: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What the introduction says of any model and its heads."""
    labels = list(dict.fromkeys(label for own in heads.values() for label in own))
    return {
        "family": config.model_type,
        "config": config,
        "labels_said": _listed(map(as_text, labels), _NAMED),
        "first_head": next(iter(map(json.dumps, filter(None, heads))), ""),
        "heads_said": _listed(map(as_text, heads)),
    }


def _origin(recipe: Mapping[str, Any], results: Results) -> str:
    if names := results.teachers.get("names"):
        raw = results.teachers.get("raw")
        beside = f", also on {raw['sentences']:,} sentences without annotations" if raw else ""
        return f"taught with tagsmith by the tagger{'s'[: len(names) - 1]} {_listed(map(as_text, names))}{beside}"
    start = results.base_model or base_name(recipe.get("start_from") or "")
    if start:
        return f"trained with tagsmith from the tagger {as_text(start)}"
    vectors = recipe.get("vectors") or {}
    files = [base_name(path) for path in [vectors.get("path"), *(vectors.get("paths") or {}).values()] if path]
    if files:
        return f"trained with tagsmith from the word vectors {_listed(map(as_text, files))}"
    return "trained from scratch with tagsmith" if recipe else "made with tagsmith"


def _listed(texts: Iterable[str], limit: int | None = None) -> str:
    """`a, b and c`, or the first ones and how many more there are."""
    known = list(texts)
    if limit is not None and len(known) > limit:
        return f"{', '.join(known[:limit])} and {len(known) - limit} more"
    return " and ".join(filter(None, [", ".join(known[:-1]), *known[-1:]]))


def _label_table(heads: Mapping[str, Sequence[str]], facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Labels with examples; of a tagger of one head those of all its corpora, a few of each."""
    named, shown = "" not in heads, any(corpus.get("examples") for corpus in facts.values())
    rows = []
    for head, labels in heads.items():
        corpora = [facts.get(head, {})] if named else list(facts.values())
        for label in labels:
            words = _mixed([corpus.get("examples", {}).get(label, []) for corpus in corpora])
            row = [*([as_text(head)] if named else []), as_text(label)]
            rows.append([*row, *([", ".join(map(as_text, words))] if shown else [])])
    return as_table([*(["head"] if named else []), "label", *(["examples"] if shown else [])], rows)


def _mixed(lists: Sequence[Sequence[str]]) -> list[str]:
    """Five of several lists, the first of each, then the second, and so on."""
    longest = max(map(len, lists), default=0)
    taken = dict.fromkeys(words[place] for place in range(longest) for words in lists if place < len(words))
    return list(taken)[: max(5, len(lists))]


def _score_table(scores: Mapping[str, Mapping[str, Any]]) -> str:
    """Precision, recall and F1 of each corpus or head, all and by label."""
    named, rows = any(scores), []
    for name, score in scores.items():
        support = sum(own["support"] for own in score["labels"].values())
        for label, own in [("", {**score, "support": support}), *score["labels"].items()]:
            numbers = [f"{own[key] * 100:.2f}" for key in ("precision", "recall", "f1")]
            cells = [*([as_text(name)] if named else []), as_text(label) if label else "all"]
            cells += [*numbers, f"{own['support']:,}"]
            rows.append(cells if label else [f"**{cell}**" if cell else "" for cell in cells])
    return (
        as_table([*(["data"] if named else []), "label", "precision", "recall", "F1", "spans"], rows, 4)
        if rows
        else ""
    )


def _data_table(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Sizes of every split; what is unknown stays empty, and a column of nothing is left out."""
    rows = [(name, split, corpus[split]) for name, corpus in facts.items() for split in _SPLITS if split in corpus]
    counted = [key for key in ("documents", "sentences", "words", "spans") if any(key in sizes for *_, sizes in rows)]
    named, filed = any(facts), any("file" in sizes for *_, sizes in rows)
    lines = [
        [
            *([as_text(name)] if named else []),
            split,
            *([as_text(sizes.get("file", ""))] if filed else []),
            *(f"{sizes[key]:,}" if key in sizes else "" for key in counted),
        ]
        for name, split, sizes in rows
    ]
    columns = [*(["data"] if named else []), "split", *(["file"] if filed else []), *counted]
    return as_table(columns, lines, len(counted)) if lines else ""


def _training(results: Results) -> str:
    """Time, seed, machine and versions, as far as they are known."""
    machine, epoch = results.machine, results.best_epoch
    on = [machine.get("gpu"), machine.get("processor")]
    for thing in ("core", "thread"):
        if number := machine.get(f"{thing}s"):
            on.append(f"{number} {thing}{'' if number == 1 else 's'}")
    parts = [
        f"{results.minutes:g} minutes" if results.minutes is not None else "",
        f"seed {results.seed}" if results.seed is not None else "",
        f"best checkpoint after epoch {epoch:.4g}" if epoch is not None else "",
    ]
    said = ", ".join(filter(None, parts))
    versions = ", ".join(f"{as_text(name)} {as_text(number)}" for name, number in results.versions.items())
    place = ", ".join(as_text(part) for part in on if part)
    sentences = [said, f"On {place}" if place else "", f"With {versions}" if versions else ""]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence)


def _size(folder: Path, results: Results) -> str:
    """Parameters, and the bytes of what a tagger is loaded from."""
    weights = folder / "model.safetensors"
    count = results.parameters
    if count is None and weights.is_file():
        with safe_open(weights, framework="np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
        count = sum(map(math.prod, shapes))
    files = [path for path in folder.iterdir() if path.suffix in (".json", ".safetensors")]
    size = sum(path.stat().st_size for path in files if path.name != RESULTS_FILE)
    said = f"{size / 1e6:.1f} MB on disk." if size >= 1e5 else f"{size / 1e3:.1f} kB on disk."
    return " ".join([*([f"{count:,} parameters."] if count else []), said])


def _speed(results: Results) -> str:
    """Words a second, as the dev data were tagged, on the machine that the training is said to have run on."""
    if results.words_per_second is None:
        return ""
    return f"It tags {results.words_per_second:,} words a second, on the machine that it was trained on."


def _recipe_text(recipe: Mapping[str, Any], results: Results) -> str:
    """The recipe as YAML; of its files and folders only the names."""
    shown = without_folders(recipe)
    if results.base_model:
        shown["start_from"] = results.base_model
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)
