"""tagsmith: compact sequence taggers from scratch.

Importing this package is quick: each public name is imported when it is first used. Models, pipelines, trainers and
runs that are taken from here make themselves known to transformers; `register()` does so for its own entry points.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tagsmith import runtime as runtime
    from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig as ByteToSpanConfig
    from tagsmith.modeling.configuration_hierarchical_tagger import (
        HierarchicalTaggerConfig as HierarchicalTaggerConfig,
    )
    from tagsmith.modeling.crf import ConditionalRandomField as ConditionalRandomField
    from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging as ByteToSpanForSpanTagging
    from tagsmith.modeling.modeling_byte_to_span import ByteToSpanModel as ByteToSpanModel
    from tagsmith.modeling.modeling_hierarchical_tagger import (
        HierarchicalTaggerForTokenClassification as HierarchicalTaggerForTokenClassification,
    )
    from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerModel as HierarchicalTaggerModel
    from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline as ByteSpanTaggingPipeline
    from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline as SpanTaggingPipeline
    from tagsmith.modeling.span_grammar import SpanGrammar as SpanGrammar
    from tagsmith.tokenization.gazetteers import Gazetteer as Gazetteer
    from tagsmith.tokenization.input_error import InputError as InputError
    from tagsmith.tokenization.span_codec import SpanCodec as SpanCodec
    from tagsmith.tokenization.span_codec import SymbolLayout as SymbolLayout
    from tagsmith.tokenization.spans import Span as Span
    from tagsmith.tokenization.tag_schemes import tag_names as tag_names
    from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer as ByteToSpanTokenizer
    from tagsmith.tokenization.tokenization_hierarchical_tagger import (
        HierarchicalTaggerTokenizer as HierarchicalTaggerTokenizer,
    )
    from tagsmith.training.batches.byte_corpus import ByteCorpus as ByteCorpus
    from tagsmith.training.batches.collator import TaggerCollator as TaggerCollator
    from tagsmith.training.batches.preparation import encode_corpus as encode_corpus
    from tagsmith.training.batches.preparation import training_words as training_words
    from tagsmith.training.batches.window_dataset import WindowCollator as WindowCollator
    from tagsmith.training.batches.window_dataset import WindowDataset as WindowDataset
    from tagsmith.training.data.column_corpus import ColumnCorpus as ColumnCorpus
    from tagsmith.training.data.corpora import load_corpus as load_corpus
    from tagsmith.training.data.corpus import Corpus as Corpus
    from tagsmith.training.data.corpus import StreamedCorpus as StreamedCorpus
    from tagsmith.training.data.corpus import label_names as label_names
    from tagsmith.training.evaluation.scoring import score_tagger as score_tagger
    from tagsmith.training.evaluation.span_counts import SpanCounts as SpanCounts
    from tagsmith.training.evaluation.span_counts import score_tags as score_tags
    from tagsmith.training.evaluation.span_metric import SpanScore as SpanScore
    from tagsmith.training.families import register as register
    from tagsmith.training.integrations.batch_tagger import BatchTagger as BatchTagger
    from tagsmith.training.machine.process_tuning import ProcessTuning as ProcessTuning
    from tagsmith.training.machine.process_tuning import tune_process as tune_process
    from tagsmith.training.runs.byte_run import train_byte_tagger as train_byte_tagger
    from tagsmith.training.runs.hierarchical_run import train_tagger as train_tagger
    from tagsmith.training.runs.recipe import ByteRecipe as ByteRecipe
    from tagsmith.training.runs.recipe import Recipe as Recipe
    from tagsmith.training.runs.recipe import read_recipe as read_recipe
    from tagsmith.training.runs.teaching import Teaching as Teaching
    from tagsmith.training.tagging.load_tagger import pipeline as pipeline
    from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER as DEFAULT_TAGGER
    from tagsmith.training.tagging.tagger_folder import check_folder as check_folder
    from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer as ByteTaggerTrainer
    from tagsmith.training.trainers.tagger_trainer import TaggerTrainer as TaggerTrainer

__version__ = "0.2.0"

# Where each public name is defined; the imports above say the same to type checkers.
_MODULE_OF = {
    "BatchTagger": "training.integrations.batch_tagger",
    "ByteCorpus": "training.batches.byte_corpus",
    "ByteRecipe": "training.runs.recipe",
    "ByteSpanTaggingPipeline": "modeling.pipeline_byte_span_tagging",
    "ByteTaggerTrainer": "training.trainers.byte_trainer",
    "ByteToSpanConfig": "modeling.configuration_byte_to_span",
    "ByteToSpanForSpanTagging": "modeling.modeling_byte_to_span",
    "ByteToSpanModel": "modeling.modeling_byte_to_span",
    "ByteToSpanTokenizer": "tokenization.tokenization_byte_to_span",
    "ColumnCorpus": "training.data.column_corpus",
    "ConditionalRandomField": "modeling.crf",
    "DEFAULT_TAGGER": "training.tagging.tagger_folder",
    "Corpus": "training.data.corpus",
    "Gazetteer": "tokenization.gazetteers",
    "HierarchicalTaggerConfig": "modeling.configuration_hierarchical_tagger",
    "HierarchicalTaggerForTokenClassification": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerModel": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerTokenizer": "tokenization.tokenization_hierarchical_tagger",
    "InputError": "tokenization.input_error",
    "ProcessTuning": "training.machine.process_tuning",
    "Recipe": "training.runs.recipe",
    "Span": "tokenization.spans",
    "SpanCodec": "tokenization.span_codec",
    "SpanGrammar": "modeling.span_grammar",
    "SpanCounts": "training.evaluation.span_counts",
    "SpanScore": "training.evaluation.span_metric",
    "score_tags": "training.evaluation.span_counts",
    "SpanTaggingPipeline": "modeling.pipeline_span_tagging",
    "StreamedCorpus": "training.data.corpus",
    "SymbolLayout": "tokenization.span_codec",
    "TaggerCollator": "training.batches.collator",
    "Teaching": "training.runs.teaching",
    "TaggerTrainer": "training.trainers.tagger_trainer",
    "WindowCollator": "training.batches.window_dataset",
    "WindowDataset": "training.batches.window_dataset",
    "check_folder": "training.tagging.tagger_folder",
    "encode_corpus": "training.batches.preparation",
    "label_names": "training.data.corpus",
    "load_corpus": "training.data.corpora",
    "pipeline": "training.tagging.load_tagger",
    "read_recipe": "training.runs.recipe",
    "register": "training.families",
    "score_tagger": "training.evaluation.scoring",
    "tag_names": "tokenization.tag_schemes",
    "train_byte_tagger": "training.runs.byte_run",
    "train_tagger": "training.runs.hierarchical_run",
    "tune_process": "training.machine.process_tuning",
    "training_words": "training.batches.preparation",
}

# What is defined in these modules may meet transformers' Auto classes. Tokenizers and readers do without torch.
_REGISTERING = ("modeling.modeling_", "modeling.pipeline_", "training.trainers.", "training.runs.")

__all__ = ["__version__", *_MODULE_OF]

if not TYPE_CHECKING:  # a type checker would take every misspelt name for something of type Any

    def __getattr__(name: str) -> Any:
        if name == "runtime":
            return import_module("tagsmith.runtime")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'tagsmith' has no attribute {name!r}")
        module = _MODULE_OF[name]
        if module.startswith(_REGISTERING):
            import_module("tagsmith.training.families").register()
        return getattr(import_module(f"tagsmith.{module}"), name)

    def __dir__() -> list[str]:
        return sorted([*globals(), *_MODULE_OF])
