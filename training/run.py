"""A training run: corpus and recipe in, a folder with a tagger, its scores and its resolved recipe out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from huggingface_hub.errors import StrictDataclassError
from rich.console import Console

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.gazetteers import Gazetteer
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tag_schemes import canonical_scheme, tag_names
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.tokenization.word_vectors import read_word_vectors
from tagsmith.tokenization.words import SPLITTERS
from tagsmith.training.collator import TaggerCollator
from tagsmith.training.corpora import is_plain, label_names
from tagsmith.training.preparation import choose_splitter, encode_corpus, training_words
from tagsmith.training.recipe import Recipe
from tagsmith.training.scoring import score_tagger
from tagsmith.training.tagger_trainer import TaggerTrainer
from tagsmith.training.training_run import TrainingRun


def train_tagger(
    recipe: Recipe,
    corpus: DatasetDict,
    output_dir: str | Path,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train a hierarchical tagger and write it to a folder.

    The folder holds the model and its tokenizer as `from_pretrained` wants them, `recipe.yaml` (resolved: the very
    numbers of this run), `results.json` (dev scores, minutes, sizes) and `checkpoints/`, which only a resumed run
    needs.

    Args:
        recipe: the run's choices.
        corpus: "train" and, for scores and for choosing the best checkpoint, "dev".
        output_dir: the folder, made where it is missing.
        resume: go on from the last checkpoint in the folder, if there is one.
        console: where progress is shown; standard error by default.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: data, recipe and files that do not fit together; checkpoints of an earlier run in the folder,
            unless `resume` is set.
        OSError: the folder cannot be written.
    """
    run = TrainingRun(recipe, _defaults(has_dev="dev" in corpus), output_dir, resume, console)
    recipe, tokenizer, tags = _vocabularies(recipe, corpus)
    encoded, misaligned = encode_corpus(corpus, tokenizer, tags, recipe.tag_scheme)
    _report_losses(corpus, encoded, misaligned, run.console)
    model = _model(recipe, tokenizer, tags)
    run.console.print(
        f"{len(encoded['train']):,} training sentences, {tokenizer.vocab_size:,} words, {len(tags)} tags, "
        f"{model.num_parameters():,} parameters",
        highlight=False,
    )
    facts = run.train(
        TaggerTrainer,
        recipe,
        model,
        train_dataset=encoded["train"],
        eval_dataset=encoded.get("dev"),
        data_collator=TaggerCollator(tokenizer),
        processing_class=tokenizer,
    )
    results = {**facts, "train_sentences": len(encoded["train"])}
    if "dev" in corpus:
        pipeline = SpanTaggingPipeline(model=model.eval(), tokenizer=tokenizer, task="span-tagging")
        results["dev"] = score_tagger(pipeline, corpus["dev"])
    run.write(results)
    return results


def _report_losses(corpus: DatasetDict, encoded: DatasetDict, misaligned: Mapping[str, int], console: Console) -> None:
    """Say what of the corpus the tagger will not see as it stands there."""
    for name, count in misaligned.items():
        if count:
            console.print(
                f"{name}: {count:,} spans do not begin and end where words do; they were widened to whole words, or "
                "left out where those belong to another span",
                style="yellow",
            )
        if empty := len(corpus[name]) - len(encoded[name]):
            console.print(f"{name}: {empty:,} sentences without words were left out", style="yellow")
    for name, split in encoded.items():
        if not len(split):
            raise InputError(f"the {name} data has no words")


def _defaults(has_dev: bool) -> dict[str, Any]:
    """Training arguments where the recipe leaves them open: a checkpoint an epoch, and the best on dev in the end."""
    return {
        "train_sampling_strategy": "group_by_length",
        "save_strategy": "epoch",
        "logging_strategy": "epoch",
        "save_total_limit": 2,
        "eval_strategy": "epoch" if has_dev else "no",
        "load_best_model_at_end": has_dev,
        "metric_for_best_model": "f1" if has_dev else None,
        "per_device_eval_batch_size": 64,
        "disable_tqdm": True,
    }


