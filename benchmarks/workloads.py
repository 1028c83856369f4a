"""What speed.py and scaling.py measure: taggers that learn from the bundled sample, and that tag."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import concatenate_datasets
from matrix_products import (
    decoding_products,
    hierarchical_products,
    reading_products,
    spelling_products,
    symbols_written,
    table_products,
    tag_products,
    training_products,
)
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

import tagsmith
from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.modeling_byte_to_span import ByteToSpanForSpanTagging
from tagsmith.modeling.modeling_hierarchical_tagger import HierarchicalTaggerForTokenClassification
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.input_error import InputError
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches.byte_corpus import ByteCorpus
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.batches.head_sampler import HeadBatchSampler
from tagsmith.training.batches.length_sampler import LengthGroupedSampler
from tagsmith.training.batches.preparation import encode_corpus
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset, WindowSampler
from tagsmith.training.data.corpora import load_corpus
from tagsmith.training.data.corpus import label_names
from tagsmith.training.data.sample import sample_files
from tagsmith.training.runs.byte_run import make_byte_model
from tagsmith.training.runs.pretrained_vectors import set_vectors
from tagsmith.training.runs.recipe import ByteRecipe, Recipe, RunRecipe, VectorOptions, read_recipe
from tagsmith.training.runs.vocabularies import build_vocabularies
from tagsmith.training.trainers.weight_average import WeightAverage

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_WARM = 3  # steps of training, or of tagging, before the clock starts
_WARM_LINES = 16
_STOPS = -1e6  # recall bias with which random weights write nothing but STOP


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        work: "rate"; "profile"; "document", tagging one document; "corpus", training on one of some size; or "crf",
            its loss with gradient and its decoding.
        recipe: whose shape the tagger has.
        mode: "train" or "tag"; of a document, "stream" gives it line by line; of a corpus, "read" ends where training
            begins.
        batch_size: sentences, or windows.
        dtype: in which training multiplies, "bfloat16" by autocast, as the Trainer does it; of tagging, "int8" for
            weights of 8 bits.
        threads: of torch.
        seconds: to measure for, at least.
        lines: of text that are tagged at a time.
        train: column file to learn from, and to make vocabularies of, in place of the sample.
        model: folder of a trained tagger, in place of random weights.
        text: file whose lines are tagged, in place of the sample's.
        settings: changes to the recipe, as `key=value`.
        heads: a hierarchical tagger with so many heads that share all below the output; 0 for one without.
        tags: so many plain tags in place of the sample's; 0 for those.
        size: bytes of a document; sentences of a corpus.
    """

    work: str = "rate"
    recipe: str = "ner"
    mode: str = "train"
    batch_size: int = 32
    dtype: str = "float32"
    threads: int = 1
    seconds: float = 5.0
    lines: int = 1024
    train: str | None = None
    model: str | None = None
    text: str | None = None
    settings: tuple[str, ...] = ()
    heads: int = 0
    tags: int = 0
    size: int = 0


def training_corpus(case: Case) -> Any:
    """What there is to learn from."""
    return load_corpus({"train": case.train or sample_files()["train"]})


def tagger_of(case: Case, corpus: Any) -> tuple[RunRecipe, Any, Any]:
    """The recipe, and a model of its shape with random weights and its tokenizer."""
    recipe = read_recipe(case.recipe, case.settings)
    torch.manual_seed(1)
    if isinstance(recipe, ByteRecipe):
        labels = label_names(corpus["train"])
        model = make_byte_model(recipe, labels, [ByteCorpus.of(corpus["train"], labels)])
        return recipe, model, ByteToSpanTokenizer(model.config.window_size, labels)
    assert isinstance(recipe, Recipe)
    recipe, tokenizer, shapes, vectors, ngrams = build_vocabularies(recipe, {None: corpus})
    shape = HeadShape([f"T{n}" for n in range(case.tags)], "plain") if case.tags else shapes[None]
    parts: dict[str, Any] = {"id2label": dict(enumerate(shape.tags)), "tag_scheme": shape.tag_scheme}
    parts["label2id"] = {tag: index for index, tag in enumerate(shape.tags)}
    if case.heads:
        heads = {f"head-{n}": shape.to_dict() for n in range(case.heads)}
        parts = {"id2label": {}, "label2id": {}, "sharing": "encoder", "heads": heads}
    config = HierarchicalTaggerConfig(
        **{**recipe.model, "ngram_rows": 0 if ngrams is None else len(ngrams)},
        **parts,
        vocab_size=tokenizer.vocab_size,
        rare_word_id=tokenizer.rare_word_id,
        frozen_word_id=tokenizer.frozen_word_id,
        character_vocab_size=tokenizer.character_vocab_size,
        rare_character_id=tokenizer.rare_character_id,
    )
    tagger = HierarchicalTaggerForTokenClassification(config)
    set_vectors(tagger, tokenizer, vectors)
    if ngrams is not None:
        tagger.encoder.set_ngrams(ngrams, tokenizer.characters)
    return recipe, tagger, tokenizer


