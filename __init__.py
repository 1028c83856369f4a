"""tagsmith: compact sequence taggers from scratch.

Importing this package is quick: its names load what they need when they are first used. It also makes its models,
tokenizers and the pipeline `span-tagging` known to transformers: at once where transformers' Auto classes are already
imported, else in the moment they are.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline

__version__ = "0.1.0"

_MODULE_OF = {
    "ColumnCorpus": "training.column_corpus",
    "ConditionalRandomField": "modeling.crf",
    "Gazetteer": "tokenization.gazetteers",
    "HierarchicalTaggerConfig": "modeling.configuration_hierarchical_tagger",
    "HierarchicalTaggerForTokenClassification": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerModel": "modeling.modeling_hierarchical_tagger",
    "HierarchicalTaggerTokenizer": "tokenization.tokenization_hierarchical_tagger",
    "InputError": "tokenization.input_error",
    "Recipe": "training.recipe",
    "Span": "tokenization.spans",
    "SpanScore": "training.span_metric",
    "SpanTaggingPipeline": "modeling.pipeline_span_tagging",
    "TaggerCollator": "training.collator",
    "TaggerTrainer": "training.tagger_trainer",
    "encode_corpus": "training.preparation",
    "label_names": "training.corpora",
    "load_corpus": "training.corpora",
    "read_recipe": "training.recipe",
    "score_tagger": "training.scoring",
    "tag_names": "tokenization.tag_schemes",
    "train_tagger": "training.run",
    "training_words": "training.preparation",
}

__all__ = ["__version__", "check_folder", "pipeline", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'tagsmith' has no attribute {name!r}")
    return getattr(import_module(f"tagsmith.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])


def pipeline(model: Any, **kwargs: Any) -> SpanTaggingPipeline:
    """The span-tagging pipeline of a tagger.

    Args:
        model: a folder, a name on the Hub, or a model (then give its `tokenizer` too).
        **kwargs: what `transformers.pipeline` takes, and the pipeline's own parameters.

    Raises:
        InputError: a folder that lacks a file of a tagger.
    """
    if isinstance(model, str | os.PathLike) and os.path.exists(model):
        check_folder(model)
    from transformers import pipeline as transformers_pipeline

    return transformers_pipeline("span-tagging", model=model, **kwargs)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """See that a folder has the files of a tagger.

    Where its words or their options are missing, transformers takes the defaults, and the tagger would read other
    words than it was trained on.

    Raises:
        InputError: one of them is missing.
    """
    for name in ("config.json", "tokenizer_config.json", "vocab.json"):
        if not os.path.isfile(os.path.join(folder, name)):
            from tagsmith.tokenization.input_error import InputError

            raise InputError(f"this is not the folder of a tagger: {name} is missing", path=os.fspath(folder))


def _register_config(auto: ModuleType, ours: ModuleType) -> None:
    config = ours.HierarchicalTaggerConfig
    auto.AutoConfig.register(config.model_type, config, exist_ok=True)


def _register_model(auto: ModuleType, ours: ModuleType) -> None:
    config = ours.HierarchicalTaggerConfig
    auto.AutoModel.register(config, ours.HierarchicalTaggerModel, exist_ok=True)
    auto.AutoModelForTokenClassification.register(config, ours.HierarchicalTaggerForTokenClassification, exist_ok=True)


def _register_tokenizer(auto: ModuleType, ours: ModuleType) -> None:
    config = import_module("tagsmith.modeling.configuration_hierarchical_tagger").HierarchicalTaggerConfig
    auto.AutoTokenizer.register(config, ours.HierarchicalTaggerTokenizer, exist_ok=True)


def _register_pipeline(pipelines: ModuleType, ours: ModuleType) -> None:
    model = import_module("transformers").AutoModelForTokenClassification
    pipelines.PIPELINE_REGISTRY.register_pipeline(
        "span-tagging", pipeline_class=ours.SpanTaggingPipeline, pt_model=model, type="text"
    )


# A module of transformers, one of ours, and what makes them known to each other once both stand.
_REGISTRATIONS: list[tuple[str, str, Callable[[ModuleType, ModuleType], None]]] = [
    (
        "transformers.models.auto.configuration_auto",
        "tagsmith.modeling.configuration_hierarchical_tagger",
        _register_config,
    ),
    ("transformers.models.auto.modeling_auto", "tagsmith.modeling.modeling_hierarchical_tagger", _register_model),
    (
        "transformers.models.auto.tokenization_auto",
        "tagsmith.tokenization.tokenization_hierarchical_tagger",
        _register_tokenizer,
    ),
    ("transformers.pipelines", "tagsmith.modeling.pipeline_span_tagging", _register_pipeline),
]


def _register_after(name: str) -> None:
    """A module has been imported: register what only waited for it."""
    for theirs, ours, register in _REGISTRATIONS:
        if name in (theirs, ours) and theirs in sys.modules and not (_loading(theirs, name) or _loading(ours, name)):
            register(sys.modules[theirs], import_module(ours))


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
for _names in _REGISTRATIONS:
    if _names[0] in sys.modules:
        _register_after(_names[0])
