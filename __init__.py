"""tagsmith: compact sequence taggers from scratch.

Importing this package is quick: its names load what they need when they are first used. It also makes its models,
tokenizers and the pipeline `span-tagging` known to transformers: at once where transformers' Auto classes are already
imported, else in the moment they are.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline

__version__ = "0.1.0"

_MODULE_OF = {
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
    "Gazetteer": "tokenization.gazetteers",
    "HierarchicalTaggerConfig": "modeling.configuration_hierarchical_tagger",
    "HierarchicalTaggerForTokenClassification": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerModel": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerTokenizer": "tokenization.tokenization_hierarchical_tagger",
    "InputError": "tokenization.input_error",
    "Recipe": "training.runs.recipe",
    "Span": "tokenization.spans",
    "SpanCodec": "tokenization.span_codec",
    "SpanGrammar": "modeling.span_grammar",
    "SpanScore": "training.evaluation.span_metric",
    "SpanTaggingPipeline": "modeling.pipeline_span_tagging",
    "SymbolLayout": "tokenization.span_codec",
    "TaggerCollator": "training.batches.collator",
    "TaggerTrainer": "training.trainers.tagger_trainer",
    "WindowCollator": "training.batches.window_dataset",
    "WindowDataset": "training.batches.window_dataset",
    "encode_corpus": "training.batches.preparation",
    "label_names": "training.data.corpora",
    "load_corpus": "training.data.corpora",
    "read_recipe": "training.runs.recipe",
    "score_tagger": "training.evaluation.scoring",
    "tag_names": "tokenization.tag_schemes",
    "train_byte_tagger": "training.runs.byte_run",
    "train_tagger": "training.runs.hierarchical_run",
    "training_words": "training.batches.preparation",
}

# The tagger that comes with the package: people, places and organisations in eight languages.
DEFAULT_TAGGER = os.path.join(os.path.dirname(__file__), "model_cards", "ner-multilingual")

__all__ = ["DEFAULT_TAGGER", "__version__", "check_folder", "pipeline", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tagsmith' has no attribute {name!r}")
    return getattr(import_module(f"tagsmith.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])


def pipeline(model: Any = DEFAULT_TAGGER, **kwargs: Any) -> SpanTaggingPipeline:
    """The span-tagging pipeline of a tagger.

    Args:
        model: a folder, a name on the Hub, or a model (then give its `tokenizer` too); by default the tagger that
            comes with the package (`DEFAULT_TAGGER`).
        **kwargs: what `transformers.pipeline` takes, and the pipeline's own parameters.

    Raises:
        InputError: what is wrong with the folder or the repository, or why the Hub does not give it.
    """
    if isinstance(model, str | os.PathLike):
        from tagsmith.training.tagging.load_tagger import load_tagger

        return cast("SpanTaggingPipeline", load_tagger(model, **kwargs))
    from transformers import pipeline as transformers_pipeline

    return transformers_pipeline("span-tagging", model=model, **kwargs)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """See that a folder has the files of a tagger.

    Where what its tokenizer was made of is missing, transformers takes the defaults, and the tagger would read other
    words than it was trained on.

    Raises:
        InputError: one of them is missing, or holds no JSON that can be read in one way alone.
    """
    if os.path.isdir(os.path.join(folder, "checkpoints")) and not os.path.isfile(os.path.join(folder, "config.json")):
        fix = "If its run has not finished, continue it with its command and --resume."
        raise _not_a_tagger(folder, "config.json is missing", fix)
    kind = _read_json(folder, "config.json").get("model_type")
    _read_json(folder, "tokenizer_config.json")
    if os.path.isfile(os.path.join(folder, "generation_config.json")):
        _read_json(folder, "generation_config.json")
    if kind == "hierarchical-tagger":
        _check_file(folder, "vocab.json")


def _check_file(folder: str | os.PathLike[str], name: str) -> None:
    if not os.path.isfile(os.path.join(folder, name)):
        raise _not_a_tagger(folder, f"{name} is missing")


def _read_json(folder: str | os.PathLike[str], name: str) -> dict[str, Any]:
    from tagsmith.tokenization.input_error import InputError
    from tagsmith.tokenization.strict_json import read_json

    _check_file(folder, name)
    try:
        return read_json(os.path.join(folder, name))
    except InputError as error:
        raise _not_a_tagger(folder, f"{name} cannot be read: {error.message}") from error


def _not_a_tagger(folder: str | os.PathLike[str], reason: str, fix: str | None = None) -> Exception:
    from tagsmith.tokenization.input_error import InputError

    return InputError(f"this is not the folder of a tagger: {reason}", path=os.fspath(folder), fix=fix)


# Each family's class for an Auto class of transformers, and the modules that those are in.
_FAMILIES = [
    {
        "AutoConfig": "HierarchicalTaggerConfig",
        "AutoModel": "HierarchicalTaggerModel",
        "AutoModelForTokenClassification": "HierarchicalTaggerForTokenClassification",
        "AutoTokenizer": "HierarchicalTaggerTokenizer",
    },
    {
        "AutoConfig": "ByteToSpanConfig",
        "AutoModel": "ByteToSpanModel",
        "AutoModelForTokenClassification": "ByteToSpanForSpanTagging",
        "AutoModelForSeq2SeqLM": "ByteToSpanForSpanTagging",
        "AutoTokenizer": "ByteToSpanTokenizer",
    },
]
_AUTO_MODULE_OF = {
    "AutoConfig": "transformers.models.auto.configuration_auto",
    "AutoModel": "transformers.models.auto.modeling_auto",
    "AutoModelForTokenClassification": "transformers.models.auto.modeling_auto",
    "AutoModelForSeq2SeqLM": "transformers.models.auto.modeling_auto",
    "AutoTokenizer": "transformers.models.auto.tokenization_auto",
}


def _register_class(auto: str, name: str, config_name: str) -> None:
    config = __getattr__(config_name)
    key = config.model_type if auto == "AutoConfig" else config
    getattr(sys.modules[_AUTO_MODULE_OF[auto]], auto).register(key, __getattr__(name), exist_ok=True)


def _register_pipeline() -> None:
    registry = sys.modules["transformers.pipelines"].PIPELINE_REGISTRY
    if "span-tagging" not in registry.supported_tasks:  # of a second time transformers warns
        model = import_module("transformers").AutoModelForTokenClassification
        pipeline_class = __getattr__("SpanTaggingPipeline")
        registry.register_pipeline("span-tagging", pipeline_class=pipeline_class, pt_model=model, type="text")


# A module of transformers, one of ours, and what makes them known to each other once both stand.
_REGISTRATIONS: list[tuple[str, str, Callable[[], None]]] = [
    (
        _AUTO_MODULE_OF[_auto],
        f"tagsmith.{_MODULE_OF[_name]}",
        partial(_register_class, _auto, _name, _family["AutoConfig"]),
    )
    for _family in _FAMILIES
    for _auto, _name in _family.items()
] + [("transformers.pipelines", "tagsmith.modeling.pipeline_span_tagging", _register_pipeline)]


def _register_after(name: str) -> None:
    """A module has been imported: register what only waited for it."""
    for theirs, ours, register in _REGISTRATIONS:
        if name in (theirs, ours) and theirs in sys.modules and not (_loading(theirs, name) or _loading(ours, name)):
            import_module(ours)
            register()


def _loading(name: str, done: str) -> bool:
    """Whether a module is half imported: ours import theirs, and must stand before they are registered."""
    return name != done and getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False)


class _RegisteringLoader(Loader):
    """Loads a module as its own loader does, and registers once it stands."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        _register_after(module.__name__)


class _RegisteringFinder(MetaPathFinder):
    """Finds the modules of `_REGISTRATIONS` as Python does, so that their import registers ours."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname in names[:2] for names in _REGISTRATIONS):
            return None
        others = (finder for finder in sys.meta_path if not _is_ours(finder))
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader)
        return spec


def _is_ours(finder: Any) -> bool:
    """Whether a finder is one of these, also of another copy of this module: two would ask each other without end."""
    return type(finder).__name__ == _RegisteringFinder.__name__


if not any(map(_is_ours, sys.meta_path)):
    sys.meta_path.insert(0, _RegisteringFinder())
for _module in dict.fromkeys(names[0] for names in _REGISTRATIONS):
    if _module in sys.modules:
        _register_after(_module)
