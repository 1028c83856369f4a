"""Recipes: every choice of a training run in one YAML file (see `recipe_files`)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.data.strict_parsing import dump_yaml, parse_yaml
from tagsmith.training.families import FAMILIES
from tagsmith.training.runs.recipe_files import Places, read_recipe_file

# What a run decides by itself, out of the data and the vocabulary, or what is no choice; a recipe cannot set it.
_DECIDED = {"vocab_size", "character_vocab_size", "gazetteer_size", "rare_word_id", "rare_character_id", "tag_scheme"}
_DECIDED |= {
    "frozen_word_id",
    "calibration",
    "heads",
    "languages",
    "unk_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "is_encoder_decoder",
}


def model_fields(config: Any) -> list[str]:
    """The fields of a configuration class that a recipe's `model` may set."""
    return [name for name in config.__annotations__ if name not in _DECIDED]


@dataclass
class TokenizerOptions:
    """How words are made: see `HierarchicalTaggerTokenizer`. The splitter "auto" is chosen on the training data.

    With `lower_capitals` a sentence that is all in capitals is read in lower case. With `passage_words`, neighbouring
    sentences of a document that have no more words than this together are read together, wherever a corpus is trained
    on or scored.
    """

    splitter: str = "auto"
    lowercase: bool = True
    case_fallback: bool = False
    zero_digits: bool = True
    zero_character_digits: bool = False
    normalization: str | None = field(default="nfc", metadata={"kinds": (str, type(None))})
    max_word_characters: int = 128
    lower_capitals: bool = False
    passage_words: int = 0
    min_count: int = 1
    rare_count: int = 1


@dataclass
class VectorOptions:
    """Pretrained word vectors: of the training data's words, which learn on, and of other words, which keep them.

    Attributes:
        path: a GloVe or word2vec text file.
        paths: one for each language, where languages have words of their own.
        extend: so many of the file's first words have their vectors though the training data may not have them; 0 for
            the training data's words alone.
    """

    path: str | None = None
    paths: dict[str, str] = field(default_factory=dict)
    extend: int = 100_000


@dataclass
class GazetteerOptions:
    """Lists of names, a file for each label; what they match joins the top of the word encoder.

    Words and entries are compared in lower case, unless `case_sensitive` is set: many lists are in lower case.
    """

    files: dict[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    case_sensitive: bool = False


@dataclass
class RunRecipe:
    """What every training run chooses, whatever the family of its model.

    Attributes:
        model_type: the family: "hierarchical-tagger", or "byte-to-span".
        description: what the recipe is for, and where its numbers come from.
        model: fields of the family's configuration.
        training: fields of `transformers.TrainingArguments`.
        start_from: a trained tagger (folder, or name on the Hub) to continue from.
        average_decay: of the moving average of the weights (see `TaggerTrainer`); 0 for none.
        epoch_decay: if above 0, the learning rate is `lr / (1 + epoch_decay * epoch)`.
        halving_from: if above 0, the epoch from which the learning rate halves every half epoch.
        early_stopping_patience: evaluations without a better dev score before training ends; 0 for never.
        stored_as: how the finished tagger's weights are written, "float32", or "float16" in half the space. Scores
            are those of the weights as they are stored; computed is with float32.
    """

    model_type: str = ""
    description: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    start_from: str | None = None
    average_decay: float = field(default=0.0, metadata={"below": 1})
    epoch_decay: float = field(default=0.0, metadata={"below": math.inf})
    halving_from: float = field(default=0.0, metadata={"below": math.inf})
    early_stopping_patience: int = 0
    stored_as: str = "float32"

    def to_yaml(self) -> str:
        """The recipe as YAML, that `read_recipe` reads back."""
        return dump_yaml(dataclasses.asdict(self))


@dataclass
class Recipe(RunRecipe):
    """How a hierarchical tagger is trained.

    Attributes:
        tag_scheme: in which spans are written as tags; data of plain tags (parts of speech) stay plain.
        tokenizer: how words are made.
        vectors: pretrained word vectors.
        gazetteers: lists of names.
        labelling_rate: share of the training sentences that are kept, drawn at random by the run's seed; a number, or
            one for each head or corpus by name, others keeping all.
        languages: of each head, where languages have words of their own; a head that is left out is a language.
        epoch_head: the head whose sentences an epoch passes over once; by default the one that lasts longest.
        head_batches: how many batches of a head come in a turn, by name; one of each that is left out.
        start_with: what is taken of `start_from`: "all"; or "characters" for its embeddings of characters and n-grams
            and its encoder of characters, without its words and heads.
        mention_replacement: how likely each span of a training sentence is replaced by another one of its label, each
            time the sentence comes; 0 for never.
        lowercase_share: how likely a training sentence comes all in lower case, each time; 0 for never.
        consistency: weight of how far two draws of dropout lie apart in what they say of a sentence; 0 for one draw.
        freeze: what is not trained: "characters" (and their n-grams), "words", "word_encoder".
    """

    model_type: str = HierarchicalTaggerConfig.model_type
    tag_scheme: str = "BIOES"
    tokenizer: TokenizerOptions = field(default_factory=TokenizerOptions)
    vectors: VectorOptions = field(default_factory=VectorOptions)
    gazetteers: GazetteerOptions = field(default_factory=GazetteerOptions)
    labelling_rate: Any = field(default=1.0, metadata={"kinds": (int, float, dict)})
    languages: dict[str, str] = field(default_factory=dict)
    epoch_head: str | None = None
    head_batches: dict[str, int] = field(default_factory=dict)
    start_with: str = "all"
    mention_replacement: float = field(default=0.0, metadata={"most": 1})
    lowercase_share: float = field(default=0.0, metadata={"most": 1})
    consistency: float = field(default=0.0, metadata={"below": math.inf})
    freeze: list[str] = field(default_factory=list)


@dataclass
class ByteRecipe(RunRecipe):
    """How a byte-to-span tagger is trained.

    Attributes:
        balance: draw windows of every corpus equally often, whatever its size.
        line_share: of the windows that see nothing but their line, as texts that are tagged line by line.
    """

    model_type: str = ByteToSpanConfig.model_type
    balance: bool = False
    line_share: float = field(default=0.0, metadata={"most": 1})


def read_recipe(name_or_path: str | Path, settings: list[str] | tuple[str, ...] = ()) -> RunRecipe:
    """Read a bundled recipe by its name, or a YAML file by its path.

    Args:
        name_or_path: such as "ner" or "my/recipe.yaml".
        settings: changes as `key=value`, keys with dots for inner ones (`model.hidden_size=200`), values in YAML.

    Returns:
        A `Recipe`, or a `ByteRecipe` where `model_type` is "byte-to-span".

    Raises:
        InputError: no such recipe, a file that is not YAML, an unknown key, a value of the wrong kind.
    """
    content, places = read_recipe_file(name_or_path)
    for setting in settings:
        places.forget(_set(content, setting))
    return _recipe(content, places)


def _set(content: dict[str, Any], setting: str) -> str:
    """Set a value, and give its key."""
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise InputError(f"the setting {setting!r} is not key=value", fix="Write it like model.hidden_size=200.")
    *outer, last = key.split(".")
    for name in outer:
        inner = content.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(f"the setting {setting!r} reaches into {name!r}, which is a value")
        content = inner
    try:
        content[last], _ = parse_yaml(value)
    except InputError as error:
        raise InputError(f"the value of the setting {setting[:80]!r}: {error.message}", fix=error.fix) from error
    return key


def _recipe(content: dict[str, Any], places: Places) -> RunRecipe:
    family = content.get("model_type", HierarchicalTaggerConfig.model_type)
    if family not in FAMILIES:
        raise InputError(
            f"model_type is {family!r}", **places.of("model_type"), fix=f"Use one of {', '.join(FAMILIES)}."
        )
    recipe: RunRecipe = _fill(FAMILIES[family].recipe.load(), content, places, "")
    _known(recipe.model, set(model_fields(FAMILIES[family].config.load())), places, "model.")
    _check_kinds(recipe.training, places)
    if isinstance(recipe, Recipe) and recipe.tokenizer.lowercase and recipe.tokenizer.case_fallback:
        fix = "Set tokenizer.lowercase=false, or leave out case_fallback."
        found = "tokenizer.case_fallback has no effect where tokenizer.lowercase is true"
        raise InputError(found, **places.of("tokenizer.case_fallback"), fix=fix)
    return recipe


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    type(None): "text in quotes",
    list: "a list",
    dict: "a mapping",
}