class TrainingWork:
    """Steps of training: the project's data, order, collator and model, and the recipe's optimizer.

    As in the Trainer a step is batch, forward, backward, clipping, optimizer, average of the weights. The learning
    rate's schedule, logging, evaluation and checkpoints are not in it.
    """

    paused = 0.0  # seconds of a step that are not of the work

    def __init__(self, case: Case) -> None:
        corpus = training_corpus(case)
        self.recipe, self.model, tokenizer = tagger_of(case, corpus)
        self.short = torch.autocast("cpu", torch.bfloat16) if case.dtype == "bfloat16" else nullcontext()
        batches = _windows if isinstance(self.recipe, ByteRecipe) else _sentences
        self.batches = batches(case, self.recipe, self.model, tokenizer, corpus)
        names = ("optim", "optim_args", "learning_rate", "weight_decay", "max_grad_norm")
        choices = {name: self.recipe.training[name] for name in names if name in self.recipe.training}
        arguments = TrainingArguments(use_cpu=True, **choices)
        kind, options = Trainer.get_optimizer_cls_and_kwargs(arguments, self.model)
        self.optimizer = kind(self.model.parameters(), weight_decay=arguments.weight_decay, **options)
        self.max_norm = arguments.max_grad_norm
        decay = self.recipe.average_decay
        self.average = WeightAverage(self.model, decay) if decay else None
        self.model.train()

    def warm_up(self) -> None:
        """Let allocators and caches fill."""
        for _ in range(_WARM):
            self.step()

    def step(self) -> Any:
        """One step."""
        batch = next(self.batches)
        with self.short:
            loss = self.model(**batch).loss
        loss.backward()
        if self.max_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update()
        return batch

    def count(self, batch: Any) -> dict[str, int]:
        """What a step did."""
        counts = {"batches": 1, "operations": training_products(self.model, batch)}
        valid = int(batch["attention_mask"].sum())
        if "character_ids" in batch:
            return {**counts, "sentences": len(batch["labels"]), "words": valid}
        symbols = int((batch["labels"] >= 0).sum())
        return {**counts, "windows": len(batch["labels"]), "bytes": valid, "symbols": symbols}


def _windows(case: Case, recipe: Any, model: Any, tokenizer: Any, corpus: Any) -> Iterator[dict[str, Any]]:
    encoded = ByteCorpus.of(corpus["train"], list(tokenizer.labels))
    config = model.config
    data = WindowDataset([encoded], tokenizer.layout, recipe.line_share, config.tag_loss > 0, config.span_order)
    sampler = WindowSampler([len(data)], seed=1)
    loader = DataLoader(data, case.batch_size, sampler=sampler, collate_fn=WindowCollator())
    return _epochs(loader, sampler)


def _sentences(case: Case, recipe: Any, model: Any, tokenizer: Any, corpus: Any) -> Iterator[dict[str, Any]]:
    shapes = build_vocabularies(replace(recipe, vectors=VectorOptions()), {None: corpus}).heads
    encoded, _ = encode_corpus(corpus, tokenizer, shapes[None].tags, shapes[None].tag_scheme)
    rows, lengths = encoded["train"].remove_columns("length"), list(encoded["train"]["length"])
    pad = TaggerCollator(tokenizer)
    if case.heads:  # each has all sentences
        rows = concatenate_datasets([rows.add_column("head", [name] * len(rows)) for name in model.config.head_names])
        turns = HeadBatchSampler([lengths] * case.heads, case.batch_size, seed=1)
        return _epochs(DataLoader(rows, batch_sampler=turns, collate_fn=pad), turns)

    def collate(items: Any) -> dict[str, Any]:
        batch: dict[str, Any] = pad(items)
        if case.tags:  # any will do: which tags are right makes no difference to the work
            batch["labels"] = torch.where(batch["labels"] < 0, batch["labels"], batch["labels"] % case.tags)
        return batch

    sampler = LengthGroupedSampler(lengths, case.batch_size, seed=1)
    return _epochs(DataLoader(rows, case.batch_size, sampler=sampler, collate_fn=collate), sampler)


