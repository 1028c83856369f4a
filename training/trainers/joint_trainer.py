"""The trainer of taggers with several heads: one head a batch, and dev scores of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from accelerate.data_loader import prepare_data_loader
from datasets import Dataset, IterableDataset, concatenate_datasets
from torch.utils.data import DataLoader
from transformers.trainer_utils import PredictionOutput

from tagsmith.training.batches.endless import EndlessStream, in_turns, passes
from tagsmith.training.batches.head_sampler import HeadBatchSampler
from tagsmith.training.batches.numbered_rows import NumberedRows
from tagsmith.training.trainers.named_data_trainer import NamedDataTrainer, named_metrics
from tagsmith.training.trainers.span_scores import Scores, scores_of_each, span_scores
from tagsmith.training.trainers.trainer_arguments import order_seed


class JointTaggerTrainer(NamedDataTrainer):
    """Trains a tagger of several heads with plain `TrainingArguments`: the heads in turn, a batch each or more.

    Every batch is a step of the optimizer; with `gradient_accumulation_steps` as many as there are heads a step
    follows the mean of their objectives. Evaluation scores each head: `eval_NAME_f1` and the like, and `eval_f1`,
    their mean; what `predict` gives is by head. Several processes train as one with their batches together. Each
    head's sentences come in the order that `train_sampling_strategy` says, "random" or "group_by_length".

    Args:
        *args: what `TaggerTrainer` takes.
        train_dataset: encoded sentences of each head (see `encode_corpus`), by its name; or streams of them, each
            begun again where it ends, for `max_steps`.
        eval_dataset: as `train_dataset`.
        epoch_head: the head whose sentences an epoch passes over once; by default the one that lasts longest.
        head_batches: of heads in a turn, by name; one of each that is left out.
        **kwargs: what `TaggerTrainer` takes. `compute_metrics` is called with the predictions of each head.

    Raises:
        ValueError: `epoch_head` or a name in `head_batches` is no head of `train_dataset`, a head has less than one
            batch, or sentences are to come in another order; streams that some heads have, others not, or that an
            `epoch_head` is to be passed over in.
    """

    def __init__(
        self,
        *args: Any,
        train_dataset: Mapping[str, Dataset] | Mapping[str, IterableDataset],
        eval_dataset: Mapping[str, Dataset] | None = None,
        epoch_head: str | None = None,
        head_batches: Mapping[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        batches = dict(head_batches or {})
        for name in (*([] if epoch_head is None else [epoch_head]), *batches):
            if name not in train_dataset:
                raise ValueError(f"there is no head {name!r}; the heads are {', '.join(train_dataset)}")
        self.head_batches = [batches.get(name, 1) for name in train_dataset]
        self.epoch_head = None if epoch_head is None else list(train_dataset).index(epoch_head)
        dev = dict(eval_dataset) if eval_dataset else None
        streamed = [isinstance(own, IterableDataset) for own in train_dataset.values()]
        self.streams: dict[str, Any] = dict(train_dataset) if any(streamed) else {}
        if self.streams:
            if epoch_head is not None or not all(streamed):
                raise ValueError("Streams have no epochs and go with streams alone: leave epoch_head out, stream all.")
            rows: Any = EndlessStream(self._stream)
        else:
            self.lengths = [list(own["length"]) for own in train_dataset.values()]
            rows = concatenate_datasets([_of_head(own, name) for name, own in train_dataset.items()])
        super().__init__(*args, train_dataset=rows, eval_dataset=dev, **kwargs)
        if (strategy := self.args.train_sampling_strategy) not in ("random", "group_by_length"):
            raise ValueError(
                f"train_sampling_strategy is {strategy!r}; heads are trained by random or group_by_length"
            )

    def _default_metrics(self) -> Scores | None:
        return None  # each head has its own

    def _score_names(self) -> list[str]:
        names = ["loss", "precision", "recall", "f1", "accuracy"]
        return [*names, *scores_of_each(self.eval_dataset, names)] if self.eval_dataset else names

    def _stream(self) -> Iterator[dict[str, Any]]:
        """Sentences of heads in turn, as many of each as make its batches, of all processes together."""
        args = self.args
        size = args.train_batch_size * args.world_size
        items = {name: size * own for name, own in zip(self.streams, self.head_batches, strict=True)}
        seeds = np.random.SeedSequence(order_seed(args)).generate_state(len(items)).tolist()
        order = zip(self.streams.items(), seeds, strict=True)
        return in_turns({name: passes(rows, seed) for (name, rows), seed in order}, items)

    def get_train_dataloader(self) -> DataLoader:
        """Batches of one head each; the sampler itself divides them among processes."""
        if self.streams:
            return super().get_train_dataloader()
        args, rows = self.args, self.train_dataset
        loader = DataLoader(
            self._remove_unused_columns(rows, description="training") if isinstance(rows, Dataset) else rows,
            batch_sampler=self._batches(),
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
        )
        return prepare_data_loader(loader, args.device, num_processes=1, process_index=0, put_on_device=True)

    def _batches(self) -> HeadBatchSampler:
        args = self.args
        seed = order_seed(args)
        size = args.train_batch_size * args.world_size
        grouped = args.train_sampling_strategy == "group_by_length"
        return HeadBatchSampler(
            self.lengths,
            size,
            seed,
            num_processes=args.world_size,
            process_index=args.process_index,
            epoch_head=self.epoch_head,
            head_batches=self.head_batches,
            group_by_length=grouped,
            numbered=isinstance(self.train_dataset, NumberedRows),
        )

    def _steps_per_epoch(self) -> int:
        return max(-(-len(self._batches()) // self.args.gradient_accumulation_steps), 1)

    def _predictions(self, data: Any, ignore_keys: list[str] | None, prefix: str, keep: bool) -> PredictionOutput:
        if not isinstance(data, Mapping) or not data:
            raise ValueError("Pass encoded sentences of each head by its name: {'ner': ..., 'pos': ...}.")
        given, outputs = self.compute_metrics, {}
        with self._scoring():
            for name, rows in data.items():
                shape = self.model.config.head(name)
                self.compute_metrics = given or span_scores(shape.tags, shape.tag_scheme)
                try:
                    outputs[name] = self.evaluation_loop(
                        self.get_eval_dataloader(_of_head(rows, name)),
                        description="Prediction" if keep else "Evaluating",
                        ignore_keys=ignore_keys,
                        metric_key_prefix=f"{prefix}_{name}",
                    )
                finally:
                    self.compute_metrics = given
        scores = {
            name: {key.removeprefix(f"{prefix}_{name}_"): value for key, value in output.metrics.items()}
            for name, output in outputs.items()
        }
        metrics = named_metrics(scores, prefix)
        metrics.pop(f"{prefix}_model_preparation_time", None)  # it was prepared once
        predictions: Any = {name: output.predictions for name, output in outputs.items()}
        label_ids: Any = {name: output.label_ids for name, output in outputs.items()}
        return PredictionOutput(predictions, label_ids, metrics)


def _of_head(rows: Dataset, name: str) -> Dataset:
    return rows.add_column("head", [name] * len(rows))
