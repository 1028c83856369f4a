"""A training run: corpus and recipe in, a folder with a tagger, its scores and its resolved recipe out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict, IterableDataset, concatenate_datasets
from huggingface_hub.errors import StrictDataclassError
from rich.console import Console
from transformers import TrainerCallback

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_hierarchical_tagger import HierarchicalTaggerTokenizer
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.batches.lessons import LessonCollator
from tagsmith.training.batches.passages import joined
from tagsmith.training.batches.preparation import encode_corpus
from tagsmith.training.cards.results import Results
from tagsmith.training.cards.run_facts import data_facts, words_per_second
from tagsmith.training.data.corpora import by_name, check_kinds, said
from tagsmith.training.data.corpus import Corpus
from tagsmith.training.data.corpus_cache import private_cache
from tagsmith.training.evaluation.scoring import score_corpora
from tagsmith.training.runs.earlier_tagger import EarlierTagger, earlier_tagger, freeze
from tagsmith.training.runs.pretrained_vectors import reach_of, set_vectors
from tagsmith.training.runs.recipe import Recipe
from tagsmith.training.runs.run_folder import claimed_folder
from tagsmith.training.runs.streamed_run import (
    STREAM_DEFAULTS,
    all_streamed,
    encoded_streams,
    for_a_stream,
    is_streamed,
    sentence_stream,
)
from tagsmith.training.runs.teaching import Teaching
from tagsmith.training.runs.training_run import FinishedRun, TrainingRun, stored_bytes
from tagsmith.training.runs.vocabularies import Corpora, Vocabularies, build_vocabularies
from tagsmith.training.trainers.distilling_trainer import DistillingTrainer
from tagsmith.training.trainers.joint_trainer import JointTaggerTrainer
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer
from tagsmith.training.trainers.trainer_arguments import order_seed

# Training arguments where the recipe leaves them open. Buffers do not change while training: processes need not send
# the vectors of words that are not trained to each other at every step.
DEFAULTS = {
    "train_sampling_strategy": "group_by_length",
    "per_device_eval_batch_size": 64,
    "ddp_broadcast_buffers": False,
}

# Options of a recipe that its trainer takes.
_OF_TRAINER = ("mention_replacement", "lowercase_share", "consistency")


def train_tagger(
    recipe: Recipe,
    corpora: DatasetDict | Mapping[str, DatasetDict],
    output_dir: str | Path,
    *,
    resume: bool = False,
    overwrite_output_dir: bool = False,
    console: Console | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    teaching: Teaching | None = None,
) -> FinishedRun:
    """Train a hierarchical tagger and write it to a folder.

    The folder holds the model and its tokenizer as `from_pretrained` wants them, `recipe.yaml` (resolved: the very
    numbers of this run), `results.json` (dev scores, minutes, sizes) and `checkpoints/`, which only a resumed run
    needs.

    Args:
        recipe: the run's choices. With `sharing` in its `model` the tagger has heads, by the corpora's names.
        corpora: one corpus, or several by name: "train" of each and, for scores and for choosing the best checkpoint,
            "dev" (or one of the names that `load_corpus` takes for it). A tagger without heads is trained on all of
            them together, and scored on each. Where one is streamed, all are: read several times for their labels and
            words, then as they are wanted, for the recipe's `training.max_steps`.
        output_dir: the folder, made where it is missing.
        resume: continue from the last checkpoint in the folder, if there is one.
        overwrite_output_dir: replace an earlier tagger in the folder, or files by the names of a tagger's.
        console: where progress is shown; standard error by default.
        callbacks: of `transformers`, for the trainer: they see every step, and may end the training.
        teaching: by which taggers this one is taught, beside the tags of its data; for a tagger of one head.

    Returns:
        What `results.json` holds, a mapping, in which "dev" has the scores, by name where corpora or heads have
        names. Its attributes `recipe` and `trainer` are the recipe as the data settled it, and the trainer.

    Raises:
        InputError: data, recipe and files that do not fit together; the folder has files that the run would
            overwrite, and neither `resume` nor `overwrite_output_dir` is set; another run is writing it.
        OSError: the folder cannot be written.
    """
    with claimed_folder(output_dir, resume=resume, overwrite=overwrite_output_dir):
        return _train(recipe, corpora, output_dir, resume, console, callbacks, teaching)


def _train(
    recipe: Recipe,
    corpora: DatasetDict | Mapping[str, DatasetDict],
    output_dir: str | Path,
    resume: bool,
    console: Console | None,
    callbacks: Sequence[TrainerCallback],
    teaching: Teaching | None,
) -> FinishedRun:
    """The run itself, in a folder that is its own."""
    joint = recipe.model.get("sharing") is not None
    given = by_name(corpora)
    if teaching is not None:
        teaching.check(recipe, is_streamed(given))
    check_heads(recipe, given)
    has_dev = ["dev" in corpus for corpus in given.values()]
    if joint and any(has_dev) != all(has_dev):
        raise InputError(
            "some heads have dev data, and some have none", fix="Give --dev for all of them, or for none."
        )
    if streamed := is_streamed(given):
        recipe, given = for_a_stream(recipe), all_streamed(given)
    defaults = {**DEFAULTS, **({**STREAM_DEFAULTS, "train_sampling_strategy": "random"} if streamed else {})}
    run = TrainingRun(recipe, defaults, any(has_dev), output_dir, resume, console, callbacks)
    earlier = earlier_tagger(recipe)
    if earlier is not None:
        recipe = earlier.shaped(recipe)
    given = _sample(recipe, given, run.arguments.seed)
    read = _in_passages(recipe, given, run)
    named: dict[Any, Corpus] = dict(read) if joint else {None: _together(read)}
    vocabularies = build_vocabularies(recipe, named, earlier, teaching)
    encoded = _encode(vocabularies, named, run.console)
    model = _model(vocabularies, earlier, run.console)
    freeze(model, recipe.freeze)
    _say_sizes(run.console, vocabularies, encoded, model)
    if earlier is None:
        _say_reach(run.console, vocabularies, encoded)
    data: dict[str, Any] = {
        split: {name: parts[split] for name, parts in encoded.items() if split in parts} for split in ("train", "dev")
    }
    if streamed:
        data["train"] = encoded_streams(vocabularies, read)
        if not joint:
            data["train"] = {None: sentence_stream(data["train"], read, order_seed(run.arguments))}
    collator, trainer = TaggerCollator(vocabularies.tokenizer), _trainer_class(recipe, joint, teaching)
    if teaching is not None:
        data["train"], collator = _taught(teaching, run, vocabularies, named[None], data["train"])
    results = run.train(
        partial(trainer, **{name: getattr(recipe, name) for name in _OF_TRAINER}),
        vocabularies.recipe,
        model,
        train_dataset=data["train"] if joint else data["train"][None],
        eval_dataset=data["dev"] or None if joint else data["dev"].get(None),
        data_collator=collator,
        processing_class=vocabularies.tokenizer,
    )
    if not streamed:
        in_passages = sum(len(given[name]["train"]) - len(read[name]["train"]) for name in given)
        results.train_sentences = in_passages + sum(map(len, data["train"].values()))
    results.data = data_facts(given)
    if teaching is not None:
        results.teachers = teaching.facts()
    if data["dev"]:
        _score(results, model, vocabularies.tokenizer, given)
    return run.finish(results)


def _score(
    results: Results,
    model: HierarchicalTaggerForTokenClassification,
    tokenizer: HierarchicalTaggerTokenizer,
    corpora: Mapping[str, Corpus],
) -> None:
    """Score the finished tagger on all dev data, as any tagger is scored."""
    pipeline = SpanTaggingPipeline(model=model.eval(), tokenizer=tokenizer, task="span-tagging")
    pipeline.says_shortened = False  # it is said of the data
    started = time.monotonic()
    dev = {name: corpus["dev"] for name, corpus in corpora.items() if "dev" in corpus}
    results.set_scores("dev", score_corpora(pipeline, dev, bootstrap=True))
    results.words_per_second = words_per_second(results.data, "dev", time.monotonic() - started)


def _in_passages(recipe: Recipe, corpora: Mapping[str, Corpus], run: TrainingRun) -> dict[str, Corpus]:
    """The corpora as they are read; a batch has as many passages as come nearest to its number of sentences."""
    if not recipe.tokenizer.passage_words:
        return dict(corpora)
    with private_cache():
        read = {name: joined(corpus, recipe.tokenizer.passage_words) for name, corpus in corpora.items()}
    sentences, passages = (sum(_count(corpus["train"]) for corpus in own.values()) for own in (corpora, read))
    if sentences:
        size = run.arguments.per_device_train_batch_size * passages / sentences
        run.arguments.per_device_train_batch_size = max(round(size), 1)
    return read


def _count(rows: Dataset | IterableDataset) -> int:
    return len(rows) if isinstance(rows, Dataset) else sum(1 for _ in rows)


def _trainer_class(recipe: Recipe, joint: bool, teaching: Teaching | None) -> Callable[..., TaggerTrainer]:
    if joint:
        return partial(JointTaggerTrainer, epoch_head=recipe.epoch_head, head_batches=recipe.head_batches)
    return TaggerTrainer if teaching is None else partial(DistillingTrainer, teacher_weight=teaching.weight)


def _taught(
    teaching: Teaching, run: TrainingRun, vocabularies: Vocabularies, corpus: Corpus, train: dict[str | None, Dataset]
) -> tuple[dict[str | None, Dataset], LessonCollator]:
    """A student's training sentences, and what brings each its lesson."""
    arguments, tokenizer = run.arguments, vocabularies.tokenizer
    with arguments.main_process_first(desc="lessons"):  # the others find them made
        folder = Path(str(arguments.output_dir))
        rows, lessons = teaching.teach(tokenizer, corpus, train[None], folder, arguments.device, run.console)
    return {None: rows}, LessonCollator(tokenizer, lessons)


