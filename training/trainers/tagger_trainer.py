"""`transformers.Trainer` with what a tagger wants: span scores, length-grouped batches, averaged weights."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.utils.data import Sampler, SequentialSampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import rotate_checkpoints

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.batches.collator import TaggerCollator
from tagsmith.training.batches.length_sampler import LengthGroupedSampler
from tagsmith.training.batches.lowered_sentences import LoweredSentences
from tagsmith.training.batches.mention_replacement import ReplacedMentions
from tagsmith.training.batches.numbered_rows import NumberedRows
from tagsmith.training.trainers.checkpoints import (
    CHECKPOINT_PART,
    RAW_WEIGHTS_FILE,
    has_ended,
    last_readable,
    raw_weights,
    staged_checkpoint,
)
from tagsmith.training.trainers.divergence import disagreement
from tagsmith.training.trainers.publishing_trainer import PublishingTrainer
from tagsmith.training.trainers.span_scores import Scores, scores_of_each, span_scores
from tagsmith.training.trainers.trainer_arguments import (
    check_arguments,
    check_consistency,
    check_smoothing,
    given_arguments,
    order_seed,
)
from tagsmith.training.trainers.weight_average import WeightAverage


class TaggerTrainer(PublishingTrainer):
    """Trains a tagger with plain `TrainingArguments`.

    Beyond `Trainer`: `train_sampling_strategy="group_by_length"` groups training batches only, in an order that a
    resumed run repeats to the bit; evaluation gives span precision, recall and F1 of the best legal tags; the learning
    rate can fall by epochs; evaluation and checkpoints can use an average of the weights.

    Args:
        average_decay: decay of the moving average of the weights with which the model is evaluated and saved; 0 for
            none.
        epoch_decay: if above 0, the learning rate is `lr / (1 + epoch_decay * epoch)`, in place of
            `lr_scheduler_type`.
        halving_from: if above 0, the learning rate is constant for so many epochs, and then halves every half epoch
            (Sutskever et al. 2014, section 3.4), in place of `lr_scheduler_type`.
        mention_replacement: how likely a span of a training sentence is replaced (see `ReplacedMentions`); 0: never.
        lowercase_share: how likely a training sentence comes all in lower case (see `LoweredSentences`); 0: never.
        consistency: if above 0, a batch is read twice, with two draws of dropout; the loss is the mean of both and, by
            this weight, how far they lie apart (see `divergence.disagreement`). For hierarchical taggers with static
            transitions.
        **kwargs: what `Trainer` takes. `processing_class` is the tokenizer; `data_collator` defaults to a
            `TaggerCollator` of it, and `compute_metrics` to `span_scores` of the model's tags.

    Attributes:
        evaluation_seconds: that evaluations and predictions have taken so far.
    """

    train_dataset: Any
    compute_metrics: Scores | None
    lr_scheduler: LRScheduler | None

    def __init__(
        self,
        *args: Any,
        average_decay: float = 0.0,
        epoch_decay: float = 0.0,
        halving_from: float = 0.0,
        mention_replacement: float = 0.0,
        lowercase_share: float = 0.0,
        consistency: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if not 0 <= average_decay < 1:
            raise ValueError(f"average_decay is {average_decay}; it must be at least 0 and below 1.")
        for name, value in (
            ("epoch_decay", epoch_decay),
            ("halving_from", halving_from),
            ("consistency", consistency),
        ):
            if value < 0:
                raise ValueError(f"{name} is {value}; it cannot be negative.")
        if epoch_decay and halving_from:
            raise ValueError("The learning rate falls by epoch_decay or by halving_from, not by both.")
        given = given_arguments(args, kwargs)
        check_arguments(given)
        self.average_decay, self.epoch_decay, self.halving_from = average_decay, epoch_decay, halving_from
        self.consistency = consistency
        self.average: WeightAverage | None = None
        self.saves_checkpoint = False
        self.evaluation_seconds = 0.0
        super().__init__(*args, **kwargs)
        if given.get("data_collator") is None:
            self.data_collator = self._default_collator()
        self._own_metrics: Scores | None = None
        check_smoothing(self.args, self.model)
        if consistency:
            check_consistency(self.model.config)
        self.label_smoother = None  # it would take the labels from the model, which smooths them itself
        if self.compute_metrics is None:
            self.compute_metrics = self._own_metrics = self._default_metrics()
            self._check_best_metric()
        self.add_callback(_AverageCallback(self))
        self._number("mention_replacement", mention_replacement)
        self._number("lowercase_share", lowercase_share)

    def _number(self, option: str, rate: float) -> None:
        """Have training sentences come otherwise in each pass, if the option is on."""
        if not rate:
            return
        config, strategy, seed = self.model.config, self.args.train_sampling_strategy, order_seed(self.args)
        if strategy not in ("random", "group_by_length"):
            raise ValueError(f"{option} does not go with train_sampling_strategy {strategy!r}")
        if option == "mention_replacement":
            heads = {name: config.head(name) for name in config.head_names}
            self.train_dataset = ReplacedMentions(self.train_dataset, heads, rate, seed)
        else:
            languages = {name: config.language(name) for name in config.head_names}
            self.train_dataset = LoweredSentences(self.train_dataset, self.processing_class, languages, rate, seed)

    def _default_collator(self) -> Any:
        tokenizer = self.processing_class
        return TaggerCollator(tokenizer) if hasattr(tokenizer, "pad_sentences") else _no_collator

    def _default_metrics(self) -> Scores | None:
        config = self.model.config
        return span_scores(config.tags, config.tag_scheme)

    def _score_names(self) -> list[str]:
        """The scores that an evaluation gives, where `compute_metrics` is not given."""
        return scores_of_each(self.eval_dataset, ["loss", "precision", "recall", "f1", "accuracy"])

    def _check_best_metric(self) -> None:
        """A checkpoint is chosen by a score that there is."""
        wanted, names = self.args.metric_for_best_model, self._score_names()
        if wanted is not None and wanted.removeprefix("eval_") not in names:
            raise ValueError(f"metric_for_best_model is {wanted!r}, and the scores are {', '.join(names)}")

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        grouped = self.args.train_sampling_strategy == "group_by_length"
        numbered = isinstance(dataset, NumberedRows)
        if not (grouped or numbered) or not hasattr(dataset, "__len__"):
            return super()._get_train_sampler(train_dataset)
        dataset = dataset.rows if numbered else dataset
        lengths: list[int]
        if isinstance(dataset, Dataset):
            column = self.args.length_column_name
            lengths = dataset[column] if column in dataset.column_names else list(map(len, dataset["input_ids"]))
        else:
            lengths = [len(row["input_ids"]) for row in dataset]
        seed = order_seed(self.args)
        # What makes one step, in all processes, is of similar length, and the same however many they are.
        batch = self.args.train_batch_size * self.args.world_size * self.args.gradient_accumulation_steps
        return LengthGroupedSampler(lengths, batch if grouped else 1, seed, numbered=numbered)

    def _get_eval_sampler(self, eval_dataset: Any) -> Sampler | None:
        # Predictions come in the order of the data set; packed layers lose nothing by mixed lengths.
        if self.args.world_size <= 1 and hasattr(eval_dataset, "__len__"):
            return SequentialSampler(eval_dataset)
        return super()._get_eval_sampler(eval_dataset)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The learning rate over steps: by `epoch_decay` or `halving_from` if set, else as the arguments say."""
        if self.lr_scheduler is None and (self.epoch_decay or self.halving_from):
            factor = self._decayed if self.epoch_decay else self._halved
            steps = self._steps_per_epoch()
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: factor(step / steps))
            self._created_lr_scheduler = True
        return super().create_scheduler(num_training_steps, optimizer)

    def _decayed(self, epochs: float) -> float:
        return 1 / (1 + self.epoch_decay * math.floor(epochs))

    def _halved(self, epochs: float) -> float:
        halves = math.floor((epochs - self.halving_from) / 0.5) + 1
        return 0.5 ** max(halves, 0)

    def _steps_per_epoch(self) -> int:
        if not hasattr(self.train_dataset, "__len__"):
            raise ValueError(
                "a learning rate by epochs needs training data of known length: a stream has no epochs to count."
            )
        args = self.args
        batches = len(self.train_dataset) / (args.train_batch_size * args.world_size)
        whole = math.floor(batches) if args.dataloader_drop_last else math.ceil(batches)
        return max(math.ceil(whole / args.gradient_accumulation_steps), 1)

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As in `Trainer`; labels are smoothed by the model, which knows what classes can come."""
        if self.args.label_smoothing_factor and self.compute_loss_func is None:
            # Not "label_smoothing": arguments of such a name are labels to transformers.
            inputs = {**inputs, "smoothing": self.args.label_smoothing_factor}
        if not self.consistency or not model.training:
            return super().compute_loss(model, inputs, *args, **kwargs)
        one, other = (super(TaggerTrainer, self).compute_loss(model, inputs, return_outputs=True) for _ in range(2))
        head = self.accelerator.unwrap_model(model).head(inputs.get("head"))
        apart = disagreement(head, one[1]["logits"], other[1]["logits"], inputs["attention_mask"].bool())
        return (one[0] + other[0]) / 2 + self.consistency * apart

    def _averaged(self) -> AbstractContextManager[None]:
        return self.average.applied() if self.average is not None else nullcontext()

    @contextmanager
    def _scoring(self) -> Iterator[None]:
        """The averaged weights, fresh counts, and what is random in training left alone."""
        started = time.monotonic()
        # A data loader draws a seed: a run that is resumed behind an evaluation would continue with other dropout.
        with self._averaged(), torch.random.fork_rng(devices=[]):
            if self._own_metrics is not None and self.compute_metrics is self._own_metrics:
                # without what an evaluation that was interrupted had counted
                self.compute_metrics = self._own_metrics = self._default_metrics()
            yield
        self.evaluation_seconds += time.monotonic() - started

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """As `Trainer.evaluate`; while training, with the averaged weights, and without a trace in what follows."""
        with self._scoring():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """As `Trainer.predict`, with the weights and the scores of `evaluate`."""
        with self._scoring():
            return super().predict(*args, **kwargs)

    def _get_output_dir(self, trial: Any) -> str:
        folder = super()._get_output_dir(trial)
        return str(Path(folder, CHECKPOINT_PART)) if self.saves_checkpoint else folder

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """As `Trainer` does it, but the checkpoint has its name only once all of it is on the disk."""
        args, run_folder = self.args, Path(self._get_output_dir(trial))
        # The checkpoint's model is the averaged one, for use; the weights themselves are kept beside it, for resuming.
        with self._averaged(), staged_checkpoint(run_folder, self.state, args.should_save, self._wait) as folder:
            self.saves_checkpoint = True
            try:
                if self.average is not None and args.should_save:
                    save_file(self.average.state(), folder / RAW_WEIGHTS_FILE)
                super()._save_checkpoint(model, trial)
            finally:
                self.saves_checkpoint = False
        if args.should_save:
            best = self.state.best_model_checkpoint
            rotate_checkpoints(str(run_folder), args.save_total_limit, best, use_mtime=True)

    def _wait(self) -> None:
        self.accelerator.wait_for_everyone()

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """As `Trainer.train`; the model ends with the averaged weights, or with the best checkpoint's.

        Args:
            resume_from_checkpoint: a checkpoint's folder; or True for the last one in the output folder that can be
                read. One that has all steps of the run already is trained no further.
            **kwargs: what `Trainer.train` takes.

        Raises:
            InputError: the checkpoint to resume from has no average of the weights though one is wanted, or has one
                though none is; or none of the checkpoints can be read.
        """
        self.average = None
        if resume_from_checkpoint is True and (found := last_readable(Path(self.args.output_dir), warnings.warn)):
            resume_from_checkpoint = str(found)
        with self._no_more_steps(resume_from_checkpoint):
            result = super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)
        if self.average is not None and not (self.args.load_best_model_at_end and self.state.best_model_checkpoint):
            self.average.swap()
        self.average = None
        return result

    @contextmanager
    def _no_more_steps(self, checkpoint: str | bool | None) -> Iterator[None]:
        """Where a checkpoint has all steps of the run already, training inside has none: `Trainer` begins with one."""
        args, callbacks = self.args, self.callback_handler.callbacks
        if not (isinstance(checkpoint, str) and has_ended(checkpoint, args.max_steps, callbacks)):
            yield
            return
        before, data = (args.max_steps, args.num_train_epochs), self.train_dataset
        args.max_steps, args.num_train_epochs = -1, 0
        if not hasattr(data, "__len__"):  # a stream has no epochs, of which there could be none
            self.train_dataset = [None]
        try:
            yield
        finally:
            (args.max_steps, args.num_train_epochs), self.train_dataset = before, data

    def start_average(self) -> None:
        """Begin the average at the weights as they are, if one is wanted and none has begun."""
        if self.average_decay and self.average is None:
            self.average = WeightAverage(self.model, self.average_decay)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        folder = Path(resume_from_checkpoint)
        path = raw_weights(folder)
        if self.average_decay and path is None:
            message = "the run that wrote this checkpoint kept no average of its weights"
            raise InputError(message, path=folder, fix="Resume with average_decay=0, or train from the beginning.")
        if not self.average_decay and path is not None:
            message = "the run that wrote this checkpoint kept an average of its weights, and this run has none"
            raise InputError(message, path=folder, fix="Resume with its average_decay, or train from the beginning.")
        self.start_average()
        if self.average is not None and path is not None:
            # The model now has the average, and its place holds what the model had: as while it was saved.
            self.average.load(load_file(path))
            self.average.swap()


def _no_collator(features: Sequence[Any]) -> Any:
    """Stands for a collator where none can be made, since not every trainer reads data."""
    raise ValueError(
        "This trainer cannot make batches: pass its tokenizer as processing_class=tokenizer, or give "
        "data_collator=TaggerCollator(tokenizer)."
    )


class _AverageCallback(TrainerCallback):
    """Keeps the average of the weights up to date."""

    def __init__(self, trainer: TaggerTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.trainer.start_average()
        if args.load_best_model_at_end and state.global_step and state.best_model_checkpoint is None:
            state.best_metric = state.best_global_step = (
                None  # its checkpoint is gone: the best of those to come counts
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.trainer.average is not None:
            self.trainer.average.update()