def _fill(cls: Any, content: Any, places: Places, prefix: str) -> Any:
    """A dataclass out of a mapping, each value of its field's kind."""
    if not isinstance(content, dict):
        key = prefix.rstrip(".")
        raise InputError(f"{key} must be a mapping, and is {content!r}", **places.of(key))
    fields = {item.name: item for item in dataclasses.fields(cls)}
    _known(content, set(fields), places, prefix)
    default, values = cls(), {}
    for name, value in content.items():
        start = getattr(default, name)
        if dataclasses.is_dataclass(start):
            values[name] = _fill(type(start), value, places, f"{prefix}{name}.")
            continue
        kinds = (int, float) if isinstance(start, float) else str if start is None else type(start)
        kinds = fields[name].metadata.get("kinds", kinds)
        wrong_bool = isinstance(value, bool) and not isinstance(start, bool)
        if wrong_bool or not (isinstance(value, kinds) or (start is None and value is None)):
            found = f"{prefix}{name} is {value!r}, and must be {_KINDS.get(type(start), 'a number or a mapping')}"
            raise InputError(found, **places.of(f"{prefix}{name}"))
        if outside := _outside(value, **{key: fields[name].metadata.get(key) for key in ("most", "below")}):
            raise InputError(f"{prefix}{name} is {value}, and must be {outside}", **places.of(f"{prefix}{name}"))
        values[name] = value
    return cls(**values)


def _outside(value: Any, most: float | None, below: float | None) -> str:
    """What a number with bounds must be, where it is not; it must never be negative."""
    if most is not None and not 0 <= value <= most:
        return f"from 0 to {most}"
    if below is not None and not 0 <= value < below:
        return "a number that is not negative" if below == math.inf else f"at least 0, and below {below}"
    return ""


def _check_kinds(training: dict[str, Any], places: Places) -> None:
    """Training arguments that are text where they should be numbers, or true or false: transformers takes any."""
    fields = {item.name: str(item.type) for item in dataclasses.fields(TrainingArguments)}
    _known(training, set(fields) - {"output_dir"}, places, "training.")
    for name, value in training.items():
        if not isinstance(value, str) or "str" in fields[name]:
            continue
        for kind, expected in (("bool", "true or false"), ("float", "a number"), ("int", "a whole number")):
            if kind in fields[name]:
                found = f"training.{name} is {value!r}, and must be {expected}"
                raise InputError(found, **places.of(f"training.{name}"))


def _known(content: dict[str, Any], names: set[str], places: Places, prefix: str) -> None:
    for name in content:
        if name not in names:
            close = get_close_matches(str(name), names, n=3)
            fix = f"Did you mean {' or '.join(prefix + c for c in close)}?" if close else None
            fix = fix or (f"It has {', '.join(sorted(names))}." if len(names) < 15 else "Look it up in the README.")
            raise InputError(f"a recipe has no {prefix}{name}", **places.of(f"{prefix}{name}"), fix=fix)
