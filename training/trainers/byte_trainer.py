"""The trainer of byte-to-span taggers: windows in a computed order, and dev scores of whole documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import EvalPrediction, TrainerControl

from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.training.batches.window_dataset import WindowDataset, WindowSampler
from tagsmith.training.evaluation.scoring import score_documents
from tagsmith.training.trainers.tagger_trainer import TaggerTrainer


class ByteTaggerTrainer(TaggerTrainer):
    """Trains a byte-to-span tagger on a `WindowDataset` with plain `TrainingArguments`.

    Windows come in the order of a `WindowSampler`. Evaluation tags the documents of corpus rows, as the tagger's users
    will, and compares spans: `eval_f1` and the like are the mean over the data sets, `eval_NAME_f1` those of each.

    Args:
        balance: draw windows of every corpus equally often.
        **kwargs: what `TaggerTrainer` takes; `processing_class` is the tokenizer, `eval_dataset` one corpus or a
            mapping of several, as rows (see `load_corpus`).
    """

    control: TrainerControl

    def __init__(self, *args: Any, balance: bool = False, **kwargs: Any) -> None:
        self.balance = balance
        super().__init__(*args, **kwargs)

    def _default_metrics(self) -> Callable[[EvalPrediction], dict[str, float]] | None:
        return None  # windows are not scored, documents are

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not isinstance(dataset, WindowDataset):
            return super()._get_train_sampler(train_dataset)
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return WindowSampler(list(map(len, dataset.corpora)), seed, self.balance)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Tag documents with the averaged weights, and score them."""
        chosen = self.eval_dataset if eval_dataset is None else eval_dataset
        data = chosen if isinstance(chosen, Mapping) else {"": chosen}
        with self._averaged(), torch.random.fork_rng(devices=[]):
            pipeline = ByteSpanTaggingPipeline(
                model=self.model, tokenizer=self.processing_class, task="span-tagging", device=self.args.device
            )
            scores = {name: score_documents(pipeline, rows, self.args.eval_batch_size) for name, rows in data.items()}
        names = ("precision", "recall", "f1", "accuracy")
        metrics = {
            f"{metric_key_prefix}_{name}": sum(score[name] for score in scores.values()) / len(scores)
            for name in names
        }
        if len(scores) > 1:
            for corpus, score in scores.items():
                metrics.update({f"{metric_key_prefix}_{corpus}_{name}": score[name] for name in names})
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics
