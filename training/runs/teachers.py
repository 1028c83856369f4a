"""Taggers that teach another one: what they must have in common, and what they find probable in sentences."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from rich.console import Console

from tagsmith.modeling.configuration_hierarchical_tagger import HierarchicalTaggerConfig
from tagsmith.modeling.pipeline_span_tagging import SpanTaggingPipeline
from tagsmith.modeling.tagger_shape import HeadShape
from tagsmith.tokenization.input_error import InputError
from tagsmith.training.batches.lessons import Lessons
from tagsmith.training.cards.private_text import base_name
from tagsmith.training.cards.run_facts import hub_name
from tagsmith.training.tagging.load_tagger import load_tagger
from tagsmith.training.trainers.progress import counting_bar

_CHUNK = 1024  # sentences that are sorted by length together, and after which a run can be gone on with
_BATCH = 64  # sentences that go through a teacher together


class Teachers:
    """One hierarchical tagger with a CRF or several with the same tags, which teach by the mean of their marginals.

    Args:
        places: their folders, or names on the Hub.
        head: by which those teach that have several.

    Attributes:
        shape: the tags of all.
        names: of the teachers, without folders.

    Raises:
        InputError: no teacher, or one that cannot teach, or not together with the first; with its place.
    """

    def __init__(self, places: Sequence[str | os.PathLike[str]], head: str | None = None) -> None:
        self.places = [os.fspath(place) for place in places]
        if not self.places:
            raise InputError("nobody teaches", fix="Name one tagger or several.")
        self.names = [hub_name(place) or base_name(place) for place in self.places]
        self.pipelines = [load_tagger(place, device="cpu") for place in self.places]
        self.heads = [_head(*own, head) for own in zip(self.pipelines, self.places, strict=True)]
        if head is not None and head not in self.heads:
            raise InputError(f"--head {head} is given, and no teacher has several heads", fix="Leave it out.")
        self._shapes = [own.model.config.head(name) for own, name in zip(self.pipelines, self.heads, strict=True)]
        self.shape = self._shapes[0]
        for shape, place in zip(self._shapes, self.places, strict=True):
            _check_same(self.shape, shape, self.places[0], place)
        self._orders = [[shape.tags.index(tag) for tag in self.shape.tags] for shape in self._shapes]

    @property
    def legal(self) -> np.ndarray:
        """Pairs of tags that can stand side by side, bool `(tags, tags)`."""
        crf = self.pipelines[0].model.head(self.heads[0]).crf
        pairs: np.ndarray = crf.legal_transitions.cpu().numpy()
        return pairs

    def known_shape(self, shape: HeadShape) -> HeadShape:
        """The teachers' tags, for a student whose data call for a shape.

        Raises:
            InputError: the data are spelt in another scheme, or have tags that the teachers do not know.
        """
        if shape.tag_scheme != self.shape.tag_scheme:
            found = f"the teachers' tags are of {self.shape.tag_scheme}, and the student's of {shape.tag_scheme}"
            fix = f"Pass --set tag_scheme={self.shape.tag_scheme}."
            if "plain" in (shape.tag_scheme, self.shape.tag_scheme):
                fix = "Name the column of the tags with --tag-column, or other teachers."
            raise InputError(found, path=self.places[0], fix=fix)
        if unknown := [tag for tag in shape.tags if tag not in self.shape.tags]:
            label = unknown[0] if shape.tag_scheme == "plain" else unknown[0].partition("-")[2]
            message = f"the data have the label {label}, which the teachers do not know"
            raise InputError(
                message, path=self.places[0], fix=f"Map it with --map '{label}=', or name other teachers."
            )
        return HeadShape(self.shape.tags, self.shape.tag_scheme)

    def key(self) -> str:
        """A hash of all that their marginals depend on beside the sentences."""
        digest = hashlib.sha256()
        for pipeline, head in zip(self.pipelines, self.heads, strict=True):
            digest.update(repr((head, pipeline.model.config.to_json_string())).encode())
            tokenizer = pipeline.tokenizer
            gazetteer = tokenizer.gazetteer and tokenizer.gazetteer.to_json()
            known = (tokenizer.vocabularies, tokenizer.characters, sorted(tokenizer.init_kwargs.items()), gazetteer)
            digest.update(repr(known).encode("utf-8", "surrogatepass"))
            for weight in pipeline.model.state_dict().values():
                digest.update(weight.cpu().contiguous().view(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def teach(self, lessons: Lessons, sentences: Iterator[list[str]], device: torch.device, console: Console) -> None:
        """Write what the lessons lack.

        Args:
            lessons: of the sentences.
            sentences: the words of each, from the first on.
            device: where the teachers compute.
            console: for a bar, where it is a terminal.
        """
        if lessons.done == len(lessons):
            return
        for pipeline in self.pipelines:
            pipeline.model.eval().to(device)
        bar = counting_bar("teachers", console)
        rest = islice(sentences, lessons.done, None)
        with bar:
            task = bar.add_task("teachers", total=len(lessons), completed=lessons.done)
            while chunk := list(islice(rest, _CHUNK)):
                lessons.write(*self.marginals(chunk, device))
                bar.update(task, completed=lessons.done)
        for pipeline in self.pipelines:
            pipeline.model.cpu()

    def marginals(self, sentences: Sequence[list[str]], device: torch.device) -> tuple[list[np.ndarray], np.ndarray]:
        """The mean of the teachers' marginals: of each sentence `(words, tags)`, and `(sentences, tags, tags)`."""
        count = len(self.shape.tags)
        tags = [np.zeros((len(words), count)) for words in sentences]
        pairs = np.zeros((len(sentences), count, count))
        order = sorted(range(len(sentences)), key=lambda number: len(sentences[number]))
        for start in range(0, len(order), _BATCH):
            numbers = order[start : start + _BATCH]
            for teacher in range(len(self.pipelines)):
                own, own_pairs = self._of_one(teacher, [sentences[number] for number in numbers], device)
                pairs[numbers] += own_pairs / len(self.pipelines)
                for number, marginals in zip(numbers, own, strict=True):
                    tags[number] += marginals[: len(tags[number])] / len(self.pipelines)
        return tags, pairs

    @torch.no_grad()
    def _of_one(
        self, teacher: int, sentences: Sequence[list[str]], device: torch.device
    ) -> tuple[np.ndarray, np.ndarray]:
        """A teacher's marginals of a batch: `(batch, words, tags)` and `(batch, tags, tags)`."""
        pipeline, head, order = self.pipelines[teacher], self.heads[teacher], self._orders[teacher]
        language = self._shapes[teacher].language
        arrays = pipeline.tokenizer.pad_sentences(
            [pipeline.tokenizer.encode_words(words, language) for words in sentences]
        )
        batch = {key: torch.from_numpy(value).to(device) for key, value in arrays.items()}
        logits = pipeline.model(**batch, head=head).logits
        tags, pairs = pipeline.model.head(head).crf.expectations(logits, batch["attention_mask"].bool())
        return tags[:, :, order].cpu().numpy(), pairs[:, order][:, :, order].cpu().numpy()