def _epochs(loader: Iterable[Any], sampler: Any) -> Iterator[Any]:
    for epoch in itertools.count():
        sampler.set_epoch(epoch)
        yield from loader


class TaggingWork:
    """Raw lines through the pipeline, some at a time, from the first again after the last.

    Random weights of a byte-to-span tagger write at random, at the same cost for one window as for all that are
    stopped: they are made to write nothing but STOP, which is less than any trained tagger does.
    """

    def __init__(self, case: Case) -> None:
        self.lines, self.batch_size = case.lines, case.batch_size
        if case.model is not None:
            self.pipeline = tagsmith.pipeline(case.model, device="cpu", int8=case.dtype == "int8")
        else:
            _, model, tokenizer = tagger_of(case, training_corpus(case))
            options: dict[str, Any] = {"int8": case.dtype == "int8"}
            if isinstance(model, ByteToSpanForSpanTagging):
                options["recall_bias"] = _STOPS
            self.pipeline = tagsmith.pipeline(model, tokenizer=tokenizer, device="cpu", **options)
        self.model = self.pipeline.model
        self.reads_bytes = isinstance(self.model, ByteToSpanForSpanTagging)
        self.counts, self.paused = Counter[str](), 0.0
        if case.work == "rate":
            if self.reads_bytes:
                self._count_calls(self.model, "decode_spans", self._bytes)
                self._count_calls(self.model, "score_tags", self._tags)
            else:
                self._count_calls(self.model, "predict_heads", self._words)
                self._count_calls(self.model.encoder, "word_table", self._table)
                self._count_calls(self.pipeline.tokenizer, "spell", self._spelling)
        self.texts = itertools.cycle(lines_of(case.text))

    def warm_up(self) -> None:
        """Let allocators and caches fill."""
        for _ in range(_WARM):
            self.tag(itertools.islice(self.texts, _WARM_LINES))
        self.counts, self.paused = Counter(), 0.0

    def tag(self, texts: Iterable[str]) -> int:
        """Tag texts as a stream, and say how many there were."""
        return sum(1 for _ in self.pipeline(iter(texts), batch_size=self.batch_size))

    def step(self) -> Any:
        """Tag so many lines."""
        lines = list(itertools.islice(self.texts, self.lines))
        self.tag(lines)
        return lines

    def count(self, lines: list[str]) -> Counter[str]:
        """What the last step did."""
        found = self.counts + Counter(lines=len(lines), bytes=sum(len(line.encode()) for line in lines))
        self.counts, self.paused = Counter(), 0.0
        return found

    def _count_calls(self, owner: Any, name: str, count: Callable[..., dict[str, int]]) -> None:
        """Let a method count what it is given and gives, while the clock pauses."""
        method = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            result = method(*arguments, **named)
            started = time.perf_counter()
            self.counts.update(count(arguments, named, result))
            self.paused += time.perf_counter() - started
            return result

        setattr(owner, name, counting)

    def _words(self, arguments: Any, batch: Any, _: Any) -> dict[str, int]:
        operations = hierarchical_products(self.model, batch, arguments[0])
        words = int(batch["attention_mask"].sum())
        return {"batches": 1, "operations": operations, "words": words, "sentences": len(batch["input_ids"])}

    def _table(self, arguments: Any, _: Any, __: Any) -> dict[str, int]:
        ids, _, language = arguments
        return {"operations": table_products(self.model, len(ids), language)}

    def _spelling(self, _: Any, __: Any, ids: Any) -> dict[str, int]:
        return {"operations": spelling_products(self.model.encoder.characters, torch.from_numpy(ids))}

    def _tags(self, arguments: Any, _: Any, __: Any) -> dict[str, int]:
        mask = arguments[1].bool()
        operations = reading_products(self.model, mask) + tag_products(self.model, mask.numel())
        return {"batches": 1, "operations": operations, "windows": len(mask)}

    def _bytes(self, arguments: Any, _: Any, result: Any) -> dict[str, int]:
        mask, written = arguments[1].bool(), result[0]
        operations = decoding_products(self.model, mask, written)
        symbols = symbols_written(written, self.model.config.stop_id)
        return {"batches": 1, "operations": operations, "windows": len(mask), "symbols": symbols}


def lines_of(text: str | None) -> list[str]:
    """The lines of a file that are not empty; the sample's sentences without one."""
    if text is None:
        return [line for rows in load_corpus(sample_files()).values() for line in rows["text"]]
    lines = [line for line in Path(text).read_text(encoding="utf-8").splitlines() if line.strip()]
    if not lines:
        raise InputError("there is no line to tag", path=text)
    return lines