def check_heads(recipe: Recipe, names: Collection[str]) -> None:
    """See that a recipe and the names of its corpora go together.

    Raises:
        InputError: heads without a name; a recipe that speaks of heads that are not there, or of less than a batch.
    """
    joint = recipe.model.get("sharing") is not None
    if joint and "" in names:
        raise InputError("this recipe trains heads, and each needs a name", fix="Name it, like --train ner=FILE.")
    heads = list(names) if joint else []
    epoch_head = [] if recipe.epoch_head is None else [recipe.epoch_head]
    for key, named in {"epoch_head": epoch_head, "head_batches": recipe.head_batches}.items():
        if unknown := [name for name in named if name not in heads]:
            raise InputError(
                f"{key} names {unknown[0]!r}, which is no head of this run",
                fix=f"Heads here: {', '.join(sorted(heads))}." if heads else "Only a run with sharing has heads.",
            )
    for name, batches in recipe.head_batches.items():
        if not isinstance(batches, int) or batches < 1:
            raise InputError(f"head_batches.{name} is {batches!r}, and must be a whole number of at least 1")


def _together(corpora: Mapping[str, Corpus]) -> Corpus:
    """Corpora for one head as one, in their order."""
    if len(corpora) == 1:
        return next(iter(corpora.values()))
    check_kinds(corpora, "Or give each a head with --set model.sharing=encoder.")
    splits = {split for corpus in corpora.values() for split in corpus}
    parts = {split: [corpus[split] for corpus in corpora.values() if split in corpus] for split in sorted(splits)}
    kind = next(iter(corpora.values())).kind()
    return Corpus({split: concatenate_datasets(rows) for split, rows in parts.items()}, kind=kind)


