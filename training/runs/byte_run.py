"""A training run of a byte-to-span tagger: corpora of one language or many and a recipe in, a folder out."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict, IterableDataset
from huggingface_hub.errors import StrictDataclassError
from rich.console import Console
from torch import Tensor
from transformers import TrainerCallback, TrainingArguments

from tagsmith.modeling.configuration_byte_to_span import ByteToSpanConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.byte_stream import ByteStream, window_stream
from tagsmith.training.batches.endless import EndlessStream
from tagsmith.training.batches.ngram_counts import ngrams_of_bytes
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset
from tagsmith.training.cards.results import Results
from tagsmith.training.cards.run_facts import data_facts, words_per_second
from tagsmith.training.data.corpora import by_name, check_kinds, check_names, said
from tagsmith.training.data.corpus import Corpus, label_names
from tagsmith.training.evaluation.scoring import score_corpora
from tagsmith.training.machine.processor import processor_flags
from tagsmith.training.runs.recipe import ByteRecipe
from tagsmith.training.runs.run_folder import claimed_folder
from tagsmith.training.runs.streamed_run import STREAM_DEFAULTS, all_streamed, for_a_stream, is_streamed
from tagsmith.training.runs.training_run import FinishedRun, TrainingRun
from tagsmith.training.tagging.load_tagger import load_tagger
from tagsmith.training.trainers.byte_trainer import ByteTaggerTrainer
from tagsmith.training.trainers.trainer_arguments import order_seed

# What a model's weights depend on, beside its labels.
SHAPE = ["window_size", "embedding_size", "hidden_size", "num_hidden_layers", "encoder", "attention"]
SHAPE += ["encoder_hidden_size", "encoder_num_layers", "patch_hidden_size", "ngram_sizes", "input_order"]


def train_byte_tagger(
    recipe: ByteRecipe,
    corpora: DatasetDict | Mapping[str, DatasetDict],
    output_dir: str | Path,
    *,
    resume: bool = False,
    overwrite_output_dir: bool = False,
    console: Console | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> FinishedRun:
    """Train a byte-to-span tagger and write it to a folder, as `train_tagger` does a hierarchical one.

    Args:
        recipe: the run's choices.
        corpora: one corpus, or several by name, as a language; "train" of each, and "dev" (see `load_corpus` for its
            other names) of those to be scored. Their windows are shuffled together.
        output_dir: the folder, made where it is missing.
        resume: continue from the last checkpoint in the folder, if there is one.
        overwrite_output_dir: replace an earlier tagger in the folder, or files by the names of a tagger's.
        console: where progress is shown; standard error by default.
        callbacks: of `transformers`, for the trainer: they see every step, and may end the training.

    Returns:
        What `results.json` holds, a mapping, in which "dev" has the scores, those of each corpus by its name where
        there are names. Its attributes `recipe` and `trainer` are the recipe as the data settled it, and the trainer.

    Raises:
        InputError: data, recipe and files that do not fit together; the folder has files that the run would
            overwrite, and neither `resume` nor `overwrite_output_dir` is set; another run is writing it.
        OSError: the folder cannot be written.
    """
    with claimed_folder(output_dir, resume=resume, overwrite=overwrite_output_dir):
        return _train(recipe, corpora, output_dir, resume, console, callbacks)


def _train(
    recipe: ByteRecipe,
    corpora: DatasetDict | Mapping[str, DatasetDict],
    output_dir: str | Path,
    resume: bool,
    console: Console | None,
    callbacks: Sequence[TrainerCallback],
) -> FinishedRun:
    """The run itself, in a folder that is its own."""
    if "train_sampling_strategy" in recipe.training:
        fix = "Leave training.train_sampling_strategy out."
        raise InputError("windows are always drawn at random, and training.train_sampling_strategy is set", fix=fix)
    given = by_name(corpora)
    if streamed := is_streamed(given):
        recipe, given = for_a_stream(recipe), all_streamed(given)
    dev = {name: corpus["dev"] for name, corpus in given.items() if "dev" in corpus}
    defaults: dict[str, Any] = {"per_device_eval_batch_size": 256, "remove_unused_columns": False}
    defaults.update(bf16=trains_in_bfloat16(), **(STREAM_DEFAULTS if streamed else {}))
    run = TrainingRun(recipe, defaults, bool(dev), output_dir, resume, console, callbacks)
    labels = _labels(given)
    encoded = _encode(given, labels, run.console)
    model = make_byte_model(recipe, labels, encoded)
    window_size = model.config.window_size
    _say_too_long(dict(zip(given, encoded, strict=True)), window_size, run.console)
    tokenizer = ByteToSpanTokenizer(window_size, labels)
    if not 0 <= recipe.line_share <= 1:
        raise InputError(f"line_share is {recipe.line_share}, and must lie between 0 and 1")
    config = model.config
    options = {"line_share": recipe.line_share, "tags": config.tag_loss > 0, "span_order": config.span_order}
    windows = _windows(encoded, recipe.balance, run.arguments, {"layout": tokenizer.layout, **options})
    count = sum(map(len, encoded))
    run.console.print(
        f"{'a stream of ' if streamed else ''}{count:,} training windows, {len(labels)} labels, "
        f"{model.num_parameters():,} parameters",
        highlight=False,
    )
    results = run.train(
        ByteTaggerTrainer,
        recipe,
        model,
        balance=recipe.balance,
        train_dataset=windows,
        eval_dataset=dev or None,
        data_collator=WindowCollator(),
        processing_class=tokenizer,
    )
    results.train_windows, results.data, results.letters = count, data_facts(given), _letters(encoded, recipe)
    if dev:
        pipeline = ByteSpanTaggingPipeline(model=model.eval(), tokenizer=tokenizer, task="span-tagging")
        started = time.monotonic()
        results.set_scores("dev", score_corpora(pipeline, dev, bootstrap=True))
        results.words_per_second = words_per_second(results.data, "dev", time.monotonic() - started)
    return run.finish(results)


def _letters(corpora: Sequence[ByteCorpus | ByteStream], recipe: ByteRecipe) -> dict[str, int]:
    """Letters of training data by script, with those of an earlier tagger; none where that does not tell its own."""
    letters = sum((corpus.letters() for corpus in corpora), Counter[str]())
    if recipe.start_from is not None:
        earlier = Results.read(recipe.start_from).letters
        letters = letters + Counter(earlier) if earlier else Counter()
    return dict(letters.most_common())


def check_corpora(recipe: ByteRecipe, names: Collection[str]) -> None:
    """See that a recipe and the names of its corpora go together.

    Raises:
        InputError: one of several corpora has the name of all scores together.
    """
    check_names(names)


def trains_in_bfloat16() -> bool:
    """Whether that is faster here: on a GPU that has bfloat16, and on a CPU that multiplies it in tiles (AMX).

    On other CPUs one kernel of float32 reads all steps of an LSTM, and is faster than steps in bfloat16.
    """
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return "amx_bf16" in processor_flags()


def _labels(corpora: Mapping[str, Corpus]) -> list[str]:
    """The labels of all corpora, after a look whether these go together."""
    check_kinds(corpora)
    # Labels that only dev has can never be found, but they must be known to be counted as missed.
    labels = sorted({label for corpus in corpora.values() for rows in corpus.values() for label in label_names(rows)})
    if not any(label_names(corpus["train"]) for corpus in corpora.values()):
        raise InputError("the training data has no spans: there is nothing to learn")
    return labels


def make_byte_model(
    recipe: ByteRecipe, labels: list[str], corpora: Sequence[ByteCorpus | ByteStream]
) -> ByteToSpanForSpanTagging:
    """A fresh model, or a trained one with the labels and n-grams of the new data.

    Raises:
        InputError: the recipe's model does not fit, or not the trained one.
    """
    try:
        config = ByteToSpanConfig.for_tags(labels, **recipe.model)
    except (TypeError, ValueError, StrictDataclassError) as error:
        raise InputError(f"the recipe's model does not fit: {error.__cause__ or error}") from error
    ngrams = _ngrams(config, corpora)
    if recipe.start_from is None:
        config.ngram_rows = len(ngrams)
        model = ByteToSpanForSpanTagging(config)
        if model.model.ngrams is not None:
            model.model.ngrams.know(ngrams)
        return model
    if not recipe.start_from:
        raise InputError("the recipe continues from a trained tagger", fix="Name it with --set start_from=FOLDER.")
    earlier = load_tagger(recipe.start_from).model.config
    if not isinstance(earlier, ByteToSpanConfig):
        raise InputError(f"start_from is a {earlier.model_type}", path=recipe.start_from)
    _check_shape(earlier, config, recipe.start_from)
    choices = {name: value for name, value in recipe.model.items() if name != "ngram_rows"}
    tagger: ByteToSpanForSpanTagging = ByteToSpanForSpanTagging.from_pretrained(
        recipe.start_from, labels=labels, dtype=torch.float32, **choices
    )
    if tagger.model.ngrams is not None:
        tagger.model.add_ngrams(ngrams)
    return tagger


def _check_shape(earlier: ByteToSpanConfig, config: ByteToSpanConfig, place: str) -> None:
    """An earlier tagger's weights must fit."""
    found, wanted = ({name: _written(config, name) for name in [*SHAPE, "tag_loss"]} for config in (earlier, config))
    other = [name for name in SHAPE if found[name] != wanted[name]]
    other += ["tag_loss"] if bool(earlier.tag_loss) != bool(config.tag_loss) else []
    if not other:
        return
    settings = [f"--set model.{name}={found[name]}" for name in other]
    if config.decode == "tags" and not earlier.tag_loss:
        settings.append("--set model.decode=spans")
    differ = ", ".join(f"{name} {found[name]}, and the recipe {wanted[name]}" for name in other)
    raise InputError(f"start_from has {differ}", path=place, fix=f"Pass {' '.join(settings)}.")