def _vocabularies(recipe: Recipe, corpus: DatasetDict) -> tuple[Recipe, HierarchicalTaggerTokenizer, list[str]]:
    """The tokenizer and the tags that a corpus calls for, and the recipe with what was left open filled in."""
    train = corpus["train"]
    if not len(train):
        raise InputError("the training data has no sentences")
    if not label_names(train):
        raise InputError("the training data has no spans: there is nothing to learn")
    plain = is_plain(train)
    scheme = "plain" if plain else canonical_scheme(recipe.tag_scheme)
    if scheme == "plain" and not plain:
        raise InputError("the recipe's tag_scheme is plain, and the data has spans", fix="Set tag_scheme to BIOES.")
    if "dev" in corpus and is_plain(corpus["dev"]) != plain:
        raise InputError(
            "train and dev do not have the same kind of tags: one has spans, the other a plain tag for each word",
            fix="Name the column of the tags for both with --tag-column.",
        )
    options = dataclasses.asdict(recipe.tokenizer)
    if options["splitter"] == "auto":
        options["splitter"] = choose_splitter(train, plain)
    if options["splitter"] not in SPLITTERS:
        raise InputError(
            f"there is no splitter {options['splitter']!r}", fix=f"Use one of auto, {', '.join(SPLITTERS)}."
        )
    recipe = dataclasses.replace(recipe, tag_scheme=scheme, tokenizer=dataclasses.replace(recipe.tokenizer, **options))
    extra: list[str] = []
    if recipe.vectors.path and recipe.vectors.extend:
        extra, _ = read_word_vectors(recipe.vectors.path, limit=recipe.vectors.extend)
    gazetteer = None
    if recipe.gazetteers.files:
        lists = recipe.gazetteers
        gazetteer = Gazetteer(dict(lists.files), encoding=lists.encoding, case_sensitive=lists.case_sensitive)
    words = training_words(train, options["splitter"], scheme)
    tokenizer = HierarchicalTaggerTokenizer.train(words, extra_words=extra, gazetteer=gazetteer, **options)
    # Labels that only dev has can never be found, but they must have a tag to be counted as missed.
    labels = sorted(set().union(*(label_names(split) for split in corpus.values())))
    return recipe, tokenizer, tag_names(labels, scheme)


def _model(
    recipe: Recipe, tokenizer: HierarchicalTaggerTokenizer, tags: list[str]
) -> HierarchicalTaggerForTokenClassification:
    try:
        config = HierarchicalTaggerConfig(
            **recipe.model,
            tag_scheme=recipe.tag_scheme,
            vocab_size=tokenizer.vocab_size,
            character_vocab_size=tokenizer.character_vocab_size,
            rare_word_id=tokenizer.rare_word_id,
            gazetteer_size=tokenizer.gazetteer.num_features if tokenizer.gazetteer else 0,
            id2label=dict(enumerate(tags)),
            label2id={tag: index for index, tag in enumerate(tags)},
        )
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise InputError(f"the recipe's model does not fit: {error.__cause__ or error}") from error
    model = HierarchicalTaggerForTokenClassification(config)
    if recipe.vectors.path:
        words, vectors = read_word_vectors(recipe.vectors.path, tokenizer.words, normalize=tokenizer.normalize)
        if vectors.shape[1] != config.word_embedding_size:
            raise InputError(
                f"the vectors have {vectors.shape[1]} numbers, and the model's words {config.word_embedding_size}",
                path=recipe.vectors.path,
                fix=f"Set model.word_embedding_size={vectors.shape[1]}.",
            )
        ids = torch.tensor(tokenizer.convert_tokens_to_ids(words), dtype=torch.long)
        model.encoder.set_word_vectors(ids, torch.from_numpy(vectors))
    return model