def _encode(vocabularies: Vocabularies, corpora: Corpora, console: Console) -> dict[str | None, DatasetDict]:
    """Each head's data as ids; what of it the tagger will not see as it stands there is said."""
    encoded = {}
    for name, corpus in corpora.items():
        rows, altered = encode_corpus(corpus, vocabularies.tokenizer, *vocabularies.heads[name])
        for split, (misaligned, shortened) in altered.items():
            if shortened:
                line = vocabularies.tokenizer.describe_shortened(shortened)
                console.print(f"{said(name)}{split}: {line}", style="yellow")
            if misaligned:
                console.print(
                    f"{said(name)}{split}: {misaligned:,} spans do not begin and end where words do; they were "
                    "widened to whole words, or left out where those belong to another span",
                    style="yellow",
                )
            if split not in altered:  # a stream
                continue
            if empty := len(corpus[split]) - len(rows[split]):
                console.print(f"{said(name)}{split}: {empty:,} sentences without words were left out", style="yellow")
            if not len(rows[split]):
                raise InputError(f"{said(name)}the {split} data has no words")
        encoded[name] = rows
    return encoded


def _sample(recipe: Recipe, corpora: Mapping[str, Corpus], seed: int) -> dict[str, Corpus]:
    """Each corpus's labelling rate of its training sentences, drawn at random, in their order; dev as it is."""
    rate, sampled = recipe.labelling_rate, {}
    if isinstance(rate, dict) and (unknown := set(rate) - set(corpora)):
        raise InputError(f"labelling_rate names {min(unknown)!r}, which is no data of this run")
    for name, corpus in corpora.items():
        own = rate.get(name, 1.0) if isinstance(rate, dict) else rate
        if not isinstance(own, int | float) or not 0 < own <= 1:
            raise InputError(f"{said(name)}labelling_rate is {own}, and must be above 0 and at most 1")
        if own == 1:
            sampled[name] = corpus
            continue
        rows = corpus["train"]
        chosen = np.random.default_rng(seed).permutation(len(rows))[: max(round(own * len(rows)), 1)]
        sampled[name] = corpus.replaced("train", rows.select(sorted(chosen.tolist())))
    return sampled