def _written(config: ByteToSpanConfig, name: str) -> str:
    """A field as `--set` takes it."""
    value = getattr(config, name)
    return json.dumps(value or [], separators=(",", ":")) if name == "ngram_sizes" else str(value)


def _ngrams(config: ByteToSpanConfig, corpora: Sequence[ByteCorpus | ByteStream]) -> Tensor:
    """The n-grams that the training data has often enough; none for a model without."""
    texts = (block.data for corpus in corpora if config.ngram_sizes for block in corpus.blocks())
    return ngrams_of_bytes(texts, config.ngram_sizes or [], config.ngram_min_count, config.ngram_rows)


def _encode(corpora: Mapping[str, Corpus], labels: list[str], console: Console) -> list[ByteCorpus | ByteStream]:
    """Corpora as bytes; what the tagger will not see of them is said."""
    encoded: list[ByteCorpus | ByteStream] = []
    for name, given in corpora.items():
        rows, plain = given["train"], given.is_plain()
        streamed = isinstance(rows, IterableDataset)
        corpus = ByteStream(rows, labels, plain) if streamed else ByteCorpus.of(rows, labels, plain)
        if corpus.shared:
            message = f"{said(name)}{corpus.shared:,} words share their place with the word before, and were left out"
            console.print(message, style="yellow")
        encoded.append(corpus)
    return encoded


def _windows(
    corpora: list[Any], balance: bool, arguments: TrainingArguments, options: dict[str, Any]
) -> WindowDataset | EndlessStream:
    """The windows of corpora that are held, or of streams: as many as the run draws."""
    if not isinstance(corpora[0], ByteStream):
        return WindowDataset(corpora, **options)
    batch = arguments.train_batch_size * arguments.world_size * arguments.gradient_accumulation_steps
    return window_stream(corpora, order_seed(arguments), arguments.max_steps * batch, balance, **options)


def _say_too_long(corpora: Mapping[str, ByteCorpus | ByteStream], window_size: int, console: Console) -> None:
    for name, corpus in corpora.items():
        if too_long := corpus.count_too_long(window_size):
            message = f"{too_long:,} spans are longer than the window of {window_size} bytes, and not learnt"
            console.print(f"{said(name)}{message}", style="yellow")
