"""spaCy's component `tagsmith`: what a tagger finds as entities of a document, or as a group of spans."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from tagsmith.tokenization.input_error import InputError
from tagsmith.training.tagging.tagger_folder import DEFAULT_TAGGER

_FOLDER = "tagger"
_MODES = ("strict", "contract", "expand")
_DEFAULTS: dict[str, Any] = {
    "model": DEFAULT_TAGGER,
    "head": None,
    "spans_key": None,
    "alignment_mode": "strict",
    "existing": "keep",
    "min_score": None,
    "batch_size": 64,
}


class SpacyTagger:
    """Tags documents; made by `nlp.add_pipe("tagsmith", config=...)`.

    Attributes:
        counts: spans so far that were found, that were moved to tokens' borders (`moved`), and that were left out as
            they lie on no border (`unaligned`) or over another entity (`overlapping`).
    """

    def __init__(self, model: str, **settings: Any) -> None:
        self.settings = settings
        for name, known in (("alignment_mode", _MODES), ("existing", ("keep", "replace"))):
            if settings[name] not in known:
                raise InputError(f"{name} is {settings[name]!r}", fix=f"Choose one of {', '.join(known)}.")
        self.counts: Counter[str] = Counter()
        self._kept: tempfile.TemporaryDirectory[str] | None = None
        self._tagger: Any = None
        self._missing: InputError | None = None
        try:
            self._load(model)
        except InputError as error:
            if os.path.exists(model):
                raise
            self._missing = error  # of a pipeline that was saved, which brings its weights: they are read next

    @property
    def tagger(self) -> Any:
        """What tags.

        Raises:
            InputError: there is no such folder, and no saved weights were read.
        """
        if self._missing is not None:
            raise self._missing
        return self._tagger

    def _load(self, folder: str) -> None:
        from tagsmith.training.tagging.load_tagger import load_tagger

        tagger = load_tagger(folder)
        heads, head = getattr(tagger.model.config, "head_names", [None]), self.settings["head"]
        names = ", ".join(map(str, heads))
        if head is None and len(heads) > 1 and not self.settings["spans_key"]:
            fix = "Choose one with head, or give spans_key."
            raise InputError(f"this tagger has several heads: {names}", path=folder, fix=fix)
        if head is not None and head not in heads:
            fix = f"Choose one of {names}." if heads[0] else "Leave head out."
            raise InputError(f"this tagger has no head {head!r}", path=folder, fix=fix)
        self._tagger, self._missing = tagger, None

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], batch_size: int | None = None, **_: Any) -> Iterator[Doc]:
        """Tag documents: the pipeline reads some hundreds of them ahead.

        Args:
            docs: any number of them.
            batch_size: spaCy's; the tagger's own is `batch_size` of the component's settings.
        """
        own = {name: self.settings[name] for name in ("head", "min_score") if self.settings[name] is not None}
        docs, ahead = tee(docs)
        found = self.tagger((doc.text for doc in ahead), batch_size=self.settings["batch_size"], **own)
        for doc, entities in zip(docs, found, strict=True):
            self._set(doc, entities)
            yield doc

    def _set(self, doc: Doc, found: Any) -> None:
        key = self.settings["spans_key"]
        if isinstance(found, dict):
            for name, entities in found.items():
                doc.spans[f"{key}_{name}"] = self._spans(doc, entities)
            return
        spans = self._spans(doc, found)
        if key:
            doc.spans[key] = spans
            return
        keep = self.settings["existing"] == "keep"
        first, second = (list(doc.ents), spans) if keep else (spans, list(doc.ents))
        taken = {token.i for span in first for token in span}
        free = [span for span in second if not any(token.i in taken for token in span)]
        self.counts["overlapping"] += len(second) - len(free)
        chosen = filter_spans([*first, *free])
        self.counts["overlapping"] += len(first) + len(free) - len(chosen)
        doc.ents = tuple(chosen)

    def _spans(self, doc: Doc, entities: list[dict[str, Any]]) -> list[Span]:
        spans = []
        for entity in entities:
            start, end, label = entity["start"], entity["end"], entity["entity_group"]
            span = doc.char_span(start, end, label=label, alignment_mode=self.settings["alignment_mode"])
            self.counts["found"] += 1
            if span is None or not len(span):
                self.counts["unaligned"] += 1
                continue
            self.counts["moved"] += (span.start_char, span.end_char) != (start, end)
            span._.tagsmith_score = entity["score"]
            spans.append(span)
        return spans

    def to_disk(self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()) -> None:
        """Save the tagger, weights included."""
        self.tagger.save_pretrained(os.path.join(path, _FOLDER))

    def from_disk(self, path: str | os.PathLike[str], *, exclude: Iterable[str] = ()) -> SpacyTagger:
        """Load the tagger that `to_disk` saved."""
        self._load(os.path.join(path, _FOLDER))
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The tagger as bytes."""
        with tempfile.TemporaryDirectory() as folder:
            self.tagger.save_pretrained(os.path.join(folder, _FOLDER))
            packed = shutil.make_archive(os.path.join(folder, "packed"), "zip", os.path.join(folder, _FOLDER))
            return Path(packed).read_bytes()

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> SpacyTagger:
        """Load the tagger that `to_bytes` gave."""
        self._kept = tempfile.TemporaryDirectory()
        packed = Path(self._kept.name) / "packed.zip"
        packed.write_bytes(data)
        shutil.unpack_archive(packed, Path(self._kept.name) / _FOLDER)
        self._load(os.path.join(self._kept.name, _FOLDER))
        return self


@Language.factory("tagsmith", default_config=_DEFAULTS, assigns=["doc.ents", "doc.spans"])
def make_spacy_tagger(
    nlp: Language,
    name: str,
    model: str,
    head: str | None,
    spans_key: str | None,
    alignment_mode: str,
    existing: str,
    min_score: float | None,
    batch_size: int,
) -> SpacyTagger:
    """The component by its settings."""
    if not Span.has_extension("tagsmith_score"):
        Span.set_extension("tagsmith_score", default=None)
    return SpacyTagger(
        model,
        head=head,
        spans_key=spans_key,
        alignment_mode=alignment_mode,
        existing=existing,
        min_score=min_score,
        batch_size=batch_size,
    )