def _head(pipeline: SpanTaggingPipeline, place: str, head: str | None) -> str | None:
    """The head by which a tagger teaches.

    Raises:
        InputError: it is no tagger of words with a CRF, or which of its heads is not said.
    """
    config = pipeline.model.config
    if not isinstance(config, HierarchicalTaggerConfig):
        fix = "Name a hierarchical tagger: tagsmith train ner makes one."
        raise InputError(f"this tagger is a {config.model_type}, and cannot teach", path=place, fix=fix)
    if config.output != "crf":
        fix = "Train it with --set model.output=crf, or leave it out."
        raise InputError(f"this tagger has no CRF (output is {config.output}), and cannot teach", path=place, fix=fix)
    if config.heads is None:
        return None
    try:
        config.head(head)
    except ValueError as error:
        known = ", ".join(map(str, config.head_names))
        found = str(error).split(". ")[0]
        raise InputError(found, path=place, fix=f"Choose one with --head: {known}.") from None
    return head


def _check_same(first: HeadShape, shape: HeadShape, before: str, place: str) -> None:
    """See that a teacher has the tags of the first.

    Raises:
        InputError: another scheme, or other tags.
    """
    if shape.tag_scheme != first.tag_scheme:
        found = f"its tags are of {shape.tag_scheme}, and those of {before} of {first.tag_scheme}"
        fix = f"Leave it out, or train it with --set tag_scheme={first.tag_scheme}."
        raise InputError(found, path=place, fix=fix)
    if other := sorted(set(first.tags) ^ set(shape.tags)):
        which = "has" if other[0] in shape.tags else "lacks"
        found = f"this tagger {which} the tag {other[0]}, other than {before}"
        raise InputError(found, path=place, fix="Leave it out, or train all teachers on data of the same labels.")
