"""The taggers that are on this machine: the one that comes with the package, and copies of the Hub's in its cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import constants, scan_cache_dir
from huggingface_hub.errors import CacheNotFound
from huggingface_hub.repocard import metadata_load

from tagsmith.modeling.tag_rules import span_labels
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.strict_json import read_json
from tagsmith.training.cards.results import Results
from tagsmith.training.families import FAMILIES
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER, check_folder


@dataclass(frozen=True)
class KnownTagger:
    """A tagger on this machine, as its folder tells.

    Attributes:
        name: what `tagsmith tag` takes: the name on the Hub, or the folder.
        bundled: whether it comes with the package.
        family: its `model_type`.
        bytes: of all its files.
        labels: of its spans, or of words where it tags each word.
        languages: codes, as its card names them.
        trained_on: codes by what the tagger was trained on, where its results say so: "gold" (people's annotation),
            "weak" (little, old or automatic annotation), "untrained" (tried all the same).
        license: as its card names it; None where it does not.
        scores: F1 of spans, or accuracy where there is none, in percent: by split, and by head or language, a single
            one under the empty string; on dev texts by language, where its results say so.
    """

    name: str
    bundled: bool
    family: str
    bytes: int
    labels: list[str]
    languages: list[str]
    license: str | None
    scores: dict[str, dict[str, float]]
    trained_on: dict[str, list[str]]


def known_taggers() -> list[KnownTagger]:
    """The bundled tagger first, then those in the Hub's cache, by name; the newest copy where there are several."""
    return [read_tagger(Path(DEFAULT_TAGGER), "the bundled tagger", bundled=True), *_cached()]


def _cached() -> Iterator[KnownTagger]:
    try:
        repositories = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return
    for repository in sorted(repositories, key=lambda one: one.repo_id):
        if repository.repo_type != "model" or not repository.revisions:
            continue
        newest = max(repository.revisions, key=lambda revision: revision.last_modified)
        try:
            check_folder(newest.snapshot_path)
            yield read_tagger(newest.snapshot_path, repository.repo_id)
        except (ValueError, KeyError):  # InputError is a ValueError
            continue  # another kind of model, or a copy that is not whole


def read_tagger(folder: Path, name: str, bundled: bool = False) -> KnownTagger:
    """What a folder tells of its tagger; nothing is loaded but its small files.

    Raises:
        InputError: the folder has no tagger of a known family, or a file that cannot be read.
    """
    config = read_json(folder / "config.json")
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise InputError(f"the model is of the type {family}", path=folder, fix="It is not a tagger of tagsmith.")
    results, card = Results.read(folder), _card_metadata(folder / "README.md")
    language = card.get("language") or []
    return KnownTagger(
        name=name,
        bundled=bundled,
        family=family,
        bytes=sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        labels=_labels(config),
        languages=[language] if isinstance(language, str) else [str(code) for code in language],
        license=card.get("license"),
        scores={split: found for split in ("dev", "test") if (found := _scores(results, split))},
        trained_on={kind: sorted(scores) for kind, scores in results.languages.items()},
    )


def _labels(config: dict[str, Any]) -> list[str]:
    names = list(map(str, (config.get("id2label") or {}).values()))
    if FAMILIES[config["model_type"]].reads_bytes:
        return names
    heads = config.get("heads") or {"": {"tags": names, "tag_scheme": config.get("tag_scheme", "BIOES")}}
    labels = [span_labels(head["tags"], head["tag_scheme"]) for head in heads.values()]
    return list(dict.fromkeys(chain.from_iterable(labels)))


def _scores(results: Results, split: str) -> dict[str, float]:
    if split == "dev" and results.languages:  # of all dev texts, raw; the run may have chosen by few
        by_code = chain.from_iterable(scores.items() for scores in results.languages.values())
        return {code: round(100 * value, 2) for code, value in sorted(by_code)}
    found = {}
    for name, scores in results.scores(split).items():
        value = scores.get("f1", scores.get("accuracy"))
        if isinstance(value, int | float):
            found[name] = round(100 * value, 2)
    return found


def _card_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a card; nothing where there is no card or none that can be read."""
    try:
        return (metadata_load(path) if path.is_file() else None) or {}
    except (ValueError, yaml.YAMLError):
        return {}
