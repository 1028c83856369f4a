"""The families of taggers, in one table: a third one needs its own files and a record here.

Imports nothing of `training`; a record names its parts, and each is imported when it is first asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

TASK, TOKEN_TASK = "span-tagging", "token-classification"


class Part:
    """A class, function or module of a family, named as `module:name`, and imported when it is first loaded."""

    def __init__(self, place: str) -> None:
        self.place = place

    def load(self) -> Any:
        """The class or function, or the module where no name is given."""
        module, _, name = self.place.partition(":")
        loaded = import_module(f"tagsmith.{module}")
        return getattr(loaded, name) if name else loaded


@dataclass(frozen=True)
class Family:
    """What a kind of tagger is made of.

    Attributes:
        model_type: its name in `config.json` and in recipes.
        config: the configuration class.
        encoder: the bare model, for `AutoModel`.
        tagger: the model that tags, for `AutoModelForTokenClassification`.
        tokenizer: the tokenizer class.
        recipe: the class of its recipes.
        train: the function that runs a recipe.
        check_names: takes a recipe and the names of corpora, and raises `InputError` where they do not go together.
        check_tokenizer: takes tokenizer, configuration and folder, and raises `InputError` where they are of two
            taggers.
        card: the module of what its model card says: `CITATION`, `labels_by_head`, `shape_said`, `language_names`.
        files: what a tagger's folder has beside `config.json`, `tokenizer_config.json` and weights.
        searched: what `tagsmith search` varies where nothing is said.
        generates: whether the model writes symbols, for `AutoModelForSeq2SeqLM`.
        reads_bytes: whether it tags whole documents as bytes, and knows neither words nor heads.
    """

    model_type: str
    config: Part
    encoder: Part
    tagger: Part
    tokenizer: Part
    recipe: Part
    train: Part
    check_names: Part
    check_tokenizer: Part
    card: Part
    files: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    generates: bool = False
    reads_bytes: bool = False


FAMILIES = {
    family.model_type: family
    for family in (
        Family(
            "hierarchical-tagger",
            config=Part("modeling.configuration_hierarchical_tagger:HierarchicalTaggerConfig"),
            encoder=Part("modeling.modeling_hierarchical_tagger:HierarchicalTaggerModel"),
            tagger=Part("modeling.modeling_hierarchical_tagger:HierarchicalTaggerForTokenClassification"),
            tokenizer=Part("tokenization.tokenization_hierarchical_tagger:HierarchicalTaggerTokenizer"),
            recipe=Part("training.runs.recipe:Recipe"),
            train=Part("training.runs.hierarchical_run:train_tagger"),
            check_names=Part("training.runs.hierarchical_run:check_heads"),
            check_tokenizer=Part("tokenization.word_tagger_checks:check_tokenizer"),
            card=Part("training.cards.word_tagger_card"),
            files=("vocab.json",),
            searched=(
                "training.learning_rate=0.001..0.01",
                "training.per_device_train_batch_size=16|32|64",
                "model.hidden_dropout=0.2..0.6",
                "model.embedding_dropout=0.2..0.6",
            ),
        ),
        Family(
            "byte-to-span",
            config=Part("modeling.configuration_byte_to_span:ByteToSpanConfig"),
            encoder=Part("modeling.modeling_byte_to_span:ByteToSpanModel"),
            tagger=Part("modeling.modeling_byte_to_span:ByteToSpanForSpanTagging"),
            tokenizer=Part("tokenization.tokenization_byte_to_span:ByteToSpanTokenizer"),
            recipe=Part("training.runs.recipe:ByteRecipe"),
            train=Part("training.runs.byte_run:train_byte_tagger"),
            check_names=Part("training.runs.byte_run:check_corpora"),
            check_tokenizer=Part("tokenization.byte_tagger_checks:check_tokenizer"),
            card=Part("training.cards.byte_tagger_card"),
            searched=(
                "training.learning_rate=0.0003..0.01",
                "model.hidden_dropout=0.0..0.5",
                "model.byte_dropout=0.0..0.4",
            ),
            generates=True,
            reads_bytes=True,
        ),
    )
}


def reads_bytes(pipeline: Any) -> bool:
    """Whether a pipeline's tagger tags whole documents as bytes, and knows neither words nor heads."""
    return FAMILIES[pipeline.model.config.model_type].reads_bytes


def register() -> None:
    """Make models, tokenizers and the pipeline known to transformers' Auto classes and its pipeline registry.

    `tagsmith.pipeline`, and every model, pipeline, trainer and run that is taken from `tagsmith`, does this by itself.
    Call it before transformers' own entry points: `AutoModelForTokenClassification.from_pretrained`,
    `transformers.pipeline`. A second call does nothing. The tasks "token-classification" and "ner" then give our
    pipeline for our taggers; for other models they give transformers' own, as before.

    Raises:
        RuntimeError: the installed transformers does not take them; its own error is the cause.
    """
    import transformers

    try:
        _register()
    except Exception as error:
        message = f"tagsmith could not register its models with transformers {transformers.__version__}: {error}"
        raise RuntimeError(message) from error


def _push_folder(folder: Any, repo_id: str, **options: Any) -> Any:
    """As `push_folder`, which is imported when it is wanted."""
    return Part("training.cards.publish:push_folder").load()(folder, repo_id, **options)


def _register() -> None:
    from transformers import (
        AutoConfig,
        AutoModel,
        AutoModelForSeq2SeqLM,
        AutoModelForTokenClassification,
        AutoTokenizer,
    )
    from transformers.pipelines import PIPELINE_REGISTRY

    if TASK in PIPELINE_REGISTRY.get_supported_tasks():  # the last thing done below
        return
    for family in FAMILIES.values():
        config, tagger = family.config.load(), family.tagger.load()
        AutoConfig.register(family.model_type, config, exist_ok=True)
        AutoModel.register(config, family.encoder.load(), exist_ok=True)
        AutoModelForTokenClassification.register(config, tagger, exist_ok=True)
        if family.generates:
            AutoModelForSeq2SeqLM.register(config, tagger, exist_ok=True)
        AutoTokenizer.register(config, family.tokenizer.load(), exist_ok=True)
    Part("modeling.remote_code").load().push_folder = _push_folder
    Part("tokenization.saved_tokenizer").load().push_folder = _push_folder
    others = PIPELINE_REGISTRY.to_dict()
    by_family = Part("modeling.pipeline_token_classification:TokenClassificationByFamily").load()
    others[TOKEN_TASK] = {**others[TOKEN_TASK], "impl": by_family}  # other models' pipelines stay what they are
    PIPELINE_REGISTRY.register_pipeline(
        TASK,
        pipeline_class=Part("modeling.pipeline_span_tagging:SpanTaggingPipeline").load(),
        pt_model=AutoModelForTokenClassification,
        type="text",
    )
