"""The trainer of byte-to-span taggers: windows in a computed order, and dev scores of whole documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from torch.utils.data import Sampler
from transformers import EvalPrediction
from transformers.trainer_utils import PredictionOutput, denumpify_detensorize

from tagsmith.modeling.pipeline_byte_span_tagging import ByteSpanTaggingPipeline
from tagsmith.tokenization.spans import Span
from tagsmith.tokenization.tokenization_byte_to_span import ByteToSpanTokenizer
from tagsmith.training.batches.byte_corpus import Document
from tagsmith.training.batches.window_dataset import WindowCollator, WindowDataset, WindowSampler
from tagsmith.training.evaluation.scoring import Tally, tagged_documents
from tagsmith.training.trainers.named_data_trainer import NamedDataTrainer, named_metrics
from tagsmith.training.trainers.span_scores import Scores, scores_of_each
from tagsmith.training.trainers.trainer_arguments import order_seed

_SCORES = ["precision", "recall", "f1", "accuracy"]
_Item = TypeVar("_Item")


class ByteTaggerTrainer(NamedDataTrainer):
    """Trains a byte-to-span tagger on a `WindowDataset` with plain `TrainingArguments`.

    Windows come in the order of a `WindowSampler`. Evaluation tags the documents of corpus rows, as the tagger's users
    will, and compares spans: `eval_f1` and the like are the mean over the data sets, `eval_NAME_f1` those of each.
    `compute_metrics` is called with each data set: `predictions` and `label_ids` are lists of `Span`, in characters, a
    list a document, and `inputs` the texts, where `include_for_metrics` has "inputs". With `batch_eval_metrics` it is
    called document by document. `predict` gives spans, lists of `Span` a document.

    Args:
        balance: draw windows of every corpus equally often.
        **kwargs: what `TaggerTrainer` takes; `processing_class` is the tokenizer (by default made by the model's
            configuration), `data_collator` defaults to `WindowCollator`, `eval_dataset` is one corpus or a mapping of
            several, as rows (see `load_corpus`).

    Raises:
        ValueError: the windows have their spans in another order than the model's.
    """

    processing_class: Any

    def __init__(self, *args: Any, balance: bool = False, **kwargs: Any) -> None:
        self.balance = balance
        super().__init__(*args, **kwargs)
        if self.processing_class is None:
            config = self.model.config
            self.processing_class = ByteToSpanTokenizer(config.window_size, config.span_labels)
        windows, order = self.train_dataset, self.model.config.span_order
        if isinstance(windows, WindowDataset) and windows.span_order != order:
            raise ValueError(
                f"The windows have their spans {windows.span_order}, and the model's span_order is {order}. Pass "
                "WindowDataset(..., span_order=model.config.span_order)."
            )

    def _default_collator(self) -> Any:
        return WindowCollator()

    def _default_metrics(self) -> Scores | None:
        return None  # windows are not scored, documents are

    def _score_names(self) -> list[str]:
        several = isinstance(self.eval_dataset, Mapping) and len(self.eval_dataset) > 1
        return [*_SCORES, *(scores_of_each(self.eval_dataset, _SCORES) if several else [])]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not isinstance(dataset, WindowDataset):
            return super()._get_train_sampler(train_dataset)
        seed = order_seed(self.args)
        return WindowSampler(list(map(len, dataset.corpora)), seed, self.balance)

    def _predictions(self, chosen: Any, ignore_keys: list[str] | None, prefix: str, keep: bool) -> PredictionOutput:
        data = chosen if isinstance(chosen, Mapping) else {"": chosen}
        for rows in data.values():
            if rows is None or isinstance(rows, WindowDataset):
                given = "windows" if isinstance(rows, WindowDataset) else "no data"
                raise ValueError(
                    f"Documents are scored, and these are {given}. Pass the rows of a corpus, such as "
                    "load_corpus(...)['dev'], or several by name."
                )
        with self._scoring():
            pipeline = ByteSpanTaggingPipeline(
                model=self.model, tokenizer=self.processing_class, task="span-tagging", device=self.args.device
            )
            tagged = {name: self._tag_documents(pipeline, rows, keep) for name, rows in data.items()}
        scores = {
            name: {key.removeprefix(f"{prefix}_"): value for key, value in own.items()}
            for name, (own, _) in tagged.items()
        }
        if len(scores) > 1:
            metrics = named_metrics(scores, prefix)
        else:
            metrics = {f"{prefix}_{key}": value for own in scores.values() for key, value in own.items()}
        found: Any = {name: [spans for _, spans in pairs] for name, (_, pairs) in tagged.items()}
        gold: Any = {name: [document.spans for document, _ in pairs] for name, (_, pairs) in tagged.items()}
        return PredictionOutput(*((found, gold) if chosen is data else (found[""], gold[""])), metrics)

    def _tag_documents(
        self, pipeline: ByteSpanTaggingPipeline, rows: Any, keep: bool
    ) -> tuple[dict[str, Any], list[tuple[Document, list[Span]]]]:
        """The scores of one data set; and, to be kept, its documents with the spans found in them."""
        kept: list[tuple[Document, list[Span]]] = []
        scores, tally, own = {}, Tally(), self.compute_metrics
        by_document = own is not None and self.args.batch_eval_metrics
        for (document, scored), last in _with_last(tagged_documents(pipeline, rows, self.args.eval_batch_size)):
            spans = [span for span, _ in scored]
            if own is None:
                tally.add_document(document, spans)
            elif by_document:
                scores = own(self._prediction([(document, spans)]), compute_result=last)
            if keep or (own is not None and not by_document):
                kept.append((document, spans))
        if own is None:
            scores = {name: tally.result()[name] for name in _SCORES}
        elif not by_document:
            scores = own(self._prediction(kept))
        return denumpify_detensorize(scores), kept

    def _prediction(self, pairs: list[tuple[Document, list[Span]]]) -> EvalPrediction:
        predictions: Any = [spans for _, spans in pairs]
        label_ids: Any = [document.spans for document, _ in pairs]
        texts: Any = [document.text for document, _ in pairs] if "inputs" in self.args.include_for_metrics else None
        return EvalPrediction(predictions, label_ids, inputs=texts)


def _with_last(items: Iterable[_Item]) -> Iterator[tuple[_Item, bool]]:
    """Each item, and whether it is the last."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True
