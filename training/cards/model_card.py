"""A tagger's model card: `README.md` in its folder, out of what the folder itself says.

What the card says stands between two markers and is rewritten each time; text around them, and what a person has
set in the metadata, stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from transformers import AutoConfig

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.cards.card_text import card_text
from tagsmith.training.cards.results import Results
from tagsmith.training.data.strict_parsing import parse_yaml
from tagsmith.training.families import FAMILIES, register
from tagsmith.training.machine.whole_files import write_whole
from tagsmith.training.tagging.tagger_folder import check_folder

TEMPLATE = Path(__file__).parents[2] / "model_cards" / "card_template.md"
BEGIN = "<!-- tagsmith wrote what follows, and will again; your own text stays above this line, or below the last. -->"
END = "<!-- tagsmith wrote what is above. -->"

_METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1", "accuracy": "Accuracy"}
# Invented, for the widget of the tagger's page on the Hub; a person's own widget stays.
_WIDGET = ("Ada Lovelace was born in London.", "Jonas moved from Oslo to Lund in 1987 and works for Northwind.")
_MEASURE = "{} (tagsmith)"  # how our own entries of the model index are told from a person's
_PATTERNS = {
    "language": (r"[a-z]{2,3}(-\w+)*|multilingual", "en"),
    "license": (r"[a-z0-9][a-z0-9.-]*", "cc-by-sa-4.0"),
    "dataset": (r"[\w.-]+(/[\w.-]+)?", "owner/name"),
}


class _Card(NamedTuple):
    """A card that is there: its metadata, and what a person wrote before and behind what is ours."""

    metadata: dict[str, Any]
    before: str
    after: str


def write_card(
    folder: str | Path,
    *,
    name: str | None = None,
    languages: Sequence[str] = (),
    license: str | None = None,
    datasets: Sequence[str] = (),
    tags: Sequence[str] = (),
    whole: bool = True,
) -> Path:
    """Write a tagger's card, `README.md`, from what the other files of its folder say.

    What they do not say is left out. What is not given here stays as the card has it.

    Args:
        folder: of the tagger.
        name: of the tagger, as `owner/name`; by default what the card has, or the folder's.
        languages: codes as `en`.
        license: as the Hub names it, like `cc-by-sa-4.0`.
        datasets: names on the Hub.
        tags: more tags of the card.
        whole: see that the folder has all that a tagger is made of; not for a model alone.

    Returns:
        The card's path.

    Raises:
        InputError: a file of the folder that cannot be read, a card whose metadata or markers are broken, a language,
            license or data set that cannot be a name of one.
        OSError: the card cannot be written.
    """
    for kind, values in (("language", languages), ("license", [license] if license else []), ("dataset", datasets)):
        for value in values:
            pattern, example = _PATTERNS[kind]
            if not re.fullmatch(pattern, value):
                raise InputError(f"{value!r} cannot be a {kind}", fix=f"Name it as the Hub does, like {example}.")
    path = Path(folder, "README.md")
    if path.is_symlink():
        raise InputError("the card is a link, and what it leads to may be yours", path=path, fix="Put a file there.")
    if whole:
        check_folder(folder)
    config, results = read_config(folder), Results.read(folder).shown()
    card = _read_card(path)
    given = {"language": [*languages], "license": license, "datasets": [*datasets]}
    metadata = {**card.metadata, **{key: value for key, value in given.items() if value}}
    if tags:
        metadata["tags"] = [*_listed(metadata.get("tags")), *tags]
    data = _card_data(metadata, name or _known_name(metadata) or Path(folder).resolve().name, config, results)
    text = card_text(Path(folder), config, results, data)
    made = ModelCard.from_template(data, template_path=str(TEMPLATE), begin=BEGIN, end=END, **text)
    made.text = f"{card.before}{_tidy(made.text)}{card.after}"
    write_whole(path, str(made))
    return path


def read_config(folder: str | Path) -> Any:
    """The configuration of a tagger's folder.

    Raises:
        InputError: it cannot be read, or is no tagger's.
    """
    register()
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:  # whatever a broken file makes the library raise
        raise InputError(f"config.json cannot be read: {' '.join(str(error).split())}", path=folder) from error
    if config.model_type not in FAMILIES:
        raise InputError(f"this is no tagger, but a model of type {config.model_type!r}", path=folder)
    return config


def _read_card(path: Path) -> _Card:
    """The card that is there, apart; with none, empty parts."""
    if not path.exists():
        return _Card({}, "\n", "\n")
    fix = "Fix it, or take the file away."
    try:
        content = path.read_bytes().decode("utf-8-sig")
        match = REGEX_YAML_BLOCK.search(content)
        above = content.count("\n", 0, match.start(2)) if match else 0
        metadata = parse_yaml("\n" * above + match[2])[0] if match else None
        metadata = dict(metadata or {})
        ModelCardData(**metadata)
    except InputError as error:
        message = f"this card's metadata cannot be read: {error.message}"
        raise InputError(message, path=path, line=error.line, column=error.column, fix=error.fix or fix) from error
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"this card's metadata cannot be read: {reason}", path=path, fix=fix) from error
    text = content[match.end() :] if match else f"\n{content}"
    if text.count(BEGIN) != text.count(END) or text.count(BEGIN) > 1:
        raise InputError(
            "of the two lines between which tagsmith writes this card one is missing, or there twice",
            path=path,
            fix=f"Leave one {BEGIN} and one {END} behind it, or neither.",
        )
    before, _, rest = text.partition(BEGIN)
    if not rest:  # a person's own card: ours follows it
        return _Card(metadata, f"{text.rstrip()}\n\n", "\n")
    return _Card(metadata, before, rest.partition(END)[2])


def _tidy(text: str) -> str:
    """What the template gave, without the lines that its conditions left empty."""
    return re.sub(r"\n{3,}", "\n\n", text.strip())


def _known_name(metadata: Mapping[str, Any]) -> str | None:
    index = metadata.get("model-index")
    return index[0]["name"] if index else metadata.get("model_name")


def _card_data(metadata: Mapping[str, Any], name: str, config: Any, results: Results) -> ModelCardData:
    """The metadata: ours, and what a person has set."""
    known = dict(metadata)
    # YAML 1.1 reads Norwegian as a negation.
    known["language"] = [{False: "no"}.get(code, code) for code in _listed(known.get("language"))]
    known["language"] = known["language"] or _languages(config, results)
    known["tags"] = list(
        dict.fromkeys(["tagsmith", config.model_type, "sequence-tagging", *_listed(known.get("tags"))])
    )
    known.update(library_name="tagsmith", pipeline_tag="token-classification")
    if results.base_model:
        known["base_model"] = results.base_model
    if results.emissions is not None:
        known["co2_eq_emissions"] = emissions_said(results.emissions, results.machine)
    known.setdefault("widget", [{"text": text} for text in _WIDGET])
    data = ModelCardData(**{key: value for key, value in known.items() if value})
    others = [entry for entry in data.eval_results or [] if not _is_ours(entry)]
    data.eval_results = _eval_results(results, _listed(known.get("datasets"))) + others or None
    data.model_name = name
    if data.eval_results and not data.metrics:
        data.metrics = ["precision", "recall", "f1"]
    return data


def emissions_said(grams: float, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Grams of CO2 equivalent of a run, as the Hub has them in a card's metadata."""
    hardware = machine.get("gpu") or machine.get("processor")
    return {"emissions": grams, "source": "codecarbon", **({"hardware_used": hardware} if hardware else {})}


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _languages(config: Any, results: Results) -> list[str]:
    """Codes of two letters, where that is what the family calls its corpora or vocabularies."""
    names = FAMILIES[config.model_type].card.load().language_names(config, results)
    return sorted(names) if names and all(re.fullmatch("[a-z]{2}", name) for name in names) else []


def _is_ours(entry: EvalResult) -> bool:
    return entry.metric_name in [_MEASURE.format(name) for name in _METRICS.values()]


def _eval_results(results: Results, datasets: Sequence[str]) -> list[EvalResult]:
    """The scores of each split and corpus, from 0 to 1, as the model index has them."""
    entries = []
    for split, hub_split in (("dev", "validation"), ("test", "test")):
        for name, scores in results.scores(split).items():
            file = results.data.get(name, {}).get(split, {}).get("file")
            dataset = file or name or "annotated text"
            entries += [
                EvalResult(
                    task_type="token-classification",
                    task_name="Span tagging",
                    dataset_type=datasets[0] if len(datasets) == 1 else dataset,
                    dataset_name=f"{name} ({file})" if name and file else dataset,
                    dataset_config=name or None,
                    dataset_split=hub_split,
                    metric_type=metric,
                    metric_name=_MEASURE.format(said),
                    metric_value=round(scores[metric], 4),
                )
                for metric, said in _METRICS.items()
            ]
    return entries