def _model(
    vocabularies: Vocabularies, earlier: EarlierTagger | None, console: Console
) -> HierarchicalTaggerForTokenClassification:
    """A fresh tagger, with pretrained vectors and what an earlier tagger has learnt in place."""
    config = _config(vocabularies, earlier)
    model = HierarchicalTaggerForTokenClassification(config)
    recipe, tokenizer = vocabularies.recipe, vocabularies.tokenizer
    if vocabularies.ngrams is not None:
        model.encoder.set_ngrams(vocabularies.ngrams, tokenizer.characters)
    if earlier is not None and (left := earlier.hand_down(model, tokenizer, recipe.freeze)):
        console.print(f"of start_from there is no place here for {', '.join(left)}", style="yellow")
    set_vectors(model, tokenizer, vocabularies.vectors)
    return model


def _config(vocabularies: Vocabularies, earlier: EarlierTagger | None) -> HierarchicalTaggerConfig:
    recipe, tokenizer, heads, _, ngrams = vocabularies
    sizes = {name: len(words) + 2 for name, words in tokenizer.vocabularies.items()}
    rare, frozen = tokenizer.rare_word_id, tokenizer.frozen_word_id
    parts: dict[str, Any]
    if None in heads:
        tags, parts = heads[None].tags, {}
    else:
        shapes = {**(earlier.heads if earlier else {}), **heads}
        tags, parts = [], {"heads": {name: shape.to_dict() for name, shape in shapes.items()}}
    if isinstance(rare, Mapping):
        parts["languages"] = {
            name: {"vocab_size": size, "rare_word_id": rare[str(name)]} for name, size in sizes.items()
        }
        for language, first in frozen.items() if isinstance(frozen, Mapping) else ():
            parts["languages"][language]["frozen_word_id"] = first
    else:
        parts.update(vocab_size=sizes[None], rare_word_id=rare, frozen_word_id=frozen)
    try:
        return HierarchicalTaggerConfig.for_tags(
            tags,
            **{**recipe.model, "ngram_rows": 0 if ngrams is None else len(ngrams)},
            **parts,
            tag_scheme=recipe.tag_scheme if None in heads else "BIOES",
            character_vocab_size=tokenizer.character_vocab_size,
            rare_character_id=tokenizer.rare_character_id,
            gazetteer_size=tokenizer.gazetteer.num_features if tokenizer.gazetteer else 0,
        )
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise InputError(f"the recipe's model does not fit: {error.__cause__ or error}") from error


def _say_sizes(
    console: Console,
    vocabularies: Vocabularies,
    encoded: Mapping[str | None, DatasetDict],
    model: HierarchicalTaggerForTokenClassification,
) -> None:
    tokenizer = vocabularies.tokenizer
    extra = sum(len(tokenizer.split_vocabulary(language)[2]) for language in tokenizer.vocabularies)
    words = sum(map(len, tokenizer.vocabularies.values())) + 2 - extra
    megabytes = (stored_bytes(model, vocabularies.recipe.stored_as) + tokenizer.stored_bytes()) / 1e6
    more = f" and {extra:,} with vectors that are not trained" if extra else ""
    sizes = f"{words:,} words{more}, {model.num_parameters():,} parameters, {megabytes:.1f} MB"
    for name, rows in encoded.items():
        streamed = isinstance(rows["train"], IterableDataset)
        count = "a stream of" if streamed else f"{len(rows['train']):,}"
        unit = "passages" if tokenizer.passage_words else "sentences"
        line = f"{said(name)}{count} training {unit}, {len(vocabularies.heads[name].tags)} tags"
        console.print(line if name else f"{line}, {sizes}", highlight=False)
    if None not in encoded:
        console.print(sizes, highlight=False)


def _say_reach(console: Console, vocabularies: Vocabularies, encoded: Mapping[str | None, DatasetDict]) -> None:
    """How many words of the dev data have a pretrained vector, and how many would have one without `extend`."""
    for name, rows in encoded.items():
        language = vocabularies.heads[name].language
        if "dev" not in rows or language not in vocabularies.vectors:
            continue
        reach = reach_of(rows["dev"], vocabularies.tokenizer, vocabularies.vectors[language], language)
        line = f"{said(name)}dev: {reach.all / reach.words:.1%} of {reach.words:,} words have a pretrained vector"
        if reach.trained < reach.all:
            line += f"; of words of the training data alone, {reach.trained / reach.words:.1%} would"
        console.print(line, highlight=False)
